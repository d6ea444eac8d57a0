//! The handle: what the rest of a member does with its log.
//!
//! ```text
//!   Wal::open ─► recovery ─► Wal (cheap to clone) ─► append · save_vote · truncate_after · purge_upto · read · state
//!                                └─ the last clone dropped: queue flushed, log sealed, directory given back
//! ```
//!
//! Rule: no call waits for the disk but `read` of an entry that left the cache, an append that says so (`Flush::Here`),
//! and every call in inline mode; what an operation changes is visible when the call returns, durable when `done` says
//! so. Reason: the consensus loop calls these inline.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::{Condvar, Mutex};

use crate::disk::{DirLock, Disk};
use crate::done::Done;
use crate::error::{OpenError, ReadError, WalError};
use crate::format::{BATCH_HEADER, ENTRY_OVERHEAD, EntryId, Kind, RECORD_HEADER, SECTOR};
use crate::format::{put_id, put_optional_id, put_record};
use crate::options::{BLOB_BYTES_MAX, Flush, Mode, Options};
use crate::recovery::{Recovered, recover};
use crate::shared::{Class, Operation, Shared, State};
use crate::writer::Writer;
use crate::{cache::Cache, read};

/// Records are encoded into allocations of this size; a cached entry keeps its one alive.
const ARENA_BYTES: usize = 256 << 10;

/// An entry to append; `payload` puts its bytes, once, where they are written from.
pub struct NewEntry<P> {
    pub index: u64,
    pub term: u64,
    pub payload: P,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub id: EntryId,
    pub payload: Bytes,
}

/// A log at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// The last entry, or the last purged one when none is held.
    pub last: Option<EntryId>,
    pub purged: Option<EntryId>,
    /// The first entry that is held.
    pub first: Option<u64>,
    /// The last entry that is durable.
    pub durable_last: Option<EntryId>,
    pub cached_bytes: u64,
    /// Accepted and not yet flushed.
    pub unsynced_bytes: u64,
    pub segments: usize,
    pub failure: Option<WalError>,
}

#[derive(Clone)]
pub struct Wal {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// Held by whoever writes and flushes.
    writer: Arc<Mutex<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: DirLock,
}

impl Wal {
    /// Opens the log in `dir`, creating it if there is none; refuses one that is damaged or in use.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<(Self, Recovered), OpenError> {
        options.check()?;
        let io = |source| OpenError::Io { doing: "open", path: dir.to_owned(), source };
        let (mode, opened) = (options.mode, recover(disk, dir, &options)?);
        let shared = Arc::new(Shared {
            options,
            state: Mutex::new(State::new(opened.durable, Cache::default())),
            wake: Condvar::new(),
            pool: opened.pool,
        });
        shared.state.lock().left_bytes = opened.writer.left_bytes(&shared);
        read::warm(&shared).map_err(|error| io(error.into()))?;
        let (writer, mut threads) = (Arc::new(Mutex::new(opened.writer)), Vec::new());
        match mode {
            Mode::Inline => shared.pool.upkeep(),
            Mode::Threads => {
                let (for_writer, for_pool, writer) = (shared.clone(), shared.clone(), writer.clone());
                threads.push(spawn("wal-writer", move || Writer::run(&writer, &for_writer)).map_err(io)?);
                threads.push(spawn("wal-segments", move || for_pool.pool.run()).map_err(io)?);
            }
        }
        let handle = Handle { shared, writer, threads: Mutex::new(threads), _lock: opened.lock };
        Ok((Self { handle: Arc::new(handle) }, opened.recovered))
    }

    /// Appends entries, the first of which follows the last one. They can be read when this returns. If they are more
    /// than a segment holds and the disk is full, a first part of them may stay (`state` shows it) though `done` says
    /// `NoSpace`; else all or none are in the log.
    pub fn append<P: FnOnce(&mut BytesMut)>(
        &self,
        entries: impl IntoIterator<Item = NewEntry<P>>,
        flush: Flush,
        done: Done,
    ) {
        let mut state = self.handle.shared.state.lock();
        match encode(&mut state, entries, self.handle.shared.options.operation_bytes_max()) {
            Ok(parts) => {
                let last = parts.len() - 1;
                let mut done = Some(done);
                for (number, part) in parts.into_iter().enumerate() {
                    let done = if number == last { done.take() } else { None };
                    enqueue_entries(&mut state, part, done);
                }
                drop(state);
                self.kick(flush);
            }
            Err(error) => {
                state.arena.clear();
                drop(state);
                done(Err(error));
            }
        }
    }

    /// Makes a vote durable, in order with the entries before and after it.
    pub fn save_vote(&self, vote: &[u8], done: Done) {
        self.enqueue(Class::Vote, done, |state| {
            check_blob(vote)?;
            put_record(&mut state.arena, Kind::Vote, |out| out.put_slice(vote));
            Ok(())
        });
    }

    /// Notes what is committed. Never flushed for its own sake: the newest one travels with the next batch.
    pub fn save_committed(&self, committed: &[u8]) -> Result<(), WalError> {
        let mut state = self.handle.shared.state.lock();
        check_open(&state)?;
        check_blob(committed)?;
        put_record(&mut state.arena, Kind::Committed, |out| out.put_slice(committed));
        let records = state.arena.split().freeze();
        state.committed = Some(records);
        Ok(())
    }

    /// Drops the entries after `index`, all of them for `None`.
    pub fn truncate_after(&self, index: Option<u64>, done: Done) {
        self.enqueue(Class::Control, done, |state| {
            let to = match index {
                None => state.view.purged,
                Some(index) => Some(state.view.id_of(index).ok_or(WalError::NoSuchEntry(index))?),
            };
            put_record(&mut state.arena, Kind::TruncateAfter, |out| put_optional_id(out, to));
            state.view.truncate_after(to);
            state.cache.truncate(to.map_or(0, |to| to.index + 1));
            Ok(())
        });
    }

    /// Drops the entries up to and with `upto`, which may lie after the last one: the log then goes on behind it.
    pub fn purge_upto(&self, upto: EntryId, done: Done) {
        self.enqueue(Class::Control, done, |state| {
            put_record(&mut state.arena, Kind::PurgeUpto, |out| put_id(out, upto));
            state.view.purge_upto(upto);
            state.cache.purge(upto.index);
            Ok(())
        });
    }

    /// The entries of `range`, from the first on as many as `max_bytes` of payload allow, at least one. Asking for an
    /// entry that is not held is an error, as is one that cannot be read.
    pub fn read(&self, range: Range<u64>, max_bytes: u64) -> Result<Vec<LogEntry>, ReadError> {
        read::read(&self.handle.shared, range, max_bytes)
    }

    /// Gives back the memory of the entries that are on the disk, for a log that nobody writes to: whoever asks for one
    /// now has it read from there.
    pub fn release_cache(&self) {
        let mut state = self.handle.shared.state.lock();
        let flushed = state.flushed_operation;
        state.cache.release(flushed);
        if state.cache.bytes() == 0 {
            // What is left of the allocation that the last entries were encoded in.
            state.arena = BytesMut::new();
        }
    }

    /// The id of an entry that is held, or of the last purged one.
    pub fn id_of(&self, index: u64) -> Option<EntryId> {
        self.handle.shared.state.lock().view.id_of(index)
    }

    pub fn state(&self) -> LogState {
        let state = self.handle.shared.state.lock();
        LogState {
            last: state.view.last,
            purged: state.view.purged,
            first: state.view.first(),
            durable_last: state.durable.view.last,
            cached_bytes: state.cache.bytes(),
            unsynced_bytes: state.unsynced_bytes,
            segments: state.durable.positions.segments(),
            failure: state.failure.clone(),
        }
    }

    /// Whether writes should be accepted: a spare segment is ready and the disk has `min_free_bytes`. It turns false
    /// well before an append fails, and true again when room was made.
    pub fn has_room(&self) -> bool {
        let shared = &self.handle.shared;
        if self.is_inline() && !shared.pool.room().1 {
            shared.pool.upkeep();
        }
        shared.pool.room().1
    }

    /// Bytes that the log is certain to take in one append more, whatever becomes of the disk: those that are prepared
    /// and not spoken for. An append takes `append_span` of its payloads.
    pub fn certain_bytes(&self) -> u64 {
        let shared = &self.handle.shared;
        if self.is_inline() && !shared.pool.has_spare() {
            shared.pool.upkeep();
        }
        let state = shared.state.lock();
        // Under the guard, or the spare may be in use, and half full, by now.
        let whole = if shared.pool.has_spare() { self.append_span_max() } else { 0 };
        // What does not fit what is left of this segment may leave all of that unused.
        state.left_bytes.max(whole).saturating_sub(state.unsynced_span())
    }

    /// The most that an append of so many payload bytes in so many entries takes.
    pub const fn append_span(payload_bytes: u64, entries: u64) -> u64 {
        payload_bytes + entries * ENTRY_OVERHEAD as u64 + BATCH_HEADER as u64 + SECTOR
    }

    /// The most that `certain_bytes` ever says.
    pub fn append_span_max(&self) -> u64 {
        self.handle.shared.options.operation_bytes_max()
    }

    /// Bytes that the log can still grow by: free ones of the disk and those in prepared segments.
    pub fn free_bytes(&self) -> u64 {
        self.handle.shared.pool.room().0
    }

    fn enqueue(&self, class: Class, done: Done, encode: impl FnOnce(&mut State) -> Result<(), WalError>) {
        let mut state = self.handle.shared.state.lock();
        match check_open(&state).and_then(|()| encode(&mut state)) {
            Ok(()) => {
                let records = state.arena.split().freeze();
                push(&mut state, class, records, 1, Some(done));
                drop(state);
                self.kick(Flush::Behind);
            }
            Err(error) => {
                drop(state);
                done(Err(error));
            }
        }
    }

    fn is_inline(&self) -> bool {
        self.handle.shared.options.mode == Mode::Inline
    }

    /// Wakes the writer, or is it.
    fn kick(&self, flush: Flush) {
        let Handle { shared, writer, .. } = &*self.handle;
        if self.is_inline() {
            // A callback that calls back in finds the writer busy; the flush around it goes round again.
            while let Some(mut writer) = writer.try_lock() {
                if shared.state.lock().queue.is_empty() {
                    return;
                }
                writer.flush(shared);
                shared.pool.upkeep();
            }
            return;
        }
        let resting = (flush == Flush::Here).then(|| writer.try_lock()).flatten();
        match resting {
            Some(mut writer) if shared.state.lock().queue.len() == 1 => writer.flush(shared),
            _ => drop(shared.wake.notify_one()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.wake.notify_one();
        self.shared.pool.close();
        if self.threads.get_mut().is_empty()
            && let Some(mut writer) = self.writer.try_lock()
        {
            writer.seal(&self.shared);
        }
        for thread in self.threads.get_mut().drain(..) {
            // The last clone may go in a callback, which runs on the writer's own thread.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// What an append becomes: one operation, or several if it is longer than a segment.
struct Part {
    records: Bytes,
    /// Each entry, and where its record ends.
    ends: Vec<(EntryId, usize)>,
}

fn encode<P: FnOnce(&mut BytesMut)>(
    state: &mut State,
    entries: impl IntoIterator<Item = NewEntry<P>>,
    operation_bytes_max: u64,
) -> Result<Vec<Part>, WalError> {
    check_open(state)?;
    let mut expected = state.view.next();
    let arena = &mut state.arena;
    if arena.capacity() < 4096 {
        arena.reserve(ARENA_BYTES);
    }
    let (mut parts, mut ends) = (Vec::new(), Vec::new());
    for NewEntry { index, term, payload } in entries {
        if let Some(expected) = expected.filter(|expected| *expected != index) {
            return Err(WalError::NotContiguous { last: expected.saturating_sub(1), attempted: index });
        }
        expected = Some(index + 1);
        let (id, start) = (EntryId { index, term }, arena.len());
        let sound = put_record(arena, Kind::Entry, |out| {
            put_id(out, id);
            payload(out);
        });
        if !sound || arena.len() < start + ENTRY_OVERHEAD {
            return Err(WalError::BadPayload(index));
        }
        let bytes = (arena.len() - start) as u64;
        if bytes > operation_bytes_max {
            return Err(WalError::TooLarge { bytes, capacity: operation_bytes_max });
        }
        if arena.len() as u64 > operation_bytes_max {
            let next = arena.split_off(start);
            parts.push(Part { records: arena.split().freeze(), ends: std::mem::take(&mut ends) });
            *arena = next;
        }
        ends.push((id, arena.len()));
    }
    parts.push(Part { records: arena.split().freeze(), ends });
    Ok(parts)
}

fn enqueue_entries(state: &mut State, part: Part, done: Option<Done>) {
    let Part { records, ends } = part;
    let mut start = 0;
    for (id, end) in &ends {
        let payload = records.slice(start + RECORD_HEADER + 16..*end);
        state.view.append(*id);
        state.cache.push(*id, payload, state.next_operation);
        start = *end;
    }
    push(state, Class::Entries, records, ends.len() as u32, done);
}

fn push(state: &mut State, class: Class, records: Bytes, count: u32, done: Option<Done>) {
    let number = state.next_operation;
    state.next_operation += 1;
    state.unsynced_bytes += records.len() as u64;
    state.unsynced_operations += 1;
    state.queue.push(Operation { number, class, records, count, done });
}

fn check_open(state: &State) -> Result<(), WalError> {
    match &state.failure {
        Some(failure) => Err(failure.clone()),
        None if state.closing => Err(WalError::Closed),
        None => Ok(()),
    }
}

fn check_blob(bytes: &[u8]) -> Result<(), WalError> {
    if bytes.len() > BLOB_BYTES_MAX {
        return Err(WalError::TooLarge { bytes: bytes.len() as u64, capacity: BLOB_BYTES_MAX as u64 });
    }
    Ok(())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}
