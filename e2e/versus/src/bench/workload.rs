//! The plain workloads: each connection keeps a fixed number of requests in flight on znodes of its own.
//!
//! Rule: what a znode holds is known before each reply comes (its version counts this connection's writes, its bytes
//! are fixed), so every reply is checked in full. Reason: requests of one connection are served in order.

use std::time::Duration;

use anyhow::{Result, ensure};
use coordd_proto::jute::Reader;
use coordd_proto::{Acl, Perms, Stat};
use hdrhistogram::Histogram;

use crate::load::{Conn, Load, Pending};
use crate::wire::{Reply, op};

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

/// What one connection knows of its znodes.
struct Slots {
    paths: Vec<String>,
    /// What is created and deleted again.
    temporary: Vec<String>,
    versions: Vec<i32>,
    next: usize,
    turn: u32,
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
            paths: (0..in_flight).map(|slot| slot_path(conn, slot)).collect(),
            temporary: (0..in_flight).map(|slot| slot_path(conn, slot) + "t").collect(),
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
        slots.next = (slot + 1) % slots.paths.len();
        slots.turn = slots.turn.wrapping_add(1);
        let path = &slots.paths[slot];
        let writes = match self.work {
            Work::Set => true,
            Work::Get => false,
            Work::Mixed => slots.turn % 10 < 3,
            Work::CreateDelete => {
                self.outstanding += 2;
                create_then_delete(conn, &slots.temporary[slot]);
                return;
            }
        };
        self.outstanding += 1;
        if writes {
            slots.versions[slot] += 1;
            let version = slots.versions[slot];
            conn.send(op::SET_DATA, tag(slot, version), |w| {
                w.string(path);
                w.buffer(Some(&value(version)));
                w.i32(-1);
            });
        } else {
            conn.send(op::GET_DATA, tag(slot, slots.versions[slot]), |w| {
                w.string(path);
                w.bool(false);
            });
        }
    }
}

fn tag(slot: usize, version: i32) -> u64 {
    (slot as u64) << 32 | u64::from(version.cast_unsigned())
}

fn create_then_delete(conn: &mut Conn, path: &str) {
    conn.send(op::CREATE, 0, |w| {
        w.string(path);
        w.buffer(Some(&value(0)));
        Acl::encode_list(&[Acl::world(Perms::ALL)], w);
        w.i32(0);
    });
    conn.send(op::DELETE, 0, |w| {
        w.string(path);
        w.i32(-1);
    });
}

impl Load for ClosedLoop {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        check(request, reply)?;
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

fn check(request: Pending, reply: &Reply<'_>) -> Result<()> {
    ensure!(reply.err == 0, "op {} was answered with error {}", request.op, reply.err);
    ensure!(reply.zxid > 0, "op {} was answered at zxid {:#x}", request.op, reply.zxid);
    let mut body = Reader::new(reply.body);
    let version = (request.tag & 0xffff_ffff) as i32;
    match request.op {
        op::SET_DATA => check_stat(&Stat::decode(&mut body)?, version)?,
        op::GET_DATA => {
            ensure!(body.buffer()? == Some(&value(version)), "wrong bytes for version {version}");
            check_stat(&Stat::decode(&mut body)?, version)?;
        }
        op::CREATE => ensure!(body.string()?.is_some_and(|p| p.starts_with("/bench/")), "create answers no path"),
        _ => {}
    }
    ensure!(body.rest().is_empty(), "{} bytes follow the reply to op {}", body.rest().len(), request.op);
    Ok(())
}

fn check_stat(stat: &Stat, version: i32) -> Result<()> {
    ensure!(stat.version == version, "version {} where {version} was due", stat.version);
    ensure!(stat.data_length as usize == VALUE_LEN, "length {}", stat.data_length);
    Ok(())
}

/// How long is measured, and how long is let go by before.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub warm_up: Duration,
    pub measured: Duration,
}
