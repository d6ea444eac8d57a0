//! What the discovery API says to one projection, and when it is worth a look.
//!
//! ```text
//!   follower ─ event ─► views ─┐
//!   follower ─ line ───────────┼─► dirty ─► 200 ms without another, or 2 s in all ─► the projection is called
//!   every 10 minutes: asked ───┘
//! ```
//!
//! Rule: views begin as `Waiting` and only ever become what a member said; a line that breaks changes no view. Each
//! line begins with the whole answer; one that is older than what was written from before is not taken for a minute,
//! and one that is more than may be kept (`budget`) is refused. Reason: nothing is written before that, and nothing is
//! forgotten by a fault. The first member that a new operator asks may be behind, and what it has not heard of yet must
//! not be taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coordd_api::{Answer, Discovery, DiscoveryError, Event, Follower, Line, Question};
use futures_util::future::OptionFuture;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::answer::Kept;
use super::budget::{Account, Budget};
use super::source::Key;
use crate::names::ClusterName;
use crate::projection::{Source, View, Views};
use crate::runtime::backoff::jitter;
use crate::runtime::shelves::Calls;
use crate::world::Moment;

const QUIET: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// What a look finds.
pub(super) struct Sight {
    pub views: Views,
    /// How the way there is.
    pub source: Source,
    /// What is followed though that is lost.
    pub reached: BTreeSet<String>,
    /// The list of children is no older than what was written before.
    pub settled: bool,
}

/// A member that is behind has caught up by then, or the numbers are not what they were.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Of one answer, as it is sent.
const ANSWER_MAX: usize = 4 << 20;
const READ_AGAIN: Duration = Duration::from_secs(600);
/// A read that takes longer is left to the next one.
const READ_MAX: Duration = Duration::from_secs(5);
/// After an answer for which there was no room.
const ROOM_AGAIN: Duration = Duration::from_secs(30);

struct State {
    views: Views,
    /// What they take.
    account: Account,
    /// Of each answer that is followed, by path; that of the list is "".
    lines: BTreeMap<String, Way>,
}

/// The way to one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// It was never there.
    New {
        since: Moment,
    },
    Open,
    Lost {
        since: Moment,
        why: String,
        /// A member answers, and refuses.
        refused: bool,
    },
}

struct Inside {
    state: Mutex<State>,
    /// The newest change that was written, by path, when the feed began.
    written: BTreeMap<String, i64>,
    began: Instant,
    /// How often an answer is read beside its stream.
    read_again: Duration,
    dirty: Notify,
}

/// The followers of one projection; they end with it.
pub(super) struct Feed {
    pub key: Key,
    discovery: Discovery,
    inside: Arc<Inside>,
    children: Mutex<BTreeMap<String, JoinSet<()>>>,
    _tasks: JoinSet<()>,
}

/// Where the view of an answer is among all.
type Place<T> = for<'a> fn(&'a mut Views, &str) -> Option<&'a mut View<T>>;

fn now() -> Moment {
    Moment(k8s_openapi::jiff::Timestamp::now().as_millisecond())
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows an answer, or that it is more than may be kept; whether it was not.
    fn put<T: Kept>(&self, path: &str, place: Place<T>, view: View<T>) -> bool {
        let mut state = self.lock();
        let State { views, account, .. } = &mut *state;
        let Some(old) = place(views, path) else { return true };
        // It was on its way while a newer one was read from another member.
        if old.zxid().zip(view.zxid()).is_some_and(|(old, new)| new < old) {
            return true;
        }
        let kept = account.put(path, view.value().map_or(0, Kept::bytes));
        let fits = kept.is_ok();
        let view = kept.map_or_else(View::Refused, |()| view);
        if *old != view {
            *old = view;
            self.dirty.notify_one();
        }
        fits
    }

    /// Shows what was read beside the stream, where that has shown something or there was no room; whether there is.
    fn compare<T: Kept>(
        &self,
        asked: &str,
        (at, place): (&str, Place<T>),
        read: Result<Answer<T>, DiscoveryError>,
        fits: bool,
    ) -> bool {
        let before = place(&mut self.lock().views, at).map(|view| (view.is_known(), view.value().is_some()));
        let (is_known, is_there) = before.unwrap_or((false, false));
        let view = match read {
            Ok(answer) if is_known || !fits => {
                View::There { zxid: answer.zxid, value: Arc::new(answer.value.trimmed()) }
            }
            // After another absence it would be news each time: its number is that of the state that was read.
            Err(DiscoveryError::Gone { zxid, .. }) if is_there || !fits => View::Gone { zxid },
            Ok(_) | Err(_) => return fits,
        };
        if self.is_behind(asked, view.zxid()) { fits } else { self.put(at, place, view) }
    }

    /// Whether what stands there was written from something newer, and the member may yet catch up.
    fn is_behind(&self, asked: &str, zxid: Option<i64>) -> bool {
        let newer = self.written.get(asked).zip(zxid).is_some_and(|(written, zxid)| zxid < *written);
        newer && Instant::now() < self.began + CATCH_UP
    }

    /// When an answer is read beside its stream.
    fn next_read(&self, fits: bool) -> Instant {
        Instant::now() + jitter(if fits { self.read_again } else { ROOM_AGAIN })
    }

    fn line(&self, path: &str, line: &Line) {
        let mut state = self.lock();
        let Some(way) = state.lines.get_mut(path) else { return };
        let new = match (line, &*way) {
            (Line::Connected { .. }, _) => Way::Open,
            (Line::Lost { refused: false, .. }, Way::New { since }) => Way::New { since: *since },
            // Why it was lost at first; what each further try says would be news all the time.
            (Line::Lost { refused, .. }, Way::Lost { refused: before, .. }) if refused == before => return,
            (Line::Lost { why, refused, .. }, _) => Way::Lost { since: now(), why: why.clone(), refused: *refused },
        };
        if *way != new {
            *way = new;
            drop(state);
            self.dirty.notify_one();
        }
    }

    /// Follows one answer for ever.
    async fn follow<T>(self: Arc<Self>, discovery: Discovery, question: Question<T>, at: String, place: Place<T>)
    where
        T: Kept,
    {
        let mut follower: Follower<T> = discovery.follow(question.clone());
        let mut line = follower.line();
        let mut again = self.next_read(true);
        let end = self.began + CATCH_UP;
        let mut behind = None;
        let mut fits = true;
        let mut reading = None;
        loop {
            tokio::select! {
                event = follower.next() => {
                    let view = match event {
                        Ok(Event::Snapshot { zxid, value } | Event::Change { zxid, value }) => {
                            View::There { zxid, value: Arc::new(value.trimmed()) }
                        }
                        Ok(Event::Gone { zxid, .. }) => View::Gone { zxid },
                        Err(refused) => View::Refused(refused.to_string()),
                    };
                    behind = None;
                    if self.is_behind(question.path(), view.zxid()) {
                        behind = Some(view);
                    } else {
                        fits = self.put(&at, place, view);
                        again = again.min(self.next_read(fits));
                    }
                }
                () = sleep_until(end), if behind.is_some() => {
                    fits = behind.take().is_none_or(|view| self.put(&at, place, view));
                    again = again.min(self.next_read(fits));
                }
                changed = line.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let line = line.borrow_and_update().clone();
                    self.line(&at, &line);
                }
                // The stream says so too; this is for what nobody has thought of.
                () = sleep_until(again), if reading.is_none() => {
                    reading = Some(Box::pin(timeout(READ_MAX, discovery.get(&question))));
                }
                read = OptionFuture::from(reading.as_mut()), if reading.is_some() => {
                    reading = None;
                    if let Some(Ok(read)) = read {
                        fits = self.compare(question.path(), (&at, place), read, fits);
                    }
                    again = self.next_read(fits);
                }
            }
        }
    }

    /// Calls the projection when something has changed and the burst is over.
    async fn call(self: Arc<Self>, calls: Arc<Calls>, projection: ClusterName) {
        loop {
            self.dirty.notified().await;
            let end = Instant::now() + LONGEST;
            loop {
                tokio::select! {
                    () = self.dirty.notified() => {}
                    () = sleep(QUIET) => break,
                    () = sleep_until(end) => break,
                }
            }
            calls.call(projection.clone());
        }
    }
}

impl Feed {
    /// `written` says on which change what stands there rests, by path.
    pub(super) fn open(
        key: Key,
        addresses: Vec<String>,
        written: BTreeMap<String, i64>,
        budget: Arc<Budget>,
        calls: Arc<Calls>,
        projection: ClusterName,
    ) -> Feed {
        // While there is no ensemble there is nobody to be believed.
        let discovery = Discovery::new(addresses).with_bytes_max(ANSWER_MAX).with_turns(Arc::clone(&budget.turns));
        let mut discovery = discovery.expecting(key.ensemble.as_deref().unwrap_or_default());
        if let Some((user, password)) = &key.credentials {
            discovery = discovery.with_credentials(user, password);
        }
        let views = key.views();
        let state = State { views: views.clone(), account: Account::new(budget), lines: BTreeMap::new() };
        let (state, began) = (Mutex::new(state), Instant::now());
        let (read_again, dirty) = (READ_AGAIN, Notify::new());
        let inside = Arc::new(Inside { state, written, began, read_again, dirty });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inside).call(calls, projection));
        let path = key.asked.path.clone();
        let feed = Feed { key, discovery, inside, children: Mutex::default(), _tasks: tasks };
        let mut first = JoinSet::new();
        match views {
            Views::Service(_) => {
                feed.begin(&mut first, String::new(), feed.key.service(&path), |views, _| match views {
                    Views::Service(view) => Some(view),
                    _ => None,
                })
            }
            Views::Children { .. } => {
                feed.begin(&mut first, String::new(), Question::services(path), |views, _| match views {
                    Views::Children { list, .. } => Some(list),
                    _ => None,
                })
            }
            Views::ConfigMap(_) => {
                feed.begin(&mut first, String::new(), Question::config(path), |views, _| match views {
                    Views::ConfigMap(view) => Some(view),
                    _ => None,
                })
            }
            Views::Leader(_) => feed.begin(&mut first, String::new(), Question::leader(path), |views, _| match views {
                Views::Leader(view) => Some(view),
                _ => None,
            }),
        }
        feed.children.lock().unwrap_or_else(PoisonError::into_inner).insert(String::new(), first);
        feed
    }

    fn begin<T>(&self, tasks: &mut JoinSet<()>, at: String, question: Question<T>, place: Place<T>)
    where
        T: Kept,
    {
        self.inside.lock().lines.insert(at.clone(), Way::New { since: now() });
        tasks.spawn(Arc::clone(&self.inside).follow(self.discovery.clone(), question, at, place));
    }

    /// The members are at these addresses.
    pub(super) fn relocate(&self, addresses: Vec<String>) {
        self.discovery.relocate(addresses);
    }

    /// While the way is lost, tells it where the members are now. Without an ensemble there is nobody to be believed.
    pub(super) fn follow_members(&self, members: impl FnOnce(&Key) -> Vec<String>) {
        let is_lost = !self.inside.lock().source().is_reachable();
        if is_lost && self.key.ensemble.is_some() {
            self.relocate(members(&self.key));
        }
    }

    /// Follows the instances of these children, and of no others.
    pub(super) fn children(&self, wanted: &BTreeSet<String>) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> =
            children.keys().filter(|path| !path.is_empty() && !wanted.contains(*path)).cloned().collect();
        for path in gone {
            children.remove(&path);
            let mut state = self.inside.lock();
            state.lines.remove(&path);
            state.account.forget(&path);
            if let Views::Children { services, .. } = &mut state.views {
                services.remove(&path);
            }
        }
        for path in wanted {
            if children.contains_key(path) {
                continue;
            }
            if let Views::Children { services, .. } = &mut self.inside.lock().views {
                services.insert(path.clone(), View::Waiting);
            }
            let mut tasks = JoinSet::new();
            self.begin(&mut tasks, path.clone(), self.key.service(path), |views, path| match views {
                Views::Children { services, .. } => services.get_mut(path),
                _ => None,
            });
            children.insert(path.clone(), tasks);
        }
    }

    /// What is known, and how.
    pub(super) fn look(&self) -> Sight {
        let state = self.inside.lock();
        let settled = Instant::now() >= self.inside.began + CATCH_UP || state.is_as_new_as(&self.inside.written);
        Sight { views: state.views.clone(), source: state.source(), reached: state.reached(), settled }
    }

    /// How many bytes the answers take.
    pub(super) fn held(&self) -> usize {
        self.inside.lock().account.held()
    }

    /// Whether an answer names any of these words as an address or as a leader.
    pub(super) fn names_any(&self, words: &[String]) -> bool {
        let state = self.inside.lock();
        let is = |text: &str| words.iter().any(|word| text.contains(word.as_str()));
        match &state.views {
            Views::Service(view) => {
                view.value().is_some_and(|view| view.instances.iter().any(|instance| is(&instance.address)))
            }
            Views::Children { services, .. } => {
                let instances = services.values().filter_map(View::value).flat_map(|view| &view.instances);
                instances.into_iter().any(|instance| is(&instance.address))
            }
            Views::Leader(view) => {
                let leader = view.value().and_then(|view| view.leader.as_ref());
                leader.and_then(|leader| leader.id.as_deref()).is_some_and(is)
            }
            Views::ConfigMap(_) => false,
        }
    }
}

impl State {
    /// The worst of all ways: one that was lost, or one that has never been there for a while. A member that refuses
    /// answers; that one has refused says nothing of whether any answers now.
    fn source(&self) -> Source {
        let lost = self.lines.values().filter_map(|way| match way {
            Way::Lost { since, why, refused: false } => Some((*since, why.clone())),
            _ => None,
        });
        if let Some((since, why)) = lost.min_by_key(|(since, _)| *since) {
            return Source::Lost { since, why };
        }
        let new: Vec<_> = self.lines.values().filter(|way| matches!(way, Way::New { .. })).collect();
        match new.first() {
            // As long as the first answer has not come there is nothing that could be lost.
            Some(Way::New { since }) if new.len() == self.lines.len() => {
                Source::Lost { since: *since, why: "no member has answered yet".to_owned() }
            }
            _ => Source::Reachable,
        }
    }

    /// Of children, the answers that some member is sending now, as long as the list is one of them.
    fn reached(&self) -> BTreeSet<String> {
        let open = |way: &Way| matches!(way, Way::Open);
        if !matches!(self.views, Views::Children { .. }) || !self.lines.get("").is_some_and(open) {
            return BTreeSet::new();
        }
        self.lines.iter().filter(|(_, way)| open(way)).map(|(at, _)| at.clone()).collect()
    }

    /// Whether the list of children rests on a change that is as new as any that something was written from. That it
    /// does not need not say that it is old: what is set below a child does not change the list.
    fn is_as_new_as(&self, written: &BTreeMap<String, i64>) -> bool {
        let Views::Children { list, .. } = &self.views else { return true };
        written.values().max().is_none_or(|newest| list.zxid().is_some_and(|zxid| zxid >= *newest))
    }
}

#[cfg(test)]
mod tests;
