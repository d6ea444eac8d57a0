//! Follows one answer: a task that keeps a line to some member, and the end of it that the application holds.
//!
//! ```text
//!   task:  which ensemble is it? ─► stream, Last-Event-ID ─► events ──one place──► Follower::next
//!             ▲                                               │
//!             └─ the next member, after a pause ◄─────────────┴ broken, ended, silent, too long, gone back
//! ```
//!
//! Rule: what was seen is never followed by what was before it. An older event is dropped, and a line that begins with
//! one is given up; only in another ensemble (one that was recovered, restored or made anew has another id) do zxids
//! begin anew. Whoever reads slowly misses states in between, never the last, and holds up to one event here. An
//! absence after an absence is none of the past, whatever its number: members know of it since different zxids, and
//! each waits for what was seen before it answers.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::members::backoff;
use super::sse::{Message, Parser, TooLong};
use super::{Discovery, DiscoveryError, LARGE, Miss, Question};
use crate::discovery::Problem;

/// A question that is refused may be allowed later, by another ACL.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
/// An answer that is too large costs as much each time: each pause is longer than the last, up to so many times.
const LONGER_MAX: u32 = 15;
const TOO_LARGE: u16 = 413;

/// What a follower is told. Every value is the whole answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<T> {
    /// How it is: the first event from each member, and so the same again when nothing has changed.
    Snapshot { zxid: i64, value: T },
    /// How it has become.
    Change { zxid: i64, value: T },
    /// There is no such znode, now or from the beginning. It may come.
    Gone { zxid: i64, problem: Box<Problem> },
}

impl<T> Event<T> {
    pub fn zxid(&self) -> i64 {
        match self {
            Event::Snapshot { zxid, .. } | Event::Change { zxid, .. } | Event::Gone { zxid, .. } => *zxid,
        }
    }

    /// The answer, if the znode is there.
    pub fn value(self) -> Option<T> {
        match self {
            Event::Snapshot { value, .. } | Event::Change { value, .. } => Some(value),
            Event::Gone { .. } => None,
        }
    }
}

/// What `next` gives.
type Told<T> = Result<Event<T>, DiscoveryError>;

/// How the line to the ensemble is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A member is sending: what `next` said last is how it is.
    Connected { member: String },
    /// No member is: what `next` said last was true at `since` or later. `why` is the last that went wrong; `refused`
    /// if that is a member that answers, and refuses.
    Lost { since: Instant, why: String, refused: bool },
}

/// The application's end. Dropped, it ends the task and its connection.
pub struct Follower<T> {
    events: mpsc::Receiver<Told<T>>,
    line: watch::Receiver<Line>,
    task: JoinHandle<()>,
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T: DeserializeOwned + Send + 'static> Follower<T> {
    pub(super) fn start(discovery: Discovery, question: Question<T>) -> Follower<T> {
        let (events, receiver) = mpsc::channel(1);
        let unknown = Line::Lost { since: Instant::now(), why: "not connected yet".to_owned(), refused: false };
        let (line, watched) = watch::channel(unknown);
        let members = discovery.members.scattered();
        let discovery = Discovery { members, ..discovery };
        let url = question.url();
        let task = Task { discovery, url, events, line, seen: None, gone: false, ensemble: None, failures: 0 };
        Follower { events: receiver, line: watched, task: tokio::spawn(task.run()) }
    }
}

impl<T> Follower<T> {
    /// The next event; may be dropped and called again without loss. It waits as long as it takes: `line` tells
    /// whether anyone is there.
    ///
    /// # Errors
    /// When the question is refused, from the beginning or by now (the ACL has changed, the answer is too large): what
    /// was told before is then not known to be gone. The follower goes on; `next` may be called again. `Unreachable`
    /// says that it does not: its task has ended with the runtime, and every further call says so at once.
    pub async fn next(&mut self) -> Result<Event<T>, DiscoveryError> {
        let ended = || Err(DiscoveryError::Unreachable("the runtime of the follower has ended".to_owned()));
        self.events.recv().await.unwrap_or_else(ended)
    }

    /// How the line is, to look at or to wait for.
    pub fn line(&self) -> watch::Receiver<Line> {
        self.line.clone()
    }
}

struct Task<T> {
    discovery: Discovery,
    url: String,
    events: mpsc::Sender<Told<T>>,
    line: watch::Sender<Line>,
    /// The newest zxid that was told.
    seen: Option<i64>,
    /// What was told last: there is no such znode.
    gone: bool,
    /// Where `seen` counts.
    ensemble: Option<String>,
    /// In a row.
    failures: u32,
}

impl<T: DeserializeOwned + Send + 'static> Task<T> {
    async fn run(mut self) {
        while !self.events.is_closed() {
            let member = self.discovery.members.chosen();
            let miss = match self.stay(&member).await {
                Ok(()) => return,
                Err(miss) => miss,
            };
            self.failures = self.failures.saturating_add(1);
            self.discovery.members.pass(&member);
            match miss {
                Miss::Elsewhere(why) => {
                    self.lost(format!("{member}: {why}"), false);
                    sleep(backoff(self.failures)).await;
                }
                Miss::Refused(problem) | Miss::Gone(problem, _) => {
                    self.lost(format!("{member}: {problem}"), true);
                    let longer = if problem.status == TOO_LARGE { self.failures.clamp(1, LONGER_MAX) } else { 1 };
                    if self.events.send(Err(DiscoveryError::Refused(problem))).await.is_err() {
                        return;
                    }
                    sleep(REFUSED_PAUSE * longer + backoff(u32::MAX)).await;
                }
            }
        }
    }

    fn lost(&self, why: String, refused: bool) {
        self.line.send_modify(|line| {
            let since = match line {
                Line::Connected { .. } => Instant::now(),
                Line::Lost { since, .. } => *since,
            };
            *line = Line::Lost { since, why, refused };
        });
    }

    /// One line to one member, until it is lost; `Ok` when nobody listens any more.
    async fn stay(&mut self, member: &str) -> Result<(), Miss> {
        self.recognise(member).await?;
        let last = self.seen.map(|zxid| zxid.to_string());
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.as_deref().map(|last| ("last-event-id", last)));
        let authorization = self.discovery.authorization.as_deref();
        let response = self.discovery.send(member, &self.url, &headers, authorization, Duration::ZERO).await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(Miss::Elsewhere(format!("the answer is no stream of events but {kind:?}")));
        }
        let mut body = response.into_body();
        let mut parser = Parser::new(self.discovery.patience.bytes);
        let mut first = true;
        let turns = self.discovery.clone();
        let mut turn = None;
        loop {
            let patience = &self.discovery.patience;
            let silence = if turn.is_some() { patience.turn } else { patience.silence };
            let piece = piece(&mut body, silence).await?;
            if turn.is_none() && parser.kept() + piece.len() > LARGE {
                turn = turns.turn().await;
            }
            for message in parser.push(&piece).map_err(|too_long| self.too_large(&too_long))? {
                let Some((zxid, event)) = self.understood(message, std::mem::take(&mut first))? else { continue };
                self.seen = Some(zxid);
                self.gone = matches!(event, Ok(Event::Gone { .. }));
                self.failures = 0;
                self.line.send_if_modified(|line| {
                    let connected = Line::Connected { member: member.to_owned() };
                    let news = *line != connected;
                    *line = connected;
                    news
                });
                if self.events.send(event).await.is_err() {
                    return Ok(());
                }
            }
            turn = turn.filter(|_| parser.kept() > LARGE);
        }
    }

    /// It would be no smaller from another member.
    fn too_large(&self, why: &TooLong) -> Miss {
        Miss::Refused(Box::new(Problem {
            kind: "urn:coordd:problem:too-large".to_owned(),
            title: "Answer too large".to_owned(),
            status: TOO_LARGE,
            detail: why.to_string(),
            what_to_do: "register less there, or let the client take larger answers".to_owned(),
            instance: self.url.clone(),
        }))
    }

    /// Zxids of another ensemble are other zxids.
    async fn recognise(&mut self, member: &str) -> Result<(), Miss> {
        let ensemble = Some(self.discovery.recognise(member).await?);
        if self.ensemble != ensemble {
            self.seen = None;
            self.gone = false;
            self.ensemble = ensemble;
        }
        Ok(())
    }

    /// The event that a message is, with its zxid; `None` for one that is older than what was seen, or of a kind that
    /// is not known.
    fn understood(&self, message: Message, first: bool) -> Result<Option<(i64, Told<T>)>, Miss> {
        let wrong = |error: serde_json::Error| Miss::Elsewhere(format!("unexpected event: {error}"));
        let mut zxid: i64 = message.id.parse().map_err(|_| Miss::Elsewhere(format!("{:?} is no zxid", message.id)))?;
        let is_problem = message.event == "gone";
        let problem: Option<Box<Problem>> =
            is_problem.then(|| serde_json::from_str(&message.data)).transpose().map_err(wrong)?;
        let is_gone = problem.as_ref().is_some_and(|problem| problem.status == 404);
        if first && is_gone && self.gone {
            zxid = zxid.max(self.seen.unwrap_or(zxid));
        }
        if let Some(seen) = self.seen.filter(|&seen| zxid < seen) {
            let why = format!("it is at {zxid}, where {seen} was seen already");
            return if first { Err(Miss::Elsewhere(why)) } else { Ok(None) };
        }
        let value = || serde_json::from_str(&message.data).map_err(wrong);
        let told = match (message.event.as_str(), problem) {
            (_, Some(problem)) if is_gone => Ok(Event::Gone { zxid, problem }),
            (_, Some(problem)) => Err(DiscoveryError::Refused(problem)),
            ("snapshot", None) => Ok(Event::Snapshot { zxid, value: value()? }),
            ("change", None) => Ok(Event::Change { zxid, value: value()? }),
            _other => return Ok(None),
        };
        Ok(Some((zxid, told)))
    }
}

/// The next bytes of a stream, which may say nothing for so long.
async fn piece(body: &mut Incoming, silence: Duration) -> Result<bytes::Bytes, Miss> {
    loop {
        if body.is_end_stream() {
            return Err(Miss::elsewhere("the member ended the stream"));
        }
        let frame = timeout(silence, body.frame()).await;
        let frame = frame.map_err(|_| Miss::Elsewhere(format!("silent for {} s", silence.as_secs_f32())))?;
        let frame = frame.ok_or_else(|| Miss::elsewhere("the member ended the stream"))?;
        if let Ok(piece) = frame.map_err(Miss::elsewhere)?.into_data() {
            return Ok(piece);
        }
    }
}
