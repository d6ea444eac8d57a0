//! What a crash may leave is cut; everything else is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of #[test]")]

mod common;

use common::*;
use coordd_wal::WalError;
use coordd_wal::marker::AtomicFile;
use coordd_wal::testing::{Loss, SimDisk};
use std::sync::Arc;

/// A log with 3 flushed batches, the last of which begins at this offset and spans this many bytes.
fn three_batches(disk: &SimDisk) -> (u64, u64) {
    let (wal, _) = open(disk);
    vote(&wal, b"vote").unwrap();
    append(&wal, 1..=3, 1, 200).unwrap();
    append(&wal, 4..=6, 1, 400).unwrap();
    std::mem::forget(wal);
    (2048, 1536)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let original = SimDisk::new();
    let (start, span) = three_batches(&original);
    let bytes = original.contents(&segment(1)).unwrap();
    let whole = 32 + 3 * (25 + 400);
    for cut in 0..span {
        let disk = SimDisk::new();
        three_batches(&disk);
        let disk = disk.crash(Loss::Everything);
        let zeros = vec![0; (span - cut) as usize];
        disk.overwrite(&segment(1), start + cut, &zeros).unwrap();
        assert_ne!(bytes[start as usize..][..whole], zeros[..whole.min(zeros.len())], "the cut takes something");
        let (wal, recovered) = open(&disk);
        let expected = if cut < whole as u64 { 3 } else { 6 };
        assert_eq!(recovered.last, Some(id(expected, 1)), "cut at {cut}");
        append(&wal, expected + 1..=expected + 1, 2, 50).unwrap();
        let before = all(&wal);
        let (wal, _) = open(&disk.crash(Loss::Everything));
        assert_eq!(all(&wal), before, "cut at {cut}");
    }
}

#[test]
fn any_choice_of_the_last_batchs_sectors_is_cut() {
    for kept in 0..7_u64 {
        let disk = SimDisk::new();
        let (start, _) = three_batches(&disk);
        let disk = disk.crash(Loss::Everything);
        for sector in (0..3).filter(|sector| kept & (1 << sector) == 0) {
            disk.overwrite(&segment(1), start + sector * 512, &[0; 512]).unwrap();
        }
        let (wal, recovered) = open(&disk);
        assert_eq!(recovered.last, Some(id(3, 1)), "kept {kept:b}");
        // What was cut must not come back when the lost sectors appear after all.
        append(&wal, 4..=4, 9, 10).unwrap();
        assert_eq!(ids(&open(&disk.crash(Loss::Everything)).0)[3], (4, 9));
    }
}

#[test]
fn a_flipped_bit_before_the_last_batch_is_refused_wherever_it_is() {
    for offset in (0..2048).step_by(3) {
        let disk = SimDisk::new();
        three_batches(&disk);
        let disk = disk.crash(Loss::Everything);
        let before = disk.contents(&segment(1)).unwrap();
        disk.flip(&segment(1), offset, 0x10).unwrap();
        // Bytes that only fill up a sector mean nothing: behind the vote, and behind three entries.
        let filling = (512 + 98..1024).contains(&offset) || (1024 + 32 + 3 * 225..2048).contains(&offset);
        if filling && before[offset as usize] == 0 {
            assert_eq!(open(&disk).1.last, Some(id(6, 1)), "offset {offset}");
            continue;
        }
        let text = refusal(&disk);
        assert!(text.contains("0000000000000001.log at offset"), "{text}");
        assert!(text.contains("coordd admin replace"), "{text}");
    }
}

#[test]
fn damage_to_the_last_batch_of_a_closed_log_is_refused() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=3, 1, 200).unwrap();
    drop(wal);
    disk.flip(&segment(1), 600, 1).unwrap();
    assert!(refusal(&disk).contains("expected batch 1, which was flushed, found batch 2"));
}

#[test]
fn damage_in_an_older_segment_is_refused() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=100, 1, 200).unwrap();
    assert!(wal.state().segments > 3);
    let disk = disk.crash(Loss::Everything);
    disk.flip(&segment(2), 4000, 1).unwrap();
    assert!(refusal(&disk).contains("0000000000000002.log at offset 512: expected batches"));
}

#[test]
fn a_segment_that_vanished_is_refused() {
    for number in [1, 2] {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk);
        append(&wal, 1..=100, 1, 200).unwrap();
        let disk = disk.crash(Loss::Everything);
        disk.vanish(&segment(number)).unwrap();
        assert!(refusal(&disk).contains("older segments with the entries from the first one on"));
    }
}

#[test]
fn a_lost_disk_is_reported_as_created() {
    let disk = SimDisk::new();
    three_batches(&disk);
    let disk = disk.crash(Loss::Nothing);
    disk.vanish_all();
    assert!(open(&disk).1.created);
}

#[test]
fn a_read_of_rotten_bytes_is_an_error() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=40, 1, 200).unwrap();
    disk.flip(&segment(1), 1000, 1).unwrap();
    let text = wal.read(1..41, u64::MAX).unwrap_err().to_string();
    assert!(text.contains("damaged") && text.contains("coordd admin replace"), "{text}");
}

#[test]
fn a_payload_that_looks_like_a_batch_is_not_taken_for_one() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=1, 1, 10).unwrap();
    append(&wal, 2..=2, 1, 10).unwrap();
    let real = disk.contents(&segment(1)).unwrap();
    // The same batch, number included, as a log with another salt writes it.
    let forger = SimDisk::new();
    let (wal, _) = open_with(&forger, coordd_wal::Options { salt: 43, ..inline() }).unwrap();
    append(&wal, 1..=1, 1, 10).unwrap();
    append(&wal, 2..=2, 1, 10).unwrap();
    let forged = forger.contents(&segment(1)).unwrap();
    assert_ne!(real[1024..1056], forged[1024..1056]);
    let disk = disk.crash(Loss::Everything);
    disk.overwrite(&segment(1), 1024, &[0; 512]).unwrap();
    disk.overwrite(&segment(1), 2048, &forged[1024..1536]).unwrap();
    assert_eq!(open(&disk).1.last, Some(id(1, 1)));
    // The real one, there, proves damage.
    let disk = disk.crash(Loss::Everything);
    disk.overwrite(&segment(1), 512, &[0; 512]).unwrap();
    disk.overwrite(&segment(1), 2048, &real[1024..1536]).unwrap();
    refusal(&disk);
}

#[test]
fn a_newer_format_is_named() {
    let disk = SimDisk::new();
    three_batches(&disk);
    let disk = disk.crash(Loss::Everything);
    let mut header = disk.contents(&segment(1)).unwrap()[..512].to_vec();
    header[8] = 2;
    header[12..16].fill(0);
    let crc = crc32c::crc32c(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&segment(1), 0, &header).unwrap();
    assert!(refusal(&disk).contains("format version 2, this release reads up to 1"));
}

#[test]
fn a_failed_flush_stops_the_log_for_good() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=2, 1, 10).unwrap();
    disk.fail_syncs(1);
    let Err(error @ WalError::Poisoned(_)) = append(&wal, 3..=3, 1, 10) else { panic!("not poisoned") };
    let syncs = disk.syncs();
    assert_eq!(append(&wal, 4..=4, 1, 10), Err(error.clone()));
    assert_eq!(vote(&wal, b"v"), Err(error.clone()));
    assert_eq!(truncate(&wal, Some(1)), Err(error.clone()));
    assert_eq!(purge(&wal, 1, 1), Err(error.clone()));
    assert_eq!(wal.save_committed(b"c"), Err(error.clone()));
    assert_eq!(wal.state().failure, Some(error));
    assert_eq!(disk.syncs(), syncs, "never tried again");
}

#[test]
fn after_a_failed_flush_a_restart_keeps_only_what_it_made_durable_itself() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk);
    append(&wal, 1..=2, 1, 10).unwrap();
    disk.fail_syncs(1);
    append(&wal, 3..=3, 1, 10).unwrap_err();
    // The page cache still shows entry 3, as clean; the disk does not have it.
    let disk = disk.crash(Loss::Nothing);
    let seen = ids(&open(&disk).0);
    assert_eq!(seen, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(ids(&open(&disk.crash(Loss::Everything)).0), seen, "what a restart shows survives a power loss");
}

#[test]
fn a_failed_write_stops_the_log_and_tells_the_observer() {
    struct Told(std::sync::mpsc::Sender<WalError>);
    impl coordd_wal::FlushObserver for Told {
        fn poisoned(&self, error: &WalError) {
            self.0.send(error.clone()).unwrap();
        }
    }
    let disk = SimDisk::new();
    let (tx, told) = std::sync::mpsc::channel();
    let observer = Some(Arc::new(Told(tx)) as Arc<dyn coordd_wal::FlushObserver>);
    let (wal, _) = open_with(&disk, coordd_wal::Options { observer, ..inline() }).unwrap();
    disk.fail_writes(1);
    let error = append(&wal, 1..=1, 1, 10).unwrap_err();
    assert_eq!(told.recv().unwrap(), error);
}

#[test]
fn a_marker_is_whole_or_damaged_and_never_taken_for_absent() {
    let disk = SimDisk::new();
    let marker = AtomicFile::new(Arc::new(disk.clone()), dir(), "identity");
    assert_eq!(marker.read().unwrap(), None);
    marker.write(b"one").unwrap();
    for operation in 0..4 {
        let disk = SimDisk::new();
        let marker = AtomicFile::new(Arc::new(disk.clone()), dir(), "identity");
        marker.write(b"one").unwrap();
        disk.die_at(operation, true);
        let written = marker.write(b"two").is_ok();
        let disk = disk.crash(Loss::Torn { seed: operation });
        let content = AtomicFile::new(Arc::new(disk), dir(), "identity").read().unwrap().unwrap();
        assert!(content == b"one" && !written || content == b"two", "operation {operation}");
    }
    disk.flip(&dir().join("identity"), 21, 1).unwrap();
    assert!(marker.read().unwrap_err().to_string().contains("damaged"));
}
