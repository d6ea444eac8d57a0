//! 999 connections watch one znode: how long until all of them are told of a change.
//!
//! ```text
//!   set ─► the generator sleeps; the kernel notes when each event arrives ─► all are read and checked
//! ```
//!
//! Rule: nobody is told before the event lies in the watcher's own socket; nothing is read until all lie there, and no
//! event is acknowledged by a packet of its own. Reason: watchers are elsewhere in life, and read anew what changed, by
//! a request that carries the acknowledgement. Here their reads would take from the servers a third of the machine, and
//! their kernel, which sends one at once to a socket that is young or was not read for long, another fifth.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

use super::expect;
use super::scenario::Context;
use super::setup::{SESSION_MS, make};
use super::workload;
use crate::load::{Conn, Engine, Load, Pending};
use crate::wire::{Attach, Event, Reply, op};

const WATCHERS: usize = 999;
const PATH: &str = "/bench/watched";
/// Longer than any server here needs to tell all.
pub const QUIET: Duration = Duration::from_millis(100);

/// The state that every event of a client that is served carries (SyncConnected).
const CONNECTED: i32 = 3;

/// What the znode holds in a version: it is made like any other, and each round's set has its own bytes.
fn held(version: i32) -> Vec<u8> {
    if version == 0 { workload::value(0).to_vec() } else { version.to_be_bytes().to_vec() }
}

/// One round: every watcher reads and watches, then the writer sets.
#[derive(Default)]
struct Round {
    version: i32,
    armed: usize,
    told: usize,
    /// Since the epoch of Unix, as the kernel's stamps are.
    set_at: Option<Duration>,
    all_told_at: Duration,
    answered: bool,
}

impl Load for Round {
    fn opened(&mut self, conn: &mut Conn) -> Result<()> {
        conn.stamp_arrivals().context("time stamps of the kernel")
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        if request.op == op::GET_DATA {
            // A watcher on a member that is behind would be told of this change, not the next.
            expect::data(reply, &held(self.version), self.version)?;
            conn.acknowledge_later()?;
            self.armed += 1;
        } else {
            expect::set(reply, self.version + 1, held(self.version + 1).len())?;
            self.answered = true;
        }
        Ok(())
    }

    fn event(&mut self, conn: &mut Conn, event: Event) -> Result<()> {
        let due = Event { kind: Event::DATA_CHANGED, state: CONNECTED, path: PATH.to_owned(), zxid: event.zxid };
        ensure!(event == due, "{due:?} was due, {event:?} came");
        self.told += 1;
        let arrived = conn.arrived.context("the kernel did not say when an event arrived")?;
        self.all_told_at = self.all_told_at.max(arrived);
        Ok(())
    }

    fn done(&self) -> bool {
        if self.set_at.is_none() { self.armed == WATCHERS } else { self.told == WATCHERS && self.answered }
    }
}

pub fn watch_999(context: &mut Context<'_>) -> Result<()> {
    make(context, [PATH.to_owned()])?;
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_millis(2))?;
    for i in 0..=WATCHERS {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = Round::default();
    engine.open_all(&mut load)?;
    let rounds = if context.options.short { 5 } else { 40 };
    let mut times = Vec::new();
    for version in 0..rounds {
        load = Round { version, ..Round::default() };
        engine.start(|conn| {
            if conn.id < WATCHERS {
                conn.send(op::GET_DATA, 0, |w| {
                    w.string(PATH);
                    w.bool(true);
                });
            }
        });
        ensure!(engine.run(&mut load, Duration::from_secs(10))?, "the watches are not set");
        let set_at = SystemTime::now().duration_since(UNIX_EPOCH)?;
        load.set_at = Some(set_at);
        engine.start(|conn| {
            if conn.id == WATCHERS {
                conn.send(op::SET_DATA, 0, |w| {
                    w.string(PATH);
                    w.buffer(Some(&held(version + 1)));
                    w.i32(-1);
                });
            }
        });
        thread::sleep(QUIET);
        ensure!(engine.run(&mut load, Duration::from_secs(10))?, "{} of {WATCHERS} were told", load.told);
        // The first rounds warm up.
        if version >= rounds / 4 {
            let took = load.all_told_at.checked_sub(set_at).context("the clock went back")?;
            times.push(took.as_secs_f64() * 1e3);
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
