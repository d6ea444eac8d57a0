//! `versus differ`: the same random requests at two servers, every reply, Stat and event compared.
//!
//! ```text
//!   generate (seed) ─► steps ─┬─► side a (thread) ─► outcomes ─┐
//!                             └─► side b (thread) ─► outcomes ─┴─► compare ─► allowed? ─► shrink ─► report
//! ```
//!
//! Rule: a difference is a defect unless `allowed.rs` names it; a run prints how often each entry was met. Reason:
//! programs written for ZooKeeper rely on more than its documentation says; ZooKeeper itself is the only complete
//! description.

pub mod allowed;
#[cfg(test)]
mod allowed_tests;
pub mod compare;
pub mod fields;
pub mod generate;
pub mod nulls;
pub mod relate;
pub mod shrink;
pub mod side;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use allowed::{Allowed, Uses};
use compare::{Comparison, Difference};
use generate::{Script, Step};
use side::{Item, Outcome, Side};

use crate::servers::{Ensemble, Kind, Plan};

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Requests to send to each side
    #[arg(long, default_value_t = 20_000)]
    pub ops: usize,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The two sides
    #[arg(long, default_value = "zookeeper")]
    pub a: Kind,
    #[arg(long, default_value = "coordd")]
    pub b: Kind,
    /// Servers of each side; the sessions are spread over them
    #[arg(long, default_value_t = 1)]
    pub members: usize,
    /// Runs that may be spent on making a failing script short
    #[arg(long, default_value_t = 60)]
    pub shrink: usize,
    /// Go on after a difference and show one of each kind; later ones may follow from earlier ones
    #[arg(long)]
    pub all: bool,
    /// Where the servers keep their data
    #[arg(long, default_value = "target/versus/differ")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 23000)]
    pub base_port: u16,
}

/// Runs the script; fails with the shortest script found that shows a difference without a name.
pub fn run(options: &Options) -> Result<()> {
    let mut requests = 0;
    let mut script = Script::new(options.seed, options.members > 1);
    let steps: Vec<Step> = script
        .by_ref()
        .take_while(|step| {
            requests += if let Step::Burst { requests, .. } = step { requests.len() } else { 0 };
            requests <= options.ops
        })
        .collect();
    eprintln!("seed {}: {} requests in {} steps", options.seed, options.ops, steps.len());
    let mut seen = play(options, &steps, true)?;
    seen.uses.add(script.left_out());
    seen.uses.lines().for_each(|line| println!("{line}"));
    for (op, codes) in &seen.answers {
        let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{code}: {count}")).collect();
        println!("op {op:3} answered with {}", codes.join(", "));
    }
    println!("{} events at {} server(s) a side", seen.events, options.members);
    let Some(first) = seen.first else {
        println!("no difference in {} requests (seed {})", options.ops, options.seed);
        return Ok(());
    };
    if options.all {
        for (kind, (difference, count)) in &seen.kinds {
            println!("{count} times {kind}\n{difference}\n");
        }
        bail!("the two differ in {} kinds", seen.kinds.len());
    }
    println!("{first}");
    eprintln!("making the script shorter, at most {} runs", options.shrink);
    let head = steps[..=first.index].to_vec();
    let short = shrink::shrink(head, options.shrink, |steps| Ok(play(options, steps, false)?.first.is_some()))?;
    println!("\n{} steps that show it:", short.len());
    short.iter().for_each(|step| println!("  {step:?}"));
    if let Some(last) = play(options, &short, false)?.first {
        println!("\n{last}");
    }
    bail!("the two differ")
}

/// What a run has shown.
#[derive(Default)]
struct Seen {
    first: Option<Difference>,
    uses: Uses,
    /// How often each op was answered with each code, and how many events came: what the script really reached.
    answers: BTreeMap<i32, BTreeMap<i32, usize>>,
    events: usize,
    /// The first difference of each kind, and how many there were of it.
    kinds: BTreeMap<String, (Difference, usize)>,
}

impl Seen {
    fn count(&mut self, outcome: &Outcome) {
        for (_, item) in outcome {
            match item {
                Item::Reply { op, err, .. } => *self.answers.entry(*op).or_default().entry(*err).or_default() += 1,
                Item::Event(_) => self.events += 1,
                _ => {}
            }
        }
    }
}

/// One of the two sides.
fn plan_of(options: &Options, kind: Kind, dir: &Path, base_port: u16, uses: &mut Uses) -> Plan {
    let mut plan = Plan::new(kind, options.members, dir, base_port);
    plan.reap_interval_ms = 24 * 3600 * 1000;
    uses.count(Allowed::Reaping);
    plan
}

/// Plays the steps on two fresh servers, up to the first difference without a name.
fn play(options: &Options, steps: &[Step], progress: bool) -> Result<Seen> {
    std::fs::create_dir_all(&options.dir)?;
    let dir = options.dir.canonicalize()?;
    let mut seen = Seen::default();
    let a = Ensemble::start(plan_of(options, options.a, &dir.join("a"), options.base_port, &mut seen.uses))?;
    let b = Ensemble::start(plan_of(options, options.b, &dir.join("b"), options.base_port + 100, &mut seen.uses))?;
    let steps: Arc<[Step]> = steps.into();
    let outcomes_a = perform(a.clients(), &steps);
    let outcomes_b = perform(b.clients(), &steps);
    let mut comparison = Comparison::new(options.a, options.b);
    for (index, step) in steps.iter().enumerate() {
        let outcome = |from: &Receiver<Result<Outcome>>, side: &str| {
            from.recv().context("a side ended early")?.with_context(|| format!("side {side}, step {index}: {step:?}"))
        };
        let (from_a, from_b) = (outcome(&outcomes_a, "a")?, outcome(&outcomes_b, "b")?);
        seen.count(&from_a);
        for difference in comparison.step(index, step, from_a, from_b) {
            let kind = difference.kind();
            seen.kinds.entry(kind).or_insert_with(|| (difference.clone(), 0)).1 += 1;
            seen.first.get_or_insert(difference);
            if !(options.all && progress) {
                seen.uses.add(comparison.uses());
                return Ok(seen);
            }
        }
        if progress && index % 20_000 == 19_999 {
            eprintln!("  step {} of {}", index + 1, steps.len());
        }
    }
    seen.uses.add(comparison.uses());
    Ok(seen)
}

/// Performs the steps in a thread, a bounded way ahead of the comparison.
fn perform(servers: Vec<SocketAddr>, steps: &Arc<[Step]>) -> Receiver<Result<Outcome>> {
    let (send, receive) = sync_channel(256);
    let steps = steps.clone();
    thread::spawn(move || {
        let mut side = match Side::new(servers) {
            Ok(side) => side,
            // Nobody who is gone needs to be told.
            Err(error) => return drop(send.send(Err(error))),
        };
        for step in steps.iter() {
            let outcome = side.perform(step);
            let failed = outcome.is_err();
            if send.send(outcome).is_err() || failed {
                return;
            }
        }
    });
    receive
}
