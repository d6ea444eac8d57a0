//! `/metrics` in Prometheus's text format: the figures of `mntr` under the names that ZooKeeper's own provider gives
//! them, then those of consensus, which begin with `coordd_`.
//!
//! Rule: no `_total` is appended to ZooKeeper's counters, and what coordd counts beside them (`outbox_bytes`,
//! `request_latency`) is written as they are. Reason: dashboards and alerts that exist.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Http;
use crate::consensus::{Role, Status};
use crate::server::metrics::prometheus;

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every figure of this member.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String)))]
pub(super) async fn metrics(State(http): State<Http>) -> impl IntoResponse {
    let mut text = prometheus(&http.commands.figures());
    consensus(&mut text, &http.consensus.status().borrow());
    ([(CONTENT_TYPE, FORMAT)], text)
}

fn consensus(out: &mut String, status: &Status) {
    let ready = u64::from(status.not_serving.is_none());
    let leads = u64::from(status.role == Role::Leader);
    let gauges = [
        ("coordd_ready", ready),
        ("coordd_leader", leads),
        ("coordd_term", status.term),
        ("coordd_membership_index", status.membership_index),
        ("coordd_log_last_index", status.last_log_index),
        ("coordd_log_committed_index", status.committed_index),
        ("coordd_log_applied_index", status.applied_index),
        ("coordd_log_unsynced_bytes", status.log_unsynced_bytes),
        ("coordd_undecided_writes", status.undecided_writes),
        ("coordd_feature_level", u64::from(status.feature_level)),
        ("coordd_voters", status.members.iter().filter(|member| member.voter).count() as u64),
    ];
    for (name, value) in gauges {
        let _ = writeln!(out, "# TYPE {name} gauge\n{name} {value}");
    }
    if !status.lag.is_empty() {
        let _ = writeln!(out, "# TYPE coordd_peer_lag_entries gauge");
    }
    for (id, name, lag) in status.lag_by_name() {
        let _ = writeln!(out, "coordd_peer_lag_entries{{id=\"{id}\",member=\"{name}\"}} {lag}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::status;

    #[test]
    fn a_leader_shows_how_far_each_other_member_is_behind() {
        let mut text = String::new();
        consensus(&mut text, &status());
        assert!(text.contains("coordd_peer_lag_entries{id=\"2\",member=\"m2\"} 7\n"), "{text}");
        assert!(text.contains("# TYPE coordd_ready gauge\ncoordd_ready 1\n"), "{text}");
    }
}
