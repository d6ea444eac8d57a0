//! Names of ZooKeeper's for things that coordd does not have or does not tell apart. They stay at 0.
//!
//! Rule: a name stands here when there is nothing to count: no JVM, no TLS, no throttling, no cache of answers, no
//! chain of request processors, no queue that removes dead watchers. Reason: a panel or an alert on it finds a series
//! that is quiet, not one that is missing.

use super::value::{Sample, Value};

const COUNTERS: &[&str] = &[
    "add_dead_watcher_stall_time",
    "connection_revalidate_count",
    "dead_watchers_cleared",
    "dead_watchers_queued",
    "diff_count",
    "digest_mismatches_count",
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "ensemble_auth_success",
    "insecure_admin_count",
    "learner_commit_received_count",
    "learner_proposal_received_count",
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "outstanding_tls_handshake",
    "prep_processor_request_queued",
    "quit_leading_due_to_disloyal_voter",
    "request_commit_queued",
    "request_throttle_wait_count",
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    "restore_error_count",
    "restore_rate_limited_count",
    "revalidate_count",
    "snap_count",
    "snapshot_error_count",
    "snapshot_rate_limited_count",
    "stale_replies",
    "stale_requests",
    "stale_requests_dropped",
    "sync_processor_request_queued",
    "throttled_ops",
    "tls_handshake_exceeded",
    "unrecoverable_error_count",
    "unsuccessful_handshake",
];

const SUMMARIES: &[&str] = &[
    "commit_commit_proc_req_queued",
    "commit_process_time",
    "connection_token_deficit",
    "dbinittime",
    "follower_sync_time",
    "inflight_diff_count",
    "inflight_snap_count",
    "leader_unavailable_time",
    "observer_sync_time",
    "pending_session_queue_size",
    "prep_process_time",
    "prep_processor_queue_size",
    "proposal_process_time",
    "read_commit_proc_req_queued",
    "restore_time",
    "socket_closing_time",
    "startup_snap_load_time",
    "startup_txns_load_time",
    "startup_txns_loaded",
    "sync_process_time",
    "sync_processor_batch_size",
    "sync_processor_queue_size",
    "unavailable_time",
    "write_commit_proc_req_queued",
];

/// With percentiles.
const HISTOGRAMS: &[&str] = &[
    "close_session_prep_time",
    "commit_propagation_latency",
    "dead_watchers_cleaner_latency",
    "jvm_pause_time_ms",
    "local_write_committed_time_ms",
    "prep_processor_queue_time_ms",
    "propagation_latency",
    "proposal_ack_creation_latency",
    "proposal_latency",
    "read_commitproc_time_ms",
    "read_final_proc_time_ms",
    "request_throttle_queue_time_ms",
    "server_write_committed_time_ms",
    "sync_processor_queue_and_flush_time_ms",
    "sync_processor_queue_flush_time_ms",
    "sync_processor_queue_time_ms",
    "write_commitproc_time_ms",
];

pub(super) fn samples() -> impl Iterator<Item = Sample> {
    let of =
        |names: &'static [&'static str], value: Value| names.iter().map(move |name| Sample::new(name, value.clone()));
    let summary = Value::Summary { count: 0, sum: 0, min: 0, max: 0, avg: 0.0 };
    let (p50, p95, p99, p999) = (0.0, 0.0, 0.0, 0.0);
    let histogram = Value::Histogram { count: 0, sum: 0.0, min: 0, max: 0, avg: 0.0, p50, p95, p99, p999 };
    of(COUNTERS, Value::Counter(0)).chain(of(SUMMARIES, summary)).chain(of(HISTOGRAMS, histogram))
}
