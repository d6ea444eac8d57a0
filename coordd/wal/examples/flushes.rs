//! Appends per second, and how many share a flush, beside the disk's own fdatasync: `cargo run --release -p coordd-wal
//! --example flushes -- DIR`. Then how long a reopen of a million entries takes.
#![allow(clippy::unwrap_used, reason = "a tool for people: it ends where it fails")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use coordd_wal::{Flush, FlushObserver, Flushed, NewEntry, Options, OsDisk, Wal, WalError};

const ROUND: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Count(AtomicU64);

impl FlushObserver for Count {
    fn flush_ended(&self, _flushed: Flushed) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn poisoned(&self, error: &WalError) {
        eprintln!("{error}");
    }
}

fn main() {
    let base = std::env::args().nth(1).unwrap_or_else(|| "target/wal-flushes".into());
    let dir = Path::new(&base).join("log");
    println!("fdatasync of 512 overwritten bytes alone: {:?}", raw_flush(Path::new(&base)));
    let count = Arc::new(Count::default());
    let options = || Options { observer: Some(count.clone()), ..Options::default() };
    let (wal, _) = Wal::open(Arc::new(OsDisk), &dir, options()).unwrap();
    for depth in [1, 8, 64, 1024] {
        let before = count.0.load(Ordering::Relaxed);
        let (appends, took) = round(&wal, depth);
        let flushes = (count.0.load(Ordering::Relaxed) - before).max(1);
        let (rate, shared) = (appends as f64 / took.as_secs_f64(), appends as f64 / flushes as f64);
        println!("depth {depth:5}: {rate:9.0} appends/s, {shared:6.1} a flush, {:?} a flush", took / flushes as u32);
    }
    let (tx, rx) = mpsc::channel();
    let next = next_index(&wal);
    for first in (next..next + 1_000_000).step_by(1000) {
        let tx = tx.clone();
        wal.append((first..first + 1000).map(entry), Flush::Behind, Box::new(move |outcome| drop(tx.send(outcome))));
    }
    rx.iter().take(1000).for_each(|outcome| outcome.unwrap());
    drop(wal);
    let begin = Instant::now();
    let (wal, recovered) = Wal::open(Arc::new(OsDisk), &dir, options()).unwrap();
    println!("reopened up to {:?} in {:?}: {:?}", recovered.last, begin.elapsed(), wal.state());
}

fn entry(index: u64) -> NewEntry<impl FnOnce(&mut BytesMut)> {
    NewEntry { index, term: 1, payload: |out: &mut BytesMut| out.put_bytes(7, 128) }
}

fn next_index(wal: &Wal) -> u64 {
    wal.state().last.map_or(0, |last| last.index + 1)
}

/// Appends with `depth` in flight for a while.
fn round(wal: &Wal, depth: u64) -> (u64, Duration) {
    let (tx, rx) = mpsc::channel();
    let (mut index, mut appends, begin) = (next_index(wal), 0, Instant::now());
    let mut in_flight = 0;
    while begin.elapsed() < ROUND {
        while in_flight < depth {
            let tx = tx.clone();
            wal.append([entry(index)], Flush::Behind, Box::new(move |outcome| drop(tx.send(outcome))));
            index += 1;
            in_flight += 1;
        }
        rx.recv().unwrap().unwrap();
        let more = rx.try_iter().count() as u64;
        in_flight -= 1 + more;
        appends += 1 + more;
    }
    (appends, begin.elapsed())
}

/// The median of flushes of one overwritten sector.
fn raw_flush(base: &Path) -> Duration {
    std::fs::create_dir_all(base).unwrap();
    let file = File::create(base.join("raw")).unwrap();
    file.write_all_at(&vec![0; 1 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let mut times: Vec<Duration> = (0..500)
        .map(|n| {
            let begin = Instant::now();
            file.write_all_at(&[1; 512], n * 512).unwrap();
            file.sync_data().unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
