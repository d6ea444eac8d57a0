//! Watches across a gap: after a client reconnects (`setWatches`), and after a snapshot took the place of the state.
//!
//! ```text
//!   watch left at zxid r, state now ─► znode gone │ there again │ changed after r ─► event, zxid -1
//!                                       none of these                               ─► the watch is armed (again)
//! ```
//!
//! Rule: the comparison is ZooKeeper's (DataTree.setWatches): data by mzxid, children by pzxid, `exists` by presence.
//! Persistent watches are armed without a word of what they missed; that is why a snapshot installed under a live
//! connection that holds one closes it: its client then begins anew, as after any reconnect.

use coordd_proto::{EventType, SetWatches, Zxid};
use coordd_tree::State;

use super::modes::Modes;
use super::table::{Side, Table, WatcherId};

/// Re-arms what a reconnected client watched, and tells it at once what happened meanwhile.
pub fn set_watches(
    table: &mut Table,
    watcher: WatcherId,
    state: &State,
    again: &SetWatches<'_>,
    mut tell: impl FnMut(EventType, &str),
) {
    let since = again.relative_zxid;
    for path in &again.data {
        match data_event(state, path, since) {
            Some(event) => tell(event, path),
            None => table.add(watcher, Side::Data, path, Modes::STANDARD),
        }
    }
    for path in &again.exist {
        match state.stat(path) {
            Some(_) => tell(EventType::NodeCreated, path),
            None => table.add(watcher, Side::Data, path, Modes::STANDARD.with(Modes::ABSENT)),
        }
    }
    for path in &again.child {
        match child_event(state, path, since) {
            Some(event) => tell(event, path),
            None => table.add(watcher, Side::Child, path, Modes::STANDARD),
        }
    }
    again.persistent.iter().for_each(|path| table.add_persistent(watcher, path, false));
    again.recursive.iter().for_each(|path| table.add_persistent(watcher, path, true));
}

fn data_event(state: &State, path: &str, since: Zxid) -> Option<EventType> {
    match state.stat(path) {
        None => Some(EventType::NodeDeleted),
        Some(stat) => (stat.mzxid > since).then_some(EventType::NodeDataChanged),
    }
}

fn child_event(state: &State, path: &str, since: Zxid) -> Option<EventType> {
    match state.stat(path) {
        None => Some(EventType::NodeDeleted),
        Some(stat) => (stat.pzxid > since).then_some(EventType::NodeChildrenChanged),
    }
}

/// Who is told of a change that happened inside a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub struct Missed {
    pub watcher: WatcherId,
    pub path: Box<str>,
}

/// What a replaced state means for the watches of this member.
#[derive(Debug, Default)]
pub struct AfterReplacement {
    pub events: Vec<(Missed, EventType)>,
    /// Holders of persistent watches, who may have missed what cannot be told.
    pub must_reconnect: Vec<WatcherId>,
}

/// Compares every watch with a state that took the place of one at `before`; what fires is used up.
pub fn after_replacement(table: &mut Table, state: &State, before: Zxid) -> AfterReplacement {
    let mut found = AfterReplacement::default();
    let mut fired = Vec::new();
    for (watcher, side, path, modes) in table.iter() {
        if modes.has_any(Modes::PERSISTENT.with(Modes::RECURSIVE)) {
            found.must_reconnect.push(watcher);
        }
        if !modes.has_any(Modes::STANDARD) {
            continue;
        }
        let event = match side {
            Side::Child => child_event(state, path, before),
            Side::Data if modes.has_any(Modes::ABSENT) => state.stat(path).map(|_| EventType::NodeCreated),
            Side::Data => data_event(state, path, before),
        };
        if let Some(event) = event {
            found.events.push((Missed { watcher, path: path.into() }, event));
            fired.push(side);
        }
    }
    for ((missed, _), side) in found.events.iter().zip(fired) {
        table.use_up(missed.watcher, side, &missed.path);
    }
    // A znode that is gone is told once, though both tables knew it.
    found.events.sort_by(|(a, x), (b, y)| (a.watcher, &a.path, *x as i32).cmp(&(b.watcher, &b.path, *y as i32)));
    found.events.dedup();
    found.must_reconnect.sort_unstable();
    found.must_reconnect.dedup();
    found
}
