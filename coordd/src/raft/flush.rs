//! What the log's flushes cost, and the end of the process when one fails.
//!
//! Rule: after a failed flush nothing is known of what the disk holds, so this member stops at once; its supervisor starts
//! it again, and recovery looks at what is really there (design D4).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use coordd_wal::{FlushObserver, Flushed, WalError};
use parking_lot::Mutex;

/// Exit code of a member whose disk failed: EX_IOERR of sysexits.h.
pub const DISK_FAILED: i32 = 74;

/// Upper bounds of the histogram's buckets, microseconds; a last bucket takes the rest.
pub const BOUNDS_US: [u64; 14] =
    [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400];

/// Counts flushes; read by metrics and the snapshot policy.
#[derive(Debug, Default)]
pub struct FlushMeter {
    flushes: AtomicU64,
    operations: AtomicU64,
    bytes: AtomicU64,
    total_us: AtomicU64,
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    began: Mutex<Option<Instant>>,
}

/// A reading of the meter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlushReading {
    pub flushes: u64,
    pub operations: u64,
    pub bytes: u64,
    pub total_us: u64,
    pub buckets: Vec<u64>,
}

impl FlushMeter {
    pub fn read(&self) -> FlushReading {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FlushReading {
            flushes: load(&self.flushes),
            operations: load(&self.operations),
            bytes: load(&self.bytes),
            total_us: load(&self.total_us),
            buckets: self.buckets.iter().map(load).collect(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl FlushObserver for FlushMeter {
    fn flush_begins(&self) {
        *self.began.lock() = Some(Instant::now());
    }

    fn flush_ended(&self, flushed: Flushed) {
        let took_us =
            self.began.lock().take().map_or(0, |began| u64::try_from(began.elapsed().as_micros()).unwrap_or(0));
        let bucket = BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BOUNDS_US.len());
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(flushed.operations, Ordering::Relaxed);
        self.bytes.fetch_add(flushed.bytes, Ordering::Relaxed);
        self.total_us.fetch_add(took_us, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    fn poisoned(&self, error: &WalError) {
        tracing::error!(%error, "the log's disk failed: stopping, since what it holds is unknown; check the disk, then start again");
        std::process::exit(DISK_FAILED);
    }
}
