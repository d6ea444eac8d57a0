//! The plain workloads: each connection keeps a fixed number of requests in flight on znodes of its own.
//!
//! Rule: what a znode holds is known before each reply comes (its version counts this connection's writes, its bytes
//! are fixed), so every reply is checked in full. Reason: requests of one connection are served in order.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::BytesMut;
use coordd_proto::jute::Writer;
use coordd_proto::{Acl, Perms};
use hdrhistogram::Histogram;

use super::expect;
use crate::load::{Conn, Load, Pending};
use crate::wire::{self, Reply, op};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Set,
    Get,
    /// Seven reads, three writes of ten.
    Mixed,
    CreateDelete,
}

/// Values are this long; write n of a znode fills it with the byte n.
pub const VALUE_LEN: usize = 100;

/// A closed loop over all connections.
pub struct ClosedLoop {
    pub work: Work,
    in_flight: usize,
    slots: Vec<Slots>,
    /// Issue no further request.
    pub stopping: bool,
    outstanding: usize,
    pub replies: u64,
    pub latency: Histogram<u64>,
    /// Before this time on the engine's clock replies are not counted.
    pub count_from: u64,
}

/// What one connection knows of its znodes, and its requests to each of them, encoded once.
struct Slots {
    frames: Vec<Frames>,
    versions: Vec<i32>,
    next: usize,
    turn: u32,
}

struct Frames {
    /// What is created and deleted again, beside the znode that stays.
    temporary: String,
    get: BytesMut,
    set: BytesMut,
    create: BytesMut,
    delete: BytesMut,
}

impl Frames {
    fn new(path: &str) -> Self {
        let frame = |op: i32, record: &dyn Fn(&mut Writer<'_>)| {
            let mut out = BytesMut::new();
            wire::frame(&mut out, 0, op, record);
            out
        };
        let temporary = format!("{path}t");
        Frames {
            get: frame(op::GET_DATA, &|w| {
                w.string(path);
                w.bool(false);
            }),
            // The value stands before the version, which is the last field.
            set: frame(op::SET_DATA, &|w| {
                w.string(path);
                w.buffer(Some(&value(0)));
                w.i32(-1);
            }),
            create: frame(op::CREATE, &|w| {
                w.string(&temporary);
                w.buffer(Some(&value(0)));
                Acl::encode_list(&[Acl::world(Perms::ALL)], w);
                w.i32(0);
            }),
            delete: frame(op::DELETE, &|w| {
                w.string(&temporary);
                w.i32(-1);
            }),
            temporary,
        }
    }
}

pub fn slot_path(conn: usize, slot: usize) -> String {
    format!("/bench/c{conn:03}/k{slot:02}")
}

pub fn value(version: i32) -> [u8; VALUE_LEN] {
    [version.to_be_bytes()[3]; VALUE_LEN]
}

impl ClosedLoop {
    /// On znodes that are fresh, at version 0.
    pub fn new(work: Work, conns: usize, in_flight: usize) -> Result<Self> {
        let slots = (0..conns).map(|conn| Slots {
            frames: (0..in_flight).map(|slot| Frames::new(&slot_path(conn, slot))).collect(),
            versions: vec![0; in_flight],
            next: 0,
            turn: 0,
        });
        Ok(ClosedLoop {
            work,
            in_flight,
            slots: slots.collect(),
            stopping: false,
            outstanding: 0,
            replies: 0,
            latency: Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?,
            count_from: 0,
        })
    }

    /// Fills the pipeline of a connection.
    pub fn prime(&mut self, conn: &mut Conn) {
        for _ in 0..self.in_flight {
            self.ask(conn);
        }
    }

    fn ask(&mut self, conn: &mut Conn) {
        let slots = &mut self.slots[conn.id];
        let slot = slots.next;
        slots.next = (slot + 1) % slots.frames.len();
        slots.turn = slots.turn.wrapping_add(1);
        let frames = &slots.frames[slot];
        let writes = match self.work {
            Work::Set => true,
            Work::Get => false,
            Work::Mixed => slots.turn % 10 < 3,
            Work::CreateDelete => {
                self.outstanding += 2;
                conn.send_frame(op::CREATE, tag(slot, 0), &frames.create);
                conn.send_frame(op::DELETE, tag(slot, 0), &frames.delete);
                return;
            }
        };
        self.outstanding += 1;
        if writes {
            slots.versions[slot] += 1;
            let version = slots.versions[slot];
            let frame = conn.send_frame(op::SET_DATA, tag(slot, version), &frames.set);
            let end = frame.len() - 4;
            frame[end - VALUE_LEN..end].copy_from_slice(&value(version));
        } else {
            conn.send_frame(op::GET_DATA, tag(slot, slots.versions[slot]), &frames.get);
        }
    }
}

fn tag(slot: usize, version: i32) -> u64 {
    (slot as u64) << 32 | u64::from(version.cast_unsigned())
}

fn slot_of(tag: u64) -> usize {
    (tag >> 32) as usize
}

impl Load for ClosedLoop {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        check(&self.slots[conn.id].frames[slot_of(request.tag)], request, reply)?;
        self.outstanding -= 1;
        if conn.now >= self.count_from {
            self.replies += 1;
            self.latency.saturating_record(conn.now.saturating_sub(request.sent));
        }
        if !self.stopping && request.op != op::CREATE {
            self.ask(conn);
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.stopping && self.outstanding == 0
    }
}

fn check(asked: &Frames, request: Pending, reply: &Reply<'_>) -> Result<()> {
    let version = (request.tag & 0xffff_ffff) as i32;
    match request.op {
        op::SET_DATA => expect::set(reply, version, VALUE_LEN),
        op::GET_DATA => expect::data(reply, &value(version), version),
        op::CREATE => expect::created(reply, &asked.temporary),
        op::DELETE => expect::nothing(op::DELETE, reply),
        other => bail!("op {other} was never asked for"),
    }
}

/// How long is measured, and how long is let go by before.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub warm_up: Duration,
    pub measured: Duration,
}

#[cfg(test)]
mod tests {
    use coordd_proto::Stat;

    use super::*;

    fn reply(op: i32, body: impl FnOnce(&mut Writer<'_>)) -> Result<()> {
        let mut bytes = BytesMut::new();
        body(&mut Writer::new(&mut bytes));
        let request = Pending { xid: 1, op, tag: tag(3, 7), sent: 0 };
        check(&Frames::new(&slot_path(2, 3)), request, &Reply { xid: 1, zxid: 5, err: 0, body: &bytes })
    }

    fn stat(w: &mut Writer<'_>) {
        Stat { version: 7, data_length: VALUE_LEN as i32, ..Stat::default() }.encode(w);
    }

    #[test]
    fn each_op_is_held_to_what_it_asked_for() {
        let data = |bytes: [u8; VALUE_LEN]| {
            reply(op::GET_DATA, |w| {
                w.buffer(Some(&bytes));
                stat(w);
            })
        };
        data(value(7)).unwrap();
        assert!(data(value(6)).is_err(), "the bytes before");
        reply(op::SET_DATA, stat).unwrap();
        reply(op::CREATE, |w| w.string("/bench/c002/k03t")).unwrap();
        assert!(reply(op::CREATE, |w| w.string("/bench/c002/k04t")).is_err(), "the path of another slot");
        reply(op::DELETE, |_| {}).unwrap();
        assert!(reply(op::DELETE, stat).is_err(), "a body of another op");
    }
}
