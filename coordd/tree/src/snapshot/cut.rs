//! The line between what a running snapshot has written and what it has not.
//!
//! Rule: whoever applies holds the state exclusively and whoever writes the snapshot shares it, so the two never run at
//! once: the atomics and the lock here only carry values across, and nobody ever waits for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::znode::NodeId;

#[derive(Debug)]
pub(crate) struct Cut {
    /// The next slot to write.
    cursor: AtomicU32,
    /// Slots from here on did not exist at the cut.
    high: u32,
    /// Slots that changed ahead of the cursor, as rows. Searched, never walked.
    saved: Mutex<HashMap<NodeId, Box<[u8]>, RandomState>>,
}

impl Cut {
    pub(crate) fn new(high: u32) -> Cut {
        Cut { cursor: AtomicU32::new(0), high, saved: Mutex::default() }
    }

    pub(crate) fn high(&self) -> u32 {
        self.high
    }

    pub(crate) fn cursor(&self) -> u32 {
        self.cursor.load(Ordering::Relaxed)
    }

    pub(crate) fn advance_to(&self, slot: u32) {
        self.cursor.store(slot, Ordering::Relaxed);
    }

    /// Whether the slot is still to be written as it was at the cut.
    pub(crate) fn wants(&self, id: NodeId) -> bool {
        (self.cursor()..self.high).contains(&id.0)
    }

    pub(crate) fn save(&self, id: NodeId, encode: impl FnOnce(&mut BytesMut)) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.entry(id).or_insert_with(|| {
            let mut row = BytesMut::new();
            encode(&mut row);
            row.as_ref().into()
        });
    }

    pub(crate) fn take_saved(&self, id: NodeId) -> Option<Box<[u8]>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    /// Nothing more is wanted.
    pub(crate) fn end(&self) {
        self.advance_to(u32::MAX);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = HashMap::default();
    }
}
