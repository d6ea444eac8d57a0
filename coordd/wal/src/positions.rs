//! Where each durable entry lies: four bytes an entry.
//!
//! ```text
//!   segment 6: entries 100..=250 at [512, 601, …]    segment 7: entries 251..=300 at […]    segment 8: none yet
//! ```
//!
//! Rule: the segments cover the held entries without hole or overlap, oldest in front; only the front may retire.
//! Reason: an entry is found by one search over segments, and a segment retires as soon as nothing before it remains.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::disk::DiskFile;

#[derive(Default)]
pub(crate) struct Positions {
    segments: VecDeque<Held>,
}

struct Held {
    segment: u64,
    file: Arc<dyn DiskFile>,
    /// Index of the entry at `offsets[0]`.
    first: u64,
    offsets: VecDeque<u32>,
}

/// A segment whose entries are all purged.
pub(crate) struct Retired {
    pub(crate) segment: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// Neighbouring entries in one segment.
pub(crate) struct Span {
    pub(crate) segment: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) offsets: Vec<u32>,
}

impl Positions {
    pub(crate) fn add_segment(&mut self, segment: u64, file: Arc<dyn DiskFile>) {
        self.segments.push_back(Held { segment, file, first: 0, offsets: VecDeque::new() });
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Notes that entry `index` begins at `offset` of the newest segment.
    pub(crate) fn add(&mut self, index: u64, offset: u64) {
        if let Some(held) = self.segments.back_mut() {
            if held.offsets.is_empty() {
                held.first = index;
            }
            held.offsets.push_back(offset as u32);
        }
    }

    /// Forgets the entries from `next` on.
    pub(crate) fn truncate(&mut self, next: u64) {
        for held in self.segments.iter_mut().rev().filter(|held| !held.offsets.is_empty()) {
            held.offsets.truncate(next.saturating_sub(held.first) as usize);
            if !held.offsets.is_empty() {
                break;
            }
        }
    }

    /// Forgets the entries up to and with `upto`.
    pub(crate) fn purge(&mut self, upto: u64) {
        for held in &mut self.segments {
            if held.offsets.is_empty() {
                continue;
            }
            let gone = (upto + 1).saturating_sub(held.first).min(held.offsets.len() as u64);
            held.offsets.drain(..gone as usize);
            held.first += gone;
            if !held.offsets.is_empty() {
                break;
            }
        }
    }

    /// Takes out the segments in front that hold nothing, all older than `current`.
    pub(crate) fn retire(&mut self, current: u64) -> Vec<Retired> {
        let mut retired = Vec::new();
        while self.segments.front().is_some_and(|held| held.segment < current && held.offsets.is_empty()) {
            if let Some(Held { segment, file, .. }) = self.segments.pop_front() {
                retired.push(Retired { segment, file });
            }
        }
        retired
    }

    /// Entry `index` and those that follow it in its segment, before `end`, about `max_bytes` of them.
    pub(crate) fn find(&self, index: u64, end: u64, max_bytes: u64) -> Option<Span> {
        let held = self
            .segments
            .iter()
            .find(|h| !h.offsets.is_empty() && (h.first..h.first + h.offsets.len() as u64).contains(&index))?;
        let start = (index - held.first) as usize;
        let count = held.offsets.len().min((end - held.first) as usize);
        let mut offsets: Vec<u32> = Vec::new();
        for offset in held.offsets.range(start..count) {
            if offsets.first().is_some_and(|first| u64::from(offset - first) > max_bytes) {
                break;
            }
            offsets.push(*offset);
        }
        Some(Span { segment: held.segment, file: held.file.clone(), offsets })
    }
}
