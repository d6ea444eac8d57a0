//! The numbers of this member under ZooKeeper's names, for `mntr` and `/metrics` alike.
//!
//! ```text
//!   Counter  one atomic    Summary  count, sum, min, max     Times  one of durations     Histogram  Times, percentiles
//! ```
//!
//! Rule: a batch of requests costs a handful of relaxed additions, whatever its size; nothing here takes a lock.

mod absent;
mod by_op;
mod render;
mod value;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use coordd_proto::{EventType, OpCode};
use tokio::time::Instant;

pub(crate) use by_op::{ByOp, Counts};
pub(crate) use render::java;
pub use render::{mntr, prometheus};
pub use value::{Counter, Histogram, Sample, Size, Summary, Times, Value};

/// Every figure that this member gathers.
#[derive(Debug, Default)]
pub struct Metrics {
    pub packets_received: Counter,
    pub packets_sent: Counter,
    pub bytes_received: Counter,
    pub bytes_sent: Counter,
    /// Calls of the operating system that moved bytes: a batch of requests costs one of each.
    pub socket_reads: Counter,
    pub socket_writes: Counter,
    pub watch_bytes: Counter,
    pub connection_rejected: Counter,
    pub outbox_overflows: Counter,
    pub stale_sessions_expired: Counter,
    pub read_latency: Histogram,
    pub update_latency: Histogram,
    /// Latency of every request since the last `srst`.
    pub latency: Times,
    pub node_created_watch_count: Summary,
    pub node_deleted_watch_count: Summary,
    pub node_changed_watch_count: Summary,
    pub node_children_watch_count: Summary,
    pub fsync_time: Histogram,
    /// Operations on the log that one flush made durable.
    pub flushed_operations: Summary,
    pub snapshot_time: Histogram,
    pub snapshot_error_count: Counter,
    pub snapshots_in_flight: AtomicU64,
    /// Snapshots that were under way to other members, this one among them, whenever one began to be.
    pub inflight_snap_count: Summary,
    /// Milliseconds, as all summaries of time.
    pub log_read_time: Summary,
    pub snapshot_load_time: Summary,
    pub startup: Startup,
    pub digest_mismatches_count: Counter,
    pub election_time: Histogram,
    pub unavailable_time: Summary,
    pub leader_unavailable_time: Summary,
    pub propose_to_commit: Histogram,
    pub apply_time: Histogram,
    pub proposal_size: Size,
    pub proposal_count: Counter,
    pub commit_count: Counter,
    /// When the present leader was found, on the monotonic clock; 0 before.
    pub led_since_ms: AtomicU64,
    pub connection_request_count: Counter,
    pub connection_drop_count: Counter,
    /// Handshakes that name a session.
    pub connection_revalidate_count: Counter,
    pub sessionless_connections_expired: Counter,
    pub large_requests_rejected: Counter,
    pub auth_failed_count: Counter,
    /// Requests whose connection was gone when they had their turn, and answers to such.
    pub stale_requests: Counter,
    pub stale_replies: Counter,
    /// Waits of a connection for room among the undecided writes.
    pub room_waits: Histogram,
    pub(crate) by_op: ByOp,
}

/// What the start of consensus took, in milliseconds, and how many entries of the log were applied in it.
#[derive(Debug, Default)]
pub struct Startup {
    pub total: Summary,
    pub snapshot: Summary,
    pub log: Summary,
    pub entries: Summary,
}

impl Metrics {
    /// A batch was taken: `received` requests, those of `counts` answered at once. How long these took, if there are
    /// any.
    pub(crate) fn requests_taken(&self, received: u64, counts: &Counts, since: Instant) -> Option<Duration> {
        self.packets_received.add(received);
        let answered = counts.total();
        if answered == 0 {
            return None;
        }
        self.answered(answered);
        let took = since.elapsed();
        self.by_op.add_batch(counts, took);
        self.read_latency.add_many(took, answered);
        self.latency.add_many(took, answered);
        Some(took)
    }

    /// Requests that waited in a queue were answered.
    pub(crate) fn answered(&self, n: u64) {
        self.packets_sent.add(n);
    }

    /// A read that waited in a queue was answered.
    pub(crate) fn read_answered(&self, op: OpCode, took: Duration) {
        self.answered(1);
        self.by_op.add(op, took);
        self.read_latency.add_many(took, 1);
        self.latency.add_many(took, 1);
    }

    pub(crate) fn write_answered(&self, op: OpCode, took: Duration) {
        self.answered(1);
        self.by_op.add(op, took);
        self.update_latency.add_many(took, 1);
        self.latency.add_many(took, 1);
    }

    pub(crate) fn watch_fired(&self, event: EventType, watchers: usize) {
        let summary = match event {
            EventType::NodeCreated => &self.node_created_watch_count,
            EventType::NodeDeleted => &self.node_deleted_watch_count,
            EventType::NodeDataChanged => &self.node_changed_watch_count,
            _ => &self.node_children_watch_count,
        };
        summary.add_many(watchers as u64, 1);
    }

    /// `srst`: what `srvr` shows begins anew.
    pub(crate) fn reset(&self) {
        self.latency.reset();
        self.packets_received.reset();
        self.packets_sent.reset();
    }

    /// Everything gathered here, by ZooKeeper's names where it has one.
    pub fn samples(&self) -> Vec<Sample> {
        let mut all = vec![
            Sample::counter("connection_request_count", &self.connection_request_count),
            Sample::counter("connection_drop_count", &self.connection_drop_count),
            Sample::counter("sessionless_connections_expired", &self.sessionless_connections_expired),
            Sample::counter("large_requests_rejected", &self.large_requests_rejected),
            Sample::counter("auth_failed_count", &self.auth_failed_count),
            Sample::counter("bytes_received_count", &self.bytes_received),
            Sample::counter("response_bytes", &self.bytes_sent),
            Sample::counter("socket_reads", &self.socket_reads),
            Sample::counter("socket_writes", &self.socket_writes),
            Sample::counter("watch_bytes", &self.watch_bytes),
            Sample::counter("connection_rejected", &self.connection_rejected),
            Sample::counter("outbox_overflows", &self.outbox_overflows),
            Sample::counter("stale_sessions_expired", &self.stale_sessions_expired),
            Sample::histogram("readlatency", &self.read_latency),
            Sample::histogram("updatelatency", &self.update_latency),
            Sample::summary("node_created_watch_count", &self.node_created_watch_count),
            Sample::summary("node_deleted_watch_count", &self.node_deleted_watch_count),
            Sample::summary("node_changed_watch_count", &self.node_changed_watch_count),
            Sample::summary("node_children_watch_count", &self.node_children_watch_count),
            Sample::histogram("fsynctime", &self.fsync_time),
            Sample::histogram("snapshottime", &self.snapshot_time),
            Sample::histogram("election_time", &self.election_time),
            Sample::new("looking_count", Value::Counter(self.election_time.times().count())),
            Sample::counter("proposal_count", &self.proposal_count),
            Sample::counter("commit_count", &self.commit_count),
            Sample::histogram("quorum_ack_latency", &self.propose_to_commit),
            Sample::histogram("local_write_committed_time_ms", &self.propose_to_commit),
            Sample::histogram("write_final_proc_time_ms", &self.apply_time),
        ];
        all.extend(self.of_the_disk());
        all.extend(self.of_trouble());
        all.extend(absent::samples());
        all.extend(self.by_op.samples());
        all
    }

    /// What a start, the log and snapshots cost.
    fn of_the_disk(&self) -> Vec<Sample> {
        let queued = Value::Counter(self.flushed_operations.sum());
        vec![
            Sample::summary("dbinittime", &self.startup.total),
            Sample::summary("startup_snap_load_time", &self.startup.snapshot),
            Sample::summary("startup_txns_load_time", &self.startup.log),
            Sample::summary("startup_txns_loaded", &self.startup.entries),
            Sample::summary("snapshot_load_time", &self.snapshot_load_time),
            Sample::counter("snapshot_error_count", &self.snapshot_error_count),
            Sample::new("snap_count", Value::Counter(self.inflight_snap_count.count())),
            Sample::summary("inflight_snap_count", &self.inflight_snap_count),
            // The log's writer takes all that is queued and flushes it at once.
            Sample::new("sync_processor_request_queued", queued),
            Sample::summary("sync_processor_batch_size", &self.flushed_operations),
            Sample::summary("sync_processor_queue_size", &self.flushed_operations),
            Sample::histogram("sync_processor_queue_flush_time_ms", &self.fsync_time),
        ]
    }

    /// What does not happen when all is well.
    fn of_trouble(&self) -> Vec<Sample> {
        vec![
            Sample::counter("digest_mismatches_count", &self.digest_mismatches_count),
            Sample::summary("unavailable_time", &self.unavailable_time),
            Sample::summary("leader_unavailable_time", &self.leader_unavailable_time),
            Sample::counter("connection_revalidate_count", &self.connection_revalidate_count),
            Sample::counter("stale_requests", &self.stale_requests),
            Sample::counter("stale_requests_dropped", &self.stale_requests),
            Sample::counter("stale_replies", &self.stale_replies),
            Sample::new("request_throttle_wait_count", Value::Counter(self.room_waits.times().count())),
            Sample::histogram("request_throttle_queue_time_ms", &self.room_waits),
        ]
    }
}

pub(crate) fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What dashboards and alerts rely on (zookeeper.md §8.3), without what its observers and its own queues count.
    const RELIED_ON: &str = "fsynctime snapshottime dbinittime startup_txns_loaded startup_txns_load_time \
        startup_snap_load_time snapshot_error_count restore_time readlatency updatelatency propagation_latency \
        proposal_latency proposal_ack_creation_latency commit_propagation_latency quorum_ack_latency \
        server_write_committed_time_ms local_write_committed_time_ms read_commitproc_time_ms write_commitproc_time_ms \
        read_final_proc_time_ms write_final_proc_time_ms prep_processor_queue_time_ms prep_processor_queue_size \
        proposal_count proposal_process_time commit_count commit_process_time sync_processor_queue_size \
        sync_processor_queue_time_ms sync_processor_batch_size pending_session_queue_size close_session_prep_time \
        election_time looking_count leader_unavailable_time unavailable_time diff_count snap_count \
        unrecoverable_error_count digest_mismatches_count connection_request_count connection_rejected \
        connection_token_deficit connection_drop_count revalidate_count sessionless_connections_expired \
        stale_sessions_expired bytes_received_count response_bytes watch_bytes tls_handshake_exceeded \
        unsuccessful_handshake throttled_ops stale_requests stale_requests_dropped request_throttle_wait_count \
        large_requests_rejected node_created_watch_count node_deleted_watch_count node_changed_watch_count \
        node_children_watch_count dead_watchers_queued dead_watchers_cleared response_packet_cache_hits \
        response_packet_cache_misses ensemble_auth_success ensemble_auth_fail ensemble_auth_skip jvm_pause_time_ms";

    #[test]
    fn every_name_that_dashboards_rely_on_is_there_once() {
        let samples = Metrics::default().samples();
        for name in RELIED_ON.split_whitespace() {
            assert_eq!(samples.iter().filter(|sample| sample.name == name).count(), 1, "{name}");
        }
        let mut names: Vec<_> = samples.iter().map(|sample| sample.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
