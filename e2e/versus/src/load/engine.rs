//! The event loop that drives the connections of a load.

use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use super::conn::{Conn, Pending, State};
use crate::wire::{self, Attach, Event, Reply, xid};

/// What to do with a connection that was lost.
#[derive(Debug, Clone, Copy)]
pub enum Next {
    /// Dial this address after the delay, with the session that the connection holds.
    Dial(SocketAddr, Duration),
    Stay,
}

/// What a measurement does on its connections.
pub trait Load {
    /// The session is granted (new, or attached again).
    fn opened(&mut self, conn: &mut Conn) -> Result<()>;

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()>;

    fn event(&mut self, conn: &mut Conn, event: Event) -> Result<()> {
        bail!("connection {} was sent {event:?} without a watch", conn.id)
    }

    /// The connection broke; its `pending` requests have an unknown outcome.
    fn lost(&mut self, conn: &mut Conn) -> Result<Next> {
        bail!("connection {} to {} was lost", conn.id, conn.addr)
    }

    /// The server refused the session.
    fn expired(&mut self, conn: &mut Conn) -> Result<Next> {
        bail!("session {:#x} of connection {} was refused", conn.attach.session, conn.id)
    }

    /// Called between batches, at most once a tick.
    fn tick(&mut self, _conns: &mut [Conn], _now: u64) -> Result<()> {
        Ok(())
    }

    fn done(&self) -> bool {
        false
    }
}

/// Connections and their event loop.
pub struct Engine {
    poll: Poll,
    events: Events,
    conns: Vec<Conn>,
    /// Connections to dial and when.
    dials: Vec<(u64, usize)>,
    epoch: Instant,
    tick_ns: u64,
}

impl Engine {
    pub fn new(tick: Duration) -> Result<Self> {
        Ok(Engine {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            conns: Vec::new(),
            dials: Vec::new(),
            epoch: Instant::now(),
            tick_ns: nanos(tick),
        })
    }

    /// Adds a connection that is dialled when the engine next runs.
    pub fn add(&mut self, addr: SocketAddr, attach: Attach) -> usize {
        let id = self.conns.len();
        self.conns.push(Conn::new(id, addr, attach));
        self.dials.push((0, id));
        id
    }

    pub fn conns(&mut self) -> &mut [Conn] {
        &mut self.conns
    }

    pub fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// Runs until the load is done or the time is over; whether it was done.
    pub fn run(&mut self, load: &mut impl Load, limit: Duration) -> Result<bool> {
        let end = self.now() + nanos(limit);
        let mut next_tick = 0;
        loop {
            let now = self.now();
            if now >= next_tick {
                next_tick = now + self.tick_ns;
                self.tick(load, now)?;
            }
            if load.done() {
                return Ok(true);
            }
            if now >= end {
                return Ok(false);
            }
            let wait = Duration::from_nanos(next_tick.min(end).saturating_sub(now));
            match self.poll.poll(&mut self.events, Some(wait)) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let events = mem::replace(&mut self.events, Events::with_capacity(0));
            let ready = events.iter().try_for_each(|event| self.ready(load, event.token().0));
            self.events = events;
            ready?;
        }
    }

    /// Runs until every connection has its session.
    pub fn open_all(&mut self, load: &mut impl Load) -> Result<()> {
        let begin = self.now();
        while self.conns.iter().any(|c| c.state != State::Open) {
            ensure!(self.now() - begin < 60_000_000_000, "the connections do not open");
            self.run(load, Duration::from_millis(2))?;
        }
        Ok(())
    }

    /// Queues the first requests of a load on every connection and sends them.
    pub fn start(&mut self, mut first: impl FnMut(&mut Conn)) {
        let now = self.now();
        for conn in &mut self.conns {
            conn.now = now;
            first(conn);
        }
        self.flush();
    }

    fn flush(&mut self) {
        for conn in &mut self.conns {
            // A failed write shows as a lost connection at the next read.
            let _ = conn.flush();
        }
    }

    fn tick(&mut self, load: &mut impl Load, now: u64) -> Result<()> {
        let (due, later): (Vec<_>, Vec<_>) = self.dials.drain(..).partition(|(at, _)| *at <= now);
        self.dials = later;
        for (_, id) in due {
            self.dial(load, id)?;
        }
        for conn in &mut self.conns {
            conn.now = now;
        }
        load.tick(&mut self.conns, now)?;
        self.flush();
        Ok(())
    }

    fn dial(&mut self, load: &mut impl Load, id: usize) -> Result<()> {
        let conn = &mut self.conns[id];
        conn.now = nanos(self.epoch.elapsed());
        if conn.dial().is_err() {
            return self.after_loss(load, id);
        }
        if let Some(stream) = conn.stream.as_mut() {
            self.poll.registry().register(stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(())
    }

    fn ready(&mut self, load: &mut impl Load, id: usize) -> Result<()> {
        let now = self.now();
        let conn = &mut self.conns[id];
        conn.now = now;
        loop {
            let more = match conn.fill() {
                Ok(more) => more,
                Err(_) => {
                    // What came before the end still counts.
                    let _ = consume(load, conn)?;
                    return self.after_loss(load, id);
                }
            };
            if !consume(load, conn)? {
                let next = load.expired(conn)?;
                conn.shut();
                self.follow(id, next);
                return Ok(());
            }
            if !more {
                break;
            }
        }
        if conn.flush().is_err() {
            return self.after_loss(load, id);
        }
        Ok(())
    }

    fn after_loss(&mut self, load: &mut impl Load, id: usize) -> Result<()> {
        let conn = &mut self.conns[id];
        conn.shut();
        let next = load.lost(conn)?;
        conn.pending.clear();
        self.follow(id, next);
        Ok(())
    }

    fn follow(&mut self, id: usize, next: Next) {
        if let Next::Dial(addr, delay) = next {
            self.conns[id].addr = addr;
            let at = self.now() + nanos(delay);
            self.dials.push((at, id));
        }
    }
}

/// Hands every whole frame to the load; `false` when the session was refused.
fn consume(load: &mut impl Load, conn: &mut Conn) -> Result<bool> {
    let input = mem::take(&mut conn.input);
    let mut rest = &input[..conn.filled];
    let mut granted = true;
    while let Some((payload, after)) = wire::take_frame(rest).context("frame")? {
        rest = after;
        if conn.state == State::Connecting {
            match conn.attach.granted(payload).context("ConnectResponse")? {
                Some(attach) => {
                    conn.attach = attach;
                    conn.state = State::Open;
                    conn.last_answered_sent = conn.dialled;
                    load.opened(conn)?;
                }
                None => {
                    granted = false;
                    break;
                }
            }
        } else {
            deliver(load, conn, payload)?;
        }
    }
    let left = rest.len();
    let start = conn.filled - left;
    conn.input = input;
    if start > 0 {
        conn.input.copy_within(start..conn.filled, 0);
        conn.filled = left;
    }
    Ok(granted)
}

fn deliver(load: &mut impl Load, conn: &mut Conn, payload: &[u8]) -> Result<()> {
    let reply = Reply::parse(payload).context("reply header")?;
    if reply.xid == xid::NOTIFICATION {
        let event = Event::parse(&reply).context("event")?;
        return load.event(conn, event);
    }
    let Some(request) = conn.pending.pop_front() else { bail!("a reply to nothing: xid {}", reply.xid) };
    ensure!(request.xid == reply.xid, "xid out of order: {} is answered, {} is the oldest", reply.xid, request.xid);
    conn.last_answered_sent = request.sent;
    if reply.xid == xid::PING {
        return Ok(());
    }
    if reply.zxid > 0 {
        ensure!(
            reply.zxid >= conn.attach.last_zxid,
            "zxid fell from {:#x} to {:#x}",
            conn.attach.last_zxid,
            reply.zxid
        );
        conn.attach.last_zxid = reply.zxid;
    }
    load.reply(conn, request, &reply)
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
