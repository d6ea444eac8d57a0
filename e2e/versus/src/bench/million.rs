//! A large tree: what a znode costs in memory, and what snapshots, a refill and a restart cost everyone else.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::bulk;
use super::scenario::Context;
use super::setup::{SESSION_MS, make_znodes};
use super::writers::Writers;
use crate::load::Engine;
use crate::wire::Attach;

const WRITERS: usize = 9;

pub fn bytes_per_znode(context: &mut Context<'_>) -> Result<()> {
    let (count, idle) = if context.options.short { (20_000, 3) } else { (500_000, 60) };
    let empty = context.ensemble.resident();
    bulk::fill(&context.ensemble.clients(), count)?;
    (0..context.ensemble.members.len()).try_for_each(|i| context.ensemble.snapshot(i))?;
    thread::sleep(Duration::from_secs(idle));
    let full = context.ensemble.resident();
    let grown = full.iter().zip(&empty).map(|(full, empty)| full.saturating_sub(*empty)).max().unwrap_or(0);
    context.record("bytes-per-znode.bytes", grown as f64 / count as f64);
    Ok(())
}

fn size(context: &Context<'_>) -> usize {
    if context.options.short { 20_000 } else { 1_000_000 }
}

/// The tree is filled once for the scenarios that share the ensemble.
fn filled(context: &Context<'_>) -> Result<()> {
    use crate::client::Client;
    use crate::wire::op;
    let mut client = Client::open(context.ensemble.members[0].client, SESSION_MS)?;
    let there = client.call(op::EXISTS, |w| {
        w.string("/a");
        w.bool(false);
    })?;
    if there.err == 0 { Ok(()) } else { bulk::fill(&context.ensemble.clients(), size(context)) }
}

/// Writers at work while something else goes on.
struct Busy {
    engine: Engine,
    load: Writers,
    before_ms: f64,
}

impl Busy {
    fn start(context: &Context<'_>) -> Result<Self> {
        make_znodes(context, WRITERS, 1)?;
        let servers = context.ensemble.clients();
        let mut engine = Engine::new(Duration::from_millis(5))?;
        for i in 0..WRITERS {
            engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
        }
        let mut load = Writers::new(WRITERS, 4, servers)?;
        engine.open_all(&mut load)?;
        engine.run(&mut load, Duration::from_secs(1))?;
        load.mark(engine.now());
        engine.run(&mut load, Duration::from_secs(5))?;
        let before_ms = load.latency.value_at_quantile(0.99) as f64 / 1e6;
        load.mark(engine.now());
        Ok(Busy { engine, load, before_ms })
    }

    fn run(&mut self, time: Duration) -> Result<()> {
        self.engine.run(&mut self.load, time).map(drop)
    }

    fn record(&self, context: &mut Context<'_>, name: &str) -> Result<()> {
        let during = self.load.latency.value_at_quantile(0.99) as f64 / 1e6;
        ensure!(!self.load.latency.is_empty(), "nothing was written meanwhile");
        context.record(&format!("{name}.p99-before-ms"), self.before_ms);
        context.record(&format!("{name}.p99-during-ms"), during);
        context.record(&format!("{name}.p99-times"), during / self.before_ms);
        Ok(())
    }
}

pub fn snapshot_1m(context: &mut Context<'_>) -> Result<()> {
    filled(context)?;
    let mut busy = Busy::start(context)?;
    let ensemble = &context.ensemble;
    thread::scope(|scope| -> Result<()> {
        let all = || (0..ensemble.members.len()).try_for_each(|i| ensemble.snapshot(i));
        let snapshots = scope.spawn(all);
        // ZooKeeper writes one by itself within this time; the others say when they are done.
        busy.run(Duration::from_secs(if context.options.short { 1 } else { 5 }))?;
        while !snapshots.is_finished() {
            busy.run(Duration::from_millis(50))?;
        }
        snapshots.join().map_err(|_| anyhow::anyhow!("the snapshot thread panicked"))?
    })?;
    busy.record(context, "snapshot-1m")
}

pub fn refill_1m(context: &mut Context<'_>) -> Result<()> {
    filled(context)?;
    let follower = (context.ensemble.leader()? + 1) % context.ensemble.members.len();
    let mut busy = Busy::start(context)?;
    busy.load.taken = Some(follower);
    context.ensemble.kill(follower)?;
    busy.run(Duration::from_secs(1))?;
    let begin = Instant::now();
    busy.load.mark(busy.engine.now());
    let ensemble = &mut context.ensemble;
    thread::scope(|scope| -> Result<()> {
        let refill = scope.spawn(|| -> Result<()> {
            ensemble.refill(follower)?;
            while ensemble.mode(follower).is_none() {
                ensure!(begin.elapsed() < Duration::from_secs(180), "the member is not filled after 180 s");
                thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        });
        while !refill.is_finished() {
            busy.run(Duration::from_millis(50))?;
        }
        refill.join().map_err(|_| anyhow::anyhow!("the refilling thread panicked"))?
    })?;
    busy.record(context, "refill-1m")?;
    context.record("refill-1m.seconds", begin.elapsed().as_secs_f64());
    Ok(())
}

pub fn recover_1m(context: &mut Context<'_>) -> Result<()> {
    filled(context)?;
    let leader = context.ensemble.leader()?;
    context.ensemble.kill(leader)?;
    let begin = Instant::now();
    context.ensemble.run(leader)?;
    context.ensemble.wait_ready(Duration::from_secs(180))?;
    context.record("recover-1m.ready-s", begin.elapsed().as_secs_f64());
    Ok(())
}
