//! When this member last heard a leader since it started: any append or heartbeat counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;

#[derive(Debug, Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    pub(crate) fn now(&self) {
        self.0.store(clock::monotonic_ms().max(1), Ordering::Relaxed);
    }

    pub(crate) fn ever(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(clock::monotonic_ms().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}
