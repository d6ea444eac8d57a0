//! `versus faults`: clients work while members are killed, stopped and parted; then the checker reads what they wrote.
//!
//! ```text
//!   workers (threads) ─► ensemble of processes ◄─ injector (signals, proxy.rs between peers)
//!        └─► histories ─► checker ─► every broken promise, or the proof that the history was heavy enough to count
//! ```
//!
//! Rule: a run without violations passes only when it has enough acknowledged calls, enough faults, and calls in flight
//! at each. Reason: a quiet history is no evidence.

mod answers;
pub mod build;
pub(crate) mod ends;
mod full_disk;
pub mod injector;
pub mod mix;
pub mod proxy;
mod requests;
pub mod runs;
pub mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use clap::Args;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use ends::{last_look, prepare};
use injector::Injector;
use proxy::Links;
pub use runs::Run;
use runs::runs;
use worker::{Manner, Shared, Worker};

use crate::checker::{self, Violation};
use crate::history::{History, What};
use crate::servers::{Ensemble, Kind, may_mount};

#[derive(Debug, Clone, Args)]
pub struct Options {
    #[arg(long, default_value = "coordd")]
    pub server: Kind,
    /// Faults to inject
    #[arg(long, default_value_t = 24)]
    pub faults: usize,
    /// Kinds of faults; all that fit when none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<injector::Kind>,
    /// Clients at work
    #[arg(long, default_value_t = 12)]
    pub clients: usize,
    /// What chance decides, and with which kind the faults begin; the number of today's day in the short form, else 1
    #[arg(long)]
    pub seed: Option<u64>,
    /// Acknowledged calls that a history needs to count
    #[arg(long, default_value_t = 100_000)]
    pub calls: usize,
    /// A few faults, others each day; then, by a build with switches, all that what is shipped does not take
    #[arg(long)]
    pub short: bool,
    /// Use a build of coordd with switches, which clock jumps and slow disks need; it is built when it is missing
    #[arg(long)]
    pub switches: bool,
    /// Give each member a small file system of its own, which full disks need; only root may
    #[arg(long)]
    pub small_disks: bool,
    /// Rounds of a restart loop; 2 in the short form, else 50
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Where the servers keep their data
    #[arg(long, default_value = "target/versus/faults")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 24000)]
    pub base_port: u16,
}

/// Runs, checks, and fails with what was broken.
pub fn run(options: &Options) -> Result<()> {
    let runs = runs(options)?;
    if options.short && !may_mount() {
        println!("full disks are left out: only root may mount small file systems");
    }
    runs.into_iter().try_for_each(one)?;
    println!("every promise was kept");
    Ok(())
}

fn one(mut run: Run) -> Result<()> {
    if run.plan.switches {
        run.plan.program = Some(build::with_switches()?);
    }
    let (history, hurt) = record(&run)?;
    let violations = report(&history);
    hurt?;
    run.weight.check(history.acknowledged(), &history.faults)?;
    if !violations.is_empty() {
        let promises: BTreeSet<_> = violations.iter().map(|v| v.promise).collect();
        bail!("broken promises: {promises:?} (seed {})", run.seed);
    }
    Ok(())
}

/// Says what is in a history and what is wrong with it.
pub fn report(history: &History) -> Vec<Violation> {
    let (acknowledged, faults) = (history.acknowledged(), &history.faults);
    let unknown = history.calls().filter(|c| c.reply.is_none()).count();
    let events =
        history.clients.iter().flat_map(|c| &c.entries).filter(|e| matches!(e.what, What::Event { .. })).count();
    let least = faults.iter().map(|fault| fault.in_flight).min().unwrap_or(0);
    println!(
        "{acknowledged} acknowledged calls, {unknown} of unknown outcome, {events} events, {} faults with {least} or \
         more calls in flight",
        faults.len()
    );
    let violations = checker::check(history);
    let mut count: BTreeMap<_, usize> = BTreeMap::new();
    for violation in &violations {
        let seen = count.entry(violation.promise).or_default();
        *seen += 1;
        if *seen <= 5 {
            println!("  {violation}");
        }
    }
    if !count.is_empty() {
        println!("  broken, by promise: {count:?}");
    }
    violations
}

/// What the clients saw, and whether all faults could be injected and the ensemble went on after each.
pub fn record(run: &Run) -> Result<(History, Result<()>)> {
    let links = Links::start(&run.plan)?;
    let _end = EndLinks(&links);
    let mut ensemble = Ensemble::start(run.plan.clone())?;
    (0..3).for_each(|member| links.set_pid(member, ensemble.pid(member)));
    let shared = Shared::new(ensemble.clients().iter().map(ToString::to_string).collect());
    let prepared = prepare(&shared)?;
    let workers: Vec<_> = (0..run.clients)
        .map(|number| {
            let worker = Worker::new(shared.clone(), number, run.seed, Manner::ROUGH);
            thread::spawn(move || worker.run())
        })
        .collect();
    let rng = SmallRng::seed_from_u64(run.seed);
    let mut injector = Injector {
        ensemble: &mut ensemble,
        links: &links,
        shared: &shared,
        rng,
        faults: Vec::new(),
        rounds: run.rounds,
    };
    let hurt = hurt(run, &mut injector);
    let faults = injector.faults;
    shared.stop.store(true, Ordering::Relaxed);
    let mut history = History { clients: vec![prepared], faults };
    for worker in workers {
        history.clients.push(worker.join().map_err(|_| anyhow!("a worker panicked"))?);
    }
    history.clients.push(last_look(&shared, &history, &shared.servers, run.clients + 1));
    Ok((history, hurt))
}

/// Frees the proxies' ports, however a run ends.
struct EndLinks<'a>(&'a Links);

impl Drop for EndLinks<'_> {
    fn drop(&mut self) {
        self.0.end();
        // Each proxy looks every other millisecond.
        thread::sleep(Duration::from_millis(20));
    }
}

fn hurt(run: &Run, injector: &mut Injector<'_>) -> Result<()> {
    ensure!(!run.kinds.is_empty(), "none of the faults fits");
    injector.work_goes_on()?;
    for (at, kind) in run.kinds.iter().cycle().enumerate() {
        if at >= run.kinds.len() && injector.faults.len() >= run.weight.faults {
            break;
        }
        injector.inject(*kind)?;
    }
    while injector.shared.acknowledged.load(Ordering::Relaxed) < run.weight.acknowledged {
        injector.work_goes_on()?;
    }
    // What was abandoned last has its session's time to end.
    thread::sleep(Duration::from_millis(500));
    Ok(())
}
