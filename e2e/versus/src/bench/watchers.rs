//! 999 connections watch one znode: how long until all of them are told of a change.

use std::time::Duration;

use anyhow::{Result, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use super::scenario::Context;
use super::setup::{SESSION_MS, make};
use crate::load::{Conn, Engine, Load, Pending};
use crate::wire::{Attach, Event, Reply, op};

const WATCHERS: usize = 999;
const PATH: &str = "/bench/watched";

/// One round: every watcher reads and watches, then the writer sets.
#[derive(Default)]
struct Rounds {
    version: i32,
    armed: usize,
    told: usize,
    set_at: u64,
    all_told_at: u64,
    answered: bool,
}

impl Load for Rounds {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, _conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        ensure!(reply.err == 0, "op {} was answered with {}", request.op, reply.err);
        let mut body = Reader::new(reply.body);
        if request.op == op::GET_DATA {
            body.buffer()?;
            // A watcher on a member that is behind is told of this change, not the next: wait until all are level.
            ensure!(Stat::decode(&mut body)?.version == self.version, "a member is behind");
            self.armed += 1;
        } else {
            self.answered = true;
        }
        Ok(())
    }

    fn event(&mut self, conn: &mut Conn, event: Event) -> Result<()> {
        ensure!(event.kind == Event::DATA_CHANGED && event.path == PATH, "{event:?}");
        self.told += 1;
        self.all_told_at = conn.now;
        Ok(())
    }

    fn done(&self) -> bool {
        if self.set_at == 0 { self.armed == WATCHERS } else { self.told == WATCHERS && self.answered }
    }
}

pub fn watch_999(context: &mut Context<'_>) -> Result<()> {
    make(context, [PATH.to_owned()])?;
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(2))?;
    for i in 0..=WATCHERS {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = Rounds::default();
    engine.open_all(&mut load)?;
    let rounds = if context.options.short { 5 } else { 40 };
    let mut times = Vec::new();
    for version in 0..rounds {
        load = Rounds { version, ..Rounds::default() };
        engine.start(|conn| {
            if conn.id < WATCHERS {
                conn.send(op::GET_DATA, 0, |w| {
                    w.string(PATH);
                    w.bool(true);
                });
            }
        });
        ensure!(engine.run(&mut load, Duration::from_secs(10))?, "the watches are not set");
        load.set_at = engine.now();
        engine.start(|conn| {
            if conn.id == WATCHERS {
                conn.send(op::SET_DATA, 0, |w| {
                    w.string(PATH);
                    w.buffer(Some(&version.to_be_bytes()));
                    w.i32(-1);
                });
            }
        });
        ensure!(engine.run(&mut load, Duration::from_secs(10))?, "{} of {WATCHERS} were told", load.told);
        // The first rounds warm up.
        if version >= rounds / 4 {
            times.push((load.all_told_at - load.set_at) as f64 / 1e6);
        }
        engine.run(&mut Idle, Duration::from_millis(10))?;
    }
    times.sort_by(f64::total_cmp);
    context.record("watch-999.p50-ms", times[times.len() / 2]);
    Ok(())
}

/// Expects nothing.
struct Idle;

impl Load for Idle {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, _reply: &Reply<'_>) -> Result<()> {
        anyhow::bail!("a late reply to op {} on connection {}", request.op, conn.id)
    }
}
