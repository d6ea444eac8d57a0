//! Which runs a command line asks for, and which faults each of them brings.
//!
//! ```text
//!   long         one run: every kind that fits, once at least
//!   short        what is shipped:  some of the kinds that fit it, others each day
//!                with switches:    all the others, on small disks where those may be made, every day
//! ```
//!
//! Rule: whoever runs the short form on successive days has met every kind. Reason: it is what CI runs, and a kind
//! that never comes there is proved by nobody.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::Options;
use super::injector::{Kind, Weight};
use crate::servers::{self, Plan, may_mount};

/// Small enough to fill in a moment, large enough for a log and its snapshots.
const SMALL_DISK_MIB: u32 = 96;
/// Faults of a short run.
const FEW: usize = 6;

/// One run: who works, what is done to which ensemble, and what it takes to count.
#[derive(Debug, Clone)]
pub struct Run {
    pub plan: Plan,
    /// Each of them once at least, in this order.
    pub kinds: Vec<Kind>,
    pub weight: Weight,
    pub rounds: usize,
    pub clients: usize,
    pub seed: u64,
}

impl Run {
    /// An ensemble of three behind proxies, whose sessions end soon.
    pub fn new(server: servers::Kind, dir: &Path, base_port: u16, seed: u64) -> Result<Run> {
        std::fs::create_dir_all(dir)?;
        let mut plan = Plan::new(server, 3, &dir.canonicalize()?, base_port);
        plan.proxied = server == servers::Kind::Coordd;
        plan.tick_ms = 500;
        let weight = Weight { acknowledged: 100_000, faults: 24 };
        Ok(Run { plan, kinds: Vec::new(), weight, rounds: 2, clients: 12, seed })
    }

    /// What the options ask for, without a choice of kinds.
    fn of(options: &Options, seed: u64) -> Result<Run> {
        let mut run = Run::new(options.server, &options.dir, options.base_port, seed)?;
        let faults = if options.short { options.faults.min(FEW) } else { options.faults };
        run.weight = Weight { acknowledged: options.calls, faults };
        run.rounds = options.rounds.unwrap_or(if options.short { 2 } else { 50 });
        run.clients = options.clients;
        run.plan.switches = options.switches;
        if options.small_disks {
            run.plan.small_disks = Some(SMALL_DISK_MIB);
            run.plan.settings.push(("COORDD_LOG_SEGMENT_BYTES", "4MiB".to_owned()));
            run.plan.settings.push(("COORDD_MIN_FREE_BYTES", "16MiB".to_owned()));
        }
        Ok(run)
    }

    fn fitting(&self) -> Vec<Kind> {
        Kind::value_variants().iter().copied().filter(|kind| kind.fits(&self.plan)).collect()
    }
}

/// The runs, one after the other.
pub(super) fn runs(options: &Options) -> Result<Vec<Run>> {
    let seed = options.seed.unwrap_or_else(|| if options.short { today() } else { 1 });
    ensure!(!options.small_disks || may_mount(), "only root may mount small file systems");
    let mut first = Run::of(options, seed)?;
    let fitting = first.fitting();
    if !options.only.is_empty() {
        first.kinds = fitting.into_iter().filter(|kind| options.only.contains(kind)).collect();
    } else if !options.short {
        first.kinds = fitting;
    } else {
        first.kinds = in_turn(fitting.clone(), seed, first.weight.faults);
        return Ok([Some(first), rest(options, seed, &fitting)?].into_iter().flatten().collect());
    }
    Ok(vec![first])
}

/// The run of all kinds that do not fit the first one.
fn rest(options: &Options, seed: u64, had: &[Kind]) -> Result<Option<Run>> {
    if options.server != servers::Kind::Coordd {
        return Ok(None);
    }
    let hard = Options { switches: true, small_disks: may_mount(), ..options.clone() };
    let mut run = Run::of(&hard, seed)?;
    run.kinds = run.fitting().into_iter().filter(|kind| !had.contains(kind)).collect();
    Ok(Some(run).filter(|run| !run.kinds.is_empty()))
}

/// So that each has its turn though a run takes only `count` of them: the next seed goes on where this one ends.
fn in_turn(mut kinds: Vec<Kind>, seed: u64, count: usize) -> Vec<Kind> {
    if let Some(first) = seed.wrapping_mul(count as u64).checked_rem(kinds.len() as u64) {
        kinds.rotate_left(first as usize);
    }
    kinds.truncate(count);
    kinds
}

/// The number of the day.
pub(crate) fn today() -> u64 {
    const DAY_SECS: u64 = 24 * 60 * 60;
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY_SECS)
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

    fn runs_of(words: &[&str], day: u64) -> Vec<Run> {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Line::parse_from([&["faults"], words].concat()).options;
        (options.dir, options.seed) = (dir.path().to_owned(), Some(day));
        runs(&options).unwrap()
    }

    /// As `cargo verify` runs it: not of the kinds that there are, but of those that fit the ensembles it starts.
    #[test]
    fn short_runs_of_successive_days_leave_no_kind_out() {
        let all = Kind::value_variants();
        for day in [0, 20_783] {
            let runs: Vec<_> = (day..day + 3).flat_map(|day| runs_of(&["--short"], day)).collect();
            let seen: Vec<_> = runs.iter().flat_map(|run| &run.kinds).copied().collect();
            let full_disk = |kind: &Kind| matches!(kind, Kind::FullLeader | Kind::FullFollower);
            let missing: Vec<_> = all.iter().filter(|kind| !seen.contains(kind)).collect();
            assert!(missing.iter().all(|kind| full_disk(kind) && !may_mount()), "{missing:?} never come");
            assert!(runs.iter().all(|run| run.kinds.iter().all(|kind| kind.fits(&run.plan))));
        }
    }

    #[test]
    fn what_is_shipped_and_the_disk_of_the_machine_are_tried_every_day() {
        let runs = runs_of(&["--short"], 7);
        let (shipped, hard) = (&runs[0], &runs[1]);
        assert!(!shipped.plan.switches && shipped.plan.small_disks.is_none() && shipped.kinds.len() == FEW);
        assert!(hard.plan.switches && hard.kinds.contains(&Kind::ClockJump));
        assert!(runs.iter().all(|run| run.weight.acknowledged >= 100_000));
    }

    #[test]
    fn who_names_kinds_gets_one_run_of_them() {
        let runs = runs_of(&["--short", "--switches", "--only", "slow-leader,kill-all"], 7);
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].kinds, [Kind::KillAll, Kind::SlowLeader]);
        assert_eq!(runs_of(&["--short", "--server", "zookeeper"], 7).len(), 1);
        assert!(runs_of(&[], 7)[0].kinds.len() > FEW);
    }
}
