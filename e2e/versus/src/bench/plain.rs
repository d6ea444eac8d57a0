//! Throughput with 32 × 32 requests in flight, and latency with one.

use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

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
    one_at_a_time(context, "set-1", Work::Set)
}

pub fn get_1(context: &mut Context<'_>) -> Result<()> {
    one_at_a_time(context, "get-1", Work::Get)
}

fn closed_loop(context: &mut Context<'_>, name: &str, work: Work, conns: usize, in_flight: usize) -> Result<()> {
    make_znodes(context, conns, in_flight)?;
    let (mut engine, mut load) = connect(context, work, conns, in_flight)?;
    engine.start(|conn| load.prime(conn));
    let span = context.options.span();
    engine.run(&mut load, span.warm_up)?;
    for _ in 0..context.options.slices() {
        load.latency.reset();
        let mut cost = Cost::default();
        cost.add(context, &mut engine, &mut load, span.measured)?;
        record_times(context, name, &load.latency);
        cost.record(context, name);
    }
    stop(&mut engine, &mut load)
}

/// Requests of one connection, to each server in turn. Reason: a leader answers a write sooner than a follower, and
/// which server leads is the servers' own choice.
fn one_at_a_time(context: &mut Context<'_>, name: &str, work: Work) -> Result<()> {
    let servers = context.ensemble.clients().len();
    make_znodes(context, servers, 1)?;
    let leader = context.ensemble.leader()?;
    let (mut engine, mut load) = connect(context, work, servers, 1)?;
    let span = context.options.span();
    let share = |time: Duration| time / u32::try_from(servers).unwrap_or(1);
    for _ in 0..context.options.slices() {
        let (mut cost, mut all) = (Cost::default(), load.latency.clone());
        let (mut led, mut followed) = (load.latency.clone(), load.latency.clone());
        for server in 0..servers {
            engine.start(|conn| {
                if conn.id == server {
                    load.prime(conn)
                }
            });
            engine.run(&mut load, share(span.warm_up))?;
            load.latency.reset();
            cost.add(context, &mut engine, &mut load, share(span.measured))?;
            all.add(&load.latency)?;
            if server == leader {
                led.add(&load.latency)?
            } else {
                followed.add(&load.latency)?
            }
            stop(&mut engine, &mut load)?;
            load.stopping = false;
            load.latency.reset();
        }
        record_times(context, name, &all);
        context.record(&format!("{name}.leader-p50-us"), micros(&led, 0.5));
        context.record(&format!("{name}.follower-p50-us"), micros(&followed, 0.5));
        cost.record(context, name);
    }
    Ok(())
}

/// That many connections, spread evenly over the servers, with their sessions.
fn connect(context: &Context<'_>, work: Work, conns: usize, in_flight: usize) -> Result<(Engine, ClosedLoop)> {
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(100))?;
    for i in 0..conns {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = ClosedLoop::new(work, conns, in_flight)?;
    engine.open_all(&mut load)?;
    Ok((engine, load))
}

fn stop(engine: &mut Engine, load: &mut ClosedLoop) -> Result<()> {
    load.stopping = true;
    ensure!(engine.run(load, Duration::from_secs(30))?, "requests are left unanswered");
    Ok(())
}

fn micros(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1e3
}

fn record_times(context: &mut Context<'_>, name: &str, latency: &Histogram<u64>) {
    context.record(&format!("{name}.p50-us"), micros(latency, 0.5));
    context.record(&format!("{name}.p99-us"), micros(latency, 0.99));
}

/// What was done in the stretches of time that are measured, and what of the machine went into it.
#[derive(Default)]
struct Cost {
    replies: u64,
    seconds: f64,
    servers_cpu: f64,
    own_cpu: f64,
    fsyncs: Option<f64>,
}

impl Cost {
    /// Runs the load for some time, which is measured.
    fn add(&mut self, context: &Context<'_>, engine: &mut Engine, load: &mut ClosedLoop, time: Duration) -> Result<()> {
        let cpu = || context.ensemble.cpu().iter().sum::<f64>();
        let (replies, begin, fsyncs) = (load.replies, engine.now(), context.ensemble.fsyncs());
        let (servers_cpu, own_cpu) = (cpu(), procfs::own_cpu_seconds());
        engine.run(load, time)?;
        self.servers_cpu += cpu() - servers_cpu;
        self.own_cpu += procfs::own_cpu_seconds() - own_cpu;
        self.seconds += (engine.now() - begin) as f64 / 1e9;
        self.replies += load.replies - replies;
        if let (Some(before), Some(after)) = (fsyncs, context.ensemble.fsyncs()) {
            *self.fsyncs.get_or_insert_default() += after - before;
        }
        Ok(())
    }

    fn record(&self, context: &mut Context<'_>, name: &str) {
        let done = self.replies as f64;
        context.record(&format!("{name}.rate"), done / self.seconds);
        if let Some(fsyncs) = self.fsyncs {
            context.record(&format!("{name}.fsyncs-per-op"), fsyncs / done);
        }
        context.record(&format!("{name}.server-cpu-us-per-op"), self.servers_cpu * 1e6 / done);
        context.record(&format!("{name}.generator-cpu-us-per-op"), self.own_cpu * 1e6 / done);
    }
}
