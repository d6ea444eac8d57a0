//! The scenarios by name, the ensemble that each group of them runs on, and what they yield.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::options::Options;
use super::{ephemerals, expire, failover, million, plain, profile, sessions, watchers};
use crate::servers::{Ensemble, Kind, Plan};

/// One named measurement.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    /// Scenarios of one group share a started ensemble; a group of its own starts from an empty one.
    pub group: &'static str,
    pub run: fn(&mut Context<'_>) -> Result<()>,
}

pub const ALL: &[Scenario] = &[
    Scenario { name: "set-32x32", group: "plain", run: plain::set_32x32 },
    Scenario { name: "get-32x32", group: "plain", run: plain::get_32x32 },
    Scenario { name: "mixed-32x32", group: "plain", run: plain::mixed_32x32 },
    Scenario { name: "create-delete-32x32", group: "plain", run: plain::create_delete_32x32 },
    Scenario { name: "set-1", group: "plain", run: plain::set_1 },
    Scenario { name: "get-1", group: "plain", run: plain::get_1 },
    Scenario { name: "watch-999", group: "plain", run: watchers::watch_999 },
    Scenario { name: "sessions", group: "sessions", run: sessions::sessions },
    Scenario { name: "kill-leader", group: "failover", run: failover::kill_leader },
    Scenario { name: "sigterm-leader", group: "failover", run: failover::sigterm_leader },
    Scenario { name: "pause-leader", group: "failover", run: failover::pause_leader },
    Scenario { name: "ephemerals-10k", group: "ephemerals", run: ephemerals::ephemerals_10k },
    Scenario { name: "expire-10k", group: "expire", run: expire::expire_10k },
    Scenario { name: "bytes-per-znode", group: "bytes", run: million::bytes_per_znode },
    Scenario { name: "snapshot-1m", group: "million", run: million::snapshot_1m },
    Scenario { name: "refill-1m", group: "million", run: million::refill_1m },
    Scenario { name: "recover-1m", group: "million", run: million::recover_1m },
];

/// What a scenario has at hand.
pub struct Context<'a> {
    pub options: &'a Options,
    pub ensemble: Ensemble,
    metrics: &'a mut Metrics,
}

impl Context<'_> {
    /// One measured value of a metric; several of a round are kept apart.
    pub fn record(&mut self, metric: &str, value: f64) {
        eprintln!("    {metric} = {value:.3}");
        let kind = self.ensemble.plan.kind.name();
        self.metrics.values.entry(metric.to_owned()).or_default().entry(kind).or_default().push(value);
    }
}

/// Everything measured: metric → server → values.
#[derive(Default, Serialize)]
pub struct Metrics {
    pub values: BTreeMap<String, BTreeMap<&'static str, Vec<f64>>>,
    /// The disk's own time for one write and fdatasync, median of each round, in milliseconds.
    pub disk_sync_ms: Vec<f64>,
    /// Scenarios that ended without a number, and why.
    pub failed: Vec<String>,
}

impl Metrics {
    pub fn of(&self, metric: &str, kind: Kind) -> &[f64] {
        self.values.get(metric).and_then(|by| by.get(kind.name())).map_or(&[], Vec::as_slice)
    }
}

/// The scenarios that `--only` names.
pub fn chosen(only: &[String]) -> Result<Vec<Scenario>> {
    for name in only {
        let known: Vec<_> = ALL.iter().map(|s| s.name).collect();
        ensure!(known.contains(&name.as_str()), "no scenario {name}; there are {}", known.join(", "));
    }
    Ok(ALL.iter().filter(|s| only.is_empty() || only.iter().any(|n| n == s.name)).copied().collect())
}

/// The same, put together by the ensemble that they share.
pub fn grouped(scenarios: &[Scenario]) -> Vec<Vec<Scenario>> {
    let mut groups: Vec<Vec<Scenario>> = Vec::new();
    for &scenario in scenarios {
        match groups.iter_mut().find(|g| g[0].group == scenario.group) {
            Some(group) => group.push(scenario),
            None => groups.push(vec![scenario]),
        }
    }
    groups
}

/// Starts an ensemble and runs the scenarios of one group on it.
pub fn run_group(options: &Options, kind: Kind, group: &[Scenario], metrics: &mut Metrics) -> Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let dir = options.dir.canonicalize()?;
    let ensemble = Ensemble::start(Plan::new(kind, 3, &dir, options.base_port))?;
    // What others have left in the page cache (a build, the other side's logs) would be written while this measures.
    rustix::fs::sync();
    let mut context = Context { options, ensemble, metrics };
    for scenario in group {
        eprintln!("  {} on {}", scenario.name, kind.name());
        if let Err(e) = (scenario.run)(&mut context) {
            // The others are still worth their numbers; a missing one shows in the table.
            eprintln!("    failed: {e:#}");
            context.metrics.failed.push(format!("{} on {}: {e:#}", scenario.name, kind.name()));
            break;
        }
    }
    profile::print(&context.ensemble);
    if let Err(e) = context.ensemble.end(Duration::from_secs(30)) {
        context.metrics.failed.push(format!("{} at its end: {e:#}", kind.name()));
    }
    Ok(())
}

/// Median time of one 4 KiB append and fdatasync.
pub fn disk_sync_ms(dir: &Path) -> Result<f64> {
    let path = dir.join("versus-disk-probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
