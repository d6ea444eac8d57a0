//! `versus planted`: the checker against bugs that were put into coordd for it, on real ensembles under faults.
//!
//! ```text
//!   for each bug:  ensemble with the bug ─► faults that show it ─► history ─► the checker must name the broken promise
//!                  ensemble without      ─► the same faults     ─► history ─► the checker must name nothing
//! ```
//!
//! Rule: a bug counts as found only by the promise that it breaks, and its faults must pass without it. Reason: a
//! checker that cries at everything finds every bug, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::checker::Promise;
use crate::faults::injector::{Kind as Fault, Weight};
use crate::faults::{self, Run, build, runs};
use crate::servers::Kind;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Bugs by name; all when none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// One bug, another each day
    #[arg(long, conflicts_with = "only")]
    pub today: bool,
    /// Leave the runs without a bug out
    #[arg(long)]
    pub bugs_only: bool,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the servers keep their data
    #[arg(long, default_value = "target/versus/planted")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 24500)]
    pub base_port: u16,
}

/// A bug, what shows it, and which promises it breaks.
struct Case {
    bug: &'static str,
    faults: &'static [Fault],
    breaks: &'static [Promise],
}

const CASES: &[Case] = &[
    Case { bug: "before-quorum", faults: &[Fault::KillLeader, Fault::KillAll], breaks: &[Promise::WriteKept] },
    Case { bug: "before-fsync", faults: &[Fault::KillAll], breaks: &[Promise::WriteKept] },
    Case { bug: "event-after-reply", faults: &[Fault::KillFollower], breaks: &[Promise::EventInTime] },
    Case { bug: "stale-attach", faults: &[Fault::KillFollower], breaks: &[Promise::StaleConnection] },
    Case { bug: "expire-on-leader-change", faults: &[Fault::KillLeader], breaks: &[Promise::SessionKept] },
    Case { bug: "applied-twice", faults: &[Fault::BreakLinks], breaks: &[Promise::AppliedOnce] },
    Case { bug: "snapshot-forgets", faults: &[Fault::KillAll], breaks: &[Promise::SessionKept] },
    Case { bug: "zxid-twice", faults: &[Fault::KillFollower], breaks: &[Promise::ZxidUnique] },
];

const WEIGHT: Weight = Weight { acknowledged: 10_000, faults: 4 };

/// The cases that the options name.
fn chosen(options: &Options, day: u64) -> Result<Vec<&'static Case>> {
    let known: BTreeSet<&str> = CASES.iter().map(|case| case.bug).collect();
    let strange = options.only.iter().find(|name| !known.contains(name.as_str()));
    ensure!(strange.is_none(), "no bug is named {strange:?}; there are {known:?}");
    if options.today {
        return Ok(vec![&CASES[(day % CASES.len() as u64) as usize]]);
    }
    let is_named = |case: &&Case| options.only.is_empty() || options.only.iter().any(|name| name == case.bug);
    Ok(CASES.iter().filter(is_named).collect())
}

/// Runs every case, then each mix of faults without a bug; fails with what was missed or cried at.
pub fn run(options: &Options) -> Result<()> {
    let program = build::with_switches()?;
    let cases = chosen(options, runs::today())?;
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(why) = find(options, &program, case) {
            println!("  {why:#}");
            wrong.push(case.bug.to_owned());
        }
    }
    let mixes: BTreeMap<String, &[Fault]> =
        cases.iter().map(|case| (format!("{:?}", case.faults), case.faults)).collect();
    for (name, mix) in mixes.iter().filter(|_| !options.bugs_only) {
        if let Err(why) = pass(options, &program, name, mix) {
            println!("  {why:#}");
            wrong.push(format!("no bug under {name}"));
        }
    }
    ensure!(wrong.is_empty(), "the checker failed at: {}", wrong.join(", "));
    println!("each planted bug was found, and nothing where none was");
    Ok(())
}

/// An ensemble with a bug, or with `none`, that loses un-synced bytes when it is killed and takes snapshots often.
fn ensemble(options: &Options, program: &Path, bug: &str, faults: &[Fault]) -> Result<Run> {
    let mut run = Run::new(Kind::Coordd, &options.dir.join(bug), options.base_port, options.seed)?;
    run.plan.program = Some(program.to_owned());
    run.plan.switches = true;
    // A proxy accepts a dial for who is dead, so that followers take longer to see that their leader is.
    run.plan.proxied = faults.contains(&Fault::BreakLinks);
    run.plan.settings.push(("COORDD_PLANTED", bug.to_owned()));
    run.plan.settings.push(("COORDD_SNAPSHOT_ENTRIES", "500".to_owned()));
    run.kinds = faults.to_vec();
    run.weight = WEIGHT;
    Ok(run)
}

fn find(options: &Options, program: &Path, case: &Case) -> Result<()> {
    println!("{}: planted, must break {:?}", case.bug, case.breaks);
    let begin = Instant::now();
    let (history, hurt) = faults::record(&ensemble(options, program, case.bug, case.faults)?)?;
    if let Err(why) = hurt {
        println!("  it broke more than its promises: {why:#}");
    }
    let broken: BTreeSet<_> = faults::report(&history).into_iter().map(|v| v.promise).collect();
    ensure!(case.breaks.iter().any(|promise| broken.contains(promise)), "{}: not found, only {broken:?}", case.bug);
    println!("  found in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn pass(options: &Options, program: &Path, name: &str, mix: &[Fault]) -> Result<()> {
    println!("none: under {name}, must break nothing");
    let (history, hurt) = faults::record(&ensemble(options, program, "none", mix)?)?;
    let broken = faults::report(&history);
    hurt.with_context(|| format!("no bug under {name}"))?;
    WEIGHT.check(history.acknowledged(), &history.faults)?;
    ensure!(broken.is_empty(), "no bug under {name}, and {} promises broken", broken.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn bugs(words: &[&str], day: u64) -> Vec<&'static str> {
        let options = Line::parse_from([&["planted"], words].concat()).options;
        chosen(&options, day).unwrap().iter().map(|case| case.bug).collect()
    }

    #[test]
    fn one_bug_a_day_is_in_eight_days_every_bug() {
        for first in [0, 20_783] {
            let days: Vec<_> = (first..first + 8).map(|day| bugs(&["--today"], day)).collect();
            assert!(days.iter().all(|bugs| bugs.len() == 1));
            let seen: BTreeSet<_> = days.concat().into_iter().collect();
            assert_eq!(seen, bugs(&[], first).into_iter().collect());
        }
        assert_eq!(bugs(&["--only", "zxid-twice"], 3), ["zxid-twice"]);
    }
}
