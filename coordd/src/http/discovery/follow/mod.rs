//! Following an answer (ADR 0006): whoever holds one is told of the next.
//!
//! ```text
//!   poll, stream ─► join(key) ─► Topic, one for all who ask the same ─► newest Shot ─► each follower
//!                                   └─ mark in `watch::followed` ◄── apply
//! ```
//!
//! Rule: a change costs one reading and one encoding for each topic, however many follow; a follower costs its task and
//! its socket, never a queue: who is slow sees the latest state, and states between are merged. Followers and topics
//! are bounded, and so are the bytes of answers that slow ones hold.

mod poll;
mod shot;
mod stream;
#[cfg(test)]
mod tests;
mod topic;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use self::shot::Shot;
use self::topic::{Latest, Task, Topic};
use self::topics::Topics;
use super::asked::{Asked, Consistency, Terms};
use super::flight::Turns;
use super::problem::Refused;
use super::read::{At, gate, not_serving};
use crate::http::Http;
pub(super) use poll::poll;
pub(super) use stream::stream;

const FOLLOWERS_MAX: usize = 20_000;
/// Readings of topics at one time, on the workers: those that wait are no work for them.
const READINGS: usize = 3;
/// How long a member that is behind is waited for.
const BEHIND_PATIENCE: Duration = Duration::from_secs(5);
/// Nobody has seen what is so far ahead; a place to wait for it would be taken from those who have seen something.
const AHEAD_MAX: i64 = 1 << 31;
/// How long a topic may take for its first reading.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);

/// All topics of this member.
#[derive(Debug)]
pub(in crate::http) struct Follow {
    topics: Mutex<Topics>,
    followers: Arc<Semaphore>,
    /// Those that wait for this member to come so far.
    behind: Semaphore,
    /// Of topics alone: who asks plainly does not keep them from reading.
    turns: Turns,
    /// How many have followed.
    number: AtomicU64,
}

impl Default for Follow {
    fn default() -> Follow {
        let places = || Semaphore::new(FOLLOWERS_MAX);
        Follow {
            topics: Mutex::default(),
            followers: Arc::new(places()),
            behind: places(),
            turns: Turns::new(Some(READINGS)),
            number: AtomicU64::new(0),
        }
    }
}

/// One who follows a topic.
struct Follower {
    topic: Arc<Topic>,
    latest: watch::Receiver<Latest>,
    /// Tells it from others; of those that came together these are near each other.
    number: u64,
    _place: OwnedSemaphorePermit,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.topic.followers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Follower {
    /// What is shown now; `None` when the topic has ended.
    async fn now(&mut self) -> Option<Arc<Shot>> {
        self.latest.wait_for(Option::is_some).await.ok().and_then(|latest| latest.clone())
    }

    /// What is shown next; `None` when the topic has ended.
    async fn next(&mut self) -> Option<Arc<Shot>> {
        self.latest.changed().await.ok()?;
        self.now().await
    }

    /// When the newest that this follower has, read at `at`, is so: now, if nothing was counted since it was read.
    fn at(&self, http: &Http, at: At) -> At {
        let settled = *self.topic.settled.borrow();
        let state = http.consensus.state().read();
        let holds = self.topic.mark.changes() < settled && !self.latest.has_changed().unwrap_or(true);
        if holds { At::of(&state, false) } else { at }
    }

    /// Why the topic has ended, as far as one can say.
    async fn ended(&self, http: &Http) -> Refused {
        if http.draining.is_on() {
            return stopping();
        }
        let refused = gate(http, Consistency::Local).await.err();
        let why = self.topic.why.get().copied().unwrap_or("what was followed cannot be shown any more");
        refused.unwrap_or(Refused::Busy(why))
    }
}

impl Follow {
    fn find(&self, http: &Http, asked: &Arc<Asked>) -> Result<Arc<Topic>, Refused> {
        let mut topics = self.topics.lock();
        if let Some(topic) = topics.find(&asked.key) {
            return Ok(topic);
        }
        topics.make_room(&asked.key)?;
        let task = Task::new(http, asked);
        let topic = task.topic().clone();
        topics.put(&asked.key, &topic);
        tokio::spawn(task.run());
        Ok(topic)
    }
}

fn stopping() -> Refused {
    Refused::NotServing("it is stopping".to_owned())
}

/// Waits until this member has applied `zxid`; not where it serves nobody, for it may never come so far.
pub(super) async fn reached(http: &Http, zxid: i64) -> Result<(), Refused> {
    let now = || http.consensus.state().read().last_zxid().0;
    let at = now();
    if at >= zxid {
        return Ok(());
    }
    if http.commands.is_read_only().is_none() {
        return Err(not_serving(http));
    }
    if zxid - at > AHEAD_MAX {
        return Err(Refused::Behind { after: zxid, at });
    }
    let _place = http.desk.follow.behind.try_acquire().map_err(|_| Refused::Busy("too many wait for a zxid"))?;
    let reached = http.commands.followed().until(zxid, now);
    timeout(BEHIND_PATIENCE, reached).await.map_err(|_| Refused::Behind { after: zxid, at: now() })
}

/// Joins those who ask the same. What is shown first is no older than the state is now.
async fn join(http: &Http, asked: &Arc<Asked>, terms: &Terms) -> Result<Follower, Refused> {
    gate(http, terms.consistency).await?;
    if http.draining.is_on() {
        return Err(stopping());
    }
    if !At::of(&http.consensus.state().read(), false).tells {
        return Err(Refused::Upgrading);
    }
    let follow = &http.desk.follow;
    let place = follow.followers.clone().try_acquire_owned();
    let place = place.map_err(|_| Refused::Busy("too many follow this member's answers"))?;
    let topic = follow.find(http, asked)?;
    let number = follow.number.fetch_add(1, Ordering::Relaxed);
    let follower = Follower { latest: topic.latest.clone(), topic, number, _place: place };
    let changes = follower.topic.mark.changes();
    let mut settled = follower.topic.settled.clone();
    let read = async { settled.wait_for(|settled| *settled > changes).await.is_ok() };
    match timeout(FIRST_PATIENCE, read).await {
        Ok(true) => {}
        Ok(false) => return Err(follower.ended(http).await),
        Err(_) => return Err(Refused::Busy("what is followed changes faster than it can be read")),
    }
    gate(http, Consistency::Local).await?;
    Ok(follower)
}
