//! The leader is killed, told to end, or paused: how long nobody can write, and what the others notice.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::scenario::Context;
use super::setup::{SESSION_MS, make_znodes};
use super::writers::Writers;
use crate::load::Engine;
use crate::wire::Attach;

/// Three on each member.
const WRITERS: usize = 9;

pub fn kill_leader(context: &mut Context<'_>) -> Result<()> {
    take_leader(context, "kill-leader", Signal::KILL)
}

pub fn sigterm_leader(context: &mut Context<'_>) -> Result<()> {
    take_leader(context, "sigterm-leader", Signal::TERM)
}

pub fn pause_leader(context: &mut Context<'_>) -> Result<()> {
    take_leader(context, "pause-leader", Signal::STOP)
}

fn take_leader(context: &mut Context<'_>, name: &str, signal: Signal) -> Result<()> {
    let times = if context.options.short { 2 } else { 20 };
    let (mut gaps, mut lost, mut unknown) = (Vec::new(), 0, 0);
    for _ in 0..times {
        let seen = once(context, signal)?;
        eprintln!("      gap {:.1} ms, {} lost, {} unknown", seen.0, seen.1, seen.2);
        gaps.push(seen.0);
        lost += seen.1;
        unknown += seen.2;
    }
    gaps.sort_by(f64::total_cmp);
    context.record(&format!("{name}.gap-ms"), gaps[gaps.len() - 1]);
    context.record(&format!("{name}.gap-median-ms"), gaps[gaps.len() / 2]);
    context.record(&format!("{name}.lost"), lost as f64);
    context.record(&format!("{name}.unknown"), unknown as f64);
    Ok(())
}

/// Takes the leader away once: the longest gap in ms, connections lost, outcomes unknown.
fn once(context: &mut Context<'_>, signal: Signal) -> Result<(f64, usize, usize)> {
    make_znodes(context, WRITERS, 1)?;
    let leader = context.ensemble.leader()?;
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(1))?;
    for i in 0..WRITERS {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = Writers::new(WRITERS, 1, servers)?;
    engine.open_all(&mut load)?;
    engine.run(&mut load, Duration::from_secs(1))?;
    load.mark(engine.now());
    load.taken = Some(leader);
    context.ensemble.signal(leader, signal)?;
    // Long enough that a second stumble would show.
    engine.run(&mut load, Duration::from_secs(3))?;
    let begin = engine.now();
    let paused = signal == Signal::STOP;
    // Nobody is told that a paused member is gone: its own writers wait for it.
    while if paused { !load.survivors_served() } else { !load.all_served() } {
        ensure!(engine.now() - begin < 60_000_000_000, "a writer is not served 60 s after the leader went");
        engine.run(&mut load, Duration::from_millis(100))?;
    }
    if paused {
        engine.run(&mut load, Duration::from_secs(2))?;
        context.ensemble.signal(leader, Signal::CONT)?;
        engine.run(&mut load, Duration::from_secs(1))?;
    }
    let seen = (load.longest_gap(engine.now()) as f64 / 1e6, load.lost, load.unknown);
    if !paused {
        context.ensemble.wait_end(leader, Duration::from_secs(30))?;
        context.ensemble.run(leader)?;
    }
    context.ensemble.wait_ready(Duration::from_secs(60))?;
    // It catches up before the next one goes.
    std::thread::sleep(Duration::from_secs(1));
    Ok(seen)
}
