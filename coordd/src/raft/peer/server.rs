//! The peer port: accepts links, greets, and hands what comes in to the member.
//!
//! Each link is a task. On a log link appends are answered in order, one at a time, as they come; on a control link
//! every question is a task of its own, since one of them may wait for a quorum while the next is a heartbeat.

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::Local;
use super::call::{self, Answer, Call, Probed};
use super::frame::{self, ANSWER_MAY_WAIT, Frame, Kind, protocol};
use super::hello::{self, Accepted, Identity, LinkError, LinkKind, Refusal};
use super::roster::Standing;
use crate::consensus::BoxFuture;
use crate::net::{Accepting, TcpListener, TcpStream};
use crate::raft::types::{AppendRequest, AppendResponse};

/// How long a stranger may take to say who it is.
const GREETING_MAX: Duration = Duration::from_secs(5);
/// How long an answer that need not hurry waits for the next one; far below a heartbeat.
const ANSWER_WAITS: Duration = Duration::from_millis(5);
/// Of more links than so many that are being greeted at a time the oldest is closed.
const GREETINGS_MAX: usize = 64;
/// Said to a stranger that does more.
const STRANGER: &str = "who is part of no ensemble may ask who lives here, and nothing else";
const TELL_AGAIN: Duration = Duration::from_secs(60);
const REASONS_MAX: usize = 100;

/// What a member does with what its peers send.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Who this member is: what anyone may ask.
    fn probed(&self) -> Probed;
    fn call(&self, from: Identity, call: Call) -> BoxFuture<Answer>;
    fn append(&self, request: AppendRequest) -> BoxFuture<io::Result<AppendResponse>>;
    /// Takes over a log link whose first frame opens a stream of forwarded writes.
    fn forward(&self, from: Identity, link: Incoming, open: Frame) -> BoxFuture<io::Result<()>>;
    /// Takes over a snapshot link whose first frame announces a snapshot.
    fn snapshot(&self, link: Incoming, begin: Frame) -> BoxFuture<io::Result<()>>;
    /// A peer was heard of.
    fn heard(&self, from: &Identity);
}

/// An accepted link, after the greeting.
pub(crate) struct Incoming {
    pub stream: TcpStream,
    pub buffer: BytesMut,
}

impl Incoming {
    pub(crate) async fn read(&mut self) -> io::Result<Frame> {
        frame::read(&mut self.stream, &mut self.buffer).await
    }

    pub(crate) async fn send(&mut self, out: &mut BytesMut) -> io::Result<()> {
        frame::flush(&mut self.stream, out).await
    }
}

/// Says why links are refused, each reason once a minute: whoever is refused comes again every second.
#[derive(Default)]
struct Refusals(Mutex<HashMap<String, Instant>>);

impl Refusals {
    fn tell(&self, address: SocketAddr, why: &Refusal) {
        let mut told = self.0.lock();
        told.retain(|_, at| at.elapsed() < TELL_AGAIN);
        if told.len() < REASONS_MAX && !told.contains_key(&why.to_string()) {
            told.insert(why.to_string(), Instant::now());
            tracing::warn!(%address, %why, "refused a peer link");
        }
    }
}

/// The links that are being greeted, oldest first.
///
/// Rule: a new one is never turned away for old ones. Reason: a member greets in no time, so those that stay are
/// strangers, and a stranger that opens many would keep the members out.
#[derive(Default)]
struct Greetings(VecDeque<oneshot::Sender<()>>);

impl Greetings {
    /// Begins one; it must end when the receiver resolves, and is over once that is dropped.
    fn begin(&mut self) -> oneshot::Receiver<()> {
        let (greeting, pushed_out) = oneshot::channel();
        self.0.retain(|greeting| !greeting.is_closed());
        if self.0.len() == GREETINGS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(greeting);
        pushed_out
    }
}

/// Accepts links for ever.
pub(crate) async fn serve(listener: TcpListener, local: Arc<Local>, handler: Arc<dyn Handler>) {
    let refusals = Arc::new(Refusals::default());
    let (mut greetings, mut accepting) = (Greetings::default(), Accepting::new(listener, "peer"));
    loop {
        let (stream, address) = accepting.next().await;
        let (local, handler, refusals) = (local.clone(), handler.clone(), refusals.clone());
        let pushed_out = greetings.begin();
        tokio::spawn(async move {
            if let Err(error) = serve_link(stream, pushed_out, &local, handler).await {
                match error {
                    LinkError::Refused(why) => refusals.tell(address, &why),
                    LinkError::Io(error) => tracing::debug!(%address, %error, "peer link ended"),
                }
            }
        });
    }
}

async fn greet(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    pushed_out: oneshot::Receiver<()>,
    local: &Local,
) -> Result<Accepted, LinkError> {
    tokio::select! {
        greeted = timeout(GREETING_MAX, hello::accept(stream, buffer, local)) => {
            greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        }
        _ = pushed_out => Err(LinkError::Io(protocol("too many links were being greeted"))),
    }
}

async fn serve_link(
    mut stream: TcpStream,
    pushed_out: oneshot::Receiver<()>,
    local: &Local,
    handler: Arc<dyn Handler>,
) -> Result<(), LinkError> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(frame::READ_AHEAD);
    let accepted = greet(&mut stream, &mut buffer, pushed_out, local).await?;
    if let Some(from) = &accepted.from {
        handler.heard(from);
    }
    let mut link = Incoming { stream, buffer };
    match (accepted.link, accepted.from) {
        (LinkKind::Control, from) => control(link, from, local, handler).await?,
        (LinkKind::Log, Some(from)) => {
            let first = link.read().await?;
            match first.kind {
                Kind::ForwardOpen => handler.forward(from, link, first).await?,
                _ => log(link, first, handler).await?,
            }
        }
        (LinkKind::Snapshot, Some(_)) => {
            let begin = link.read().await?;
            handler.snapshot(link, begin).await?;
        }
        (LinkKind::Log | LinkKind::Snapshot, None) => return Err(LinkError::Io(protocol(STRANGER))),
    }
    Ok(())
}

async fn log(mut link: Incoming, first: Frame, handler: Arc<dyn Handler>) -> io::Result<()> {
    let mut frame = first;
    let mut out = BytesMut::new();
    let mut company = Company::new();
    loop {
        let id = frame.id;
        let request = call::get_append(frame.expect(Kind::Append)?)?;
        let answer = handler.append(request).await?;
        let start = frame::begin(&mut out, Kind::AppendAnswer, id);
        call::put_append_answer(&mut out, &answer);
        frame::end(&mut out, start);
        let may_wait = id == ANSWER_MAY_WAIT && answer == AppendResponse::Success;
        frame = next(&mut link, &mut out, may_wait.then_some(&mut company)).await?;
    }
}

/// The timer of the answers that wait for company.
///
/// Rule: it runs on over many answers, and is set anew only by one that finds it run down. Reason: each setting of the
/// nearest timer is two system calls more.
struct Company(Pin<Box<Sleep>>);

impl Company {
    fn new() -> Company {
        Company(Box::pin(sleep(Duration::ZERO)))
    }

    /// Resolves within `ANSWER_WAITS`.
    async fn missed(&mut self) {
        let now = Instant::now();
        if self.0.deadline() <= now {
            self.0.as_mut().reset(now + ANSWER_WAITS);
        }
        self.0.as_mut().await;
    }
}

/// The next frame; the answers in `out` leave before it comes, at once unless they may wait for company.
async fn next(link: &mut Incoming, out: &mut BytesMut, company: Option<&mut Company>) -> io::Result<Frame> {
    if let Some(company) = company {
        tokio::select! {
            biased;
            frame = link.read() => return frame,
            () = company.missed() => {}
        }
    }
    link.send(out).await?;
    link.read().await
}

/// Whether the peer was removed since it was greeted: its link is closed then, so that it hears so when it dials again.
fn was_removed(from: Option<&Identity>, local: &Local) -> bool {
    from.is_some_and(|from| matches!(local.roster.standing(from.node_id, &from.disk_id), Standing::Removed(_)))
}

/// The answer to a question of a member, or of a stranger: one whose entries or votes were taken in could lead.
fn answer(handler: &dyn Handler, from: Option<&Identity>, call: Call) -> BoxFuture<Answer> {
    match (call, from) {
        (Call::Probe, _) => Box::pin(ready(Answer::Probe(handler.probed()))),
        (call, Some(from)) => handler.call(from.clone(), call),
        (_, None) => Box::pin(ready(Answer::Failed(STRANGER.to_owned()))),
    }
}

async fn control(link: Incoming, from: Option<Identity>, local: &Local, handler: Arc<dyn Handler>) -> io::Result<()> {
    let Incoming { stream, mut buffer } = link;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (answers, mut answered) = mpsc::unbounded_channel::<(Kind, u64, Bytes)>();
    let write = async {
        let mut out = BytesMut::new();
        while let Some((kind, id, body)) = answered.recv().await {
            frame::put(&mut out, kind, id, &body);
            frame::flush(&mut writer, &mut out).await?;
        }
        Ok::<(), io::Error>(())
    };
    let read = async {
        loop {
            let frame = frame::read(&mut reader, &mut buffer).await?;
            let (answers, id) = (answers.clone(), frame.id);
            if was_removed(from.as_ref(), local) {
                return Err(protocol("the peer was removed from the ensemble"));
            }
            match frame.kind {
                Kind::Append if from.is_none() => return Err(protocol(STRANGER)),
                Kind::Append => {
                    let answer = handler.append(call::get_append(frame.body)?);
                    tokio::spawn(async move {
                        if let Ok(answer) = answer.await {
                            let mut body = BytesMut::new();
                            call::put_append_answer(&mut body, &answer);
                            let _ = answers.send((Kind::AppendAnswer, id, body.freeze()));
                        }
                    });
                }
                Kind::Call => {
                    let question: Call = serde_json::from_slice(&frame.body)?;
                    let answer = answer(&*handler, from.as_ref(), question);
                    tokio::spawn(async move {
                        let body = serde_json::to_vec(&answer.await).unwrap_or_default();
                        let _ = answers.send((Kind::Answer, id, body.into()));
                    });
                }
                other => return Err(protocol(format!("{other:?} on a control link"))),
            }
        }
    };
    tokio::select! {
        ended = write => ended,
        ended = read => ended,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::call::Adoption;
    use super::super::double::{Double, local};
    use super::super::link::Link;
    use super::*;
    use crate::raft::types::{TransferRequest, Vote, VoteRequest};

    #[tokio::test]
    async fn strangers_that_say_nothing_keep_no_member_out_and_the_oldest_are_closed() {
        let node = Arc::<Double>::default().serve(2).await;
        let mut strangers = Vec::new();
        for _ in 0..GREETINGS_MAX + 1 {
            strangers.push(TcpStream::connect(&node.peer_addr).await.unwrap());
        }
        let first = timeout(GREETING_MAX / 2, strangers[0].read(&mut [0; 16])).await;
        assert!(matches!(first, Ok(Ok(0) | Err(_))), "the oldest is closed");
        let to = Some((2, node.disk_id.clone()));
        Link::dial(&node.peer_addr, &local(1), to, LinkKind::Log).await.unwrap();
        assert!(timeout(Duration::from_millis(50), strangers[GREETINGS_MAX].read(&mut [0; 16])).await.is_err());
    }

    #[tokio::test]
    async fn a_stranger_is_told_who_lives_here_and_neither_votes_appends_nor_orders_anything() {
        let peer = Arc::<Double>::default();
        let node = peer.clone().serve(2).await;
        let stranger = Local::new(None, None);
        let mut link = Link::dial(&node.peer_addr, &stranger, None, LinkKind::Control).await.unwrap();
        let vote = || VoteRequest::new(Vote::new(9, 9), None);
        let transfer = TransferRequest::new(Vote::new(9, 9), 2, None);
        let adoption = Adoption { ensemble_id: "e".into(), node_id: 2, disk_id: "d2".into() };
        let orders = [
            Call::Vote(vote()),
            Call::PreVote(vote()),
            Call::Transfer(transfer),
            Call::ReadIndex,
            Call::Elect,
            Call::Attendance { index: None },
            Call::Diverged { index: 1, majority: 1 },
            Call::Adopt(adoption),
        ];
        for order in orders {
            let answer = asked(&mut link, &order).await;
            assert!(matches!(&answer, Answer::Failed(why) if why == STRANGER), "{order:?}: {answer:?}");
        }
        assert!(matches!(asked(&mut link, &Call::Probe).await, Answer::Probe(_)));
        let append = AppendRequest { vote: Vote::new(9, 9), prev_log_id: None, entries: vec![], leader_commit: None };
        let (mut body, mut out) = (BytesMut::new(), BytesMut::new());
        call::put_append(&mut body, &append);
        frame::put(&mut out, Kind::Append, 1, &body);
        link.send(&mut out).await.unwrap();
        assert_eq!(link.read().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(*peer.did.lock(), Vec::<String>::new());
    }

    async fn asked(link: &mut Link, call: &Call) -> Answer {
        let mut out = BytesMut::new();
        frame::put(&mut out, Kind::Call, 1, &serde_json::to_vec(call).unwrap());
        link.send(&mut out).await.unwrap();
        serde_json::from_slice(&link.read().await.unwrap().expect(Kind::Answer).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_stranger_that_announces_much_is_closed_at_once() {
        let node = Arc::<Double>::default().serve(2).await;
        let mut stranger = TcpStream::connect(&node.peer_addr).await.unwrap();
        stranger.write_all(&(1u32 << 20).to_be_bytes()).await.unwrap();
        let closed = timeout(GREETING_MAX / 2, stranger.read(&mut [0; 16])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))));
    }

    #[tokio::test]
    async fn an_answer_that_may_wait_for_company_comes_without_it_too_each_time() {
        let node = Arc::<Double>::default().serve(2).await;
        let to = Some((2, node.disk_id.clone()));
        let mut link = Link::dial(&node.peer_addr, &local(1), to, LinkKind::Log).await.unwrap();
        let request = AppendRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: None,
            leader_commit: None,
            entries: Vec::new(),
        };
        for _ in 0..3 {
            let mut out = BytesMut::new();
            let start = frame::begin(&mut out, Kind::Append, ANSWER_MAY_WAIT);
            call::put_append(&mut out, &request);
            frame::end(&mut out, start);
            link.send(&mut out).await.unwrap();
            let answer = timeout(GREETING_MAX, link.read()).await.expect("it waits for ever").unwrap();
            assert_eq!(answer.id, ANSWER_MAY_WAIT);
        }
    }

    #[test]
    fn a_greeting_that_is_over_counts_no_more() {
        let mut greetings = Greetings::default();
        let mut first = greetings.begin();
        (0..2 * GREETINGS_MAX).for_each(|_| drop(greetings.begin()));
        assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }
}
