//! The peer port: accepts links, greets, and hands what comes in to the member.
//!
//! Each link is a task. On a log link appends are answered in order, one at a time, as they come; on a control link
//! every question is a task of its own, since one of them may wait for a quorum while the next is a heartbeat.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Local;
use super::call::{self, Answer, Call};
use super::frame::{self, ANSWER_MAY_WAIT, Frame, Kind, protocol};
use super::hello::{self, Identity, LinkError, LinkKind, Refusal};
use super::roster::Standing;
use crate::consensus::BoxFuture;
use crate::net::{TcpListener, TcpStream};
use crate::raft::types::{AppendRequest, AppendResponse};

/// How long a stranger may take to say who it is.
const GREETING_MAX: Duration = Duration::from_secs(5);
/// How long an answer that need not hurry waits for the next one; far below a heartbeat.
const ANSWER_WAITS: Duration = Duration::from_millis(5);
const TELL_AGAIN: Duration = Duration::from_secs(60);
const REASONS_MAX: usize = 100;

/// What a member does with what its peers send.
pub(crate) trait Handler: Send + Sync + 'static {
    fn call(&self, from: Option<Identity>, call: Call) -> BoxFuture<Answer>;
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

/// Accepts links for ever.
pub(crate) async fn serve(listener: TcpListener, local: Arc<Local>, handler: Arc<dyn Handler>) {
    let refusals = Arc::new(Refusals::default());
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let (local, handler, refusals) = (local.clone(), handler.clone(), refusals.clone());
                tokio::spawn(async move {
                    if let Err(error) = greet(stream, &local, handler).await {
                        match error {
                            LinkError::Refused(why) => refusals.tell(address, &why),
                            LinkError::Io(error) => tracing::debug!(%address, %error, "peer link ended"),
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a peer link; trying again in 100 ms");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn greet(mut stream: TcpStream, local: &Local, handler: Arc<dyn Handler>) -> Result<(), LinkError> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let greeted = timeout(GREETING_MAX, hello::accept(&mut stream, &mut buffer, local)).await;
    let accepted = greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
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
        (LinkKind::Log | LinkKind::Snapshot, None) => {
            return Err(LinkError::Io(protocol("an unformed member asks questions only")));
        }
    }
    Ok(())
}

async fn log(mut link: Incoming, first: Frame, handler: Arc<dyn Handler>) -> io::Result<()> {
    let mut frame = first;
    let mut out = BytesMut::new();
    loop {
        let id = frame.id;
        let request = call::get_append(frame.expect(Kind::Append)?)?;
        let answer = handler.append(request).await?;
        let start = frame::begin(&mut out, Kind::AppendAnswer, id);
        call::put_append_answer(&mut out, &answer);
        frame::end(&mut out, start);
        let may_wait = id == ANSWER_MAY_WAIT && answer == AppendResponse::Success;
        frame = next(&mut link, &mut out, may_wait).await?;
    }
}

/// The next frame; the answers in `out` leave before it comes, at once unless they may wait for company.
async fn next(link: &mut Incoming, out: &mut BytesMut, may_wait: bool) -> io::Result<Frame> {
    if may_wait && let Ok(frame) = timeout(ANSWER_WAITS, link.read()).await {
        return frame;
    }
    link.send(out).await?;
    link.read().await
}

/// Whether the peer was removed since it was greeted: its link is closed then, so that it hears so when it dials again.
fn was_removed(from: Option<&Identity>, local: &Local) -> bool {
    from.is_some_and(|from| matches!(local.roster.standing(from.node_id, &from.disk_id), Standing::Removed(_)))
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
                    let answer = handler.call(from.clone(), question);
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
