//! One topic: it reads when its mark was touched, encodes once, and shows all of its followers the newest.
//!
//! ```text
//!   mark touched ─► read (gate, guard) ─► newest as before? ─► decode, encode, hold ─► watch channel ─► each follower
//!   every 5 s    ─► may clients be answered? no follower for 10 s? ─► end
//! ```
//!
//! Rule: what a follower sees is never older than the marks it came after: `settled` says up to which count of its mark
//! a topic has read. A topic that cannot say what is (cut off, stopping, no room) ends, and its followers with it.
//! Reason: a follower that hears nothing believes that nothing happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::super::asked::{Asked, Consistency};
use super::super::problem::Refused;
use super::super::read::{Reading, confirmed, read, show};
use super::shot::{Shot, What, encode};
use crate::http::Http;
use crate::watch::followed::{Mark, Registered};

const TICK: Duration = Duration::from_secs(5);
/// How long a topic stays that nobody follows.
const UNUSED_MAX: Duration = Duration::from_secs(10);
/// How long a member may go unconfirmed before its followers are sent away.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(2);
/// How long slow readers may keep a topic from its next answer.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

pub(super) type Latest = Option<Arc<Shot>>;

/// What followers hold of a topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub mark: Arc<Mark>,
    pub latest: watch::Receiver<Latest>,
    /// One more than the mark's count before the newest reading; 0 before the first.
    pub settled: watch::Receiver<u64>,
    pub followers: AtomicUsize,
}

/// Tells that the topic has ended, however it does.
struct Ending<'a>(&'a Task);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.http.desk.follow.remove(&self.0.asked.key, &self.0.topic);
    }
}

pub(super) struct Task {
    http: Http,
    asked: Arc<Asked>,
    topic: Arc<Topic>,
    _registered: Registered,
    latest: watch::Sender<Latest>,
    settled: watch::Sender<u64>,
}

impl Task {
    pub(super) fn new(http: &Http, asked: &Arc<Asked>) -> Task {
        let registered = http.commands.followed().register(&asked.key.path, reach(asked));
        let (latest, settled) = (watch::Sender::new(None), watch::Sender::new(0));
        let topic = Arc::new(Topic {
            mark: registered.mark().clone(),
            latest: latest.subscribe(),
            settled: settled.subscribe(),
            followers: AtomicUsize::new(0),
        });
        Task { http: http.clone(), asked: asked.clone(), topic, _registered: registered, latest, settled }
    }

    pub(super) fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    pub(super) async fn run(self) {
        let _ending = Ending(&self);
        let mut unused_since = None;
        loop {
            let changes = self.topic.mark.changes();
            if let Err(refused) = self.read().await {
                tracing::debug!(path = self.asked.key.path, %refused, "what was followed cannot be shown any more");
                return;
            }
            self.settled.send_replace(changes + 1);
            loop {
                // After each reading too: a path that changes all the time must not keep a topic that nobody follows.
                if self.is_done(&mut unused_since) {
                    return;
                }
                if self.is_touched().await {
                    break;
                }
                if !confirmed(&self.http, CONFIRM_PATIENCE).await {
                    return;
                }
            }
        }
    }

    /// Whether the member stops, or nobody has followed for a while.
    fn is_done(&self, unused_since: &mut Option<Instant>) -> bool {
        if self.http.draining.is_on() {
            return true;
        }
        if self.topic.followers.load(Ordering::SeqCst) > 0 {
            *unused_since = None;
            return false;
        }
        let since = unused_since.get_or_insert_with(Instant::now);
        since.elapsed() >= UNUSED_MAX && self.http.desk.follow.retire(&self.asked.key, &self.topic)
    }

    async fn is_touched(&self) -> bool {
        tokio::select! {
            biased;
            () = self.topic.mark.touched() => true,
            () = sleep(TICK) => false,
        }
    }

    /// Reads, and shows what is new.
    async fn read(&self) -> Result<(), Refused> {
        let Reading { at, found, turn } = read(&self.http, &self.asked, Consistency::Local).await?;
        if !at.tells {
            return Err(Refused::Upgrading);
        }
        let found = match found {
            Ok(found) if self.shows(found.zxid()) => return Ok(()),
            Ok(found) => found,
            Err(failure) => {
                self.publish(Shot::problem(&self.asked, at, failure));
                return Ok(());
            }
        };
        let newest = found.zxid();
        let encoded = show(&self.asked, found, turn, move |shown, path| encode(shown, path, newest)).await;
        match encoded {
            Ok(pieces) => {
                let (joined, bytes) = pieces.join();
                let held = self.hold(bytes).await.ok_or(Refused::Busy("followers are too slow"))?;
                self.publish(Shot { at, newest, what: What::Answer(joined.part(&held)) });
            }
            Err(failure) => self.publish(Shot::problem(&self.asked, at, failure)),
        }
        Ok(())
    }

    fn shows(&self, newest: i64) -> bool {
        let latest = self.latest.borrow();
        latest.as_ref().is_some_and(|shot| shot.newest == newest && matches!(shot.what, What::Answer(_)))
    }

    async fn hold(&self, bytes: Vec<u8>) -> Option<bytes::Bytes> {
        match self.http.desk.followed.hold(bytes) {
            Ok(held) => Some(held),
            Err(bytes) => {
                // The old answer takes room too; who comes meanwhile waits for the new one.
                self.latest.send_if_modified(|latest| {
                    *latest = None;
                    false
                });
                self.http.desk.followed.hold_within(ROOM_PATIENCE, bytes).await
            }
        }
    }

    fn publish(&self, shot: Shot) {
        self.latest.send_if_modified(|latest| {
            let differs = latest.as_ref().is_none_or(|before| shot.differs(before));
            *latest = Some(Arc::new(shot));
            differs
        });
    }
}

/// How far below its path changes matter; none where each change does: usage of quotas moves with any znode.
fn reach(asked: &Asked) -> Option<usize> {
    const QUOTAS: &str = "/zookeeper/quota";
    let (path, reach) = (asked.key.path.as_str(), asked.question.reach());
    let below = path.strip_prefix(QUOTAS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let above = reach == usize::MAX && (path == "/" || path == "/zookeeper");
    (!below && !above).then_some(reach)
}
