//! What the operator counts, in Prometheus' text.
//!
//! ```text
//!   coordd_operator_leader                               1 where the lease is
//!   coordd_operator_reconciles_total{result}             done, failed
//!   coordd_operator_reconcile_errors_total{kind}
//!   coordd_operator_reconcile_duration_seconds           histogram
//!   coordd_operator_writes_total{write,result}           of Kubernetes and orders to members; done, failed
//!   coordd_operator_watch_errors_total{kind}
//!   coordd_operator_cluster_members{namespace,cluster,health}       True, False, Unknown
//!   coordd_operator_cluster_condition{namespace,cluster,condition}  1 True, 0 False, -1 Unknown
//!   coordd_operator_cluster_operation{namespace,cluster,operation}  1 while it is under way
//!   coordd_operator_cluster_unavailable{namespace,cluster,reason}   1 while Available is False
//!   coordd_operator_cluster_volumes_not_ready{namespace,cluster,reason}  1 while DataVolumesReady is False
//!   coordd_operator_cluster_observed_timestamp_seconds{namespace,cluster}  the last look that came to its end, or the
//!                                                        first that this process began
//!   coordd_operator_projection_…                         see `projections::figures`
//! ```
//!
//! Rule: figures of a cluster go when it goes. Reason: an alert on a cluster that was deleted cannot be cured.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::projections::Projections;
use crate::crd::{ClusterStatus, ProjectionStatus, SeenHealth, condition};
use crate::names::ClusterName;

const BUCKETS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

#[derive(Default)]
struct Figures {
    reconciles: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    watch_errors: BTreeMap<&'static str, u64>,
    writes: BTreeMap<(String, bool), u64>,
    duration: [u64; BUCKETS.len()],
    duration_count: u64,
    duration_sum: f64,
    clusters: BTreeMap<ClusterName, Cluster>,
    projections: Projections,
}

#[derive(Default)]
struct Cluster {
    members: [usize; 3],
    conditions: Vec<(String, i8)>,
    operation: Option<String>,
    /// Why it is not available.
    unavailable: Option<String>,
    /// Why its volumes are not ready.
    volumes_not_ready: Option<String>,
    observed: i64,
}

#[derive(Default)]
pub(crate) struct Metrics(Mutex<Figures>);

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reconcile has ended; `failed` with the word for why.
    pub(crate) fn reconciled(&self, took: Duration, failed: Option<&'static str>) {
        let mut figures = self.lock();
        *figures.reconciles.entry(if failed.is_some() { "failed" } else { "done" }).or_insert(0) += 1;
        if let Some(kind) = failed {
            *figures.errors.entry(kind).or_insert(0) += 1;
        }
        let seconds = took.as_secs_f64();
        figures.duration_count += 1;
        figures.duration_sum += seconds;
        if let Some(bucket) = BUCKETS.iter().position(|limit| seconds <= *limit) {
            figures.duration[bucket] += 1;
        }
    }

    pub(crate) fn wrote(&self, name: &str, done: bool) {
        *self.lock().writes.entry((name.to_owned(), done)).or_insert(0) += 1;
    }

    pub(crate) fn watch_failed(&self, kind: &'static str) {
        *self.lock().watch_errors.entry(kind).or_insert(0) += 1;
    }

    /// A look at a cluster begins. Until one has come to its end, how old what is known is counts from the first.
    pub(crate) fn begun(&self, name: &ClusterName, now: i64) {
        let mut figures = self.lock();
        figures.clusters.entry(name.clone()).or_insert_with(|| Cluster { observed: now, ..Cluster::default() });
    }

    /// What a look at a cluster has shown that came to its end.
    pub(crate) fn observed(&self, name: &ClusterName, status: &ClusterStatus, now: i64) {
        self.begun(name, now);
        self.shown(name, status);
        if let Some(cluster) = self.lock().clusters.get_mut(name) {
            cluster.observed = now;
        }
    }

    /// What is shown of a cluster, however old it is.
    pub(crate) fn shown(&self, name: &ClusterName, status: &ClusterStatus) {
        let count = |health| status.members.iter().filter(|member| member.healthy == health).count();
        let value = |status: &str| match status {
            "True" => 1,
            "False" => 0,
            _ => -1,
        };
        let conditions = status.conditions.iter().map(|condition| (condition.type_.clone(), value(&condition.status)));
        let not = |what: &str| {
            let found = status.conditions.iter().find(|one| one.type_ == what && one.status == "False");
            found.map(|one| one.reason.clone())
        };
        if let Some(cluster) = self.lock().clusters.get_mut(name) {
            cluster.members = [count(SeenHealth::True), count(SeenHealth::False), count(SeenHealth::Unknown)];
            cluster.conditions = conditions.collect();
            cluster.operation = status.operation.as_ref().map(|operation| operation.type_.clone());
            cluster.unavailable = not(condition::AVAILABLE);
            cluster.volumes_not_ready = not(condition::DATA_VOLUMES_READY);
        }
    }

    pub(crate) fn forget(&self, name: &ClusterName) {
        self.lock().clusters.remove(name);
    }

    /// What a look at a projection has shown, and what its answers take.
    pub(crate) fn projected(&self, name: &ClusterName, status: &ProjectionStatus, bytes: usize) {
        self.lock().projections.observed(name, status, bytes);
    }

    pub(crate) fn forget_projection(&self, name: &ClusterName) {
        self.lock().projections.forget(name);
    }

    /// All figures.
    pub(crate) fn text(&self, leads: bool) -> String {
        let figures = self.lock();
        let mut page = Page(String::new());
        page.family("leader", "gauge", "Whether this replica leads.");
        page.line("leader", &[], i64::from(leads));
        page.family("reconciles_total", "counter", "Looks at a cluster, by how they ended.");
        for (result, count) in &figures.reconciles {
            page.line("reconciles_total", &[("result", result)], count);
        }
        page.family("reconcile_errors_total", "counter", "Looks that failed, by why.");
        for (kind, count) in &figures.errors {
            page.line("reconcile_errors_total", &[("kind", kind)], count);
        }
        page.family("watch_errors_total", "counter", "Watches that broke, by what they watch.");
        for (kind, count) in &figures.watch_errors {
            page.line("watch_errors_total", &[("kind", kind)], count);
        }
        page.family("writes_total", "counter", "Writes of Kubernetes and orders to members.");
        for ((name, done), count) in &figures.writes {
            let result = if *done { "done" } else { "failed" };
            page.line("writes_total", &[("write", name), ("result", result)], count);
        }
        durations(&mut page, &figures);
        clusters(&mut page, &figures);
        figures.projections.write(&mut page);
        page.0
    }
}

fn durations(page: &mut Page, figures: &Figures) {
    page.family("reconcile_duration_seconds", "histogram", "How long a look at a cluster took, with its writes.");
    let mut below = 0;
    for (limit, count) in BUCKETS.iter().zip(figures.duration) {
        below += count;
        page.line("reconcile_duration_seconds_bucket", &[("le", &limit.to_string())], below);
    }
    page.line("reconcile_duration_seconds_bucket", &[("le", "+Inf")], figures.duration_count);
    page.line("reconcile_duration_seconds_sum", &[], figures.duration_sum);
    page.line("reconcile_duration_seconds_count", &[], figures.duration_count);
}

fn clusters(page: &mut Page, figures: &Figures) {
    page.family("cluster_members", "gauge", "Members by health.");
    for (name, cluster) in &figures.clusters {
        for (health, count) in ["True", "False", "Unknown"].iter().zip(cluster.members) {
            page.of(name, "cluster_members", Some(("health", health)), count);
        }
    }
    page.family("cluster_condition", "gauge", "Conditions: 1 True, 0 False, -1 Unknown.");
    for (name, cluster) in &figures.clusters {
        for (condition, value) in &cluster.conditions {
            page.of(name, "cluster_condition", Some(("condition", condition)), value);
        }
    }
    page.family("cluster_unavailable", "gauge", "1 while condition Available is False, with its reason.");
    for (name, cluster) in &figures.clusters {
        if let Some(reason) = &cluster.unavailable {
            page.of(name, "cluster_unavailable", Some(("reason", reason)), 1);
        }
    }
    page.family("cluster_volumes_not_ready", "gauge", "1 while condition DataVolumesReady is False, with its reason.");
    for (name, cluster) in &figures.clusters {
        if let Some(reason) = &cluster.volumes_not_ready {
            page.of(name, "cluster_volumes_not_ready", Some(("reason", reason)), 1);
        }
    }
    page.family("cluster_operation", "gauge", "1 while this operation is under way.");
    for (name, cluster) in &figures.clusters {
        if let Some(operation) = &cluster.operation {
            page.of(name, "cluster_operation", Some(("operation", operation)), 1);
        }
    }
    let help = "When a look at the cluster last came to its end, or the first began.";
    page.family("cluster_observed_timestamp_seconds", "gauge", help);
    for (name, cluster) in &figures.clusters {
        page.of(name, "cluster_observed_timestamp_seconds", None, cluster.observed);
    }
}

pub(super) struct Page(String);

impl Page {
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP coordd_operator_{name} {help}\n# TYPE coordd_operator_{name} {kind}");
    }

    pub(super) fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "coordd_operator_{name}{labels} {value}");
    }

    fn of(&mut self, cluster: &ClusterName, name: &str, more: Option<(&str, &str)>, value: impl std::fmt::Display) {
        let own = [("namespace", cluster.namespace.as_str()), ("cluster", cluster.name.as_str())];
        let labels: Vec<_> = own.into_iter().chain(more).collect();
        self.line(name, &labels, value);
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_all_that_is_below_them() {
        let metrics = Metrics::default();
        for millis in [5, 20, 20, 60_000] {
            metrics.reconciled(Duration::from_millis(millis), None);
        }
        let text = metrics.text(true);
        for line in [
            "coordd_operator_leader 1",
            "coordd_operator_reconciles_total{result=\"done\"} 4",
            "coordd_operator_reconcile_duration_seconds_bucket{le=\"0.01\"} 1",
            "coordd_operator_reconcile_duration_seconds_bucket{le=\"0.03\"} 3",
            "coordd_operator_reconcile_duration_seconds_bucket{le=\"30\"} 3",
            "coordd_operator_reconcile_duration_seconds_bucket{le=\"+Inf\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn figures_of_a_cluster_go_with_it() {
        let (metrics, name) = (Metrics::default(), ClusterName::new("shop", "orders"));
        metrics.observed(&name, &ClusterStatus::default(), 7);
        let line = "coordd_operator_cluster_members{namespace=\"shop\",cluster=\"orders\",health=\"True\"} 0";
        assert!(metrics.text(false).contains(line));
        metrics.forget(&name);
        assert!(!metrics.text(false).contains("cluster=\"orders\""));
    }

    #[test]
    fn a_cluster_of_which_no_look_comes_to_its_end_has_a_time_that_stands_still() {
        let (metrics, name) = (Metrics::default(), ClusterName::new("shop", "orders"));
        let figure = |metrics: &Metrics| {
            let line = "coordd_operator_cluster_observed_timestamp_seconds{namespace=\"shop\",cluster=\"orders\"} ";
            metrics.text(true).lines().find_map(|found| found.strip_prefix(line)?.parse::<i64>().ok())
        };
        for now in [100, 130, 190] {
            metrics.begun(&name, now);
            metrics.shown(&name, &ClusterStatus::default());
            assert_eq!(figure(&metrics), Some(100));
        }
        metrics.observed(&name, &ClusterStatus::default(), 200);
        metrics.begun(&name, 900);
        assert_eq!(figure(&metrics), Some(200));
    }
}
