//! The newest entries in memory, so that replication and apply never touch the disk in steady state.
//!
//! Rule: an entry that is not flushed is never dropped (the disk does not have it); beyond that the oldest goes first.
//! Reason: payloads are slices of the buffers that were written, so keeping them costs no copy.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::format::EntryId;

#[derive(Default)]
pub(crate) struct Cache {
    entries: VecDeque<Cached>,
    /// Index of `entries[0]`.
    first: u64,
    bytes: u64,
}

struct Cached {
    term: u64,
    payload: Bytes,
    /// The operation that brought it.
    operation: u64,
}

/// What an entry costs in memory beside its payload.
const OVERHEAD: u64 = size_of::<Cached>() as u64;

impl Cache {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Index of the oldest entry here.
    pub(crate) fn first(&self) -> Option<u64> {
        (!self.entries.is_empty()).then_some(self.first)
    }

    pub(crate) fn push(&mut self, id: EntryId, payload: Bytes, operation: u64) {
        if self.entries.is_empty() {
            self.first = id.index;
        }
        self.bytes += payload.len() as u64 + OVERHEAD;
        self.entries.push_back(Cached { term: id.term, payload, operation });
    }

    pub(crate) fn get(&self, index: u64) -> Option<(EntryId, &Bytes)> {
        let cached = self.entries.get(usize::try_from(index.checked_sub(self.first)?).ok()?)?;
        Some((EntryId { index, term: cached.term }, &cached.payload))
    }

    pub(crate) fn truncate(&mut self, next: u64) {
        while !self.entries.is_empty() && self.first + self.entries.len() as u64 > next {
            let gone = self.entries.pop_back();
            self.forget(gone.as_ref());
        }
    }

    pub(crate) fn purge(&mut self, upto: u64) {
        while !self.entries.is_empty() && self.first <= upto {
            self.pop_front();
        }
    }

    /// Drops the oldest entries beyond `max_bytes` whose operation is flushed.
    pub(crate) fn shrink(&mut self, max_bytes: u64, flushed: u64) {
        while self.bytes > max_bytes && self.entries.front().is_some_and(|cached| cached.operation <= flushed) {
            self.pop_front();
        }
    }

    /// Drops all entries whose operation is flushed, and gives their room back.
    pub(crate) fn release(&mut self, flushed: u64) {
        self.shrink(0, flushed);
        self.entries.shrink_to_fit();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn pop_front(&mut self) {
        let gone = self.entries.pop_front();
        self.forget(gone.as_ref());
        self.first += 1;
    }

    fn forget(&mut self, gone: Option<&Cached>) {
        self.bytes -= gone.map_or(0, |cached| cached.payload.len() as u64 + OVERHEAD);
    }
}
