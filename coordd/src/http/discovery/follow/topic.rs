//! One topic: it reads when its mark was touched, encodes once, and shows all of its followers the newest.
//!
//! ```text
//!   mark touched ─► its turn: gate, guard ─► newest as before? ─► decode, encode, hold ─► watch ─► each follower
//!                     └──────── wait for room ◄──────────── no room: forget it ◄─┘
//!   every 5 s    ─► may clients be answered? no follower for 10 s? ─► end
//! ```
//!
//! Rule: what a follower sees is never older than the marks it came after: `settled` says up to which count of its mark
//! a topic has read. A topic that cannot say what is (cut off, stopping, no room) ends, and its followers with it.
//! Reason: a follower that hears nothing believes that nothing happened.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::super::asked::{Asked, Consistency};
use super::super::flight::Turn;
use super::super::problem::Refused;
use super::super::read::{At, Line, NO_ROOM, Reader, Reading, SMALL, confirmed, read, show};
use super::shot::{Made, Shot, What, encode, problem};
use crate::http::Http;
use crate::watch::followed::{Mark, Registered};

const TICK: Duration = Duration::from_secs(5);
/// How long a topic stays that nobody follows.
const UNUSED_MAX: Duration = Duration::from_secs(10);
/// How long a member may go unconfirmed before its followers are sent away.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(2);
/// How long slow readers may keep a topic from its next answer.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);
/// How often what found no room is made, while it grows.
const ATTEMPTS: usize = 3;
/// How often at most what any change alters is read.
const EVERYWHERE_PAUSE: Duration = Duration::from_secs(1);

pub(super) type Latest = Option<Arc<Shot>>;

/// What followers hold of a topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub asked: Arc<Asked>,
    pub mark: Arc<Mark>,
    pub latest: watch::Receiver<Latest>,
    /// One more than the mark's count before the newest reading; 0 before the first.
    pub settled: watch::Receiver<u64>,
    pub followers: AtomicUsize,
    /// Told when others have its place.
    pub out: Notify,
    /// Which bound has ended it.
    pub why: OnceLock<&'static str>,
}

/// Tells that the topic has ended, however it does.
struct Ending<'a>(&'a Task);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let Task { http, topic, .. } = self.0;
        http.desk.follow.topics.lock().remove(&topic.asked.key, topic);
    }
}

pub(super) struct Task {
    http: Http,
    topic: Arc<Topic>,
    _registered: Registered,
    latest: watch::Sender<Latest>,
    settled: watch::Sender<u64>,
    /// Each change there is touches its mark.
    everywhere: bool,
    /// The last reading was large, so the next will be.
    large: AtomicBool,
}

#[cfg(test)]
impl Topic {
    pub(super) fn without_task(asked: Arc<Asked>) -> Topic {
        Topic {
            asked,
            mark: Arc::default(),
            latest: watch::Sender::new(None).subscribe(),
            settled: watch::Sender::new(0).subscribe(),
            followers: AtomicUsize::new(0),
            out: Notify::new(),
            why: OnceLock::new(),
        }
    }
}

impl Task {
    pub(super) fn new(http: &Http, asked: &Arc<Asked>) -> Task {
        let reach = reach(asked);
        let registered = http.commands.followed().register(&asked.key.path, reach);
        let (latest, settled) = (watch::Sender::new(None), watch::Sender::new(0));
        let topic = Arc::new(Topic {
            asked: asked.clone(),
            mark: registered.mark().clone(),
            latest: latest.subscribe(),
            settled: settled.subscribe(),
            followers: AtomicUsize::new(0),
            out: Notify::new(),
            why: OnceLock::new(),
        });
        Task {
            http: http.clone(),
            topic,
            _registered: registered,
            latest,
            settled,
            everywhere: reach.is_none(),
            large: AtomicBool::new(false),
        }
    }

    pub(super) fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    /// Ends at once, wherever it waits, when others have its place: turn and room go to those who are followed.
    pub(super) async fn run(self) {
        tokio::select! {
            biased;
            () = self.topic.out.notified() => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        let _ending = Ending(self);
        let mut unused_since = None;
        loop {
            let changes = self.topic.mark.changes();
            if let Err(refused) = self.read().await {
                let path = &self.topic.asked.key.path;
                tracing::debug!(path, %refused, "what was followed cannot be shown any more");
                if let Refused::Busy(why) = refused {
                    let _ = self.topic.why.set(why);
                }
                return;
            }
            self.settled.send_replace(changes + 1);
            loop {
                // After each reading too: a path that changes all the time must not keep a topic that nobody follows.
                if self.is_done(&mut unused_since) {
                    return;
                }
                if self.is_touched(changes).await {
                    break;
                }
                if !confirmed(&self.http, CONFIRM_PATIENCE).await {
                    return;
                }
            }
            if self.everywhere {
                sleep(EVERYWHERE_PAUSE).await;
            }
        }
    }

    /// Whether the member stops, or nobody has followed for a while, or others have this one's place.
    fn is_done(&self, unused_since: &mut Option<Instant>) -> bool {
        if self.http.draining.is_on() {
            return true;
        }
        let unused = || self.topic.followers.load(Ordering::SeqCst) == 0;
        if !unused() {
            *unused_since = None;
            return false;
        }
        let since = *unused_since.get_or_insert_with(Instant::now);
        let mut topics = self.http.desk.follow.topics.lock();
        // Whoever finds a topic does so under this lock.
        if unused() && since.elapsed() >= UNUSED_MAX {
            topics.remove(&self.topic.asked.key, &self.topic);
        }
        !topics.knows(&self.topic.asked.key, &self.topic)
    }

    async fn is_touched(&self, seen: u64) -> bool {
        tokio::select! {
            biased;
            () = self.topic.mark.beyond(seen) => true,
            () = sleep(TICK) => false,
        }
    }

    /// Reads, and shows what is new. What finds no room is made again when there is some: bytes do not wait for it.
    async fn read(&self) -> Result<(), Refused> {
        let flight = &self.http.desk.followed;
        let mut room = None;
        for _ in 0..ATTEMPTS {
            let is_new = *self.settled.borrow() == 0 && room.is_none();
            let reader = if is_new { Reader::NewTopic } else { Reader::Topic };
            let Some(Fresh { at, made, bytes, turn }) = self.make(reader).await? else { return Ok(()) };
            let length = bytes.len();
            if is_new && !flight.admits(length) {
                return Err(NO_ROOM);
            }
            match flight.hold(bytes, room.take()) {
                Ok(held) => {
                    self.publish(made.shot(at, &held));
                    return Ok(());
                }
                Err(_) => drop(turn),
            }
            // The old answer takes room too; who comes meanwhile waits for the new one.
            self.latest.send_if_modified(|latest| {
                *latest = None;
                false
            });
            room = flight.reserve(length, ROOM_PATIENCE).await;
            if room.is_none() {
                break;
            }
        }
        Err(Refused::Busy("followers take too slowly what they follow"))
    }

    /// Reads and encodes; nothing where the same answer is shown already.
    async fn make(&self, reader: Reader) -> Result<Option<Fresh>, Refused> {
        let large = self.large.load(Ordering::Relaxed);
        let line = Line { turns: &self.http.desk.follow.turns, large, reader };
        let Reading { at, found, turn } = read(&self.http, &self.topic.asked, Consistency::Local, line).await?;
        if !at.tells {
            return Err(Refused::Upgrading);
        }
        let was_large = turn.is_large();
        let (encoded, turn) = match found {
            Ok(found) if self.renew(found.zxid(), at) => return Ok(None),
            Ok(found) => {
                let newest = found.zxid();
                show(&self.topic.asked, found, turn, move |shown, path| encode(shown, path, newest)).await
            }
            Err(failure) => (Err(failure), Some(turn)),
        };
        let (made, bytes) = encoded.unwrap_or_else(|failure| problem(&self.topic.asked, at, failure));
        self.large.store(was_large && bytes.len() > SMALL / 2, Ordering::Relaxed);
        Ok(Some(Fresh { at, made, bytes, turn }))
    }

    /// Whether the answer of `newest` is shown already; it holds at `at` too, then.
    fn renew(&self, newest: i64, at: At) -> bool {
        let mut shown = false;
        self.latest.send_if_modified(|latest| {
            let same = latest.as_ref().filter(|shot| shot.newest == newest && matches!(shot.what, What::Answer(_)));
            if let Some(what) = same.map(|shot| shot.what.clone()) {
                *latest = Some(Arc::new(Shot { at, newest, what }));
                shown = true;
            }
            false
        });
        shown
    }

    fn publish(&self, shot: Shot) {
        self.latest.send_if_modified(|latest| {
            let differs = latest.as_ref().is_none_or(|before| shot.differs(before));
            *latest = Some(Arc::new(shot));
            differs
        });
    }
}

/// What was read and encoded just now, in its turn.
struct Fresh {
    at: At,
    made: Made,
    bytes: Vec<u8>,
    turn: Option<Turn>,
}

/// How far below its path changes matter; none where each change does: usage of quotas moves with any znode.
fn reach(asked: &Asked) -> Option<usize> {
    const QUOTAS: &str = "/zookeeper/quota";
    let (path, reach) = (asked.key.path.as_str(), asked.question.reach());
    let below = path.strip_prefix(QUOTAS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let above = reach == usize::MAX && (path == "/" || path == "/zookeeper");
    (!below && !above).then_some(reach)
}
