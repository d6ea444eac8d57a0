//! What the tests share: a log on a simulated disk, and short words to use it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of #[test]")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use bytes::BytesMut;
use coordd_wal::testing::SimDisk;
use coordd_wal::{Done, EntryId, Flush, LogEntry, Mode, NewEntry, OpenError, Options, Recovered, Wal, WalError};

pub const DIR: &str = "/log";

pub fn dir() -> &'static Path {
    Path::new(DIR)
}

pub fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:016x}.log"))
}

pub fn id(index: u64, term: u64) -> EntryId {
    EntryId { index, term }
}

/// Small segments, no thread.
pub fn inline() -> Options {
    Options {
        mode: Mode::Inline,
        segment_bytes: 8 << 10,
        cache_bytes: 2 << 10,
        min_free_bytes: 0,
        salt: 42,
        ..Options::default()
    }
}

pub fn threads() -> Options {
    Options { mode: Mode::Threads, ..inline() }
}

pub fn open(disk: &SimDisk) -> (Wal, Recovered) {
    open_with(disk, inline()).unwrap()
}

pub fn open_with(disk: &SimDisk, options: Options) -> Result<(Wal, Recovered), OpenError> {
    Wal::open(Arc::new(disk.clone()), dir(), options)
}

pub fn refusal(disk: &SimDisk) -> String {
    match open_with(disk, inline()) {
        Ok((_, recovered)) => panic!("opened: {recovered:?}"),
        Err(error) => error.to_string(),
    }
}

/// A callback and where its news arrives.
pub fn done() -> (Done, Receiver<Result<(), WalError>>) {
    let (tx, rx) = mpsc::channel();
    (Box::new(move |outcome| drop(tx.send(outcome))), rx)
}

/// What entry `index` of `term` holds: recognisable, and of `bytes` length.
pub fn payload(index: u64, term: u64, bytes: usize) -> Vec<u8> {
    format!("{index}/{term};").into_bytes().into_iter().cycle().take(bytes).collect()
}

pub fn entry(index: u64, term: u64, bytes: usize) -> NewEntry<impl FnOnce(&mut BytesMut)> {
    NewEntry { index, term, payload: move |out: &mut BytesMut| out.extend_from_slice(&payload(index, term, bytes)) }
}

/// Appends entries of `bytes` each and waits for the flush, whoever makes it.
pub fn append(wal: &Wal, indexes: std::ops::RangeInclusive<u64>, term: u64, bytes: usize) -> Result<(), WalError> {
    let (done, news) = done();
    let flush = if indexes.start().is_multiple_of(2) { Flush::Behind } else { Flush::Here };
    wal.append(indexes.map(|index| entry(index, term, bytes)), flush, done);
    news.recv().unwrap()
}

pub fn vote(wal: &Wal, vote: &[u8]) -> Result<(), WalError> {
    let (done, news) = done();
    wal.save_vote(vote, done);
    news.recv().unwrap()
}

pub fn truncate(wal: &Wal, index: Option<u64>) -> Result<(), WalError> {
    let (done, news) = done();
    wal.truncate_after(index, done);
    news.recv().unwrap()
}

pub fn purge(wal: &Wal, index: u64, term: u64) -> Result<(), WalError> {
    let (done, news) = done();
    wal.purge_upto(id(index, term), done);
    news.recv().unwrap()
}

/// All entries that the log holds.
pub fn all(wal: &Wal) -> Vec<LogEntry> {
    let state = wal.state();
    let (Some(first), Some(last)) = (state.first, state.last) else { return Vec::new() };
    let entries = wal.read(first..last.index + 1, u64::MAX).unwrap();
    assert_eq!(entries.len() as u64, last.index + 1 - first, "a read without limit is whole");
    entries
}

pub fn ids(wal: &Wal) -> Vec<(u64, u64)> {
    all(wal).into_iter().map(|entry| (entry.id.index, entry.id.term)).collect()
}
