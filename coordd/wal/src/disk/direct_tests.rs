//! Files written past the page cache and through it, in turn, against the bytes that they should hold.

use super::super::{Disk, OsDisk};
use super::*;

const FILE_BYTES: usize = 1 << 20;

fn noise(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|place| ((place + seed) * 31 % 251) as u8).collect()
}

/// Cut where no page ends, with an empty piece between.
fn cut(bytes: &[u8]) -> Vec<IoSlice<'_>> {
    let mut pieces = vec![IoSlice::new(&[])];
    pieces.extend(bytes.chunks(1000).map(IoSlice::new));
    pieces
}

/// Offset and length of one write each: sectors, pages, more than one step, and what is neither.
const WRITES: [(u64, usize); 8] =
    [(0, 512), (512, 3 * 512), (4096, 8192), (1024, 600 << 10), (700, 300), (1536, 512), (0, 5000), (8192, 256 << 10)];

#[test]
fn whatever_way_bytes_take_they_are_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let file = OsDisk.create(&path).unwrap();
    let mut model = noise(FILE_BYTES, 7);
    file.write_at(0, &cut(&model)).unwrap();
    for (number, (offset, length)) in WRITES.into_iter().enumerate() {
        let bytes = noise(length, number);
        file.write_at(offset, &cut(&bytes)).unwrap();
        model[offset as usize..][..length].copy_from_slice(&bytes);
        let mut read = vec![0; FILE_BYTES];
        file.read_at(0, &mut read).unwrap();
        assert!(read == model, "write {number} of {length} bytes at {offset}");
    }
    file.sync_data().unwrap();
    assert!(std::fs::read(&path).unwrap() == model);
}

#[test]
fn only_whole_sectors_go_past_the_cache_and_nothing_after_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, noise(FILE_BYTES, 0)).unwrap();
    let Some(direct) = Direct::open(&path) else { return println!("skipped: no direct writes in {}", path.display()) };
    let bytes = noise(600 << 10, 1);
    if !direct.write_at(0, &cut(&bytes)).unwrap() {
        return println!("skipped: this file system refuses direct writes of sectors");
    }
    assert!(std::fs::read(&path).unwrap()[..bytes.len()] == bytes);
    for (offset, length) in [(1, 512), (512, 511), (100, 1024)] {
        assert!(!direct.write_at(offset, &cut(&bytes[..length])).unwrap(), "{length} bytes at {offset}");
    }
    direct.refused.store(true, Ordering::Relaxed);
    assert!(!direct.write_at(0, &cut(&noise(512, 3))).unwrap());
    assert!(std::fs::read(&path).unwrap()[..bytes.len()] == bytes, "a write that was refused wrote nothing");
}
