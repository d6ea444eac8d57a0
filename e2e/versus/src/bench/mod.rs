//! `versus bench`: the rows of the speed table, measured on both servers in turn.
//!
//! ```text
//!   rows.rs (what is promised) ◄─ metric names ─ scenarios (what is measured) ─ on ─ one started ensemble
//!   rounds: A B B A ─► median and range of each metric ─► report.rs (table with verdicts, JSON)
//! ```
//!
//! Rule: a scenario yields metrics by name and knows neither the other server nor the goals. Reason: the same numbers
//! are then compared, kept as JSON and read by people.

pub mod bulk;
pub mod busy;
pub mod ephemerals;
pub mod expect;
pub mod expire;
pub mod failover;
pub mod million;
pub mod options;
pub mod plain;
pub mod profile;
pub mod report;
pub mod rows;
pub mod scenario;
pub mod sessions;
pub mod setup;
pub mod watchers;
pub mod workload;
pub mod writers;

use std::fs;

use anyhow::{Result, ensure};

pub use options::Options;
use scenario::Metrics;

use crate::servers::{Kind, repository};

/// Measures, prints the table, writes the JSON; then says by an error what failed or is below its floor.
pub fn run(options: &Options) -> Result<()> {
    let chosen = scenario::chosen(&options.only)?;
    ensure!(!chosen.is_empty(), "no scenario is chosen");
    let order: &[Kind] = match options.server {
        Some(Kind::Zookeeper) => &[Kind::Zookeeper; 2],
        Some(Kind::Coordd) => &[Kind::Coordd; 2],
        None => &[Kind::Zookeeper, Kind::Coordd, Kind::Coordd, Kind::Zookeeper],
    };
    let order = if options.short && options.server.is_some() { &order[..1] } else { order };
    let mut metrics = Metrics::default();
    for (round, &kind) in order.iter().enumerate() {
        eprintln!("round {}/{}: {}", round + 1, order.len(), kind.name());
        metrics.disk_sync_ms.push(scenario::disk_sync_ms(&repository().join("target"))?);
        for group in scenario::grouped(&chosen) {
            scenario::run_group(options, kind, &group, &mut metrics)?;
        }
    }
    let text = report::table(&metrics);
    println!("{text}");
    let dir = repository().join("target/versus");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("bench.txt"), &text)?;
    fs::write(dir.join("bench.json"), serde_json::to_string_pretty(&metrics)?)?;
    passed(&metrics, options.short)
}

/// An error when a scenario failed or, unless the run was too short to say how fast anything is, a row is below its
/// floor.
fn passed(metrics: &Metrics, short: bool) -> Result<()> {
    let failed = metrics.failed.iter().map(|why| format!("failed: {why}"));
    let below = report::below(metrics).into_iter().filter(|_| !short).map(|row| format!("BELOW: {row}"));
    let wrong: Vec<_> = failed.chain(below).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_below_its_floor_fails_the_run_but_not_a_short_one() {
        let mut metrics = Metrics::default();
        let slow = [("coordd", vec![10_001.0])].into();
        metrics.values.insert("pause-leader.gap-ms".to_owned(), slow);
        let why = passed(&metrics, false).unwrap_err().to_string();
        assert_eq!(why, "BELOW: pause-leader.gap-ms is 10001, floor ≤ 2000");
        passed(&metrics, true).unwrap();
        metrics.failed.push("set-1 on coordd: lost".to_owned());
        assert!(passed(&metrics, true).is_err(), "a failed scenario");
    }
}
