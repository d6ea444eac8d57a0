//! Promises about sessions: order, real time, life, and connections that were left behind.

use std::collections::HashMap;

use super::pool::SESSION_EXPIRED;
use super::{Findings, Promise};
use crate::history::{Answer, Call, ClientHistory, Entry, Fault, History, Op, What};

/// What a member without room answers to a write that it does not take: it has no zxid of its own.
const NO_ROOM: Answer = Answer::Error(-1);

pub fn check(history: &History, findings: &mut Findings) {
    unique_zxids(history, findings);
    real_time(history, findings);
    for (number, client) in history.clients.iter().enumerate() {
        order(number, client, findings);
        life(number, client, &history.faults, findings);
        stale_connections(number, client, findings);
    }
}

/// A write takes a zxid of its own, whether it succeeds or not.
fn unique_zxids(history: &History, findings: &mut Findings) {
    let mut taken: HashMap<i64, &Call> = HashMap::new();
    for call in history.calls().filter(|c| c.op.writes()) {
        let Some(reply) = call.reply.as_ref().filter(|r| r.answer != NO_ROOM) else { continue };
        if let Some(other) = taken.insert(reply.zxid, call) {
            let text = format!("{:#x} was given to {:?} and to {:?}", reply.zxid, other.op, call.op);
            findings.add(Promise::ZxidUnique, text);
        }
    }
}

/// Whether it was answered in the order of the log: a write, or a sync, which a quorum confirms.
pub(super) fn is_ordered(call: &Call) -> bool {
    let Some(reply) = call.reply.as_ref().filter(|r| r.answer != NO_ROOM) else { return false };
    call.op.writes() || matches!((&call.op, &reply.answer), (Op::Sync { .. }, Answer::Done))
}

/// A write or a sync that is sent after anything was acknowledged comes behind that.
fn real_time(history: &History, findings: &mut Findings) {
    let mut moments = Vec::new();
    for call in history.calls() {
        let Some(reply) = call.reply.as_ref().filter(|r| r.answer != NO_ROOM) else { continue };
        moments.push((reply.at, true, call, reply.zxid));
        if is_ordered(call) {
            moments.push((call.sent, false, call, reply.zxid));
        }
    }
    moments.sort_by_key(|(at, acknowledged, ..)| (*at, *acknowledged));
    let mut largest: Option<(i64, &Call)> = None;
    for (_, acknowledged, call, zxid) in moments {
        match largest {
            Some((before, other)) if !acknowledged && zxid < before => {
                let text = format!("{:?} at {zxid:#x} was sent after {:?} at {before:#x}", call.op, other.op);
                findings.add(Promise::RealTime, text);
            }
            _ if acknowledged && largest.is_none_or(|(before, _)| before < zxid) => largest = Some((zxid, call)),
            _ => {}
        }
    }
}

fn order(number: usize, client: &ClientHistory, findings: &mut Findings) {
    let mut newest: HashMap<i64, (u32, i64)> = HashMap::new();
    let mut seen: HashMap<u32, i64> = HashMap::new();
    let mut last_call: HashMap<u32, usize> = HashMap::new();
    for entry in &client.entries {
        match &entry.what {
            What::Broken(why) => findings.add(Promise::SessionOrder, format!("client {number}: {why}")),
            What::Answered(call) => {
                let zxid = client.calls[*call].reply.as_ref().map_or(0, |r| r.zxid);
                // A connection that was left behind may answer from what its member knew; it is ordered by itself.
                let (conn, upto) = newest.entry(entry.session).or_default();
                let own = seen.entry(entry.conn).or_default();
                let before = if entry.conn >= *conn { (*own).max(*upto) } else { *own };
                if zxid < before && zxid > 0 {
                    let text = format!("client {number}: {zxid:#x} after {before:#x}: {:?}", client.calls[*call]);
                    findings.add(Promise::SessionOrder, text);
                }
                *own = zxid.max(*own);
                if entry.conn >= *conn {
                    (*conn, *upto) = (entry.conn, zxid.max(before));
                }
                if last_call.insert(entry.conn, *call).is_some_and(|last| last > *call) {
                    let text = format!("client {number}: answered out of turn: {:?}", client.calls[*call]);
                    findings.add(Promise::SessionOrder, text);
                }
            }
            _ => {}
        }
    }
}

/// How long each session is believed in, as its entries come.
pub(super) struct Belief {
    /// Until then the session must live.
    pub(super) until: u64,
    timeout: u64,
}

impl Belief {
    pub(super) fn none() -> Self {
        Belief { until: 0, timeout: 0 }
    }

    /// What an entry adds: every answer proves that the session lived when the request was sent, and later.
    pub(super) fn update(&mut self, client: &ClientHistory, entry: &Entry) {
        match &entry.what {
            What::Attached { asked, timeout_ms } => {
                self.timeout = u64::from(timeout_ms.unsigned_abs()) * 1_000_000;
                self.until = asked + self.timeout;
            }
            What::Answered(call) => self.until = self.until.max(client.calls[*call].sent + self.timeout),
            _ => {}
        }
    }
}

fn life(number: usize, client: &ClientHistory, faults: &[Fault], findings: &mut Findings) {
    let mut beliefs: HashMap<i64, Belief> = HashMap::new();
    let closing = |session: i64, before: u64| {
        client.calls.iter().any(|c| c.session == session && c.op == Op::CloseSession && c.sent <= before)
    };
    for entry in &client.entries {
        let belief = beliefs.entry(entry.session).or_insert_with(Belief::none);
        let refused = match &entry.what {
            What::Refused { .. } => true,
            What::Answered(call) => {
                client.calls[*call].reply.as_ref().is_some_and(|r| r.answer == Answer::Error(SESSION_EXPIRED))
            }
            _ => false,
        };
        if refused && entry.at < belief.until && !closing(entry.session, entry.at) {
            let early = (belief.until - entry.at) / 1_000_000;
            let silent = (belief.until - belief.timeout).abs_diff(entry.at) / 1_000_000;
            let fault = faults.iter().enumerate().rfind(|(_, fault)| fault.at <= entry.at);
            let since =
                fault.map(|(i, f)| format!("{} ms after fault {}, {}", (entry.at - f.at) / 1_000_000, i + 1, f.what));
            let text = format!(
                "client {number}: session {:#x} ended {early} ms early, on connection {} after {silent} ms, {}",
                entry.session,
                entry.conn,
                since.unwrap_or_default()
            );
            findings.add(Promise::SessionKept, text);
        }
        if !refused {
            belief.update(client, entry);
        }
    }
}

/// Once a session speaks on a newer connection, an older one writes nothing any more.
fn stale_connections(number: usize, client: &ClientHistory, findings: &mut Findings) {
    let mut first_on: HashMap<(i64, u32), i64> = HashMap::new();
    for entry in &client.entries {
        if let What::Answered(call) = entry.what
            && let Some(reply) = client.calls[call].reply.as_ref()
            && reply.zxid > 0
        {
            first_on.entry((entry.session, entry.conn)).or_insert(reply.zxid);
        }
    }
    for call in client.calls.iter().filter(|c| c.op.writes()) {
        let Some(reply) = call.reply.as_ref().filter(|r| !matches!(r.answer, Answer::Error(_))) else { continue };
        let newer = first_on
            .iter()
            .find(|((session, conn), zxid)| *session == call.session && *conn > call.conn && **zxid < reply.zxid);
        if let Some(((_, conn), zxid)) = newer {
            let text = format!(
                "client {number}: {:?} at {:#x} on connection {}, after {zxid:#x} on connection {conn}",
                call.op, reply.zxid, call.conn
            );
            findings.add(Promise::StaleConnection, text);
        }
    }
}
