//! The control link to one peer: always dialed, redialed at once when it breaks, shared by everyone who asks the peer.
//!
//! ```text
//!   call(question) ──► queue ──► actor ══ link ══► peer          answers pair by frame id
//!                                  └─ broke ─► redial within 50 ms ─ no ─► Down(peer)   (news for failover, D17)
//! ```
//!
//! Rule: a call to a peer whose link is down fails at once, it never waits for the dial. Reason: openraft asks dead
//! peers for votes too, inside its only task. A link on which questions stay unanswered and nothing comes in is cut
//! and dialed anew: the peer's host may be gone without a word, and its name may mean another address by now.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Answer, Call};
use super::frame::{self, Frame, Kind};
use super::hello::{LinkError, LinkKind, Refusal};
use super::link::Link;
use super::redial::{BACKOFF_MIN, Redial};
use super::{Local, frame::protocol};
use crate::raft::types::{Node, NodeId};

/// A peer that does not greet again within this time after a break is down.
const REDIAL_GRACE: Duration = Duration::from_millis(50);
/// A link is cut when questions were sent and nothing came back for so long.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// What a control link has to tell the member.
#[derive(Debug)]
pub(crate) enum News {
    /// The link broke and the peer did not greet again in time.
    Down(NodeId),
    Up(NodeId),
    /// The peer says that this member is out of the ensemble as of a log index.
    Removed {
        as_of: u64,
    },
    Refused(NodeId, Refusal),
}

struct Question {
    kind: Kind,
    body: Bytes,
    answer: oneshot::Sender<io::Result<Frame>>,
}

/// Handle of a peer's control link; dropping the last one ends it.
#[derive(Debug)]
pub(crate) struct Control {
    questions: mpsc::UnboundedSender<Question>,
    up: watch::Receiver<bool>,
    hello: watch::Sender<Option<Instant>>,
}

impl Control {
    pub(crate) fn start(id: NodeId, node: Node, local: Arc<Local>, news: mpsc::UnboundedSender<News>) -> Control {
        Self::start_with(id, node, local, news, SILENT_MAX)
    }

    fn start_with(
        id: NodeId,
        node: Node,
        local: Arc<Local>,
        news: mpsc::UnboundedSender<News>,
        silent_max: Duration,
    ) -> Control {
        let (questions, queue) = mpsc::unbounded_channel();
        let (up_tx, up) = watch::channel(false);
        let (hello, heard) = watch::channel(None);
        let actor = Actor { refused: None, id, node, local, news, queue, up: up_tx, next_id: 0, silent_max };
        tokio::spawn(actor.run(Redial::new(heard)));
        Control { questions, up, hello }
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// A link of the peer's own was greeted: it is there.
    pub(crate) fn said_hello(&self) {
        self.hello.send_replace(Some(Instant::now()));
    }

    async fn ask(&self, kind: Kind, body: Bytes) -> io::Result<Frame> {
        if !self.is_up() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "control link is down"));
        }
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "control link broke");
        self.questions.send(Question { kind, body, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    pub(crate) async fn call(&self, call: &Call) -> io::Result<Answer> {
        let frame = self.ask(Kind::Call, serde_json::to_vec(call)?.into()).await?;
        match serde_json::from_slice(&frame.expect(Kind::Answer)?)? {
            Answer::Failed(why) => Err(io::Error::other(why)),
            answer => Ok(answer),
        }
    }

    /// An append request that carries no entries: a heartbeat.
    pub(crate) async fn heartbeat(&self, body: Bytes) -> io::Result<Bytes> {
        self.ask(Kind::Append, body).await?.expect(Kind::AppendAnswer)
    }
}

struct Actor {
    /// Why the peer refused last; told once.
    refused: Option<Refusal>,
    id: NodeId,
    node: Node,
    local: Arc<Local>,
    news: mpsc::UnboundedSender<News>,
    queue: mpsc::UnboundedReceiver<Question>,
    up: watch::Sender<bool>,
    next_id: u64,
    silent_max: Duration,
}

impl Actor {
    async fn run(mut self, mut redial: Redial) {
        while !self.queue.is_closed() {
            match redial.attempt(self.dial()).await {
                Ok(link) => self.serve_until_down(link).await,
                Err(error) => {
                    self.tell_refusal(error);
                    tokio::select! {
                        biased;
                        () = redial.wait() => {}
                        () = refuse_all(&mut self.queue) => {}
                    }
                }
            }
        }
    }

    fn dial(&self) -> impl Future<Output = Result<Link, LinkError>> {
        let (address, local) = (self.node.peer_addr.clone(), self.local.clone());
        let to = Some((self.id, self.node.disk_id.clone()));
        async move { Link::dial(&address, &local, to, LinkKind::Control).await }
    }

    fn tell_refusal(&mut self, error: LinkError) {
        if let LinkError::Refused(refusal) = &error
            && self.refused.replace(refusal.clone()).as_ref() == Some(refusal)
        {
            return;
        }
        match error {
            LinkError::Refused(Refusal::Removed { as_of, .. }) => {
                let _ = self.news.send(News::Removed { as_of });
            }
            LinkError::Refused(refusal) => {
                let _ = self.news.send(News::Refused(self.id, refusal));
            }
            LinkError::Io(error) => tracing::debug!(peer = self.id, %error, "peer cannot be reached"),
        }
    }

    /// Serves the link and each one that replaces it in time.
    async fn serve_until_down(&mut self, mut link: Link) {
        self.up.send_replace(true);
        let _ = self.news.send(News::Up(self.id));
        loop {
            let stands_since = Instant::now();
            let ended = self.serve(&mut link).await;
            if self.queue.is_closed() {
                return;
            }
            tracing::debug!(peer = self.id, reason = ?ended.err(), "control link broke");
            match timeout(REDIAL_GRACE, self.dial()).await {
                Ok(Ok(again)) => link = again,
                Ok(Err(error)) => {
                    self.tell_refusal(error);
                    break;
                }
                Err(_) => break,
            }
            // A peer that greets and then closes, on and on, is there, and yet not dialed on and on.
            sleep_until(stands_since + BACKOFF_MIN).await;
        }
        self.up.send_replace(false);
        let _ = self.news.send(News::Down(self.id));
        // The next dial may take long; who asked while this one was hoped for hears at once that it was in vain.
        while self.queue.try_recv().is_ok() {}
    }

    async fn serve(&mut self, link: &mut Link) -> io::Result<()> {
        let mut waiting: HashMap<u64, oneshot::Sender<io::Result<Frame>>> = HashMap::new();
        let mut out = BytesMut::new();
        // Since when something is unanswered and nothing came in.
        let mut silent_since: Option<Instant> = None;
        loop {
            let cut_at = silent_since.map(|since| since + self.silent_max);
            tokio::select! {
                biased;
                frame = frame::read(&mut link.stream, &mut link.buffer) => {
                    let frame = frame?;
                    match waiting.remove(&frame.id) {
                        Some(asked) => drop(asked.send(Ok(frame))),
                        // Whoever asked has given up meanwhile.
                        None if frame.id <= self.next_id => {}
                        None => return Err(protocol("an answer without a question")),
                    }
                    silent_since = (!waiting.is_empty()).then(Instant::now);
                }
                question = self.queue.recv() => {
                    let Some(Question { kind, body, answer }) = question else { return Ok(()) };
                    self.next_id += 1;
                    waiting.insert(self.next_id, answer);
                    frame::put(&mut out, kind, self.next_id, &body);
                    frame::flush(&mut link.stream, &mut out).await?;
                    waiting.retain(|_, answer| !answer.is_closed());
                    silent_since.get_or_insert_with(Instant::now);
                }
                () = sleep_until(cut_at.unwrap_or_else(Instant::now)), if cut_at.is_some() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer is silent"));
                }
            }
        }
    }
}

/// Drops questions that were queued while the link broke, so that whoever asked hears it; ends with the queue.
async fn refuse_all(queue: &mut mpsc::UnboundedReceiver<Question>) {
    while let Some(question) = queue.recv().await {
        let _ = question.answer.send(Err(io::ErrorKind::NotConnected.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::time::sleep;

    use super::super::double::{Double, local};
    use super::super::hello;
    use super::*;
    use crate::net::{TcpListener, TcpStream};

    /// A control link from member 1 to `node`, and its news.
    fn link_to(node: Node, silent_max: Duration) -> (Control, mpsc::UnboundedReceiver<News>) {
        let (tell, news) = mpsc::unbounded_channel();
        (Control::start_with(2, node, local(1), tell, silent_max), news)
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_any_more_leaves_the_link_as_it_is() {
        let peer = Arc::new(Double { elect_takes: Duration::from_millis(60), ..Double::default() });
        let (link, mut news) = link_to(peer.serve(2).await, SILENT_MAX);
        assert!(matches!(news.recv().await, Some(News::Up(2))));
        assert!(timeout(Duration::from_millis(10), link.call(&Call::Elect)).await.is_err(), "given up");
        assert!(matches!(link.call(&Call::ReadIndex).await, Ok(Answer::Done)));
        assert!(matches!(link.call(&Call::Elect).await, Ok(Answer::Done)), "the late answer came in between");
    }

    #[tokio::test]
    async fn a_link_that_swallows_questions_is_dialed_anew_and_an_idle_one_stays() {
        let peer = Arc::new(Double { elect_takes: Duration::from_secs(60), ..Double::default() });
        let silent_max = Duration::from_millis(100);
        let (link, mut news) = link_to(peer.clone().serve(2).await, silent_max);
        assert!(matches!(news.recv().await, Some(News::Up(2))));
        assert!(matches!(link.call(&Call::ReadIndex).await, Ok(Answer::Done)));
        sleep(silent_max * 3).await;
        assert_eq!(peer.greeted.load(Ordering::Relaxed), 1, "nothing was asked, nothing is missing");
        let swallowed = timeout(Duration::from_secs(20), link.call(&Call::Elect)).await.expect("the link was cut");
        assert_eq!(swallowed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(matches!(link.call(&Call::ReadIndex).await, Ok(Answer::Done)), "there is a new link");
    }

    /// A listener in the place of member 2, and the node to dial.
    async fn listener() -> (TcpListener, Node) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer_addr = listener.local_addr().unwrap().to_string();
        (listener, Node { disk_id: "d2".into(), peer_addr, ..Node::default() })
    }

    async fn greet_one(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        hello::accept(&mut stream, &mut BytesMut::new(), &local(2)).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn what_is_asked_while_the_link_breaks_is_not_kept_waiting_by_the_dials_after_it() {
        let (listener, node) = listener().await;
        let (link, mut news) = link_to(node, SILENT_MAX);
        let first = greet_one(&listener).await;
        assert!(matches!(news.recv().await, Some(News::Up(2))));
        drop(first);
        let _not_greeted = listener.accept().await.unwrap();
        tokio::select! {
            biased;
            answer = link.call(&Call::ReadIndex) => assert!(answer.is_err()),
            _ = listener.accept() => panic!("it waits for the next dial"),
        }
    }

    #[tokio::test]
    async fn a_peer_that_greets_and_closes_is_dialed_at_a_measured_pace() {
        let (listener, node) = listener().await;
        let _link = link_to(node, SILENT_MAX);
        let began = Instant::now();
        for greeted in 0..10 {
            drop(greet_one(&listener).await);
            let least = BACKOFF_MIN * (greeted / 2);
            assert!(began.elapsed() >= least, "dialed {greeted} times in {:?}", began.elapsed());
        }
    }
}
