//! Whose answer a change may alter: those who follow paths over HTTP, and who waits for this member to apply something
//! (ADR 0006).
//!
//! ```text
//!   register(path, reach) ─► Mark         apply ── path changed ─► its own marks, its parent's, … as far as they reach
//!   batch done ─► each mark that was touched wakes its topic, once                        (never read, never encoded)
//! ```
//!
//! Rule: apply counts and lists marks, nothing else, and nothing at all while nobody follows. A mark is registered
//! before its topic reads: what is applied after the reading counts the mark up. Reason: ten thousand followers of one
//! path cost apply what one does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How many steps below its path a mark is touched: 0 is the znode alone, 1 its children too.
pub type Reach = usize;

/// How often something changed that an answer may rest on.
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

    /// Resolves when it was touched since the last time.
    pub async fn touched(&self) {
        self.touched.notified().await;
    }
}

#[derive(Debug, Default)]
struct Table {
    by_path: HashMap<Box<str>, Vec<(Reach, Arc<Mark>)>>,
    /// Marks that each change touches.
    everywhere: Vec<Arc<Mark>>,
    /// How many reach how far; so a change asks for no more ancestors than it has to.
    reaches: BTreeMap<Reach, usize>,
}

/// All marks of this member.
#[derive(Debug, Default)]
pub struct Followed {
    count: AtomicUsize,
    table: Mutex<Table>,
    listed: Mutex<Vec<Arc<Mark>>>,
    waiting: AtomicUsize,
    applied: Notify,
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
            None => table.everywhere.retain(|mark| !Arc::ptr_eq(mark, &self.mark)),
            Some(reach) => table.remove(&self.path, reach, &self.mark),
        }
        self.followed.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Table {
    fn remove(&mut self, path: &str, reach: Reach, mark: &Arc<Mark>) {
        if let Some(marks) = self.by_path.get_mut(path) {
            marks.retain(|(_, other)| !Arc::ptr_eq(other, mark));
            if marks.is_empty() {
                self.by_path.remove(path);
            }
        }
        if let Some(count) = self.reaches.get_mut(&reach) {
            *count -= 1;
            if *count == 0 {
                self.reaches.remove(&reach);
            }
        }
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
    /// A mark for `path` that is touched by changes as far below it as `reach`; without a reach, by every change.
    pub fn register(self: &Arc<Self>, path: &str, reach: Option<Reach>) -> Registered {
        let mark = Arc::new(Mark::default());
        let mut table = self.table.lock();
        match reach {
            None => table.everywhere.push(mark.clone()),
            Some(reach) => {
                table.by_path.entry(path.into()).or_default().push((reach, mark.clone()));
                *table.reaches.entry(reach).or_default() += 1;
            }
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        Registered { followed: self.clone(), path: path.into(), reach, mark }
    }

    /// Resolves once `reached`, which is asked again after each batch that this member applies.
    pub async fn until(&self, reached: impl Fn() -> bool) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(&self.waiting);
        loop {
            let applied = self.applied.notified();
            tokio::pin!(applied);
            applied.as_mut().enable();
            if reached() {
                return;
            }
            applied.await;
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
        table.everywhere.iter().for_each(|mark| self.touch(mark));
        let Some((deepest, _)) = table.reaches.last_key_value() else { return };
        for (distance, at) in upwards(path).enumerate().take_while(|(distance, _)| distance <= deepest) {
            let marks = table.by_path.get(at).into_iter().flatten();
            marks.filter(|(reach, _)| distance <= *reach).for_each(|(_, mark)| self.touch(mark));
        }
    }

    /// Another state took the place of the old one. Under the state's write guard.
    pub(crate) fn replaced(&self) {
        let table = self.table.lock();
        table.everywhere.iter().for_each(|mark| self.touch(mark));
        table.by_path.values().flatten().for_each(|(_, mark)| self.touch(mark));
    }

    /// The guard is dropped.
    pub(crate) fn batch_done(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.applied.notify_waiters();
        }
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let listed = std::mem::take(&mut *self.listed.lock());
        for mark in listed {
            mark.listed.store(false, Ordering::Release);
            mark.touched.notify_one();
        }
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
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
    async fn a_batch_wakes_a_mark_once_and_a_gone_one_never() {
        let followed = Arc::new(Followed::default());
        let (stays, goes) = (followed.register("/a", Some(1)), followed.register("/a", Some(1)));
        followed.changed("/a/x");
        followed.changed("/a/y");
        assert_eq!(followed.listed.lock().len(), 2);
        drop(goes);
        followed.changed("/a/z");
        followed.batch_done();
        stays.mark().touched().await;
        assert_eq!(stays.mark().changes(), 3);
        assert!(futures_util::future::poll_immediate(stays.mark().touched()).await.is_none());
        drop(stays);
        assert!(followed.table.lock().by_path.is_empty() && followed.table.lock().reaches.is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_the_state_is_asked_again_after_each_batch() {
        let (followed, applied) = (Arc::new(Followed::default()), Arc::new(AtomicU64::new(0)));
        let waiting = tokio::spawn({
            let (followed, applied) = (followed.clone(), applied.clone());
            async move { followed.until(|| applied.load(Ordering::SeqCst) >= 2).await }
        });
        for _ in 0..2 {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            applied.fetch_add(1, Ordering::SeqCst);
            followed.batch_done();
        }
        waiting.await.unwrap();
        assert_eq!(followed.waiting.load(Ordering::SeqCst), 0);
    }
}
