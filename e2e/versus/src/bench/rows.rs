//! The table of the issue: what is promised for each metric.

/// What a value is held against.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// At least this many times ZooKeeper's.
    MinTimes(f64),
    /// At most this many times ZooKeeper's.
    MaxTimes(f64),
    /// At most this, whatever ZooKeeper does.
    Max(f64),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub metric: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub floor: Bound,
    pub goal: Bound,
    pub by: By,
}

/// Which of the rounds' values a row is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Median,
    /// What is promised of the worst, or of every single one, is not kept by the median.
    Most,
}

use Bound::{Max, MaxTimes, MinTimes};

const fn row(metric: &'static str, title: &'static str, unit: &'static str, floor: Bound, goal: Bound) -> Row {
    Row { metric, title, unit, floor, goal, by: By::Median }
}

const fn worst(metric: &'static str, title: &'static str, unit: &'static str, floor: f64, goal: f64) -> Row {
    Row { metric, title, unit, floor: Max(floor), goal: Max(goal), by: By::Most }
}

pub const ROWS: &[Row] = &[
    row("set-32x32.rate", "setData 100 B, 32 × 32", "/s", MinTimes(4.0), MinTimes(8.0)),
    row("get-32x32.rate", "getData 100 B, 32 × 32", "/s", MinTimes(8.0), MinTimes(15.0)),
    row("mixed-32x32.rate", "70 % reads, 32 × 32", "/s", MinTimes(5.0), MinTimes(10.0)),
    row("create-delete-32x32.rate", "create + delete, 32 × 32", "/s", MinTimes(4.0), MinTimes(8.0)),
    row("set-1.p50-us", "setData, one at a time, each server in turn, median", "µs", MaxTimes(0.6), MaxTimes(0.5)),
    row("get-1.p50-us", "getData, one at a time, each server in turn, median", "µs", MaxTimes(0.8), MaxTimes(0.6)),
    row("watch-999.p50-ms", "999 watchers told, median", "ms", MaxTimes(1.0 / 3.0), MaxTimes(0.2)),
    row("sessions.rate", "sessions opened", "/s", MinTimes(3.0), MinTimes(5.0)),
    row("bytes-per-znode.bytes", "resident bytes per znode", "B", Max(260.0), Max(220.0)),
    worst("kill-leader.gap-ms", "leader killed: longest gap, worst of 20", "ms", 200.0, 50.0),
    worst("kill-leader.lost", "  surviving connections lost", "", 0.0, 0.0),
    worst("kill-leader.unknown", "  their writes of unknown outcome", "", 0.0, 0.0),
    worst("sigterm-leader.gap-ms", "leader by SIGTERM: longest gap, worst of 20", "ms", 100.0, 30.0),
    worst("sigterm-leader.lost", "  surviving connections lost", "", 0.0, 0.0),
    worst("sigterm-leader.unknown", "  their writes of unknown outcome", "", 0.0, 0.0),
    worst("pause-leader.gap-ms", "leader paused: longest gap, worst of 20", "ms", 2000.0, 1000.0),
    worst("pause-leader.lost", "  surviving connections lost", "", 0.0, 0.0),
    worst("pause-leader.unknown", "  their writes of unknown outcome", "", 0.0, 0.0),
    worst("ephemerals-10k.lost", "10,000 sessions, member killed: lost", "", 0.0, 0.0),
    worst("ephemerals-10k.reattached-s", "  last re-attached", "s", 10.0, 5.0),
    row("expire-10k.p99-times", "they expire at once: p99 of others' writes", "×", Max(10.0), Max(4.0)),
    row("snapshot-1m.p99-times", "1 M znodes: p99 during a snapshot", "×", Max(5.0), Max(3.0)),
    row("refill-1m.p99-times", "1 M znodes: p99 while a member refills", "×", Max(5.0), Max(3.0)),
    row("recover-1m.ready-s", "1 M znodes: kill -9 to ready", "s", Max(10.0), Max(5.0)),
];

/// How a value stands to its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Goal,
    Floor,
    Below,
    /// One of the values that it needs is not there.
    Unknown,
}

impl Row {
    /// Judges coordd's value by ZooKeeper's.
    pub fn verdict(&self, coordd: Option<f64>, zookeeper: Option<f64>) -> Verdict {
        match (self.goal.met(coordd, zookeeper), self.floor.met(coordd, zookeeper)) {
            (Some(true), _) => Verdict::Goal,
            (Some(false), Some(true)) => Verdict::Floor,
            (Some(false), Some(false)) => Verdict::Below,
            _ => Verdict::Unknown,
        }
    }
}

impl Bound {
    fn met(self, coordd: Option<f64>, zookeeper: Option<f64>) -> Option<bool> {
        Some(match self {
            MinTimes(times) => coordd? >= times * zookeeper?,
            MaxTimes(times) => coordd? <= times * zookeeper?,
            Max(limit) => coordd? <= limit,
        })
    }

    pub fn text(self) -> String {
        match self {
            MinTimes(times) => format!("≥ {times} ×"),
            MaxTimes(times) => format!("≤ {times:.2} ×"),
            Max(limit) => format!("≤ {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_the_other_server_only_when_the_bound_names_it() {
        let rate = row("", "", "", MinTimes(4.0), MinTimes(8.0));
        assert_eq!(rate.verdict(Some(80.0), Some(10.0)), Verdict::Goal);
        assert_eq!(rate.verdict(Some(79.0), Some(10.0)), Verdict::Floor);
        assert_eq!(rate.verdict(Some(39.0), Some(10.0)), Verdict::Below);
        assert_eq!(rate.verdict(Some(39.0), None), Verdict::Unknown);
        let size = row("", "", "", Max(260.0), Max(220.0));
        assert_eq!(size.verdict(Some(221.0), None), Verdict::Floor);
    }
}
