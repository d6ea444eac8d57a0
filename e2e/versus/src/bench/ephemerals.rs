//! 10,000 sessions with 10 ephemerals each: a member is killed under them. How they end: `expire.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use coordd_proto::{Acl, Perms};
use rustix::process::Signal;

use super::busy::WRITERS;
use super::expect;
use super::scenario::Context;
use super::setup::make;
use super::workload::slot_path;
use crate::load::{Conn, Engine, Load, Next, Pending, State};
use crate::wire::{Attach, Reply, op};

const TIMEOUT_MS: i32 = 12_000;
pub const EACH: usize = 10;
pub const GROUPS: usize = 100;
/// Connections that are opened at once.
const AT_ONCE: usize = 200;

/// The parent of a session's ephemerals.
pub fn group(conn: usize) -> String {
    format!("/bench/e{:03}", conn % GROUPS)
}

fn path(conn: usize, nth: usize) -> String {
    format!("{}/s{conn:05}-{nth}", group(conn))
}

/// Sessions that hold their ephemerals and come back when they are cut off.
#[derive(Default)]
pub struct Holders {
    servers: Vec<SocketAddr>,
    created: usize,
    had: Vec<bool>,
    lost: usize,
    reattached: usize,
    last_reattached: u64,
}

impl Holders {
    fn new(count: usize, servers: Vec<SocketAddr>) -> Self {
        Holders { servers, had: vec![false; count], ..Holders::default() }
    }
}

impl Load for Holders {
    fn opened(&mut self, conn: &mut Conn) -> Result<()> {
        if self.had[conn.id] {
            conn.send(op::GET_EPHEMERALS, 0, |w| w.string("/"));
            return Ok(());
        }
        self.had[conn.id] = true;
        for i in 0..EACH {
            let path = path(conn.id, i);
            conn.send(op::CREATE, i as u64, |w| {
                w.string(&path);
                w.buffer(Some(b"here"));
                Acl::encode_list(&[Acl::world(Perms::ALL)], w);
                w.i32(1);
            });
        }
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        if request.op == op::CREATE {
            expect::created(reply, &path(conn.id, usize::try_from(request.tag)?))?;
            self.created += 1;
        } else {
            expect::ephemerals(reply, (0..EACH).map(|i| path(conn.id, i)).collect())?;
            self.reattached += 1;
            self.last_reattached = conn.now;
        }
        Ok(())
    }

    fn lost(&mut self, conn: &mut Conn) -> Result<Next> {
        let at = self.servers.iter().position(|addr| *addr == conn.addr).unwrap_or(0);
        Ok(Next::Dial(self.servers[(at + 1) % self.servers.len()], Duration::from_millis(10)))
    }

    fn expired(&mut self, _conn: &mut Conn) -> Result<Next> {
        self.lost += 1;
        Ok(Next::Stay)
    }

    fn tick(&mut self, conns: &mut [Conn], now: u64) -> Result<()> {
        let due = u64::from(TIMEOUT_MS.unsigned_abs()) * 1_000_000 / 3;
        let idle = |conn: &&mut Conn| conn.state == State::Open && conn.pending.is_empty();
        for conn in conns.iter_mut().filter(idle).filter(|conn| now > conn.last_answered_sent + due) {
            conn.ping();
        }
        Ok(())
    }
}

/// Opens the sessions, a bounded number at a time, and waits for their ephemerals.
pub fn open(context: &Context<'_>, count: usize) -> Result<(Engine, Holders)> {
    let writers = (0..WRITERS).flat_map(|conn| {
        let slot = slot_path(conn, 0);
        [slot.rsplit_once('/').map_or_else(String::new, |(above, _)| above.to_owned()), slot]
    });
    make(context, (0..GROUPS).map(group).chain(writers))?;
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(5))?;
    let mut load = Holders::new(count, servers.clone());
    let begin = engine.now();
    while load.created < count * EACH {
        ensure!(engine.now() - begin < 240_000_000_000, "{} of {} ephemerals", load.created, count * EACH);
        while engine.conns().len() < count.min(load.created / EACH + AT_ONCE) {
            let next = engine.conns().len();
            engine.add(servers[next % servers.len()], Attach::new_session(TIMEOUT_MS));
        }
        engine.run(&mut load, Duration::from_millis(5))?;
    }
    Ok((engine, load))
}

/// How many sessions.
pub fn count(context: &Context<'_>) -> usize {
    if context.options.short { 300 } else { 10_000 }
}

pub fn ephemerals_10k(context: &mut Context<'_>) -> Result<()> {
    let count = count(context);
    let (mut engine, mut load) = open(context, count)?;
    let leader = context.ensemble.leader()?;
    let cut = context.ensemble.members[leader].client;
    let on_it = engine.conns().iter().filter(|conn| conn.addr == cut).count();
    let begin = engine.now();
    context.ensemble.signal(leader, Signal::KILL)?;
    // Until all are back, and on for as long as a session that was wrongly ended needs to show.
    while load.reattached + load.lost < on_it && engine.now() - begin < 60_000_000_000 {
        engine.run(&mut load, Duration::from_millis(20))?;
    }
    engine.run(&mut load, Duration::from_secs(if context.options.short { 3 } else { 15 }))?;
    let missing = engine.conns().iter().filter(|conn| conn.state != State::Open).count();
    context.record("ephemerals-10k.lost", missing as f64);
    context.record("ephemerals-10k.reattached-s", (load.last_reattached.max(begin) - begin) as f64 / 1e9);
    context.ensemble.wait_end(leader, Duration::from_secs(10))?;
    context.ensemble.run(leader)?;
    context.ensemble.wait_ready(Duration::from_secs(60))
}
