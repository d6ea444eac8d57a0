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
mod topic;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use self::shot::Shot;
use self::topic::{Latest, Task, Topic};
use super::asked::{Asked, Consistency, Key, Terms};
use super::problem::Refused;
use super::read::{At, gate};
use crate::http::Http;
pub(super) use poll::poll;
pub(super) use stream::stream;

const FOLLOWERS_MAX: usize = 20_000;
const TOPICS_MAX: usize = 2_000;
/// How long a member that is behind is waited for.
const BEHIND_PATIENCE: Duration = Duration::from_secs(5);
/// How long a topic may take for its first reading.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);

/// All topics of this member.
#[derive(Debug)]
pub(in crate::http) struct Follow {
    topics: Mutex<HashMap<Key, Arc<Topic>>>,
    followers: Arc<Semaphore>,
    /// Those that wait for this member to come so far.
    behind: Semaphore,
}

impl Default for Follow {
    fn default() -> Follow {
        let places = || Semaphore::new(FOLLOWERS_MAX);
        Follow { topics: Mutex::default(), followers: Arc::new(places()), behind: places() }
    }
}

/// One who follows a topic.
struct Follower {
    topic: Arc<Topic>,
    latest: watch::Receiver<Latest>,
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
}

impl Follow {
    fn find(&self, http: &Http, asked: &Arc<Asked>) -> Result<Arc<Topic>, Refused> {
        let mut topics = self.topics.lock();
        if let Some(topic) = topics.get(&asked.key) {
            topic.followers.fetch_add(1, Ordering::SeqCst);
            return Ok(topic.clone());
        }
        if topics.len() >= TOPICS_MAX {
            return Err(Refused::Busy("too many different things are followed"));
        }
        let task = Task::new(http, asked);
        let topic = task.topic().clone();
        topic.followers.fetch_add(1, Ordering::SeqCst);
        topics.insert(asked.key.clone(), topic.clone());
        tokio::spawn(task.run());
        Ok(topic)
    }

    /// Takes a topic out that nobody follows; whether it is out.
    fn retire(&self, key: &Key, topic: &Arc<Topic>) -> bool {
        let mut topics = self.topics.lock();
        let unused = topic.followers.load(Ordering::SeqCst) == 0;
        if unused && topics.get(key).is_some_and(|known| Arc::ptr_eq(known, topic)) {
            topics.remove(key);
        }
        unused
    }

    fn remove(&self, key: &Key, topic: &Arc<Topic>) {
        let mut topics = self.topics.lock();
        if topics.get(key).is_some_and(|known| Arc::ptr_eq(known, topic)) {
            topics.remove(key);
        }
    }
}

/// Waits until this member has applied `zxid`.
pub(super) async fn reached(http: &Http, zxid: i64) -> Result<(), Refused> {
    let now = || http.consensus.state().read().last_zxid().0;
    if now() >= zxid {
        return Ok(());
    }
    let _place = http.desk.follow.behind.try_acquire().map_err(|_| Refused::Busy("too many wait for a zxid"))?;
    let reached = http.commands.followed().until(|| now() >= zxid);
    timeout(BEHIND_PATIENCE, reached).await.map_err(|_| Refused::Behind { after: zxid, at: now() })
}

/// Joins those who ask the same. What is shown first is no older than the state is now.
async fn join(http: &Http, asked: &Arc<Asked>, terms: &Terms) -> Result<Follower, Refused> {
    gate(http, terms.consistency).await?;
    if !At::of(&http.consensus.state().read(), false).tells {
        return Err(Refused::Upgrading);
    }
    let place = http.desk.follow.followers.clone().try_acquire_owned();
    let place = place.map_err(|_| Refused::Busy("too many follow this member's answers"))?;
    let topic = http.desk.follow.find(http, asked)?;
    let follower = Follower { latest: topic.latest.clone(), topic, _place: place };
    let changes = follower.topic.mark.changes();
    let mut settled = follower.topic.settled.clone();
    let read = async { settled.wait_for(|settled| *settled > changes).await.is_ok() };
    match timeout(FIRST_PATIENCE, read).await {
        Ok(true) => {}
        Ok(false) => return Err(ended(http).await),
        Err(_) => return Err(Refused::Busy("what is followed changes faster than it can be read")),
    }
    gate(http, Consistency::Local).await?;
    Ok(follower)
}

/// Why a topic has ended, as far as one can say.
async fn ended(http: &Http) -> Refused {
    let refused = gate(http, Consistency::Local).await.err();
    refused.unwrap_or(Refused::Busy("what was followed cannot be shown any more"))
}
