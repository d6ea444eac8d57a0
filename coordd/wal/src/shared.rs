//! What the handles and the writer share: one lock, held for memory work only, never across disk work.
//!
//! ```text
//!            view (as asked)         cache                       durable view + positions (as flushed)
//!            ──────────────────►                                 ◄─────────────────────────────────────
//!   handles: append, truncate, purge ─► queue ─► writer: drain … write … flush … complete
//! ```
//!
//! Rule: a handle's change is in `view`, `cache` and `queue` under one lock; the writer's completion moves `durable`
//! under the same lock, before any callback runs. Reason: a reader finds each entry in the cache or on the disk,
//! always.

use bytes::{Bytes, BytesMut};
use parking_lot::{Condvar, Mutex};

use crate::cache::Cache;
use crate::done::Done;
use crate::durable::Durable;
use crate::error::WalError;
use crate::format::{BATCH_HEADER, SECTOR};
use crate::options::Options;
use crate::pool::Pool;
use crate::view::View;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Entries,
    Vote,
    /// Truncation, purge, committed.
    Control,
}

/// One operation in the queue: its records, encoded.
pub(crate) struct Operation {
    pub(crate) number: u64,
    pub(crate) class: Class,
    pub(crate) records: Bytes,
    pub(crate) count: u32,
    pub(crate) done: Option<Done>,
}

pub(crate) struct State {
    pub(crate) view: View,
    pub(crate) cache: Cache,
    pub(crate) durable: Durable,
    pub(crate) queue: Vec<Operation>,
    /// The newest committed record, which waits for the next batch: it needs no flush of its own.
    pub(crate) committed: Option<Bytes>,
    /// Where records are encoded; each operation takes what it put, the rest of the allocation serves the next.
    pub(crate) arena: BytesMut,
    pub(crate) next_operation: u64,
    /// All operations up to this one are on the disk.
    pub(crate) flushed_operation: u64,
    pub(crate) unsynced_bytes: u64,
    pub(crate) unsynced_operations: u64,
    /// What the segment that is being written takes of entries, besides what is unsynced.
    pub(crate) left_bytes: u64,
    pub(crate) failure: Option<WalError>,
    pub(crate) closing: bool,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) state: Mutex<State>,
    pub(crate) wake: Condvar,
    pub(crate) pool: Pool,
}

impl State {
    pub(crate) fn new(durable: Durable, cache: Cache) -> Self {
        Self {
            view: durable.view.clone(),
            cache,
            durable,
            queue: Vec::new(),
            committed: None,
            arena: BytesMut::new(),
            next_operation: 1,
            flushed_operation: 0,
            unsynced_bytes: 0,
            unsynced_operations: 0,
            left_bytes: 0,
            failure: None,
            closing: false,
        }
    }

    /// Takes the whole queue, the waiting committed record behind it.
    pub(crate) fn drain(&mut self) -> Vec<Operation> {
        let mut operations = std::mem::take(&mut self.queue);
        if let Some(records) = self.committed.take() {
            let number = self.next_operation;
            self.next_operation += 1;
            self.unsynced_bytes += records.len() as u64;
            self.unsynced_operations += 1;
            operations.push(Operation { number, class: Class::Control, records, count: 1, done: None });
        }
        operations
    }

    /// The most that what is queued takes in a segment, each operation in a batch of its own.
    pub(crate) fn unsynced_span(&self) -> u64 {
        let waiting = self.committed.as_ref();
        let operations = self.unsynced_operations + u64::from(waiting.is_some());
        let bytes = self.unsynced_bytes + waiting.map_or(0, |records| records.len() as u64);
        bytes + operations * (BATCH_HEADER as u64 + SECTOR)
    }

    /// Sets what was asked for back to what is durable, as if the operations since then had never come.
    pub(crate) fn roll_back(&mut self) {
        self.view = self.durable.view.clone();
        self.cache.clear();
    }
}
