//! Entries on their way to one follower: openraft's stream of append requests over a log link of their own.
//!
//! ```text
//!   requests ─► [entries] ─► link ─► … flushed there … ─► answer ─► the next batch: everything that came meanwhile
//!               [commit only] ─► link ─► the next batch need not wait for the answer, and the answer need not hurry
//! ```
//!
//! Rule: at most one request that carries entries is on its way, so that batches grow by themselves under load; answers
//! are given in the order of the requests, each as it was heard; that of the news goes without saying where the next
//! one came along; the news leaves first for whoever wrote last (`intake`). Reason: the news of a commit follows every
//! batch; were it answered like one, a write alone would cost two round trips more, and the next batch would wait for
//! them; and sending it to those who wait for nothing takes as long as an answer to the one who does.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{Stream, StreamExt};
use openraft::error::{NetworkError, RPCError};
use openraft::raft::StreamAppendResult;
use tokio::time::timeout;

use super::network::{Client, RpcError, unreachable};
use super::peer::call;
use super::peer::frame::{self, ANSWER_MAY_WAIT, ANSWER_NOW, Kind};
use super::peer::hello::LinkKind;
use super::peer::link::Link;
use super::types::{AppendRequest, AppendResponse, LogId, TypeConfig};

/// A log link on which nothing came back for so long is cut; far above any disk that is worth waiting for.
const STALL_MAX: Duration = Duration::from_secs(10);
/// Requests without entries that may be unanswered at once.
const ASKED_MAX: usize = 32;

pub(super) type Outcome = Result<StreamAppendResult<TypeConfig>, RpcError>;

/// A request on its way, as far as its answer needs it.
struct Asked {
    prev: Option<LogId>,
    last: Option<LogId>,
    carries: bool,
}

/// One run of openraft's request stream; the link outlives it if it ends in order.
pub(super) struct Session<'s, S> {
    client: &'s mut Client,
    requests: S,
    /// openraft has no request left.
    ended: bool,
    link: Option<Link>,
    out: BytesMut,
    asked: VecDeque<Asked>,
    /// The first answer tells where the follower's log ends: it is wanted at once.
    first: bool,
}

enum Step {
    Sent,
    Answered(AppendResponse),
    Ended,
}

fn broken(error: &io::Error) -> RpcError {
    RPCError::Network(NetworkError::new(error))
}

impl<'s, S> Session<'s, S>
where
    S: Stream<Item = AppendRequest> + Unpin,
{
    pub(super) fn new(client: &'s mut Client, requests: S) -> Session<'s, S> {
        let link = client.log.take();
        Session { client, requests, ended: false, link, out: BytesMut::new(), asked: VecDeque::new(), first: true }
    }

    /// The next answer, and the session if more may follow; the shape of `futures_util::stream::unfold`.
    pub(super) async fn next_outcome(mut self) -> Option<(Outcome, Option<Self>)> {
        loop {
            match self.step().await {
                Ok(Step::Sent) => {}
                Ok(Step::Answered(answer)) => {
                    let carried = self.asked.front().is_some_and(|asked| asked.carries);
                    let (outcome, goes_on) = self.settle(answer);
                    if goes_on && !carried && self.next_is_here() {
                        continue;
                    }
                    return Some((Ok(outcome), goes_on.then_some(self)));
                }
                Ok(Step::Ended) => {
                    self.client.log = self.link;
                    return None;
                }
                Err(error) => return Some((Err(error), None)),
            }
        }
    }

    async fn step(&mut self) -> Result<Step, RpcError> {
        let may_send =
            !self.ended && self.asked.len() < ASKED_MAX && self.asked.back().is_none_or(|last| !last.carries);
        match (&mut self.link, self.asked.is_empty()) {
            (Some(link), false) => tokio::select! {
                biased;
                request = self.requests.next(), if may_send => self.take(request).await,
                answer = timeout(STALL_MAX, read(link)) => {
                    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                    answer.map(Step::Answered).map_err(|error| broken(&error))
                }
            },
            _ if may_send => {
                let request = self.requests.next().await;
                self.take(request).await
            }
            _ => Ok(Step::Ended),
        }
    }

    async fn take(&mut self, request: Option<AppendRequest>) -> Result<Step, RpcError> {
        match request {
            Some(request) => self.send(&request).await,
            None => {
                self.ended = true;
                Ok(Step::Sent)
            }
        }
    }

    async fn send(&mut self, request: &AppendRequest) -> Result<Step, RpcError> {
        let Client { peers, target, node, .. } = &*self.client;
        let link = match &mut self.link {
            Some(link) => link,
            none => {
                let to = Some((*target, node.disk_id.clone()));
                let dialed = Link::dial(&node.peer_addr, &peers.local, to, LinkKind::Log).await;
                none.insert(dialed.map_err(|error| unreachable(&error))?)
            }
        };
        let carries = !request.entries.is_empty();
        if !carries && self.client.last_origin.get() != self.client.target {
            // Who waits has its answer first: this member's own client, or the one at the other end of another link.
            tokio::task::yield_now().await;
        }
        let hurry = carries || std::mem::take(&mut self.first);
        let start = frame::begin(&mut self.out, Kind::Append, if hurry { ANSWER_NOW } else { ANSWER_MAY_WAIT });
        call::put_append(&mut self.out, request);
        frame::end(&mut self.out, start);
        let sent = timeout(STALL_MAX, link.send(&mut self.out)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| broken(&error))?;
        let last = request.entries.last().map_or(request.prev_log_id, |entry| Some(entry.log_id));
        self.asked.push_back(Asked { prev: request.prev_log_id, last, carries });
        Ok(Step::Sent)
    }

    /// Whether an answer came along that says all that the last one says, and more.
    fn next_is_here(&self) -> bool {
        !self.asked.is_empty() && self.link.as_ref().is_some_and(|link| frame::is_whole(&link.buffer))
    }

    /// What `answer` says of the oldest unanswered request, and whether the stream goes on after it.
    fn settle(&mut self, answer: AppendResponse) -> (StreamAppendResult<TypeConfig>, bool) {
        let Some(Asked { prev, last, .. }) = self.asked.pop_front() else { return (Ok(None), false) };
        let whole = !matches!(&answer, AppendResponse::PartialSuccess(upto) if *upto != last);
        let outcome = answer.into_stream_result(prev, last);
        let goes_on = whole && outcome.is_ok();
        (outcome, goes_on)
    }
}

async fn read(link: &mut Link) -> io::Result<AppendResponse> {
    call::get_append_answer(link.read().await?.expect(Kind::AppendAnswer)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;
    use openraft::impls::EntryPayload;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;

    use super::super::codec;
    use super::super::intake::LastOrigin;
    use super::super::peer::Local;
    use super::super::peer::peers::Peers;
    use super::super::types::{Entry, Node, Vote};
    use super::*;

    /// A client whose link to its peer is there already, and the peer's end of it.
    async fn linked() -> (Client, Link) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let link = |stream| Link { stream, buffer: BytesMut::new() };
        let peers = Arc::new(Peers::new(Arc::new(Local::new(None, None)), mpsc::unbounded_channel().0));
        (Client::over(peers, 2, Node::default(), link(near)), link(far))
    }

    fn request(prev: u64, entry: Option<u64>) -> AppendRequest {
        let id = |index| codec::log_id(1, index);
        let entries =
            entry.map(|index| Entry { log_id: id(index), payload: EntryPayload::Blank }).into_iter().collect();
        AppendRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: Some(id(prev)),
            leader_commit: Some(id(prev)),
            entries,
        }
    }

    async fn answer(peer: &mut Link, times: usize) {
        let mut out = BytesMut::new();
        for _ in 0..times {
            let mut body = BytesMut::new();
            call::put_append_answer(&mut body, &AppendResponse::Success);
            frame::put(&mut out, Kind::AppendAnswer, 0, &body);
        }
        peer.stream.write_all(&out).await.unwrap();
    }

    /// What openraft is told, when so many answers at a time come to an entry, the news of it and another entry.
    async fn told(answers: &[usize]) -> Vec<u64> {
        let (mut client, mut peer) = linked().await;
        let requests = [request(4, Some(5)), request(5, None), request(5, Some(6))];
        let mut session = Session::new(&mut client, stream::iter(requests).chain(stream::pending()));
        let mut told = Vec::new();
        for &times in answers {
            answer(&mut peer, times).await;
            let (outcome, more) = session.next_outcome().await.unwrap();
            told.push(outcome.unwrap().unwrap().unwrap().index());
            session = more.unwrap();
        }
        assert!(session.asked.is_empty());
        told
    }

    /// Whether another task that is ready had its turn before the news of a commit left for member 2.
    async fn others_go_before_the_news(last_origin: u64) -> bool {
        let (mut client, _peer) = linked().await;
        client.last_origin = Arc::new(LastOrigin::of(last_origin));
        let mut session = Session::new(&mut client, stream::pending());
        let other = tokio::spawn(async {});
        session.send(&request(5, None)).await.unwrap();
        other.is_finished()
    }

    #[tokio::test]
    async fn who_waits_for_a_commit_hears_of_it_first() {
        assert!(others_go_before_the_news(1).await, "a client of this member, whose answer is apply's next task");
        assert!(others_go_before_the_news(3).await, "a client of the third member, to which the news goes next");
        assert!(!others_go_before_the_news(2).await, "a client of this very peer");
    }

    #[tokio::test]
    async fn the_news_goes_without_saying_where_the_next_answer_came_along() {
        assert_eq!(told(&[1, 2]).await, [5, 6]);
    }

    #[tokio::test]
    async fn the_news_is_answered_where_no_other_answer_is_there() {
        assert_eq!(told(&[1, 1, 1]).await, [5, 5, 6]);
    }
}
