//! From bytes to work: takes every whole request that the socket gave and executes, queues or proposes it.
//!
//! ```text
//!   input ─► frame ─► nothing waits?  read ─► executed into `out` at once       (one guard for the whole batch)
//!                     else            read ─► queued; apply executes it when its turn comes
//!                                     write ─► queued, and collected for one call of `propose`
//! ```
//!
//! Rule: one guard of the state, one lock of the queue and one call of the proposer a batch; nothing is spawned, boxed
//! or locked a request (design D16). Requests are answered in the order in which they came. A read that walks the tree
//! is no part of a batch: it has a guard of its own, one at a time a member, and nothing behind it is looked at before.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use coordd_proto::{ErrorCode, OpCode, Request, Xid, is_refused_unnumbered};
use coordd_tree::{AuthList, Op};
use tokio::time::Instant;

use super::Shared;
use super::auth;
use super::bounds;
use super::conn::{Conn, Fate, Pending, Queue};
use super::growth;
use super::slow::Asked;
use super::turn::{self, Turn};
use crate::consensus::Write;
use crate::session::registry::Holder;

/// A connection whose outbox holds this much executes nothing more until it is written.
pub(crate) const OUT_HIGH_BYTES: usize = 256 * 1024;

/// Frames that wait for their turn, in bytes, beyond which nothing more is taken.
const HELD_MAX_BYTES: usize = 1024 * 1024;

/// What the writes of one batch bring to the log, beyond which no more are taken: room is asked for by the first only.
const WRITES_MAX_BYTES: usize = 1024 * 1024;

/// `length`, `xid`, `op`.
const HEADER_LEN: usize = 12;

/// Why the batch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Every whole request is taken.
    NeedBytes,
    /// The outbox is full: write it, then go on.
    Again,
    /// That took long enough: let others have their turn, then go on.
    Over,
    /// The next request is a walk.
    Walks,
    /// The next request must wait until something queued is answered.
    Blocked,
    /// The next request is a write and the proposer has no room.
    NoRoom,
}

/// The client broke the protocol: its connection closes without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("frame of {0} bytes")]
    Length(i32),
    #[error("frame too short for a header")]
    NoHeader,
}

/// What kind of work a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Local,
    Walk,
    Write(OpCode),
    Sync,
    Auth,
}

/// On a read-only connection nothing is proposed; what would change the state is refused at its turn.
fn read_only_route(op: i32) -> Route {
    match route(op) {
        route @ (Route::Auth | Route::Walk) => route,
        Route::Local | Route::Write(_) | Route::Sync => Route::Local,
    }
}

fn route(op: i32) -> Route {
    use OpCode::*;
    match OpCode::from_wire(op) {
        Some(
            op @ (Create | Create2 | CreateContainer | CreateTtl | Delete | SetData | SetAcl | Multi | Reconfig
            | CloseSession),
        ) => Route::Write(op),
        Some(Sync) => Route::Sync,
        Some(Auth) => Route::Auth,
        Some(op) if turn::walks(op) => Route::Walk,
        _ => Route::Local,
    }
}

/// The length of the frame at the front of `input` without its length field, if it is all there.
pub(crate) fn whole_frame(input: &[u8], max: usize) -> Result<Option<usize>, Broken> {
    let Some(head) = input.first_chunk::<4>() else { return Ok(None) };
    let len = i32::from_be_bytes(*head);
    match usize::try_from(len) {
        Ok(n) if n <= max => Ok((input.len() >= 4 + n).then_some(n)),
        _ => Err(Broken::Length(len)),
    }
}

/// `xid` and `op` of a whole frame.
pub(crate) fn header(frame: &[u8]) -> Result<(Xid, i32), Broken> {
    let (xid, rest) = frame[4..].split_first_chunk::<4>().ok_or(Broken::NoHeader)?;
    let op = rest.first_chunk::<4>().ok_or(Broken::NoHeader)?;
    Ok((Xid(i32::from_be_bytes(*xid)), i32::from_be_bytes(*op)))
}

/// What the requests at hand will need, so that guards are taken once and in order.
#[derive(Default)]
struct Needs {
    requests: usize,
    state: bool,
    watches: bool,
}

fn scan(mut input: &[u8], max: usize) -> Result<Needs, Broken> {
    let mut needs = Needs::default();
    while let Some(len) = whole_frame(input, max)? {
        let (frame, rest) = input.split_at(4 + len);
        let (_, op) = header(frame)?;
        needs.requests += 1;
        if route(op) == Route::Local {
            needs.state = true;
            needs.watches |= turn::touches_watches(op, frame);
        }
        input = rest;
    }
    Ok(needs)
}

/// Executes, queues and proposes what `input` holds. `since` is when its newest bytes were read.
pub(crate) fn take(
    conn: &Arc<Conn>,
    shared: &Shared,
    input: &mut BytesMut,
    writes: &mut Vec<Write>,
    since: Instant,
) -> Result<Step, Broken> {
    let max = shared.config.max_frame_bytes;
    let needs = scan(input, max)?;
    let ready = {
        let mut queue = conn.queue();
        queue.parked = false;
        queue.is_ready()
    };
    if needs.requests == 0 && !ready {
        return Ok(Step::NeedBytes);
    }
    // A read-only connection answers writes, too, from here.
    let with_state = needs.state || ready || conn.is_read_only();
    let state = with_state.then(|| shared.consensus.state().read());
    let mut watches = (state.is_some() && (needs.watches || ready)).then(|| conn.hub.watches());
    let mut queue = conn.queue();
    let mut turn = state.as_deref().map(|state| Turn::new(conn, state, watches.as_deref_mut(), since));
    if let Some(turn) = turn.as_mut() {
        turn.run_ready(&mut queue);
    }
    let mut batch = Batch { conn, shared, writes, since, received: 0, write_bytes: 0, barrier: false };
    let step = batch.run(input, max, &mut queue, turn.as_mut());
    queue.tally.received += batch.received;
    let (received, barrier) = (batch.received, batch.barrier);
    let (answered, outbox_bytes) = (turn.map(Turn::finish).unwrap_or_default(), queue.out.len());
    drop(queue);
    drop(watches);
    drop(state);
    let took = shared.hub.metrics.requests_taken(received, &answered.counts, since);
    if let (Some(took), Some((op, xid))) = (took, answered.newest) {
        let asked = Asked { op: Some(op), xid, took };
        let executed = took.saturating_sub(answered.after);
        shared.hub.slow.read(conn, asked, executed, None, answered.counts.total(), outbox_bytes);
    }
    // Both may call back into this connection at once, so no lock is held here.
    if !writes.is_empty() {
        shared.consensus.propose(writes);
    }
    if barrier {
        shared.consensus.barrier(conn.clone());
    }
    step
}

/// How to go on with what could be executed but for this batch.
fn ready(queue: &Queue, over: bool) -> Step {
    match (queue.walks(), over) {
        (true, _) => Step::Walks,
        (false, true) => Step::Over,
        (false, false) => Step::Again,
    }
}

/// Executes the walk that has its turn, under a guard of its own and beside nothing else.
pub(crate) fn walk(conn: &Arc<Conn>, shared: &Shared) {
    let state = shared.consensus.state().read();
    let mut queue = conn.queue();
    if queue.walks() && queue.is_served() {
        Turn::new(conn, &state, None, Instant::now()).run_front(&mut queue);
    }
}

struct Batch<'a> {
    conn: &'a Arc<Conn>,
    shared: &'a Shared,
    writes: &'a mut Vec<Write>,
    since: Instant,
    received: u64,
    /// Of `writes`, with the identities that each carries.
    write_bytes: usize,
    /// A `sync` was queued; nothing behind it was looked at.
    barrier: bool,
}

impl Batch<'_> {
    fn run(
        &mut self,
        input: &mut BytesMut,
        max: usize,
        queue: &mut Queue,
        mut turn: Option<&mut Turn<'_>>,
    ) -> Result<Step, Broken> {
        while let Some(len) = whole_frame(input, max)? {
            let over = turn.as_ref().is_some_and(|turn| turn.over);
            if let Some(step) = self.stop(queue, over) {
                return Ok(step);
            }
            let frame = &input[..4 + len];
            let (xid, op) = header(frame)?;
            let route = if self.conn.is_read_only() { read_only_route(op) } else { route(op) };
            match route {
                Route::Local => match &mut turn {
                    Some(turn) if queue.pending.is_empty() => {
                        turn.run(queue, None, frame);
                        input.advance(4 + len);
                    }
                    _ => {
                        let frame = input.split_to(4 + len).freeze();
                        queue.hold(frame, self.since, false);
                    }
                },
                Route::Walk => queue.hold(input.split_to(4 + len).freeze(), self.since, true),
                Route::Write(op) => {
                    if self.write_bytes >= WRITES_MAX_BYTES {
                        return Ok(Step::Again);
                    }
                    if self.writes.is_empty() && !self.shared.consensus.has_room() {
                        return Ok(Step::NoRoom);
                    }
                    self.write(xid, op, input.split_to(4 + len), queue);
                }
                Route::Sync => {
                    let record = input.split_to(4 + len).freeze().slice(HEADER_LEN..);
                    queue.pending.push_back(Pending::Sync { xid, record, passed: None, since: self.since });
                    self.barrier = true;
                }
                Route::Auth => {
                    auth::answer(self.shared, self.conn.peer, xid, &frame[HEADER_LEN..], queue);
                    input.advance(4 + len);
                }
            }
            self.received += 1;
        }
        let over = turn.is_some_and(|turn| turn.over);
        Ok(if queue.is_ready() { ready(queue, over) } else { Step::NeedBytes })
    }

    /// Whether the next request must wait. `over`: the turn is.
    fn stop(&self, queue: &Queue, over: bool) -> Option<Step> {
        let full = queue.pending.len() >= self.shared.config.in_flight_max || queue.held_bytes >= HELD_MAX_BYTES;
        if queue.is_ready() || over || queue.out.len() >= OUT_HIGH_BYTES {
            Some(ready(queue, over))
        } else if queue.fate != Fate::Open || queue.holds_parsing() || full {
            Some(Step::Blocked)
        } else {
            None
        }
    }

    /// Why a write never reaches the log, if so.
    fn refusal(&self, op: OpCode, record: &[u8], auth: &AuthList) -> Option<ErrorCode> {
        match Request::decode(op, record) {
            // The end of a session gives room.
            Ok(_) if op == OpCode::CloseSession => None,
            Ok(request) => {
                let short = || self.shared.consensus.refused(growth::grows(&request, auth));
                bounds::beyond(&request, auth).or_else(short)
            }
            Err(fault) if is_refused_unnumbered(op, fault) => Some(ErrorCode::MarshallingError),
            Err(_) => self.shared.consensus.refused(false),
        }
    }

    fn write(&mut self, xid: Xid, op: OpCode, frame: BytesMut, queue: &mut Queue) {
        let record = frame.freeze().slice(HEADER_LEN..);
        if let Some(code) = self.refusal(op, &record, &queue.auth.list) {
            queue.pending.push_back(Pending::Refused { xid, op, code, since: self.since });
            return;
        }
        queue.pending.push_back(Pending::Write { xid, op, since: self.since });
        self.write_bytes += record.len() + queue.auth.bytes;
        self.writes.push(Write {
            session: self.conn.session(),
            attach: self.conn.attach(),
            auth: queue.auth.list.clone(),
            op: if op == OpCode::CloseSession { Op::CloseSession } else { Op::Client { op, record } },
            sink: self.conn.clone(),
        });
    }
}
