//! Throughput with 32 × 32 requests in flight, and latency with one.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::scenario::Context;
use super::setup::{SESSION_MS, make_znodes};
use super::workload::{ClosedLoop, Work};
use crate::load::Engine;
use crate::servers::procfs;
use crate::wire::Attach;

pub fn set_32x32(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "set-32x32", Work::Set, 32, 32)
}

pub fn get_32x32(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "get-32x32", Work::Get, 32, 32)
}

pub fn mixed_32x32(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "mixed-32x32", Work::Mixed, 32, 32)
}

pub fn create_delete_32x32(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "create-delete-32x32", Work::CreateDelete, 32, 32)
}

pub fn set_1(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "set-1", Work::Set, 1, 1)
}

pub fn get_1(context: &mut Context<'_>) -> Result<()> {
    closed_loop(context, "get-1", Work::Get, 1, 1)
}

fn closed_loop(context: &mut Context<'_>, name: &str, work: Work, conns: usize, in_flight: usize) -> Result<()> {
    make_znodes(context, conns, in_flight)?;
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(100))?;
    for i in 0..conns {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = ClosedLoop::new(work, conns, in_flight)?;
    engine.open_all(&mut load)?;
    engine.start(|conn| load.prime(conn));
    let span = context.options.span();
    engine.run(&mut load, span.warm_up)?;
    for _ in 0..context.options.slices() {
        load.latency.reset();
        let (replies, now) = (load.replies, engine.now());
        let (servers_cpu, own_cpu) = (context.ensemble.cpu(), procfs::own_cpu_seconds());
        let fsyncs = context.ensemble.fsyncs();
        engine.run(&mut load, span.measured)?;
        let seconds = (engine.now() - now) as f64 / 1e9;
        let done = (load.replies - replies) as f64;
        context.record(&format!("{name}.rate"), done / seconds);
        context.record(&format!("{name}.p50-us"), load.latency.value_at_quantile(0.5) as f64 / 1e3);
        context.record(&format!("{name}.p99-us"), load.latency.value_at_quantile(0.99) as f64 / 1e3);
        context.record_fsyncs(name, fsyncs, done);
        let cpu: f64 = context.ensemble.cpu().iter().sum::<f64>() - servers_cpu.iter().sum::<f64>();
        context.record(&format!("{name}.server-cpu-us-per-op"), cpu * 1e6 / done);
        let own = procfs::own_cpu_seconds() - own_cpu;
        context.record(&format!("{name}.generator-cpu-us-per-op"), own * 1e6 / done);
    }
    load.stopping = true;
    ensure!(engine.run(&mut load, Duration::from_secs(30))?, "requests are left unanswered");
    Ok(())
}
