//! Throughput with 32 × 32 requests in flight, and latency with one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use coordd_proto::{Acl, Perms};

use super::scenario::Context;
use super::workload::{ClosedLoop, Work, slot_path, value};
use crate::client::{Client, Incoming};
use crate::load::{Engine, State};
use crate::servers::procfs;
use crate::wire::{Attach, op};

/// Sessions of the generator live long: a pause of the machine must not end a measurement.
const SESSION_MS: i32 = 30_000;

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
    let begin = engine.now();
    while engine.conns().iter().any(|c| c.state != State::Open) {
        ensure!(engine.now() - begin < 30_000_000_000, "the connections do not open");
        engine.run(&mut load, Duration::from_millis(10))?;
    }
    engine.start(|conn| load.prime(conn));
    let span = context.options.span();
    engine.run(&mut load, span.warm_up)?;
    for _ in 0..context.options.slices() {
        load.latency.reset();
        let (replies, now) = (load.replies, engine.now());
        let (servers_cpu, own_cpu) = (context.ensemble.cpu(), procfs::own_cpu_seconds());
        engine.run(&mut load, span.measured)?;
        let seconds = (engine.now() - now) as f64 / 1e9;
        let done = (load.replies - replies) as f64;
        context.record(&format!("{name}.rate"), done / seconds);
        context.record(&format!("{name}.p50-us"), load.latency.value_at_quantile(0.5) as f64 / 1e3);
        context.record(&format!("{name}.p99-us"), load.latency.value_at_quantile(0.99) as f64 / 1e3);
        let cpu: f64 = context.ensemble.cpu().iter().sum::<f64>() - servers_cpu.iter().sum::<f64>();
        context.record(&format!("{name}.server-cpu-us-per-op"), cpu * 1e6 / done);
        let own = procfs::own_cpu_seconds() - own_cpu;
        context.record(&format!("{name}.generator-cpu-us-per-op"), own * 1e6 / done);
    }
    load.stopping = true;
    ensure!(engine.run(&mut load, Duration::from_secs(30))?, "requests are left unanswered");
    Ok(())
}

/// Fresh znodes `/bench/cNNN/kMM`, each with the value of version 0.
pub fn make_znodes(context: &Context<'_>, conns: usize, per_conn: usize) -> Result<()> {
    let mut client = Client::open(context.ensemble.members[0].client, SESSION_MS)?;
    remove_all(&mut client, "/bench")?;
    create(&mut client, "/bench");
    for conn in 0..conns {
        let slot = slot_path(conn, 0);
        create(&mut client, slot.rsplit_once('/').context("path")?.0);
        (0..per_conn).for_each(|slot| create(&mut client, &slot_path(conn, slot)));
    }
    settle(&mut client)?;
    // Every other member has seen it before it is used there.
    for member in &context.ensemble.members {
        Client::open(member.client, SESSION_MS)?.call(op::SYNC, |w| w.string("/bench"))?;
    }
    Ok(())
}

fn create(client: &mut Client, path: &str) {
    client.send(op::CREATE, |w| {
        w.string(path);
        w.buffer(Some(&value(0)));
        Acl::encode_list(&[Acl::world(Perms::ALL)], w);
        w.i32(0);
    });
}

/// Sends what is queued and waits until all of it is answered without an error.
fn settle(client: &mut Client) -> Result<()> {
    client.flush()?;
    while client.outstanding() > 0 {
        if let Incoming::Answer(answer) = client.receive(Duration::from_secs(30))?.context("no reply in 30 s")? {
            ensure!(answer.err == 0, "op {} in preparation was answered with {}", answer.op, answer.err);
        }
    }
    Ok(())
}

/// Removes a znode and all below it.
fn remove_all(client: &mut Client, root: &str) -> Result<()> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let answer = client.call(op::GET_CHILDREN, |w| {
            w.string(&path);
            w.bool(false);
        })?;
        let mut body = coordd_proto::jute::Reader::new(&answer.body);
        let count = if answer.err == 0 { body.count(4)?.unwrap_or(0) } else { 0 };
        if answer.err != 0 {
            found.retain(|p| *p != path);
            next -= 1;
        }
        for _ in 0..count {
            found.push(format!("{path}/{}", body.string()?.unwrap_or_default()));
        }
    }
    for path in found.iter().rev() {
        client.send(op::DELETE, |w| {
            w.string(path);
            w.i32(-1);
        });
    }
    settle(client)
}
