//! How a log is opened.

use std::sync::Arc;

use crate::done::FlushObserver;
use crate::error::OpenError;
use crate::format::{BATCH_HEADER, RECORD_HEADER, SECTOR};

/// The longest vote or committed record: each checkpoint repeats them.
pub(crate) const BLOB_BYTES_MAX: usize = 512;

/// Who flushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// One writer thread and one helper that prepares segments: production.
    #[default]
    Threads,
    /// The caller flushes inside each call, nothing runs beside it: for deterministic simulation.
    Inline,
}

/// Who flushes one append, where a writer has a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// The writer, while the caller goes on.
    Behind,
    /// The caller, if nothing else is queued and the writer rests: it waits for the disk, and two wakes of a thread
    /// are saved.
    Here,
}

#[derive(Clone)]
pub struct Options {
    pub mode: Mode,
    /// Size of each segment file, a multiple of 512 from 8 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// Payload bytes of the newest entries that stay in memory. Entries that are not flushed stay beyond it.
    pub cache_bytes: u64,
    /// Uses purged segments again instead of unlinking them: no zero-filling, no allocation.
    pub recycle: bool,
    /// Below this many available bytes of disk `Wal::has_room` says no, so that writes are refused before the log is
    /// full.
    pub min_free_bytes: u64,
    /// Random, from the caller's source of randomness: makes the checks of each segment unguessable, so that no payload
    /// can pose as a batch.
    pub salt: u64,
    pub observer: Option<Arc<dyn FlushObserver>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Threads,
            segment_bytes: 64 << 20,
            cache_bytes: 8 << 20,
            recycle: true,
            min_free_bytes: 256 << 20,
            salt: 0,
            observer: None,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let size = self.segment_bytes;
        if !(8 << 10..=1 << 30).contains(&size) || !size.is_multiple_of(SECTOR) {
            let allowed = "a multiple of 512 from 8192 to 1073741824";
            return Err(OpenError::Option { option: "segment_bytes", value: size, allowed });
        }
        Ok(())
    }

    /// What entries leave free at the end of a segment, for votes, truncations and purges on a full disk.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        (self.segment_bytes / 8).min(64 << 10)
    }

    /// The most that a segment's first record takes.
    pub(crate) fn checkpoint_bytes(&self) -> u64 {
        (RECORD_HEADER + 2 * 17 + 2 * (5 + BLOB_BYTES_MAX)) as u64
    }

    /// The most bytes of records that one operation may have.
    pub(crate) fn operation_bytes_max(&self) -> u64 {
        self.segment_bytes - self.reserve_bytes() - SECTOR - BATCH_HEADER as u64 - self.checkpoint_bytes()
    }
}
