//! A client of the discovery API: asks any of several members, and follows an answer as it changes.
//!
//! ```text
//!   Discovery ── get ──────► the first member that answers                ─► Answer
//!             ── newer ────► the same, once there is something newer      ─► Answer, or nothing within the wait
//!             ── follow ───► a task: connect ─► events ─► lost? the next  ─► Follower::next: Snapshot, Change, Gone
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), coordd_api::DiscoveryError> {
//! use coordd_api::{Discovery, Event, Question};
//! let discovery = Discovery::new(["m1:8080", "m2:8080", "m3:8080"]);
//! let mut orders = discovery.follow(Question::service("/services/orders"));
//! loop {
//!     match orders.next().await? {
//!         Event::Snapshot { value, .. } | Event::Change { value, .. } => println!("{:?}", value.instances),
//!         Event::Gone { .. } => println!("nobody has registered yet"),
//!     }
//! }
//! # }
//! ```
//!
//! Rule: what a member refuses (`Refused`) every member would refuse, so it is told at once; what a member cannot do
//! now is asked of the next. Reason: an application wants the answer and does not care whose it is.

mod follower;
mod members;
mod question;
mod sse;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, ETAG, HOST};
use hyper::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::discovery::Problem;
use crate::ensemble::EnsembleView;
use crate::exchange;
use members::{Members, backoff};

pub use follower::{Event, Follower, Line};
pub use question::{JsonPaths, Question};

/// How patient a client is.
#[derive(Debug, Clone)]
struct Patience {
    /// Until a member has taken the connection.
    connect: Duration,
    /// Until it has begun to answer, and until it has ended. A member may wait seconds for what the caller has seen.
    answer: Duration,
    /// Until another member is asked instead, over all of them: how long `get` goes on.
    whole: Duration,
    /// How long a followed line may say nothing; members say something every 15 s.
    silence: Duration,
    /// The same in the midst of an event for which others wait.
    turn: Duration,
    /// Bytes of an answer, and of an event.
    bytes: usize,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(15),
    whole: Duration::from_secs(10),
    silence: Duration::from_secs(45),
    turn: Duration::from_secs(5),
    bytes: 32 << 20,
};

/// What the members take for a wait.
const WAIT_MAX: Duration = Duration::from_mins(5);
/// What is larger than this is taken in turns, where there are turns.
const LARGE: usize = 64 << 10;
const NO_ZNODE: &str = "urn:coordd:problem:no-znode";

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DiscoveryError {
    /// There is no such znode in the state of `zxid`: what is newer than that is when it has come.
    #[error("{problem}")]
    Gone { problem: Box<Problem>, zxid: i64 },
    /// The question cannot be answered, whoever is asked.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No member could answer: the last word of each that was asked.
    #[error("no member answers: {0}")]
    Unreachable(String),
}

impl DiscoveryError {
    /// Whether there is no such znode.
    pub fn is_gone(&self) -> bool {
        matches!(self, DiscoveryError::Gone { .. })
    }
}

/// An answer, and when it was true.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The newest change that the answer rests on; `read_at` while an upgrade is under way and members do not tell it.
    pub zxid: i64,
    /// The zxid of the state that it was read from.
    pub read_at: i64,
    /// For `If-None-Match`, as it stands; empty while an upgrade is under way.
    pub etag: String,
    pub value: T,
}

/// Why one member did not answer.
enum Miss {
    Refused(Box<Problem>),
    /// There is no such znode in the state of that zxid.
    Gone(Box<Problem>, i64),
    /// Another one may.
    Elsewhere(String),
}

impl Miss {
    fn elsewhere(why: impl Display) -> Miss {
        Miss::Elsewhere(why.to_string())
    }
}

/// Asks the members of an ensemble.
#[derive(Debug, Clone)]
pub struct Discovery {
    members: Members,
    /// Id of the only ensemble that is listened to.
    expected: Option<Arc<str>>,
    authorization: Option<String>,
    patience: Patience,
    /// Who takes a large answer waits for one of these.
    turns: Option<Arc<Semaphore>>,
}

impl Discovery {
    /// A client of the HTTP ports at `addresses`, each `host:port`.
    pub fn new(addresses: impl IntoIterator<Item = impl Into<String>>) -> Discovery {
        let members = Members::new(addresses);
        Discovery { members, expected: None, authorization: None, patience: PATIENCE, turns: None }
    }

    /// The same for a user of ZooKeeper's digest scheme.
    #[must_use]
    pub fn with_credentials(mut self, user: &str, password: &str) -> Discovery {
        self.authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    /// Listens to members of the ensemble of this id only, and tells no other one the credentials: an address may be
    /// another's by now. It is no proof against whoever means to deceive.
    #[must_use]
    pub fn expecting(mut self, ensemble: &str) -> Discovery {
        self.expected = Some(ensemble.into());
        self
    }

    /// The members are at `addresses` from now on: for this client, its clones and all that follow with them. A line
    /// that holds is kept.
    pub fn relocate(&self, addresses: impl IntoIterator<Item = impl Into<String>>) {
        self.members.replace(addresses.into_iter().map(Into::into).collect());
    }

    /// How long `get` asks one member after the other before it gives up; 10 s if not said.
    /// Each member is asked once, however long that takes: one that hangs may take seconds to be passed over.
    #[must_use]
    pub fn with_patience(mut self, whole: Duration) -> Discovery {
        self.patience.whole = whole;
        self
    }

    /// The largest answer and event that is taken; 32 MiB if not said.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes: usize) -> Discovery {
        self.patience.bytes = bytes;
        self
    }

    /// Of the answers that are larger than 64 KiB no more are received at once than `turns` has permits, over all
    /// clients that share it: many that follow large answers need no more memory for it than a few. A member that is
    /// silent for 5 s in the midst of one is left for another.
    #[must_use]
    pub fn with_turns(mut self, turns: Arc<Semaphore>) -> Discovery {
        self.turns = Some(turns);
        self
    }

    /// Waits until a large answer may be received; it may until the permit is dropped.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.turns.as_ref()?.acquire().await.ok()
    }

    /// Asks once.
    ///
    /// # Errors
    /// What every member would refuse, at once; or that no member has answered for as long as the patience lasts.
    pub async fn get<T: DeserializeOwned>(&self, question: &Question<T>) -> Result<Answer<T>, DiscoveryError> {
        let found = self.ask(&question.url(), Duration::ZERO).await?;
        found.ok_or_else(|| DiscoveryError::Unreachable("a member answered 304 without having been asked".to_owned()))
    }

    /// Asks for an answer that is newer than `zxid`: it comes as soon as there is one, or `None` after `wait`, which is
    /// five minutes at most.
    ///
    /// # Errors
    /// As `get`. What is gone is told once: asked for what is newer than the zxid of that, one waits until it comes.
    pub async fn newer<T: DeserializeOwned>(
        &self,
        question: &Question<T>,
        zxid: i64,
        wait: Duration,
    ) -> Result<Option<Answer<T>>, DiscoveryError> {
        let wait = wait.min(WAIT_MAX);
        self.ask(&question.newer_than(zxid, wait).url(), wait).await
    }

    /// One znode's bytes, as `/v1/config` serves them.
    ///
    /// # Errors
    /// As `get`.
    pub async fn config_bytes(&self, path: &str) -> Result<Answer<Bytes>, DiscoveryError> {
        let url = Question::<()>::bytes(path).url();
        let found = self.ask_bytes(&url, Duration::ZERO, Ok).await?;
        found.ok_or_else(|| DiscoveryError::Unreachable("a member answered 304 without having been asked".to_owned()))
    }

    /// Follows an answer. A task does so until the follower is dropped; it needs a tokio runtime.
    pub fn follow<T: DeserializeOwned + Send + 'static>(&self, question: Question<T>) -> Follower<T> {
        Follower::start(self.clone(), question)
    }

    async fn ask<T: DeserializeOwned>(&self, url: &str, wait: Duration) -> Result<Option<Answer<T>>, DiscoveryError> {
        let typed = |body: Bytes| serde_json::from_slice(&body).map_err(|error| format!("unexpected answer: {error}"));
        self.ask_bytes(url, wait, typed).await
    }

    /// Asks one member after the other; `None` is "nothing newer".
    async fn ask_bytes<T>(
        &self,
        url: &str,
        wait: Duration,
        typed: impl Fn(Bytes) -> Result<T, String>,
    ) -> Result<Option<Answer<T>>, DiscoveryError> {
        let begun = Instant::now();
        let mut words: Vec<(String, String)> = Vec::new();
        for failures in 1_u32.. {
            let member = self.members.chosen();
            let why = match self.ask_member(&member, url, wait, &typed).await {
                Ok(answer) => return Ok(answer),
                Err(Miss::Refused(problem)) => return Err(DiscoveryError::Refused(problem)),
                Err(Miss::Gone(problem, zxid)) => return Err(DiscoveryError::Gone { problem, zxid }),
                Err(Miss::Elsewhere(why)) => why,
            };
            self.members.pass(&member);
            words.retain(|(who, _)| *who != member);
            words.push((member, why));
            let rounds = failures / u32::try_from(self.members.count()).unwrap_or(u32::MAX).max(1);
            let pause = if rounds == 0 { Duration::ZERO } else { backoff(failures) };
            if rounds > 0 && begun.elapsed() + pause > self.patience.whole {
                break;
            }
            sleep(pause).await;
        }
        let words: Vec<String> = words.into_iter().map(|(member, why)| format!("{member}: {why}")).collect();
        Err(DiscoveryError::Unreachable(words.join("; ")))
    }

    async fn ask_member<T>(
        &self,
        member: &str,
        url: &str,
        wait: Duration,
        typed: impl Fn(Bytes) -> Result<T, String>,
    ) -> Result<Option<Answer<T>>, Miss> {
        if self.expected.is_some() {
            self.recognise(member).await?;
        }
        let response = self.send(member, url, &[], self.authorization.as_deref(), wait).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let etag = header(&response, ETAG.as_str()).unwrap_or_default().to_owned();
        let read_at = read_at(&response);
        let zxid = zxid_of(&etag).or(read_at).ok_or_else(|| Miss::elsewhere("the answer has no zxid"))?;
        let read_at = read_at.unwrap_or(zxid);
        let large = response.body().size_hint().upper().is_none_or(|most| most > LARGE as u64);
        let _turn = if large { self.turn().await } else { None };
        let body = self.read(response).await.map_err(Miss::Elsewhere)?;
        let value = typed(body).map_err(Miss::Elsewhere)?;
        Ok(Some(Answer { zxid, read_at, etag, value }))
    }

    /// Of which ensemble a member is, asked without credentials.
    async fn recognise(&self, member: &str) -> Result<String, Miss> {
        let response = self.send(member, "/v1/ensemble", &[], None, Duration::ZERO).await?;
        let body = self.read(response).await.map_err(Miss::Elsewhere)?;
        let view: EnsembleView = serde_json::from_slice(&body).map_err(Miss::elsewhere)?;
        let Some(id) = view.ensemble_id else { return Err(Miss::elsewhere("it belongs to no ensemble yet")) };
        match &self.expected {
            Some(expected) if **expected != *id => {
                Err(Miss::Elsewhere(format!("it belongs to the ensemble {id}, not to {expected}")))
            }
            Some(_) | None => Ok(id),
        }
    }

    /// One request to one member, for what is 200 or 304.
    async fn send(
        &self,
        member: &str,
        url: &str,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
        wait: Duration,
    ) -> Result<Response<Incoming>, Miss> {
        if member.is_empty() {
            return Err(Miss::elsewhere("it is not known where any member is"));
        }
        let mut request = Request::builder().uri(url).header(HOST, member).header(ACCEPT, "application/json");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let mut request = request.body(Full::new(Bytes::new())).map_err(Miss::elsewhere)?;
        for (name, value) in headers {
            let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).map_err(Miss::elsewhere)?;
            request.headers_mut().insert(name, value.parse().map_err(Miss::elsewhere)?);
        }
        let answer = self.patience.answer + wait;
        let sent = exchange::send(member, request, self.patience.connect, answer).await;
        let response = sent.map_err(Miss::Elsewhere)?;
        let status = response.status();
        if status == StatusCode::OK || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let read_at = read_at(&response);
        let body = self.read(response).await.map_err(Miss::Elsewhere)?;
        let problem: Box<Problem> = serde_json::from_slice(&body)
            .map_err(|_| Miss::Elsewhere(format!("{status}: {}", String::from_utf8_lossy(&body))))?;
        Err(match read_at {
            Some(zxid) if problem.kind == NO_ZNODE => Miss::Gone(problem, zxid),
            _ if status.is_client_error() => Miss::Refused(problem),
            _ => Miss::elsewhere(problem),
        })
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, String> {
        exchange::read(response, self.patience.bytes, self.patience.answer).await
    }
}

fn header<'a>(response: &'a Response<Incoming>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The zxid of the state that was read.
fn read_at(response: &Response<Incoming>) -> Option<i64> {
    header(response, "coordd-zxid")?.parse().ok()
}

/// The zxid in an ETag: `"7"`, and `"7-…"` for one with credentials.
fn zxid_of(etag: &str) -> Option<i64> {
    let tag = etag.strip_prefix('"')?.strip_suffix('"')?;
    tag.split('-').next()?.parse().ok()
}
