//! The writer: drain, one write, one fdatasync, complete.
//!
//! ```text
//!   queue: [entries][vote][entries][truncate] + committed
//!      └─► as many as fit the segment ─► pad to a sector ─► write ─► fdatasync ─► durable.apply ─► done, done, done
//!      └─► the rest: next segment, next batch
//! ```
//!
//! Whoever flushes holds the writer: its thread, or a caller that asked for it and found it at rest.
//!
//! Rule: a batch is written only after the one before it has been flushed, and nothing lingers: a batch is what came
//! while the last one was being flushed. No space: that operation and all behind it fail, except votes, and the log is
//! as if they had never come. Any other failure, and every failed flush, ends the log (`poison`).
//! Reason: recovery relies on the first; on the last, because after a failed fdatasync nobody knows what the disk has.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::done::{Done, Flushed};
use crate::error::WalError;
use crate::format::{BATCH_HEADER, BatchHeader, SECTOR, SegmentHeader, decode_record, put_checkpoint};
use crate::segment::Current;
use crate::shared::{Class, Operation, Shared};

static ZEROS: [u8; SECTOR as usize] = [0; SECTOR as usize];

pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) current: Current,
    pub(crate) next_batch: u64,
    /// Bytes of a batch that failed lie at the current offset and must be wiped before anything is written there.
    pub(crate) unwiped: bool,
}

enum Failure {
    NoSpace,
    Fatal(WalError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::fatal("write", &error),
        }
    }
}

impl Failure {
    fn fatal(doing: &str, error: &io::Error) -> Self {
        Self::Fatal(WalError::Poisoned(format!("{doing}: {error}").into()))
    }
}

impl Writer {
    /// The writer thread.
    pub(crate) fn run(writer: &Mutex<Writer>, shared: &Shared) {
        loop {
            let mut state = shared.state.lock();
            while state.queue.is_empty() && !state.closing {
                shared.wake.wait(&mut state);
            }
            if state.queue.is_empty() {
                drop(state);
                return writer.lock().seal(shared);
            }
            drop(state);
            writer.lock().flush(shared);
        }
    }

    /// Writes and flushes everything that is queued.
    pub(crate) fn flush(&mut self, shared: &Shared) {
        let (mut operations, failure) = {
            let mut state = shared.state.lock();
            (state.drain(), state.failure.clone())
        };
        if let Some(failure) = failure {
            return fail(operations, &failure);
        }
        while !operations.is_empty() {
            let rest = operations.split_off(self.fitting(shared, &operations));
            match self.write(shared, &mut operations) {
                Ok(()) => operations = rest,
                Err(failure) => {
                    operations.extend(rest);
                    match failure {
                        Failure::NoSpace => operations = refuse(shared, operations),
                        Failure::Fatal(error) => return poison(shared, operations, &error),
                    }
                }
            }
        }
    }

    /// The last batch of a log that is closed: it proves that the one before it had been flushed.
    pub(crate) fn seal(&mut self, shared: &Shared) {
        let (operations, failed) = {
            let mut state = shared.state.lock();
            (state.drain(), state.failure.is_some())
        };
        let room = self.current.length - self.current.offset > SECTOR + BATCH_HEADER as u64;
        if !failed && room {
            let mut operations = operations;
            // A seal that fails is a log that was not closed: the next open copes.
            let _ = self.write(shared, &mut operations);
        }
    }

    /// What the current segment takes of entries from here on.
    pub(crate) fn left_bytes(&self, shared: &Shared) -> u64 {
        let checkpoint = if self.current.is_empty() { shared.options.checkpoint_bytes() } else { 0 };
        let taken = self.current.offset + BATCH_HEADER as u64 + checkpoint + shared.options.reserve_bytes();
        self.current.length.saturating_sub(taken)
    }

    /// How many of the operations go into the current segment, in one batch.
    fn fitting(&self, shared: &Shared, operations: &[Operation]) -> usize {
        let mut end = self.current.offset + BATCH_HEADER as u64;
        if self.current.is_empty() {
            end += shared.options.checkpoint_bytes();
        }
        let mut limit = self.current.length;
        for (count, operation) in operations.iter().enumerate() {
            if operation.class == Class::Entries {
                limit = self.current.length.saturating_sub(shared.options.reserve_bytes());
            }
            end += operation.records.len() as u64;
            if end > limit {
                return count;
            }
        }
        operations.len()
    }

    /// Writes one batch of the operations; of none, if they do not fit, it begins the next segment.
    fn write(&mut self, shared: &Shared, operations: &mut Vec<Operation>) -> Result<(), Failure> {
        if operations.is_empty() && !shared.state.lock().closing {
            return self.rotate(shared);
        }
        self.wipe()?;
        let mut checkpoint = BytesMut::new();
        if self.current.is_empty() {
            put_checkpoint(&mut checkpoint, &shared.state.lock().durable.checkpoint());
        }
        let count = operations.iter().map(|o| o.count).sum::<u32>() + u32::from(!checkpoint.is_empty());
        let body = || std::iter::once(&checkpoint[..]).chain(operations.iter().map(|o| &o.records[..]));
        let batch = BatchHeader::of(&self.current.header, self.next_batch, count, body());
        let header = batch.encode(&self.current.header);
        let padding = batch.span() as usize - BATCH_HEADER - batch.length as usize;
        let buffers: Vec<IoSlice<'_>> = std::iter::once(&header[..])
            .chain(body())
            .chain(std::iter::once(&ZEROS[..padding]))
            .filter(|part| !part.is_empty())
            .map(IoSlice::new)
            .collect();
        if let Err(error) = self.current.file.write_at(self.current.offset, &buffers) {
            self.unwiped = true;
            // If the disk is too full even for this, it is done before the next batch.
            self.wipe().or_else(|f| if matches!(f, Failure::NoSpace) { Ok(()) } else { Err(f) })?;
            return Err(error.into());
        }
        if let Some(observer) = &shared.options.observer {
            observer.flush_begins();
        }
        self.current.file.sync_data().map_err(|error| Failure::fatal("fdatasync", &error))?;
        if let Some(observer) = &shared.options.observer {
            observer.flush_ended(Flushed { operations: operations.len() as u64, bytes: batch.span() });
        }
        self.complete(shared, batch, checkpoint.len(), std::mem::take(operations))
    }

    /// Tells the log and then the callers that the batch is durable.
    fn complete(
        &mut self,
        shared: &Shared,
        batch: BatchHeader,
        checkpoint: usize,
        operations: Vec<Operation>,
    ) -> Result<(), Failure> {
        let mut offset = self.current.offset + (BATCH_HEADER + checkpoint) as u64;
        self.current.offset += batch.span();
        self.next_batch += 1;
        let mut state = shared.state.lock();
        for operation in &operations {
            let mut records = &operation.records[..];
            while !records.is_empty() {
                let applied = decode_record(records)
                    .and_then(|(record, length)| state.durable.apply(record, offset, false).map(|()| length));
                let length = applied.map_err(|found| Failure::Fatal(WalError::Poisoned(found.into())))?;
                records = &records[length..];
                offset += length as u64;
            }
            state.unsynced_bytes = state.unsynced_bytes.saturating_sub(operation.records.len() as u64);
            state.unsynced_operations = state.unsynced_operations.saturating_sub(1);
            state.flushed_operation = operation.number;
        }
        state.left_bytes = self.left_bytes(shared);
        let flushed = state.flushed_operation;
        state.cache.shrink(shared.options.cache_bytes, flushed);
        let retired = state.durable.positions.retire(self.current.header.segment);
        drop(state);
        shared.pool.retire(retired);
        operations.into_iter().filter_map(|operation| operation.done).for_each(|done| done(Ok(())));
        Ok(())
    }

    /// Begins the next segment.
    fn rotate(&mut self, shared: &Shared) -> Result<(), Failure> {
        if self.current.is_empty() {
            return Err(Failure::Fatal(WalError::Poisoned("an operation that fits no segment".into())));
        }
        let spare = shared.pool.take()?;
        let segment = self.current.header.segment + 1;
        let salt = segment_salt(shared.options.salt, segment);
        let header = SegmentHeader { segment, salt, first_batch: self.next_batch };
        match Current::create(&*self.disk, &self.dir, header, &spare) {
            Ok(current) => self.current = current,
            Err(error) if matches!(Failure::from(io::Error::from(error.kind())), Failure::NoSpace) => {
                shared.pool.give_back(spare);
                return Err(Failure::NoSpace);
            }
            Err(error) => return Err(Failure::fatal("begin a segment", &error)),
        }
        self.unwiped = false;
        let mut state = shared.state.lock();
        state.durable.positions.add_segment(segment, spare.file);
        state.left_bytes = self.left_bytes(shared);
        Ok(())
    }

    fn wipe(&mut self) -> Result<(), Failure> {
        if self.unwiped {
            self.current.file.write_at(self.current.offset, &[IoSlice::new(&ZEROS)])?;
            self.current.file.sync_data().map_err(|error| Failure::fatal("fdatasync", &error))?;
            self.unwiped = false;
        }
        Ok(())
    }
}

/// Each segment's own salt, from the log's.
pub(crate) fn segment_salt(salt: u64, segment: u64) -> u64 {
    (salt ^ segment.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Fails the operations that found no room and all that came after them; gives back the votes, which need none of them.
/// Votes that found no room themselves fail too.
fn refuse(shared: &Shared, operations: Vec<Operation>) -> Vec<Operation> {
    let mut state = shared.state.lock();
    let only_votes = operations.iter().all(|operation| operation.class == Class::Vote);
    let queued = state.drain();
    let (kept, failed): (Vec<_>, Vec<_>) =
        operations.into_iter().chain(queued).partition(|o| !only_votes && o.class == Class::Vote);
    state.unsynced_bytes = kept.iter().map(|operation| operation.records.len() as u64).sum();
    state.unsynced_operations = kept.len() as u64;
    state.roll_back();
    drop(state);
    fail(failed, &WalError::NoSpace);
    kept
}

/// Ends the log.
fn poison(shared: &Shared, operations: Vec<Operation>, error: &WalError) {
    let queued = {
        let mut state = shared.state.lock();
        state.failure = Some(error.clone());
        state.drain()
    };
    if let Some(observer) = &shared.options.observer {
        observer.poisoned(error);
    }
    fail(operations.into_iter().chain(queued), error);
}

fn fail(operations: impl IntoIterator<Item = Operation>, error: &WalError) {
    let dones: Vec<Done> = operations.into_iter().filter_map(|operation| operation.done).collect();
    dones.into_iter().for_each(|done| done(Err(error.clone())));
}
