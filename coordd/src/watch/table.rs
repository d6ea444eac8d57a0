//! Which connection watches which path, and whom a change wakes (WatchManager.java, DataTree.java).
//!
//! ```text
//!   path ──► { data: watcher → modes, child: watcher → modes }        watcher ──► its paths
//!   created  data(path)+above NodeCreated                       child(parent) NodeChildrenChanged
//!   deleted  data(path)+above NodeDeleted, child(path) likewise  child(parent) NodeChildrenChanged
//!   changed  data(path)+above NodeDataChanged                   "above": recursive watches on ancestors
//! ```
//!
//! Rule: one event per watcher and trigger, in the order of the columns; one-shot watches leave the table when they
//! fire, delivered or not. A delete tells a watcher once even if it holds both a data and a child watch on the path.
//! Ancestors are looked up only while somebody watches recursively, so the common case costs two look-ups a change.
//! Pure: no lock, no clock, no channel.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use coordd_proto::{EventType, WatcherType};
use foldhash::quality::RandomState;

use super::modes::Modes;

/// Names a watcher (a connection) in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WatcherId(pub u64);

/// Which of the two tables of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Data,
    Child,
}

/// What happened to a znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    Created,
    Deleted,
    DataChanged,
}

/// One event and everyone who is told.
#[derive(Debug)]
pub struct Told<'a> {
    pub event: EventType,
    pub path: &'a str,
    /// Whether the event is about the parent's list of children: then the parent's ACL filters it.
    pub of_parent: bool,
    pub watchers: &'a [WatcherId],
}

type Watchers = BTreeMap<WatcherId, Modes>;

#[derive(Debug, Default)]
struct Watched {
    data: Watchers,
    child: Watchers,
}

impl Watched {
    fn side(&mut self, side: Side) -> &mut Watchers {
        match side {
            Side::Data => &mut self.data,
            Side::Child => &mut self.child,
        }
    }

    fn is_empty(&self) -> bool {
        self.data.is_empty() && self.child.is_empty()
    }

    fn holds(&self, watcher: WatcherId) -> bool {
        self.data.contains_key(&watcher) || self.child.contains_key(&watcher)
    }
}

/// Seeded anew in every process: clients choose the paths, and must not aim at one bucket.
type Paths = HashSet<Arc<str>, RandomState>;

/// An empty set of paths with more room than this is given back.
const KEEP_PATHS: usize = 64;

/// All watches of this member.
#[derive(Debug, Default)]
pub struct Table {
    by_path: HashMap<Arc<str>, Watched, RandomState>,
    /// An entry stays until the watcher is gone: who was told will mostly watch again.
    by_watcher: HashMap<WatcherId, Paths, RandomState>,
    /// Recursive watches in all; while there is none, ancestors are not looked up.
    recursive: usize,
    /// Watches in the data table; what `wchs` and `watch_count` show.
    data_count: usize,
    child_count: usize,
    scratch: Vec<WatcherId>,
    told_of_delete: Vec<WatcherId>,
}

/// The ancestors of a path, nearest first, the root last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.len() <= 1 {
            return None;
        }
        rest = parent(rest)?;
        Some(rest)
    })
}

fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        _ if path == "/" => None,
        0 => Some("/"),
        at => Some(&path[..at]),
    }
}

impl Table {
    pub fn add(&mut self, watcher: WatcherId, side: Side, path: &str, modes: Modes) {
        let paths = self.by_watcher.entry(watcher).or_default();
        let path = match paths.get(path) {
            Some(known) => known.clone(),
            None => {
                let shared: Arc<str> =
                    self.by_path.get_key_value(path).map_or_else(|| Arc::from(path), |(known, _)| known.clone());
                paths.insert(shared.clone());
                shared
            }
        };
        let held = self.by_path.entry(path).or_default().side(side).entry(watcher).or_insert_with(|| {
            match side {
                Side::Data => self.data_count += 1,
                Side::Child => self.child_count += 1,
            }
            Modes::NONE
        });
        if modes.has_any(Modes::RECURSIVE) && !held.has_any(Modes::RECURSIVE) {
            self.recursive += 1;
        }
        // A watch on a znode that is there outranks an older one on its absence, which creation would have used up.
        *held = if modes == Modes::STANDARD { held.without(Modes::ABSENT) } else { *held }.with(modes);
    }

    /// `addWatch`: persistent watches live in both tables, recursive ones in the data table.
    pub fn add_persistent(&mut self, watcher: WatcherId, path: &str, recursive: bool) {
        if recursive {
            self.add(watcher, Side::Data, path, Modes::RECURSIVE);
        } else {
            self.add(watcher, Side::Data, path, Modes::PERSISTENT);
            self.add(watcher, Side::Child, path, Modes::PERSISTENT);
        }
    }

    /// `checkWatches`: whether a watch of exactly this type is there.
    pub fn contains(&self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        let Some(watched) = self.by_path.get(path) else { return false };
        let data = watched.data.get(&watcher).copied().unwrap_or_default();
        let child = watched.child.get(&watcher).copied().unwrap_or_default();
        match kind {
            WatcherType::Children => child.has_any(Modes::STANDARD),
            WatcherType::Data => data.has_any(Modes::STANDARD),
            WatcherType::Persistent => data.has_any(Modes::PERSISTENT),
            WatcherType::PersistentRecursive => data.has_any(Modes::RECURSIVE),
            WatcherType::Any => watched.holds(watcher),
        }
    }

    /// `removeWatches`: whether anything was removed.
    pub fn remove(&mut self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        let one_shot = Modes::STANDARD.with(Modes::ABSENT);
        let all = one_shot.with(Modes::PERSISTENT).with(Modes::RECURSIVE);
        let (data, child) = match kind {
            WatcherType::Children => (Modes::NONE, one_shot),
            WatcherType::Data => (one_shot, Modes::NONE),
            WatcherType::Persistent => (Modes::PERSISTENT, Modes::PERSISTENT),
            WatcherType::PersistentRecursive => (Modes::RECURSIVE, Modes::NONE),
            WatcherType::Any => (all, all),
        };
        let from_child = self.drop_modes(watcher, Side::Child, path, child);
        let from_data = self.drop_modes(watcher, Side::Data, path, data);
        from_child || from_data
    }

    /// Takes `gone` away from what `watcher` holds on one side of `path`; whether it held any of it.
    fn drop_modes(&mut self, watcher: WatcherId, side: Side, path: &str, gone: Modes) -> bool {
        let Some(watched) = self.by_path.get_mut(path) else { return false };
        let Some(held) = watched.side(side).get_mut(&watcher) else { return false };
        if !held.has_any(gone) {
            return false;
        }
        if held.has_any(Modes::RECURSIVE) && gone.has_any(Modes::RECURSIVE) {
            self.recursive -= 1;
        }
        *held = held.without(gone);
        if *held == Modes::NONE {
            watched.side(side).remove(&watcher);
            match side {
                Side::Data => self.data_count -= 1,
                Side::Child => self.child_count -= 1,
            }
        }
        if !watched.holds(watcher) {
            unlink(&mut self.by_watcher, watcher, path);
        }
        if watched.is_empty() {
            self.by_path.remove(path);
        }
        true
    }

    /// The connection is gone.
    pub fn remove_watcher(&mut self, watcher: WatcherId) {
        let Some(paths) = self.by_watcher.remove(&watcher) else { return };
        for path in paths {
            let Some(watched) = self.by_path.get_mut(&path) else { continue };
            if let Some(modes) = watched.data.remove(&watcher) {
                self.data_count -= 1;
                self.recursive -= usize::from(modes.has_any(Modes::RECURSIVE));
            }
            if watched.child.remove(&watcher).is_some() {
                self.child_count -= 1;
            }
            if watched.is_empty() {
                self.by_path.remove(&path);
            }
        }
    }

    /// Tells everyone whom a change concerns, by at most three calls of `tell`, in ZooKeeper's order.
    pub fn fire(&mut self, trigger: Trigger, path: &str, mut tell: impl FnMut(Told<'_>)) {
        if self.by_path.is_empty() {
            return;
        }
        let event = match trigger {
            Trigger::Created => EventType::NodeCreated,
            Trigger::Deleted => EventType::NodeDeleted,
            Trigger::DataChanged => EventType::NodeDataChanged,
        };
        let mut told = std::mem::take(&mut self.scratch);
        self.collect(Side::Data, path, &mut told);
        self.collect_above(path, &mut told);
        send(&mut tell, event, path, false, &told);
        if trigger == Trigger::Deleted {
            let mut before = std::mem::take(&mut self.told_of_delete);
            std::mem::swap(&mut told, &mut before);
            before.sort_unstable();
            told.clear();
            self.collect(Side::Child, path, &mut told);
            told.retain(|watcher| before.binary_search(watcher).is_err());
            send(&mut tell, event, path, false, &told);
            self.told_of_delete = before;
        }
        if trigger != Trigger::DataChanged
            && let Some(parent) = parent(path)
        {
            told.clear();
            self.collect(Side::Child, parent, &mut told);
            send(&mut tell, EventType::NodeChildrenChanged, parent, true, &told);
        }
        told.clear();
        self.scratch = told;
    }

    /// Everyone who watches `path` itself on `side`; one-shot watches are used up.
    fn collect(&mut self, side: Side, path: &str, told: &mut Vec<WatcherId>) {
        let Some(watched) = self.by_path.get_mut(path) else { return };
        let Watched { data, child } = watched;
        let (fired, other) = match side {
            Side::Data => (data, child),
            Side::Child => (child, data),
        };
        let (before, from) = (fired.len(), told.len());
        told.extend(fired.keys());
        fired.values_mut().for_each(|held| *held = held.after_fire());
        if fired.values().all(|held| *held == Modes::NONE) {
            fired.clear();
        } else {
            fired.retain(|_, held| *held != Modes::NONE);
        }
        let gone = before - fired.len();
        if gone > 0 {
            let over =
                told[from..].iter().filter(|watcher| !fired.contains_key(watcher) && !other.contains_key(watcher));
            over.for_each(|watcher| unlink(&mut self.by_watcher, *watcher, path));
        }
        match side {
            Side::Data => self.data_count -= gone,
            Side::Child => self.child_count -= gone,
        }
        if watched.is_empty() {
            self.by_path.remove(path);
        }
    }

    /// Recursive watchers on the ancestors of `path` who are not told already.
    fn collect_above(&self, path: &str, told: &mut Vec<WatcherId>) {
        if self.recursive == 0 {
            return;
        }
        let direct = told.len();
        for above in ancestors(path) {
            let Some(watched) = self.by_path.get(above) else { continue };
            told.extend(watched.data.iter().filter(|(_, m)| m.has_any(Modes::RECURSIVE)).map(|(watcher, _)| *watcher));
        }
        if told.len() > direct {
            told.sort_unstable();
            told.dedup();
        }
    }

    /// Every one-shot watch, for the comparison with a state that was replaced: (watcher, side, path, modes).
    pub fn iter(&self) -> impl Iterator<Item = (WatcherId, Side, &str, Modes)> {
        self.by_path.iter().flat_map(|(path, watched)| {
            let data = watched.data.iter().map(|(watcher, modes)| (*watcher, Side::Data, &**path, *modes));
            let child = watched.child.iter().map(|(watcher, modes)| (*watcher, Side::Child, &**path, *modes));
            data.chain(child)
        })
    }

    /// Uses up the one-shot watch of `watcher` on one side of `path`.
    pub fn use_up(&mut self, watcher: WatcherId, side: Side, path: &str) {
        self.drop_modes(watcher, side, path, Modes::STANDARD.with(Modes::ABSENT));
    }

    pub fn data_count(&self) -> usize {
        self.data_count
    }

    pub fn count(&self) -> usize {
        self.data_count + self.child_count
    }
}

fn unlink(by_watcher: &mut HashMap<WatcherId, Paths, RandomState>, watcher: WatcherId, path: &str) {
    if let Some(paths) = by_watcher.get_mut(&watcher) {
        paths.remove(path);
        if paths.is_empty() && paths.capacity() > KEEP_PATHS {
            *paths = Paths::default();
        }
    }
}

fn send(tell: &mut impl FnMut(Told<'_>), event: EventType, path: &str, of_parent: bool, watchers: &[WatcherId]) {
    if !watchers.is_empty() {
        tell(Told { event, path, of_parent, watchers });
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
