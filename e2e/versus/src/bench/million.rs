//! A large tree: what a znode costs in memory, and what snapshots, a refill and a restart cost everyone else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::bulk;
use super::busy::{Busy, WRITERS};
use super::scenario::Context;
use super::setup::{SESSION_MS, make_znodes};

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

/// Members take snapshots, one after another, for as long as writes are counted.
pub fn snapshot_1m(context: &mut Context<'_>) -> Result<()> {
    filled(context)?;
    make_znodes(context, WRITERS, 1)?;
    let least = Duration::from_secs(if context.options.short { 1 } else { 5 });
    let mut busy = Busy::start(context)?;
    let ensemble = &context.ensemble;
    let (taken, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let compared = thread::scope(|scope| {
        let snapshots = scope.spawn(|| -> Result<()> {
            while !enough.load(Ordering::Acquire) {
                ensemble.snapshot(taken.load(Ordering::Acquire) % ensemble.members.len())?;
                taken.fetch_add(1, Ordering::Release);
            }
            Ok(())
        });
        let begin = Instant::now();
        // Each member has its turn, the leader too.
        let wanted = || begin.elapsed() < least || taken.load(Ordering::Acquire) < ensemble.members.len();
        let mut ran = Ok(());
        while ran.is_ok() && wanted() && !snapshots.is_finished() {
            ran = busy.run(Duration::from_millis(10));
        }
        let compared = ran.and_then(|()| busy.finish());
        enough.store(true, Ordering::Release);
        snapshots.join().map_err(|_| anyhow!("the snapshot thread panicked"))??;
        compared
    })?;
    compared.record(context, "snapshot-1m");
    context.record("snapshot-1m.snapshots", taken.into_inner() as f64);
    Ok(())
}

pub fn refill_1m(context: &mut Context<'_>) -> Result<()> {
    filled(context)?;
    make_znodes(context, WRITERS, 1)?;
    let follower = (context.ensemble.leader()? + 1) % context.ensemble.members.len();
    let mut busy = Busy::start(context)?;
    busy.load.taken = Some(follower);
    context.ensemble.kill(follower)?;
    busy.run(Duration::from_secs(1))?;
    let begin = Instant::now();
    busy.mark();
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
        refill.join().map_err(|_| anyhow!("the refilling thread panicked"))?
    })?;
    busy.finish()?.record(context, "refill-1m");
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
