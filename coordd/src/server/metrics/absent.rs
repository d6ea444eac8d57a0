//! Names of ZooKeeper's for things that coordd does not have or does not tell apart. They stay at 0.
//!
//! Rule: a name stands here when there is nothing to count, under the reason for that. Reason: a panel or an alert on
//! it finds a series that is quiet, not one that is missing.

use super::value::{Sample, Value};

const COUNTERS: &[&str] = &[
    // A watch goes with its connection, at once: no queue that removes those of dead watchers.
    "add_dead_watcher_stall_time",
    "dead_watchers_cleared",
    "dead_watchers_queued",
    // A member that is behind gets what it lacks by the replication of every day, which has no beginning and no end.
    "diff_count",
    // No TLS, and no scheme that names an ensemble.
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "ensemble_auth_success",
    "insecure_admin_count",
    "outstanding_tls_handshake",
    "tls_handshake_exceeded",
    "unsuccessful_handshake",
    // `proposal_count` and `commit_count` are counted by every member, a follower too.
    "learner_commit_received_count",
    "learner_proposal_received_count",
    // No chain of request processors: a write goes from its connection to the proposer.
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "prep_processor_request_queued",
    "request_commit_queued",
    // A leader without a quorum is replaced; it never leaves for one voter's sake.
    "quit_leading_due_to_disloyal_voter",
    // Answers are read from the tree each time: no cache.
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    // A snapshot is restored into an empty directory, by no running member, and is given to who may ask as often as
    // they do.
    "restore_error_count",
    "restore_rate_limited_count",
    "snapshot_rate_limited_count",
    // A session is attached by an entry of the log: no question to the leader.
    "revalidate_count",
    // A request waits for its turn and is never answered that it was put off.
    "throttled_ops",
    // Such an error ends the process.
    "unrecoverable_error_count",
];

/// Times are in milliseconds.
const SUMMARIES: &[&str] = &[
    // No chain of request processors.
    "commit_commit_proc_req_queued",
    "commit_process_time",
    "pending_session_queue_size",
    "prep_process_time",
    "prep_processor_queue_size",
    "proposal_process_time",
    "read_commit_proc_req_queued",
    "sync_process_time",
    "write_commit_proc_req_queued",
    // No connection is let in by tokens.
    "connection_token_deficit",
    // Catching up has no beginning and no end.
    "follower_sync_time",
    "inflight_diff_count",
    "observer_sync_time",
    // As above.
    "restore_time",
    // A socket is closed by the kernel, behind the process's back.
    "socket_closing_time",
];

/// With percentiles.
const HISTOGRAMS: &[&str] = &[
    // No chain of request processors: `readlatency` and `updatelatency` tell the whole, the log of slow requests its
    // hops.
    "close_session_prep_time",
    "prep_processor_queue_time_ms",
    "proposal_latency",
    "read_commitproc_time_ms",
    "read_final_proc_time_ms",
    "server_write_committed_time_ms",
    "sync_processor_queue_and_flush_time_ms",
    "sync_processor_queue_time_ms",
    "write_commitproc_time_ms",
    // They compare the clocks of two members.
    "commit_propagation_latency",
    "propagation_latency",
    "proposal_ack_creation_latency",
    // No queue that removes dead watchers, no JVM.
    "dead_watchers_cleaner_latency",
    "jvm_pause_time_ms",
];

pub(super) fn samples() -> impl Iterator<Item = Sample> {
    let of =
        |names: &'static [&'static str], value: Value| names.iter().map(move |name| Sample::new(name, value.clone()));
    let summary = Value::Summary { count: 0, sum: 0, min: 0, max: 0, avg: 0.0 };
    let (p50, p95, p99, p999) = (0.0, 0.0, 0.0, 0.0);
    let histogram = Value::Histogram { count: 0, sum: 0.0, min: 0, max: 0, avg: 0.0, p50, p95, p99, p999 };
    of(COUNTERS, Value::Counter(0)).chain(of(SUMMARIES, summary)).chain(of(HISTOGRAMS, histogram))
}
