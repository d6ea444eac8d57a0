//! What consensus costs, under the names that ZooKeeper's dashboards know, and ours beside them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::hub::Hub;
use crate::clock;
use crate::consensus::Meter;

impl Meter for Hub {
    fn flushed(&self, took: Duration, _: u64) {
        self.metrics.fsync_time.add(took);
    }

    fn applying(&self) {
        self.slow.applying(clock::monotonic_ms());
    }

    fn proposal(&self, bytes: usize) {
        self.metrics.proposal_size.add(bytes as u64);
        self.metrics.proposal_count.add(1);
    }

    fn applied(&self, took: Duration, entries: usize) {
        self.metrics.apply_time.add(took);
        self.metrics.commit_count.add(entries as u64);
    }

    fn decided(&self, took: Duration) {
        self.metrics.propose_to_commit.add(took);
        self.slow.decided(took);
    }

    fn snapshot_taken(&self, took: Duration) {
        self.metrics.snapshot_time.add(took);
    }

    fn leaderless(&self, took: Duration) {
        self.metrics.election_time.add(took);
        self.metrics.led_since_ms.store(clock::monotonic_ms(), Ordering::Relaxed);
    }
}
