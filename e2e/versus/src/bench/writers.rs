//! Writers that go on whatever happens: how long nobody is served, and who is hurt.
//!
//! Rule: a writer of a member that was taken away dials another at once; one of a surviving member must keep its
//! connection. Each sets a znode of its own, so a version that does not follow the last one is a lost or doubled write.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::expect;
use super::setup::SESSION_MS;
use super::workload::{VALUE_LEN, slot_path, value};
use crate::load::{Conn, Load, Next, Pending};
use crate::wire::{Attach, Reply, op};

/// One writer.
struct Writer {
    path: String,
    version: i32,
    /// Writes whose outcome is unknown: the version may have gone on by so many.
    unknown: i32,
    open: bool,
    served_since_mark: bool,
}

/// All writers and what is measured of them.
pub struct Writers {
    writers: Vec<Writer>,
    servers: Vec<SocketAddr>,
    in_flight: usize,
    /// Issue no further request.
    pub stopping: bool,
    /// The member that was taken away.
    pub taken: Option<usize>,
    pub latency: Histogram<u64>,
    last_served: u64,
    gap: u64,
    /// Connections to surviving members that broke since the mark, and their writes of unknown outcome.
    pub lost: usize,
    pub unknown: usize,
}

impl Writers {
    pub fn new(count: usize, in_flight: usize, servers: Vec<SocketAddr>) -> Result<Self> {
        let writer =
            |conn| Writer { path: slot_path(conn, 0), version: 0, unknown: 0, open: false, served_since_mark: false };
        Ok(Writers {
            writers: (0..count).map(writer).collect(),
            servers,
            in_flight,
            stopping: false,
            taken: None,
            latency: Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?,
            last_served: 0,
            gap: 0,
            lost: 0,
            unknown: 0,
        })
    }

    /// From now on gaps and losses count.
    pub fn mark(&mut self, now: u64) {
        (self.gap, self.lost, self.unknown, self.last_served) = (0, 0, 0, now);
        self.writers.iter_mut().for_each(|w| w.served_since_mark = false);
        self.latency.reset();
    }

    /// The longest time without an acknowledged write from the mark to now.
    pub fn longest_gap(&self, now: u64) -> u64 {
        self.gap.max(now - self.last_served)
    }

    pub fn p99_ms(&self) -> f64 {
        self.latency.value_at_quantile(0.99) as f64 / 1e6
    }

    /// Every writer has been served since the mark.
    pub fn all_served(&self) -> bool {
        self.writers.iter().all(|w| w.served_since_mark)
    }

    /// Every writer that did not begin on the member that was taken away has been.
    pub fn survivors_served(&self) -> bool {
        let survives = |conn: usize| Some(conn % self.servers.len()) != self.taken;
        self.writers.iter().enumerate().all(|(conn, w)| w.served_since_mark || !survives(conn))
    }

    fn ask(&self, conn: &mut Conn) {
        if self.stopping {
            return;
        }
        let writer = &self.writers[conn.id];
        conn.send(op::SET_DATA, 0, |w| {
            w.string(&writer.path);
            w.buffer(Some(&value(0)));
            w.i32(-1);
        });
    }

    fn addr_of(&self, member: usize) -> SocketAddr {
        self.servers[member]
    }

    fn on_taken(&self, conn: &Conn) -> bool {
        self.taken.is_some_and(|member| self.addr_of(member) == conn.addr)
    }
}

impl Load for Writers {
    fn opened(&mut self, conn: &mut Conn) -> Result<()> {
        self.writers[conn.id].open = true;
        for _ in 0..self.in_flight {
            self.ask(conn);
        }
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        let version = expect::set_any_version(reply, VALUE_LEN)?.version;
        let writer = &mut self.writers[conn.id];
        let ahead = version - writer.version - 1;
        ensure!((0..=writer.unknown).contains(&ahead), "{}: version {version} after {}", writer.path, writer.version);
        (writer.version, writer.unknown, writer.served_since_mark) = (version, 0, true);
        self.gap = self.gap.max(conn.now - self.last_served);
        self.last_served = conn.now;
        self.latency.saturating_record(conn.now - request.sent);
        self.ask(conn);
        Ok(())
    }

    fn lost(&mut self, conn: &mut Conn) -> Result<Next> {
        let taken = self.on_taken(conn);
        let writer = &mut self.writers[conn.id];
        let was_open = std::mem::take(&mut writer.open);
        let unanswered = if was_open { conn.pending.len() } else { 0 };
        writer.unknown += i32::try_from(unanswered)?;
        if taken {
            let others: Vec<_> = self.servers.iter().filter(|addr| **addr != conn.addr).collect();
            return Ok(Next::Dial(*others[conn.id % others.len()], Duration::ZERO));
        }
        if was_open {
            self.lost += 1;
            self.unknown += unanswered;
        }
        let next = (self.servers.iter().position(|addr| *addr == conn.addr).unwrap_or(0) + 1) % self.servers.len();
        let next = if Some(next) == self.taken { (next + 1) % self.servers.len() } else { next };
        Ok(Next::Dial(self.addr_of(next), Duration::from_millis(5)))
    }

    fn expired(&mut self, conn: &mut Conn) -> Result<Next> {
        conn.attach = Attach::new_session(SESSION_MS);
        Ok(Next::Dial(conn.addr, Duration::ZERO))
    }
}
