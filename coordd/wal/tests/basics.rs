//! The log as its users see it while nothing fails.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use coordd_wal::testing::{Loss, SimDisk};
use coordd_wal::{Flush, OpenError, OsDisk, ReadError, Wal, WalError, dump};
use parking_lot::Mutex;

#[test]
fn what_was_appended_is_read_back_after_reopen() {
    for options in [inline(), threads()] {
        let disk = SimDisk::new();
        let (wal, recovered) = open_with(&disk, options.clone()).unwrap();
        assert!(recovered.created);
        vote(&wal, b"vote 1").unwrap();
        append(&wal, 0..=99, 1, 100).unwrap();
        append(&wal, 100..=199, 2, 100).unwrap();
        wal.save_committed(b"committed 150").unwrap();
        let before = all(&wal);
        assert_eq!(before[7].payload, payload(7, 1, 100));
        assert!(wal.state().segments > 1, "the entries fill several segments");
        drop(wal);
        let (wal, recovered) = open_with(&disk, options).unwrap();
        assert_eq!(all(&wal), before);
        assert!(!recovered.created && !recovered.torn_tail);
        assert_eq!(recovered.vote.as_deref(), Some(&b"vote 1"[..]));
        assert_eq!(recovered.committed.as_deref(), Some(&b"committed 150"[..]));
        assert_eq!(recovered.last, Some(id(199, 2)));
    }
}

/// Makes each flush wait until what is returned is set.
fn hold_flushes(disk: &SimDisk) -> Arc<AtomicBool> {
    let open_gate = Arc::new(AtomicBool::new(false));
    let gate = open_gate.clone();
    disk.before_sync(move || {
        while !gate.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    });
    open_gate
}

#[test]
fn an_entry_is_readable_before_it_is_flushed_and_done_only_after() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    append(&wal, 1..=1, 1, 10).unwrap();
    let open_gate = hold_flushes(&disk);
    let (done, news) = done();
    wal.append([entry(2, 1, 10)], Flush::Behind, done);
    assert_eq!(wal.read(1..3, 1000).unwrap()[1].payload, payload(2, 1, 10));
    assert!(news.try_recv().is_err(), "not flushed, so not done");
    assert_eq!((wal.state().durable_last, wal.state().last), (Some(id(1, 1)), Some(id(2, 1))));
    assert!(wal.state().unsynced_bytes > 0);
    open_gate.store(true, Ordering::Release);
    news.recv().unwrap().unwrap();
    assert_eq!(wal.state().unsynced_bytes, 0);
}

#[test]
fn a_released_cache_keeps_what_is_not_flushed_and_the_rest_is_read_from_the_disk() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    append(&wal, 1..=20, 1, 10).unwrap();
    let before = all(&wal);
    let open_gate = hold_flushes(&disk);
    let (done, news) = done();
    wal.append([entry(21, 1, 10)], Flush::Behind, done);
    let cached = wal.state().cached_bytes;
    wal.release_cache();
    assert_eq!(wal.state().cached_bytes * 21, cached, "that of the one entry that is not flushed");
    assert_eq!(wal.read(1..22, u64::MAX).unwrap()[20].payload, payload(21, 1, 10));
    open_gate.store(true, Ordering::Release);
    news.recv().unwrap().unwrap();
    wal.release_cache();
    assert_eq!(wal.state().cached_bytes, 0);
    assert_eq!(wal.read(1..21, u64::MAX).unwrap(), before);
    append(&wal, 22..=22, 1, 10).unwrap();
    assert_eq!(all(&wal).len(), 22);
}

#[test]
fn what_is_queued_during_a_flush_shares_the_next_one() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    append(&wal, 0..=0, 1, 10).unwrap();
    let open_gate = Arc::new(AtomicBool::new(false));
    let gate = open_gate.clone();
    disk.before_sync(move || {
        while !gate.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    });
    let before = disk.syncs();
    let news: Vec<_> = (1..=50)
        .map(|index| {
            let (done, news) = done();
            wal.append([entry(index, 1, 10)], Flush::Behind, done);
            news
        })
        .collect();
    open_gate.store(true, Ordering::Release);
    news.iter().for_each(|news| news.recv().unwrap().unwrap());
    // The first may have gone alone; the helper's spare of this disk was made at open.
    assert!(disk.syncs() - before <= 3, "{} flushes for 50 appends", disk.syncs() - before);
}

#[test]
fn callbacks_come_in_order() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    for index in 0..200 {
        let tx = tx.clone();
        let flush = if index % 3 == 0 { Flush::Here } else { Flush::Behind };
        wal.append([entry(index, 1, 50)], flush, Box::new(move |outcome| tx.send((index, outcome)).unwrap()));
    }
    assert_eq!(rx.iter().take(200).collect::<Vec<_>>(), (0..200).map(|i| (i, Ok(()))).collect::<Vec<_>>());
}

#[test]
fn a_caller_flushes_a_lone_append_itself_and_leaves_it_to_a_writer_that_is_at_work() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    append(&wal, 0..=0, 1, 10).unwrap();
    let flushed_by = Arc::new(Mutex::new(Vec::new()));
    let (by, gate) = (flushed_by.clone(), Arc::new(Mutex::new(())));
    let held = gate.clone();
    disk.before_sync(move || {
        by.lock().push(std::thread::current().id());
        if std::thread::current().name() == Some("wal-writer") {
            drop(held.lock());
        }
    });
    let me = std::thread::current().id();
    let by_me = || flushed_by.lock().last() == Some(&me);
    let put = |flush| {
        let (done, news) = done();
        wal.append([entry(wal.state().last.unwrap().index + 1, 1, 10)], flush, done);
        news
    };
    // The writer may still be on its way to rest from the first append.
    let is_mine = |_| put(Flush::Here).recv().unwrap().is_ok() && by_me();
    assert!((0..100).any(is_mine));
    let closed = gate.lock();
    let first = put(Flush::Behind);
    while by_me() {
        std::thread::yield_now();
    }
    let second = put(Flush::Here);
    assert!(second.try_recv().is_err(), "who is at work flushes it");
    drop(closed);
    first.recv().unwrap().unwrap();
    second.recv().unwrap().unwrap();
    assert!(!by_me());
}

#[test]
fn truncated_entries_are_replaced_for_good() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=60, 1, 300).unwrap();
    truncate(&wal, Some(12)).unwrap();
    assert_eq!(wal.state().last, Some(id(12, 1)));
    append(&wal, 13..=20, 2, 30).unwrap();
    let expected: Vec<_> = (1..=12).map(|i| (i, 1)).chain((13..=20).map(|i| (i, 2))).collect();
    assert_eq!(ids(&wal), expected);
    let before = all(&wal);
    drop(wal);
    assert_eq!(all(&open(&disk).0), before);
    let (wal, _) = open(&disk);
    truncate(&wal, None).unwrap();
    append(&wal, 5..=6, 9, 30).unwrap();
    assert_eq!(ids(&open(&disk.crash(Loss::Everything)).0), [(5, 9), (6, 9)]);
}

#[test]
fn purged_segments_are_used_again_and_their_old_bytes_never_parse() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    let mut last = 0;
    for round in 0..30 {
        append(&wal, last + 1..=last + 40, round, 100).unwrap();
        last += 40;
        purge(&wal, last - 10, round).unwrap();
    }
    assert!(wal.state().segments <= 3);
    assert!(disk.used_bytes() <= 6 * (8 << 10), "{} bytes for a log of 10 entries", disk.used_bytes());
    let before = all(&wal);
    assert_eq!(before.len(), 10);
    let disk = disk.crash(Loss::Everything);
    let (wal, recovered) = open(&disk);
    assert_eq!(all(&wal), before);
    assert_eq!(recovered.purged, Some(id(last - 10, 29)));
    assert!(!recovered.torn_tail);
}

#[test]
fn a_purge_beyond_the_end_lets_the_log_go_on_behind_it() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=5, 1, 10).unwrap();
    purge(&wal, 1000, 7).unwrap();
    assert_eq!((wal.state().last, wal.state().first), (Some(id(1000, 7)), None));
    assert_eq!(append(&wal, 6..=6, 7, 1), Err(WalError::NotContiguous { last: 1000, attempted: 6 }));
    append(&wal, 1001..=1002, 8, 10).unwrap();
    drop(wal);
    let (wal, _) = open(&disk);
    assert_eq!(ids(&wal), [(1001, 8), (1002, 8)]);
    assert_eq!(wal.id_of(1000), Some(id(1000, 7)));
}

#[test]
fn a_read_is_whole_or_an_error_and_only_the_limit_shortens_it() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=50, 1, 100).unwrap();
    purge(&wal, 4, 1).unwrap();
    assert!(matches!(wal.read(4..9, 1000), Err(ReadError::Purged { index: 4, purged: 4 })));
    assert!(matches!(wal.read(40..52, 1000), Err(ReadError::Absent { index: 51, last: Some(50) })));
    assert_eq!(wal.read(5..51, 1000).unwrap().len(), 10, "from the disk");
    assert_eq!(wal.read(40..51, 250).unwrap().len(), 2, "from the cache");
    assert_eq!(wal.read(5..51, 1).unwrap().len(), 1, "never none");
    assert_eq!(wal.read(40..51, 1).unwrap().len(), 1);
    assert!(wal.read(7..7, 1).unwrap().is_empty());
}

#[test]
fn what_does_not_fit_the_log_is_refused_and_changes_nothing() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=2, 1, 10).unwrap();
    let before = wal.state();
    assert!(matches!(append(&wal, 3..=3, 1, 8 << 10), Err(WalError::TooLarge { .. })));
    assert_eq!(append(&wal, 4..=4, 1, 1), Err(WalError::NotContiguous { last: 2, attempted: 4 }));
    assert_eq!(truncate(&wal, Some(3)), Err(WalError::NoSuchEntry(3)));
    assert!(matches!(vote(&wal, &[0; 600]), Err(WalError::TooLarge { .. })));
    assert_eq!(wal.state(), before);
    append(&wal, 3..=3, 1, 10).unwrap();
    assert_eq!(ids(&wal), [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn an_append_longer_than_a_segment_is_split() {
    let disk = SimDisk::new();
    let (wal, _) = open_with(&disk, threads()).unwrap();
    append(&wal, 1..=100, 1, 1000).unwrap();
    let before = all(&wal);
    drop(wal);
    assert_eq!(all(&open(&disk).0), before);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    assert!(matches!(open_with(&disk, inline()), Err(OpenError::Locked(_))));
    drop(wal);
    open(&disk);
}

#[test]
fn the_log_works_on_the_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    let disk = Arc::new(OsDisk);
    let (wal, _) = Wal::open(disk.clone(), &path, threads()).unwrap();
    assert!(matches!(Wal::open(disk.clone(), &path, threads()), Err(OpenError::Locked(_))));
    for index in 0..300 {
        let (done, _news) = done();
        wal.append([entry(index, 1, 100)], Flush::Behind, done);
    }
    vote(&wal, b"v").unwrap();
    purge(&wal, 200, 1).unwrap();
    let before = all(&wal);
    assert_eq!(before.len(), 99);
    drop(wal);
    let (wal, recovered) = Wal::open(disk, &path, threads()).unwrap();
    assert_eq!((all(&wal), recovered.vote.as_deref()), (before, Some(&b"v"[..])));
}

#[test]
fn the_dump_shows_every_record() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    vote(&wal, b"me").unwrap();
    wal.save_committed(b"1").unwrap();
    append(&wal, 1..=2, 3, 16).unwrap();
    truncate(&wal, Some(1)).unwrap();
    purge(&wal, 1, 3).unwrap();
    let expected = "\
segment 1 from batch 1
  512 batch 1: 2 records, 64 bytes
    checkpoint last - purged -
    vote: 2 bytes
  1024 batch 2: 3 records, 92 bytes
    entry 1 term 3: 16 bytes
    entry 2 term 3: 16 bytes
    committed: 1 bytes
  1536 batch 3: 1 records, 26 bytes
    truncate after 1 term 3
  2048 batch 4: 1 records, 25 bytes
    purge up to 1 term 3
  2560 end
";
    assert_eq!(dump(&disk, dir()).unwrap(), expected);
}
