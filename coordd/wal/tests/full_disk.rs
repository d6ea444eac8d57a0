//! A full disk refuses entries before anything of them is acknowledged, reads on, and takes them again later.

mod common;

use common::*;
use coordd_wal::testing::{Loss, SimDisk};
use coordd_wal::{Flush, Options, Wal, WalError};

fn pause() -> bool {
    std::thread::sleep(std::time::Duration::from_millis(1));
    false
}

#[test]
fn entries_are_refused_while_reads_votes_and_purges_work_until_there_is_room() {
    for options in [inline(), threads()] {
        let disk = SimDisk::new();
        disk.set_capacity(4 * (8 << 10));
        let (wal, _) = open_with(&disk, options.clone()).unwrap();
        let mut last = 0;
        // The writer and the pool's thread may make a segment at the same moment: full is what stays full.
        let fits = |first| (0..20).any(|_| append(&wal, first..=first + 4, 1, 300).is_ok() || pause());
        while fits(last + 1) {
            last += 5;
        }
        assert!(last > 40, "{last} entries in three segments");
        assert_eq!(append(&wal, last + 1..=last + 5, 1, 300), Err(WalError::NoSpace));
        assert_eq!(wal.state().last, Some(id(last, 1)), "nothing of it is left");
        assert_eq!(all(&wal).len() as u64, last);
        vote(&wal, b"still").unwrap();
        truncate(&wal, Some(last - 1)).unwrap();
        purge(&wal, last - 5, 1).unwrap();
        append(&wal, last..=last + 4, 2, 300).unwrap();
        let before = all(&wal);
        let (wal, recovered) = open_with(&disk.crash(Loss::Everything), options).unwrap();
        assert_eq!((all(&wal), recovered.vote.as_deref()), (before, Some(&b"still"[..])));
    }
}

#[test]
fn the_early_signal_comes_before_the_first_refusal_and_goes_when_there_is_room() {
    let disk = SimDisk::new();
    disk.set_capacity(6 * (8 << 10));
    let (wal, _) = open_with(&disk, Options { min_free_bytes: 10 << 10, ..inline() }).unwrap();
    assert!(wal.has_room());
    let (mut last, mut warned) = (0, None);
    while append(&wal, last + 1..=last + 1, 1, 300).is_ok() {
        last += 1;
        if !wal.has_room() && warned.is_none() {
            warned = Some(last);
        }
    }
    assert!(warned.unwrap() + 10 < last, "warned at {warned:?} of {last}");
    disk.set_capacity(100 * (8 << 10));
    assert!(wal.has_room());
    assert!(wal.free_bytes() > 50 * (8 << 10));
    append(&wal, last + 1..=last + 100, 1, 300).unwrap();
}

#[test]
fn a_batch_that_was_half_written_when_the_room_ended_never_comes_back() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=2, 1, 300).unwrap();
    disk.set_overwrites_need_room(true);
    assert_eq!(append(&wal, 3..=6, 1, 300), Err(WalError::NoSpace));
    assert_eq!(ids(&wal), [(1, 1), (2, 1)]);
    disk.set_overwrites_need_room(false);
    append(&wal, 3..=3, 7, 10).unwrap();
    assert_eq!(ids(&open(&disk.crash(Loss::Nothing)).0), [(1, 1), (2, 1), (3, 7)]);
}

#[test]
fn a_directory_without_room_for_a_log_says_so() {
    let disk = SimDisk::new();
    disk.set_capacity(100);
    assert!(refusal(&disk).contains("no space left to create the log"));
    disk.set_capacity(1 << 20);
    open(&disk);
}

#[test]
fn what_the_log_is_certain_to_take_it_takes_whatever_becomes_of_the_disk() {
    // With threads, what is ready depends on how the thread that prepares segments keeps up.
    for (options, least) in [(inline(), 12 << 10), (threads(), 0)] {
        let disk = SimDisk::new();
        disk.set_capacity(5 * (8 << 10));
        let (wal, _) = open_with(&disk, options).unwrap();
        let (mut last, mut taken) = (0, 0);
        for bytes in [300, 7, 1500, 64, 900].into_iter().cycle() {
            if wal.certain_bytes() < Wal::append_span(bytes, 1) {
                break;
            }
            taken += bytes;
            last += 1;
            append(&wal, last..=last, 1, bytes as usize).unwrap();
            wal.save_committed(b"committed").unwrap();
        }
        assert!(taken > least, "it was shy: {taken} bytes in four segments of 8 KiB");
        vote(&wal, b"still").unwrap();
        disk.set_capacity(1 << 20);
        while wal.certain_bytes() < wal.append_span_max() / 2 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        append(&wal, last + 1..=last + 1, 1, 1500).unwrap();
    }
}

#[test]
fn appends_that_the_log_is_certain_to_take_may_be_queued_behind_each_other() {
    let disk = SimDisk::new();
    disk.set_capacity(3 * (8 << 10));
    let (wal, _) = open_with(&disk, threads()).unwrap();
    let (mut last, mut waiting) = (0, Vec::new());
    while wal.certain_bytes() >= Wal::append_span(100, 1) {
        last += 1;
        let (done, news) = done();
        wal.append([entry(last, 1, 100)], Flush::Behind, done);
        waiting.push(news);
    }
    assert!(last > 0, "it was shy of the first entry");
    assert!(waiting.into_iter().all(|news| news.recv().unwrap() == Ok(())));
}
