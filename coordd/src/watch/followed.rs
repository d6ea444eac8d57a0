//! Whose answer a change may alter: those who follow paths over HTTP, and who waits for this member to apply something
//! (ADR 0006).
//!
//! ```text
//!   register(path, reach) ─► Mark, one for all of them   apply ── path changed ─► marks there, above, … that reach it
//!   batch done ─► each mark that was touched wakes its topics, once                       (never read, never encoded)
//!              └► whoever waits for a zxid that is reached now
//! ```
//!
//! Rule: apply counts and lists marks, nothing else, and nothing at all while nobody follows. A mark is registered
//! before its topic reads: what is applied after the reading counts the mark up. Reason: ten thousand followers of one
//! path cost apply what one does, and so do a thousand questions about it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// How many steps below its path a mark is touched: 0 is the znode alone, 1 its children too.
pub type Reach = usize;

/// How often something changed that answers may rest on.
#[derive(Debug, Default)]
pub struct Mark {
    changes: AtomicU64,
    listed: AtomicBool,
    touched: Notify,
}

impl Mark {
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Resolves when more than `seen` changes were counted.
    pub async fn beyond(&self, seen: u64) {
        loop {
            let touched = self.touched.notified();
            tokio::pin!(touched);
            touched.as_mut().enable();
            if self.changes() > seen {
                return;
            }
            touched.await;
        }
    }
}

/// A mark and how many have registered it.
#[derive(Debug, Default)]
struct Shared {
    mark: Arc<Mark>,
    users: usize,
}

#[derive(Debug, Default)]
struct Table {
    by_path: HashMap<Box<str>, BTreeMap<Reach, Shared>>,
    /// The mark that each change touches.
    everywhere: Shared,
    /// How many marks reach how far; so a change asks for no more ancestors than it has to.
    reaches: BTreeMap<Reach, usize>,
    /// How many marks have a path of so many bytes; so of a change far below a path few ancestors are looked up.
    lengths: Vec<usize>,
}

/// Who waits for this member to come as far as some zxid.
#[derive(Debug, Default)]
struct Queue {
    waiters: BTreeMap<(i64, u64), oneshot::Sender<()>>,
    last: u64,
}

/// All marks of this member.
#[derive(Debug)]
pub struct Followed {
    count: AtomicUsize,
    table: Mutex<Table>,
    listed: Mutex<Vec<Arc<Mark>>>,
    /// The least zxid that somebody waits for.
    least: AtomicI64,
    queue: Mutex<Queue>,
}

impl Default for Followed {
    fn default() -> Followed {
        Followed {
            count: AtomicUsize::new(0),
            table: Mutex::default(),
            listed: Mutex::default(),
            least: AtomicI64::new(i64::MAX),
            queue: Mutex::default(),
        }
    }
}

/// A registered mark; dropping it takes it out.
#[derive(Debug)]
pub struct Registered {
    followed: Arc<Followed>,
    path: Box<str>,
    reach: Option<Reach>,
    mark: Arc<Mark>,
}

impl Registered {
    pub fn mark(&self) -> &Arc<Mark> {
        &self.mark
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut table = self.followed.table.lock();
        match self.reach {
            None => table.everywhere.users -= 1,
            Some(reach) => table.leave(&self.path, reach),
        }
        self.followed.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Table {
    fn join(&mut self, path: &str, reach: Reach) -> Arc<Mark> {
        let shared = self.by_path.entry(path.into()).or_default().entry(reach).or_default();
        shared.users += 1;
        if shared.users == 1 {
            *self.reaches.entry(reach).or_default() += 1;
            self.lengths.resize(self.lengths.len().max(path.len() + 1), 0);
            self.lengths[path.len()] += 1;
        }
        shared.mark.clone()
    }

    fn at(&self, path: &str) -> Option<&BTreeMap<Reach, Shared>> {
        self.lengths.get(path.len()).filter(|count| **count > 0)?;
        self.by_path.get(path)
    }

    fn leave(&mut self, path: &str, reach: Reach) {
        let Some(marks) = self.by_path.get_mut(path) else { return };
        let Some(shared) = marks.get_mut(&reach) else { return };
        shared.users -= 1;
        if shared.users > 0 {
            return;
        }
        marks.remove(&reach);
        self.lengths[path.len()] -= 1;
        if marks.is_empty() {
            self.by_path.remove(path);
        }
        if let Some(count) = self.reaches.get_mut(&reach) {
            *count -= 1;
            if *count == 0 {
                self.reaches.remove(&reach);
            }
        }
    }
}

impl Queue {
    fn least(&self) -> i64 {
        self.waiters.first_key_value().map_or(i64::MAX, |((zxid, _), _)| *zxid)
    }
}

/// A path and its ancestors, nearest first, the root last.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |at| match at.rfind('/')? {
        0 if at.len() > 1 => Some("/"),
        0 => None,
        slash => Some(&at[..slash]),
    })
}

impl Followed {
    /// The mark for `path` that is touched by changes as far below it as `reach`; without a reach, by every change.
    pub fn register(self: &Arc<Self>, path: &str, reach: Option<Reach>) -> Registered {
        let mut table = self.table.lock();
        let mark = match reach {
            None => {
                table.everywhere.users += 1;
                table.everywhere.mark.clone()
            }
            Some(reach) => table.join(path, reach),
        };
        self.count.fetch_add(1, Ordering::SeqCst);
        Registered { followed: self.clone(), path: path.into(), reach, mark }
    }

    /// Resolves once this member has applied `zxid`; `applied` says how far it is.
    pub async fn until(&self, zxid: i64, applied: impl Fn() -> i64) {
        let (tell, told) = oneshot::channel();
        let _waits = {
            let mut queue = self.queue.lock();
            queue.last += 1;
            let key = (zxid, queue.last);
            queue.waiters.insert(key, tell);
            self.least.store(queue.least(), Ordering::SeqCst);
            Waits { followed: self, key }
        };
        // Either this sees what was applied, or `batch_done` sees who waits for it.
        fence(Ordering::SeqCst);
        if applied() < zxid {
            let _ = told.await;
        }
    }

    fn touch(&self, mark: &Arc<Mark>) {
        mark.changes.fetch_add(1, Ordering::AcqRel);
        if !mark.listed.swap(true, Ordering::AcqRel) {
            self.listed.lock().push(mark.clone());
        }
    }

    /// Something about the znode at `path` changed. Under the state's write guard.
    pub(crate) fn changed(&self, path: &str) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let table = self.table.lock();
        if table.everywhere.users > 0 {
            self.touch(&table.everywhere.mark);
        }
        let Some((deepest, _)) = table.reaches.last_key_value() else { return };
        for (distance, at) in upwards(path).enumerate().take_while(|(distance, _)| distance <= deepest) {
            let Some(marks) = table.at(at) else { continue };
            marks.range(distance..).for_each(|(_, shared)| self.touch(&shared.mark));
        }
    }

    /// Another state took the place of the old one. Under the state's write guard. Marks are touched in an order that
    /// a run with the same seed has too.
    pub(crate) fn replaced(&self) {
        let table = self.table.lock();
        self.touch(&table.everywhere.mark);
        let mut paths: Vec<_> = table.by_path.iter().collect();
        paths.sort_unstable_by_key(|(path, _)| *path);
        paths.into_iter().flat_map(|(_, marks)| marks.values()).for_each(|shared| self.touch(&shared.mark));
    }

    /// The guard is dropped, and this member has applied as much as that.
    pub(crate) fn batch_done(&self, applied: i64) {
        fence(Ordering::SeqCst);
        if self.least.load(Ordering::SeqCst) <= applied {
            self.tell_reached(applied);
        }
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let listed = std::mem::take(&mut *self.listed.lock());
        for mark in listed {
            mark.listed.store(false, Ordering::Release);
            mark.touched.notify_waiters();
        }
    }

    fn tell_reached(&self, applied: i64) {
        let mut queue = self.queue.lock();
        let later = queue.waiters.split_off(&(applied.saturating_add(1), 0));
        let reached = std::mem::replace(&mut queue.waiters, later);
        self.least.store(queue.least(), Ordering::SeqCst);
        drop(queue);
        for waiter in reached.into_values() {
            let _ = waiter.send(());
        }
    }
}

/// A place among those who wait.
struct Waits<'a> {
    followed: &'a Followed,
    key: (i64, u64),
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut queue = self.followed.queue.lock();
        queue.waiters.remove(&self.key);
        self.followed.least.store(queue.least(), Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Followed {
    pub(crate) fn registered(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;

    #[test]
    fn a_change_touches_those_who_reach_it_and_nobody_else() {
        let followed = Arc::new(Followed::default());
        let one = |path, reach| followed.register(path, reach);
        let (exact, children, tree) = (one("/a/b", Some(0)), one("/a", Some(1)), one("/", Some(usize::MAX)));
        let (grand, always) = (one("/a", Some(2)), one("/zookeeper/quota", None));
        let seen = || [&exact, &children, &tree, &grand, &always].map(|one| one.mark().changes());
        followed.changed("/a/b");
        assert_eq!(seen(), [1, 1, 1, 1, 1]);
        followed.changed("/a/b/c");
        assert_eq!(seen(), [1, 1, 2, 2, 2]);
        followed.changed("/a/b/c/d");
        assert_eq!(seen(), [1, 1, 3, 2, 3]);
        followed.changed("/");
        assert_eq!(seen(), [1, 1, 4, 2, 4]);
        followed.replaced();
        assert_eq!(seen(), [2, 2, 5, 3, 5]);
    }

    #[tokio::test]
    async fn a_thousand_questions_about_one_path_cost_apply_one_mark_and_a_batch_wakes_all_of_them() {
        let followed = Arc::new(Followed::default());
        let mut all: Vec<_> = (0..1000).map(|_| followed.register("/a", Some(1))).collect();
        all.extend((0..1000).map(|_| followed.register("/zookeeper/quota", None)));
        followed.changed("/a/x");
        followed.changed("/a/y");
        assert_eq!(followed.listed.lock().len(), 2, "one for the path, one for all changes");
        let mut waiting: Vec<_> = all.iter().map(|one| Box::pin(one.mark().beyond(2))).collect();
        for one in &mut waiting {
            assert!(poll_immediate(one.as_mut()).await.is_none());
        }
        followed.changed("/a/z");
        followed.batch_done(0);
        for one in waiting {
            assert!(poll_immediate(one).await.is_some());
        }
        assert!(poll_immediate(all[0].mark().beyond(2)).await.is_some(), "it was counted before anyone waited");
        drop(all);
        let table = followed.table.lock();
        assert!(table.by_path.is_empty() && table.reaches.is_empty() && table.everywhere.users == 0);
        assert_eq!(table.lengths.iter().sum::<usize>(), 0);
    }

    #[test]
    fn a_replaced_state_touches_marks_in_an_order_that_does_not_depend_on_chance() {
        let orders: Vec<Vec<u64>> = (0..8)
            .map(|_| {
                let followed = Arc::new(Followed::default());
                let all: Vec<_> = (0..20).map(|n| followed.register(&format!("/{n}"), Some(n % 3))).collect();
                followed.replaced();
                let listed = followed.listed.lock();
                let place = |one: &Registered| listed.iter().position(|mark| Arc::ptr_eq(mark, one.mark()));
                all.iter().map(|one| place(one).unwrap() as u64).collect()
            })
            .collect();
        assert!(orders.iter().all(|order| *order == orders[0]), "{orders:?}");
    }

    #[tokio::test]
    async fn who_waits_for_a_zxid_is_woken_when_it_is_reached_and_not_before() {
        let followed = Followed::default();
        let mut near = Box::pin(followed.until(5, || 1));
        let mut far = Box::pin(followed.until(1_000, || 1));
        assert!(poll_immediate(near.as_mut()).await.is_none() && poll_immediate(far.as_mut()).await.is_none());
        assert_eq!(followed.least.load(Ordering::SeqCst), 5);
        followed.batch_done(4);
        assert!(poll_immediate(near.as_mut()).await.is_none());
        followed.batch_done(7);
        assert_eq!(followed.least.load(Ordering::SeqCst), 1_000, "what is far away is not looked at again");
        assert!(poll_immediate(near).await.is_some());
        assert!(poll_immediate(far.as_mut()).await.is_none());
        drop(far);
        assert_eq!(followed.least.load(Ordering::SeqCst), i64::MAX);
        followed.until(5, || 5).await;
        assert!(followed.queue.lock().waiters.is_empty());
    }
}
