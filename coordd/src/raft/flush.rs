//! What the log's flushes cost, and the end of the process when one fails.
//!
//! Rule: after a failed flush nothing is known of what the disk holds, so this member stops at once; its supervisor
//! starts it again, and recovery looks at what is really there (design D4).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use coordd_wal::{FlushObserver, Flushed, WalError};
use parking_lot::Mutex;

use crate::consensus::Meter;

/// Exit code of a member whose disk failed: EX_IOERR of sysexits.h.
pub const DISK_FAILED: i32 = 74;

/// About what ten wakes of a thread cost, and far below what anyone who reads would notice.
const QUICK_US: u64 = 300;

/// Watches the writer of the log.
pub struct FlushMeter {
    meter: Arc<dyn Meter>,
    bytes: AtomicU64,
    /// How long the last one took, in microseconds; that of a log that has not been flushed yet is not short.
    last_us: AtomicU64,
    began: Mutex<Option<Instant>>,
}

impl FlushMeter {
    pub(crate) fn new(meter: Arc<dyn Meter>) -> FlushMeter {
        FlushMeter { meter, bytes: AtomicU64::new(0), last_us: AtomicU64::new(u64::MAX), began: Mutex::new(None) }
    }

    /// Bytes flushed in this life.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the last one was so short that waiting for the next costs less than having another thread do it.
    pub(crate) fn are_quick(&self) -> bool {
        self.last_us.load(Ordering::Relaxed) <= QUICK_US
    }
}

impl FlushObserver for FlushMeter {
    fn flush_begins(&self) {
        *self.began.lock() = Some(Instant::now());
    }

    fn flush_ended(&self, flushed: Flushed) {
        let took = self.began.lock().take().map(|began| began.elapsed()).unwrap_or_default();
        self.bytes.fetch_add(flushed.bytes, Ordering::Relaxed);
        self.last_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.meter.flushed(took, flushed.operations);
    }

    fn poisoned(&self, error: &WalError) {
        tracing::error!(%error, "the log's disk failed: stopping, as its content is unknown; check it, start again");
        // In the simulation many members share the process: it ends the one whose disk failed.
        #[cfg(not(feature = "sim"))]
        std::process::exit(DISK_FAILED);
    }
}
