//! One of the two servers: its sessions, and what it answers to each step.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::allowed::Allowed;
use super::fields::{self, Field};
use super::generate::{SESSIONS, Step};
use crate::client::{Answer, Client, Incoming};
use crate::request::{Relative, Request};
use crate::wire::{Attach, Event, op};

/// Longer than any script lets a session be silent.
const SESSION_MS: i32 = 40_000;
/// How long a reply, or the end of a connection, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a session was sent, in the order of its coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A session began.
    Opened {
        id: i64,
        timeout_ms: i32,
    },
    Attached {
        timeout_ms: i32,
    },
    Refused,
    Event(Event),
    Reply {
        op: i32,
        xid: i32,
        err: i32,
        zxid: i64,
        fields: Vec<Field>,
    },
    /// The server ended the connection.
    Closed,
    /// Nothing came where something was due.
    Silence,
    /// Something was not done to this side, nor to the other.
    LeftOut(Allowed),
}

/// What each session was sent in one step.
pub type Outcome = Vec<(usize, Item)>;

#[derive(Debug, Default)]
struct Slot {
    client: Option<Client>,
    attach: Option<Attach>,
    /// Which of the servers it talks to.
    at: usize,
}

/// A server, or an ensemble of them, with its sessions.
pub struct Side {
    servers: Vec<SocketAddr>,
    slots: Vec<Slot>,
    /// Of several servers: a session at each that sees how far it is.
    scouts: Vec<Client>,
    /// zxids of the answered writes, oldest first.
    writes: Vec<i64>,
}

impl Side {
    pub fn new(servers: Vec<SocketAddr>) -> Result<Self> {
        let slots = (0..SESSIONS).map(|i| Slot { at: i % servers.len(), ..Slot::default() }).collect();
        let scouts = if servers.len() > 1 { servers.as_slice() } else { &[] };
        let scouts = scouts.iter().map(|server| Client::open(*server, SESSION_MS)).collect::<Result<_>>()?;
        let mut side = Side { servers, slots, scouts, writes: Vec::new() };
        side.settle()?;
        Ok(side)
    }

    pub fn perform(&mut self, step: &Step) -> Result<Outcome> {
        let outcome = self.at_once(step)?;
        self.settle()?;
        Ok(outcome)
    }

    /// Waits until every server has applied what one of them has, so that what a session sees does not depend on how
    /// fast its server is.
    fn settle(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let look = |scout: &mut Client| {
                let answer = scout.call(op::EXISTS, |w| {
                    w.string("/");
                    w.bool(false);
                })?;
                Ok(answer.zxid)
            };
            let at: Vec<i64> = self.scouts.iter_mut().map(look).collect::<Result<_>>()?;
            if at.windows(2).all(|pair| pair[0] == pair[1]) {
                return Ok(());
            }
            ensure!(begin.elapsed() < PATIENCE, "the servers do not become one: {at:x?}");
        }
    }

    fn at_once(&mut self, step: &Step) -> Result<Outcome> {
        let mut out = Outcome::new();
        match step {
            Step::Burst { session, requests } => self.burst(*session, requests, &mut out)?,
            Step::Reattach { session } => {
                let slot = &mut self.slots[*session];
                slot.client = None;
                slot.at = (slot.at + 1) % self.servers.len();
                self.ensure(*session, &mut out)?;
            }
            Step::WrongPassword { session } => {
                let slot = &mut self.slots[*session];
                if slot.client.take().is_some() {
                    out.push((*session, Item::LeftOut(Allowed::StrangerBesideOwner)));
                }
                if let Some(mut attach) = slot.attach {
                    attach.password[3] ^= 0x55;
                    let granted = Client::connect(self.servers[slot.at], attach)?.is_some();
                    let item = if granted { Item::Attached { timeout_ms: 0 } } else { Item::Refused };
                    out.push((*session, item));
                }
            }
            Step::Drain => {
                for session in 0..SESSIONS {
                    self.burst(session, &[Request::Bare { op: op::PING }], &mut out)?;
                    self.settle()?;
                }
            }
        }
        Ok(out)
    }

    /// Connects the slot, with its session if it has one that still lives.
    fn ensure(&mut self, session: usize, out: &mut Outcome) -> Result<()> {
        let slot = &mut self.slots[session];
        if slot.client.is_some() {
            return Ok(());
        }
        if let Some(attach) = slot.attach.take() {
            match Client::connect(self.servers[slot.at], attach) {
                Err(_) => {
                    slot.attach = Some(attach);
                    out.push((session, Item::Closed));
                    return Ok(());
                }
                Ok(Some(client)) => {
                    out.push((session, Item::Attached { timeout_ms: client.attach.timeout_ms }));
                    slot.attach = Some(client.attach);
                    slot.client = Some(client);
                    return Ok(());
                }
                Ok(None) => out.push((session, Item::Refused)),
            }
        }
        let client = Client::open(self.servers[slot.at], SESSION_MS).context("open a session")?;
        let attach = client.attach;
        out.push((session, Item::Opened { id: attach.session, timeout_ms: attach.timeout_ms }));
        slot.attach = Some(attach);
        slot.client = Some(client);
        Ok(())
    }

    fn burst(&mut self, session: usize, requests: &[Request], out: &mut Outcome) -> Result<()> {
        self.ensure(session, out)?;
        let Some(mut client) = self.slots[session].client.take() else { return Ok(()) };
        let last = client.attach.last_zxid;
        for request in requests {
            let relative = |from: Relative| match from {
                Relative::Zero => 0,
                Relative::Last => last,
                Relative::Ago(n) => self.writes.iter().rev().nth(n).copied().unwrap_or(0),
            };
            client.send(request.op(), |w| request.encode(w, &relative));
        }
        // A write to a connection that the server has closed shows at the next read.
        let _ = client.flush();
        let mut ends = false;
        while client.outstanding() > 0 {
            match client.receive(PATIENCE) {
                Ok(Some(Incoming::Event(event))) => out.push((session, Item::Event(event))),
                Ok(Some(Incoming::Answer(answer))) => {
                    ends |= ends_connection(&answer);
                    out.push((session, self.taken(answer)));
                }
                Ok(None) => {
                    out.push((session, Item::Silence));
                    return Ok(());
                }
                Err(_) => {
                    out.push((session, Item::Closed));
                    self.slots[session].attach = Some(client.attach);
                    return Ok(());
                }
            }
        }
        if requests.iter().any(|r| r.op() == op::CLOSE_SESSION) {
            self.slots[session].attach = None;
        } else {
            self.slots[session].attach = Some(client.attach);
        }
        if ends {
            out.push((session, if client.receive(PATIENCE).is_err() { Item::Closed } else { Item::Silence }));
        } else {
            self.slots[session].client = Some(client);
        }
        Ok(())
    }

    fn taken(&mut self, answer: Answer) -> Item {
        if answer.err == 0 && matches!(answer.op, op::CREATE | op::CREATE2 | op::SET_DATA | op::DELETE) {
            self.writes.push(answer.zxid);
        }
        let Answer { xid, op, zxid, err, body } = answer;
        Item::Reply { op, xid, err, zxid, fields: fields::of(op, &body) }
    }
}

/// Whether the server closes after this reply.
fn ends_connection(answer: &Answer) -> bool {
    const UNIMPLEMENTED: i32 = -6;
    answer.op == op::CLOSE_SESSION
        || (answer.op == op::AUTH && answer.err != 0)
        || (answer.err == UNIMPLEMENTED && answer.op != op::CREATE_TTL)
}
