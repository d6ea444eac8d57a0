//! What consensus costs, under the names that ZooKeeper's dashboards know, and ours beside them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::hub::Hub;
use super::metrics::millis;
use crate::clock;
use crate::consensus::Meter;

impl Meter for Hub {
    fn log_read(&self, took: Duration) {
        self.metrics.log_read_time.add(millis(took));
    }

    fn snapshot_loaded(&self, took: Duration) {
        self.metrics.snapshot_load_time.add(millis(took));
    }

    fn started(&self, took: Duration, entries: u64) {
        let (log_read, loading) = (self.metrics.log_read_time.sum(), self.metrics.snapshot_load_time.sum());
        let startup = &self.metrics.startup;
        startup.total.add(log_read + millis(took));
        startup.snapshot.add(loading);
        startup.log.add(log_read + millis(took).saturating_sub(loading));
        startup.entries.add(entries);
    }

    fn flushed(&self, took: Duration, operations: u64) {
        self.metrics.fsync_time.add(took);
        self.metrics.flushed_operations.add(operations);
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

    fn snapshot_failed(&self) {
        self.metrics.snapshot_error_count.add(1);
    }

    fn snapshot_sending(&self) {
        let others = self.metrics.snapshots_in_flight.fetch_add(1, Ordering::Relaxed);
        self.metrics.inflight_snap_count.add(others + 1);
    }

    fn snapshot_sent(&self) {
        self.metrics.snapshots_in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    fn digest_differs(&self) {
        self.metrics.digest_mismatches_count.add(1);
    }

    fn leaderless(&self, took: Duration, leads: bool) {
        self.metrics.election_time.add(took);
        self.metrics.unavailable_time.add(millis(took));
        if leads {
            self.metrics.leader_unavailable_time.add(millis(took));
        }
        self.metrics.led_since_ms.store(clock::monotonic_ms(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_that_fail_and_those_under_way_are_counted_and_so_is_what_a_start_took() {
        let hub = Hub::new(1);
        let ms = Duration::from_millis;
        hub.log_read(ms(30));
        hub.snapshot_loaded(ms(50));
        hub.started(ms(70), 9);
        let startup = &hub.metrics.startup;
        let took = [&startup.total, &startup.snapshot, &startup.log, &startup.entries].map(|summary| summary.sum());
        assert_eq!(took, [100, 50, 50, 9]);
        hub.snapshot_failed();
        hub.snapshot_sending();
        hub.snapshot_sending();
        hub.snapshot_sent();
        hub.snapshot_sending();
        let sent = &hub.metrics.inflight_snap_count;
        assert_eq!((sent.count(), sent.max(), hub.metrics.snapshot_error_count.get()), (3, 2, 1));
    }

    #[test]
    fn a_time_without_a_leader_counts_for_the_leader_too_if_it_is_this_member() {
        let hub = Hub::new(1);
        hub.leaderless(Duration::from_millis(5), false);
        hub.leaderless(Duration::from_millis(7), true);
        let metrics = &hub.metrics;
        assert_eq!((metrics.unavailable_time.sum(), metrics.leader_unavailable_time.sum()), (12, 7));
    }
}
