//! 10,000 sessions with 10 ephemerals each end at once: what others' writes feel of it.
//!
//! ```text
//!   a thread counts the ephemerals every 10 ms ──► the last look that found all … the first that found none
//! ```
//!
//! Rule: only writes between those two looks count, and the looks begin before the writes that are compared with.
//! Reason: sessions die a timeout after their clients, and quiet seconds around that would hide what the writes felt.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use super::busy::{Busy, Compared};
use super::ephemerals::{EACH, GROUPS, Holders, count, group, open};
use super::scenario::Context;
use super::setup::SESSION_MS;
use crate::client::{Client, Incoming};
use crate::load::Engine;
use crate::wire::op;

const EVERY: Duration = Duration::from_millis(10);

/// What the looking thread has seen.
#[derive(Default)]
struct Looks {
    done: AtomicUsize,
    left: AtomicUsize,
    enough: AtomicBool,
}

impl Looks {
    fn go_on(&self, server: SocketAddr) -> Result<()> {
        let mut client = Client::open(server, SESSION_MS)?;
        while !self.enough.load(Ordering::Acquire) {
            self.left.store(left(&mut client)?, Ordering::Release);
            self.done.fetch_add(1, Ordering::Release);
            thread::sleep(EVERY);
        }
        Ok(())
    }
}

/// Ephemerals that are still there.
fn left(client: &mut Client) -> Result<usize> {
    for nth in 0..GROUPS {
        client.send(op::EXISTS, |w| {
            w.string(&group(nth));
            w.bool(false);
        });
    }
    client.flush()?;
    let mut left = 0;
    while client.outstanding() > 0 {
        let Incoming::Answer(answer) = client.receive(Duration::from_secs(30))?.context("no reply in 30 s")? else {
            bail!("an event without a watch")
        };
        ensure!(answer.err == 0, "exists: code 0 was due, {} came", answer.err);
        left += usize::try_from(Stat::decode(&mut Reader::new(&answer.body))?.num_children)?;
    }
    Ok(left)
}

pub fn expire_10k(context: &mut Context<'_>) -> Result<()> {
    let (sessions, holders) = open(context, count(context))?;
    let looks = Looks::default();
    let (seconds, compared) = thread::scope(|scope| {
        let looking = scope.spawn(|| looks.go_on(context.ensemble.members[0].client));
        let measured = beside(context, sessions, holders, &looks, || looking.is_finished());
        looks.enough.store(true, Ordering::Release);
        looking.join().map_err(|_| anyhow!("the looking thread panicked"))??;
        measured
    })?;
    context.record("expire-10k.seconds", seconds);
    compared.record(context, "expire-10k");
    Ok(())
}

/// How many seconds the end of all took, and what writes took before and meanwhile.
fn beside(
    context: &Context<'_>,
    mut sessions: Engine,
    mut holders: Holders,
    looks: &Looks,
    blind: impl Fn() -> bool,
) -> Result<(f64, Compared)> {
    heard_of(&mut sessions, &mut holders)?;
    let mut busy = Busy::start(context)?;
    heard_of(&mut sessions, &mut holders)?;
    // Every connection ends at one instant, so every session does, a timeout later.
    drop(sessions);
    let all = count(context) * EACH;
    let begin = busy.engine.now();
    let (mut seen, mut marked) = (0, None);
    loop {
        busy.run(Duration::from_millis(2))?;
        let now = busy.engine.now();
        ensure!(!blind(), "nobody looks how many are left");
        ensure!(now - begin < 120_000_000_000, "sessions are left 120 s after their clients");
        let (done, left) = (looks.done.load(Ordering::Acquire), looks.left.load(Ordering::Acquire));
        if left == all && done > seen {
            busy.mark();
            (seen, marked) = (done, Some(now));
        }
        if left == 0 && done > 0 {
            let marked = marked.context("sessions ended before their clients did")?;
            return Ok(((now - marked) as f64 / 1e9, busy.finish()?));
        }
    }
}

/// A ping of every session is answered: all of them live equally long from now.
fn heard_of(sessions: &mut Engine, holders: &mut Holders) -> Result<()> {
    sessions.start(|conn| conn.ping());
    let begin = sessions.now();
    while sessions.conns().iter().any(|conn| !conn.pending.is_empty()) {
        ensure!(sessions.now() - begin < 10_000_000_000, "pings are left unanswered");
        sessions.run(holders, Duration::from_millis(5))?;
    }
    Ok(())
}
