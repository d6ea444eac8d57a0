//! The state as applied on this member, and how far that is.
//!
//! Rule: `position` moves after the state's guard is dropped, so whoever waits for an index finds it in the state.
//! Nobody but `state_machine` writes here.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use coordd_tree::State;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::digests::Digests;

/// How far the state is: the term and index of the newest entry applied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Position {
    pub term: u64,
    pub index: u64,
}

/// What is read off the state while its guard is held, for those who must not ask for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    last_time_ms: i64,
    tree_bytes: u64,
    feature_level: u32,
}

impl Seen {
    pub(crate) fn of(state: &State) -> Seen {
        Seen {
            last_time_ms: state.last_time_ms(),
            tree_bytes: state.bytes_used(),
            feature_level: state.feature_level(),
        }
    }
}

pub(crate) struct Applied {
    pub state: RwLock<State>,
    pub digests: Digests,
    position: watch::Sender<Position>,
    last_time_ms: AtomicI64,
    tree_bytes: AtomicU64,
    feature_level: AtomicU32,
}

impl Applied {
    pub(crate) fn new(state: State) -> Applied {
        let last_time_ms = AtomicI64::new(state.last_time_ms());
        let tree_bytes = AtomicU64::new(state.bytes_used());
        let feature_level = AtomicU32::new(state.feature_level());
        Applied {
            state: RwLock::new(state),
            digests: Digests::default(),
            position: watch::Sender::new(Position::default()),
            last_time_ms,
            tree_bytes,
            feature_level,
        }
    }

    pub(crate) fn position(&self) -> Position {
        *self.position.borrow()
    }

    pub(crate) fn last_time_ms(&self) -> i64 {
        self.last_time_ms.load(Ordering::Relaxed)
    }

    /// Memory that the state takes, as of the newest batch; asks for no guard.
    pub(crate) fn tree_bytes(&self) -> u64 {
        self.tree_bytes.load(Ordering::Relaxed)
    }

    /// The level that the log has raised so far, as of the newest batch.
    pub(crate) fn feature_level(&self) -> u32 {
        self.feature_level.load(Ordering::Relaxed)
    }

    pub(crate) fn publish(&self, position: Position, seen: Seen) {
        self.last_time_ms.store(seen.last_time_ms, Ordering::Relaxed);
        self.tree_bytes.store(seen.tree_bytes, Ordering::Relaxed);
        self.feature_level.store(seen.feature_level, Ordering::Relaxed);
        self.position.send_replace(position);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Resolves once the entry at `index` is applied here.
    pub(crate) async fn reached(&self, index: u64) {
        let mut position = self.position.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = position.wait_for(|now| now.index >= index).await;
    }
}
