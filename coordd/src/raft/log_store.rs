//! openraft's log and votes over coordd-wal.
//!
//! ```text
//!   append, vote, committed, truncate, purge ─► one stream of records ─► one flush a batch ─► callbacks in order
//!   reads (replication, apply) ◄── slices of the very buffers that were written
//! ```
//!
//! Rule: `append` only buffers, but for a follower's lone entry on a quick disk; a read returns everything that was
//! asked for or an error. Reason: openraft calls `append` in its one task, and takes a short read for the end of the
//! log (stack.md §1.4, #1795). A follower has nothing to do before that entry is on its disk, and a flush of its own
//! spares the two wakes of a thread that one by the writer takes; a leader has its entries to send.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_wal::{Done, EntryId, Flush, LogEntry, NewEntry, Recovered, Wal, WalError};
use futures_util::{Stream, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::codec;
use super::flush::FlushMeter;
use super::types::{Entry, LogId, TypeConfig, Vote};

/// Bytes of entries that one read for replication or apply returns.
const READ_BYTES_MAX: u64 = 1 << 20;
/// Payload bytes of an entry that is written as quickly as it is flushed.
const LONE_BYTES_MAX: usize = 4 << 10;

#[derive(Debug, Default)]
struct Memory {
    vote: Option<Vote>,
    committed: Option<LogId>,
}

/// Cheap to clone; all clones are one log.
#[derive(Clone)]
pub(crate) struct LogStore {
    wal: Wal,
    memory: Arc<Mutex<Memory>>,
    flushes: Arc<FlushMeter>,
    /// Id of this member, once it is one.
    me: Option<u64>,
}

fn log_id(id: EntryId) -> LogId {
    codec::log_id(id.term, id.index)
}

fn entry_id(id: &LogId) -> EntryId {
    EntryId { term: codec::term_of(id), index: id.index() }
}

/// A `done` that somebody awaits.
fn awaited() -> (Done, oneshot::Receiver<Result<(), WalError>>) {
    let (tx, rx) = oneshot::channel();
    (Box::new(move |result| drop(tx.send(result))), rx)
}

async fn flushed(done: oneshot::Receiver<Result<(), WalError>>) -> io::Result<()> {
    done.await.map_err(|_| io::Error::other("the log is closed"))?.map_err(io::Error::from)
}

impl LogStore {
    /// The store over a log that was just opened.
    ///
    /// # Errors
    /// When the recovered vote cannot be decoded.
    pub(crate) fn new(wal: Wal, recovered: &Recovered, flushes: Arc<FlushMeter>) -> io::Result<LogStore> {
        let decode = |bytes: &Bytes| codec::get_vote(&mut bytes.clone());
        let vote = recovered.vote.as_ref().map(decode).transpose()?;
        let committed = recovered.committed.as_ref().map(|bytes| codec::get_log_id(&mut bytes.clone())).transpose()?;
        let memory = Arc::new(Mutex::new(Memory { vote, committed: committed.flatten() }));
        Ok(LogStore { wal, memory, flushes, me: None })
    }

    /// The log of member `me`.
    pub(crate) fn of(self, me: u64) -> LogStore {
        LogStore { me: Some(me), ..self }
    }

    /// Gives the cache back whenever nothing was appended for `after`.
    pub(crate) async fn rest_when_idle(self, after: Duration) {
        let mut seen = None;
        loop {
            sleep(after).await;
            let state = self.wal.state();
            if state.last == seen && state.cached_bytes > 0 {
                self.wal.release_cache();
            }
            seen = state.last;
        }
    }

    /// The last entry, or the last purged one when none is held.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.wal.state().last.map(log_id)
    }

    /// Taken and not yet flushed.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        self.wal.state().unsynced_bytes
    }

    /// Who flushes what is appended now.
    fn flush(&self, first: Option<&Entry>, second: Option<&Entry>) -> Flush {
        let is_short = |entry: &Entry| codec::payload_len(&entry.payload) <= LONE_BYTES_MAX;
        let is_lone = second.is_none() && first.is_some_and(is_short);
        if is_lone && self.me.is_some() && self.flushes.are_quick() && self.follows() {
            Flush::Here
        } else {
            Flush::Behind
        }
    }

    /// Whether this member voted for another one, as far as it voted.
    pub(crate) fn follows(&self) -> bool {
        self.memory.lock().vote.is_some_and(|vote| Some(vote.leader_id.voted_for) != self.me)
    }

    /// The held part of `range`.
    fn held(&self, range: &impl RangeBounds<u64>) -> Range<u64> {
        let state = self.wal.state();
        let first = state.first.unwrap_or(0);
        let end = state.first.and(state.last).map_or(first, |last| last.index + 1);
        let wanted_start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let wanted_end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        wanted_start.max(first)..wanted_end.min(end)
    }

    fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<Entry>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.wal.read(range, bytes_max)?;
        entries.into_iter().map(|LogEntry { id, payload }| codec::entry(id.term, id.index, payload)).collect()
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, io::Error>
    where
        R: RangeBounds<u64> + Clone + Debug + Send,
    {
        self.read(self.held(&range), u64::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        // A start that was purged stays, so that the log names it; an end beyond the last entry is only a wish.
        let end = end.min(self.held(&(start..end)).end.max(start));
        self.read(start..end, READ_BYTES_MAX)
    }

    async fn entries_stream<R>(&mut self, range: R) -> impl Stream<Item = Result<Entry, io::Error>> + Send
    where
        R: RangeBounds<u64> + Clone + Debug + Send,
    {
        let range = self.held(&range);
        let blocks = stream::unfold((self.clone(), range), |(log, range)| async move {
            if range.is_empty() {
                return None;
            }
            let block = log.read(range.clone(), READ_BYTES_MAX);
            let read = block.as_ref().map_or(range.end - range.start, |entries| entries.len() as u64);
            Some((block, (log, range.start + read..range.end)))
        });
        let items = |block: io::Result<Vec<Entry>>| match block {
            Ok(entries) => stream::iter(entries.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        };
        Box::pin(futures_util::StreamExt::flat_map(blocks, items))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory.lock().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.wal.state();
        Ok(LogState { last_purged_log_id: state.purged.map(log_id), last_log_id: state.last.map(log_id) })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let mut bytes = BytesMut::new();
        codec::put_vote(&mut bytes, vote);
        let (done, saved) = awaited();
        self.memory.lock().vote = Some(*vote);
        self.wal.save_vote(&bytes, done);
        flushed(saved).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let mut bytes = BytesMut::new();
        codec::put_log_id(&mut bytes, committed.as_ref());
        self.memory.lock().committed = committed;
        self.wal.save_committed(&bytes).map_err(io::Error::from)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let mut entries = entries.into_iter();
        let (first, second) = (entries.next(), entries.next());
        let flush = self.flush(first.as_ref(), second.as_ref());
        let new = |entry: Entry| {
            let EntryId { term, index } = entry_id(&entry.log_id);
            NewEntry { index, term, payload: move |out: &mut BytesMut| codec::put_payload(out, &entry.payload) }
        };
        let done: Done = Box::new(move |result| callback.io_completed(result.map_err(io::Error::from)));
        self.wal.append(first.into_iter().chain(second).chain(entries).map(new), flush, done);
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        if last.as_ref().is_some_and(|last| self.wal.state().last.is_none_or(|held| held.index <= last.index())) {
            return Ok(());
        }
        let (done, truncated) = awaited();
        self.wal.truncate_after(last.as_ref().map(|id| id.index()), done);
        flushed(truncated).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let (done, purged) = awaited();
        self.wal.purge_upto(entry_id(&upto), done);
        flushed(purged).await
    }
}
