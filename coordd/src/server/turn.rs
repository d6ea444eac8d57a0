//! Requests that are answered from this member's state alone, each at its turn.
//!
//! ```text
//!   Turn{state, watches} ── run(frame) ──► answer appended to `out`, watch left in the table
//!                        ── run_ready  ──► the same for what waited in the queue, up to the next undecided request
//! ```
//!
//! Rule: the answer carries the zxid of the state that it was read from, and a watch is left under the guard of that
//! read. A malformed record is answered MARSHALLINGERROR and the connection stays; an operation that clients may not
//! use is answered UNIMPLEMENTED with zxid -1 and the connection closes (UnimplementedRequestProcessor).
//!
//! A turn ends after some milliseconds. Reason: apply waits for its guard, and with apply all other clients do.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{
    AuthId, DecodeError, ErrorCode, MultiOp, OpCode, Reply, Request, Xid, Zxid, encode_reads, encode_reply,
    reads_before_null,
};
use coordd_tree::State;
use tokio::time::Instant;

use super::auth::Identities;
use super::batch::OUT_HIGH_BYTES;
use super::conn::{Conn, Fate, Pending, Queue};
use super::hub::Watches;
use super::metrics::{Counts, millis};
use super::slow::Asked;
use super::{reads, watching};
use crate::clock;
use crate::session::registry::Holder;

/// How long a turn may take, and after how many requests the clock is looked at.
const TURN_MAX: Duration = Duration::from_millis(2);
const LOOK_EVERY: u32 = 32;
/// How long a single multiRead may take; one as long as a frame can be takes a fifth of it.
const MULTI_READ_MAX: Duration = Duration::from_millis(300);

/// One look at the state, for as many requests as have their turn.
pub(crate) struct Turn<'a> {
    pub conn: &'a Arc<Conn>,
    pub state: &'a State,
    pub zxid: Zxid,
    watches: Option<&'a mut Watches>,
    latency_ms: u64,
    now_ms: u64,
    answered: Answered,
    /// Of the request at hand, if it waited in the queue.
    waited: Option<Waited>,
    /// When the clock was last looked at for one that had waited.
    looked: Instant,
    until: Instant,
    /// Requests since the clock was looked at.
    unlooked: u32,
    /// It took long enough: the others first.
    pub over: bool,
}

/// What a turn answered without its having waited in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    pub counts: Counts,
    pub newest: Option<(OpCode, Xid)>,
    /// How long after they were read the turn began.
    pub after: Duration,
}

/// Since when a request waited, and when its barrier passed if it has one.
#[derive(Clone, Copy)]
struct Waited {
    since: Instant,
    passed: Option<Instant>,
}

/// Whether a request looks at or changes the watch table: by its opcode, or by the flag that ends its record.
pub(crate) fn touches_watches(op: i32, frame: &[u8]) -> bool {
    use OpCode::*;
    match OpCode::from_wire(op) {
        Some(Exists | GetData | GetChildren | GetChildren2) => frame.last().is_some_and(|flag| *flag != 0),
        Some(SetWatches | SetWatches2 | AddWatch | RemoveWatches | CheckWatches) => true,
        _ => false,
    }
}

/// Whether what a request costs is bounded neither by its own length nor by that of its answer.
pub(crate) fn walks(op: OpCode) -> bool {
    matches!(op, OpCode::GetEphemerals | OpCode::GetAllChildrenNumber)
}

/// Operations that a client may ask for and that are answered without the log.
fn is_local(op: OpCode) -> bool {
    use OpCode::*;
    matches!(
        op,
        Exists
            | GetData
            | GetAcl
            | GetChildren
            | GetChildren2
            | Ping
            | MultiRead
            | CheckWatches
            | RemoveWatches
            | SetWatches
            | SetWatches2
            | AddWatch
            | GetEphemerals
            | GetAllChildrenNumber
            | WhoAmI
            | Sasl
    )
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        conn: &'a Arc<Conn>,
        state: &'a State,
        watches: Option<&'a mut Watches>,
        since: Instant,
    ) -> Turn<'a> {
        let zxid = state.last_zxid();
        if watches.is_some() {
            conn.hub.registered_at(zxid);
        }
        let now = Instant::now();
        let answered = Answered { after: now.saturating_duration_since(since), ..Answered::default() };
        Turn {
            conn,
            state,
            zxid,
            watches,
            latency_ms: millis(answered.after),
            now_ms: clock::monotonic_ms(),
            answered,
            waited: None,
            looked: now,
            until: now + TURN_MAX,
            unlooked: 0,
            over: false,
        }
    }

    /// Which requests were answered without having waited.
    pub(crate) fn finish(self) -> Answered {
        self.answered
    }

    /// Executes what is at the front of the queue and waits for nothing, up to a walk; as much of it as is good at
    /// once, but all that stands before a write: with the outcome of that write the state is another.
    pub(crate) fn run_ready(&mut self, queue: &mut Queue) {
        let mut put_off = None;
        while queue.is_ready() && !queue.walks() && queue.is_served() {
            let enough = self.over || queue.out.len() >= OUT_HIGH_BYTES;
            if enough && *put_off.get_or_insert_with(|| !queue.is_undecided()) {
                break;
            }
            if queue.out.len() > self.conn.hub.max_outbox_bytes {
                self.conn.hub.metrics.outbox_overflows.add(1);
                queue.fate = Fate::Cut;
                break;
            }
            self.run_front(queue);
        }
    }

    /// Executes what is at the front of the queue, if it waits for nothing.
    pub(crate) fn run_front(&mut self, queue: &mut Queue) {
        if !queue.is_ready() {
            return;
        }
        match queue.pending.pop_front() {
            Some(Pending::Local { frame, auth, since, .. }) => {
                self.waited = Some(Waited { since, passed: None });
                queue.held_bytes -= frame.len();
                self.run(queue, Some(&auth), &frame);
            }
            Some(Pending::Refused { xid, op, code, since }) => {
                self.waited = Some(Waited { since, passed: None });
                encode_reply(&mut queue.out, xid, self.zxid, Err(code));
                self.answered(queue, op, xid);
            }
            Some(Pending::Sync { xid, record, passed, since }) => {
                self.waited = Some(Waited { since, passed });
                self.sync(queue, xid, &record);
            }
            Some(Pending::Handshake { .. } | Pending::Write { .. }) | None => {}
        }
        self.waited = None;
    }

    fn sync(&mut self, queue: &mut Queue, xid: Xid, record: &[u8]) {
        match Request::decode(OpCode::Sync, record) {
            Ok(Request::Sync { path }) => {
                let echo = path.map_or(Reply::NullPath, Reply::Path);
                encode_reply(&mut queue.out, xid, self.zxid, Ok(&echo));
            }
            Ok(_) | Err(_) => encode_reply(&mut queue.out, xid, self.zxid, Err(ErrorCode::MarshallingError)),
        }
        self.answered(queue, OpCode::Sync, xid);
    }

    /// Executes one request: its whole frame, asked by `auth`, or by who the connection is now.
    pub(crate) fn run(&mut self, queue: &mut Queue, auth: Option<&Identities>, frame: &[u8]) {
        let (Some(xid), Some(op)) = (frame.get(4..8), frame.get(8..12)) else { return };
        let int = |b: &[u8]| b.first_chunk::<4>().map_or(0, |b| i32::from_be_bytes(*b));
        let (xid, code) = (Xid(int(xid)), int(op));
        let Some(op) = OpCode::from_wire(code) else { return self.unimplemented(queue, xid) };
        if self.conn.is_read_only() && !is_local(op) {
            return self.read_only(queue, xid, op);
        }
        if !is_local(op) {
            return self.unimplemented(queue, xid);
        }
        // A ping is known by its own xid, whatever stood in the request.
        let xid = if op == OpCode::Ping { Xid::PING } else { xid };
        match Request::decode(op, &frame[12..]) {
            // ZooKeeper closes on what it cannot read of this one, and on a null token. Any other it answers OK with a
            // null token and zxid 0, and the client goes on unauthenticated.
            Ok(Request::Sasl { token: Some(_) }) => {
                encode_reply(&mut queue.out, xid, Zxid::ZERO, Ok(&Reply::Sasl(None)));
            }
            _ if op == OpCode::Sasl => return queue.close_after_flush(),
            Ok(request) => {
                let Queue { out, auth: now, .. } = queue;
                self.execute(out, &auth.unwrap_or(now).ids, xid, &request);
            }
            Err(DecodeError::Null) if op == OpCode::MultiRead => {
                let Queue { out, auth: now, .. } = queue;
                let before = reads_before_null(&frame[12..]);
                self.many(out, &auth.unwrap_or(now).ids, xid, &before, Some(ErrorCode::MarshallingError));
            }
            Err(_) => encode_reply(&mut queue.out, xid, self.zxid, Err(ErrorCode::MarshallingError)),
        }
        self.answered(queue, op, xid);
    }

    fn execute(&mut self, out: &mut BytesMut, auth: &[AuthId], xid: Xid, request: &Request<'_>) {
        if let Request::MultiRead(ops) = request {
            return self.many(out, auth, xid, ops, None);
        }
        let Turn { conn, state, zxid, watches, .. } = self;
        match watches {
            Some(watches) if watching::concerns(request) => {
                watching::run(watches, conn, state, *zxid, auth, xid, request, out);
            }
            _ => reads::run(state, *zxid, conn.session(), auth, xid, request, out),
        }
    }

    /// A multiRead; `cut` when a null path stood behind `ops`. Its answer may be far longer than itself, and take long.
    fn many(&self, out: &mut BytesMut, auth: &[AuthId], xid: Xid, ops: &[MultiOp<'_>], cut: Option<ErrorCode>) {
        let results = ops.iter().map(|op| reads::one_of_many(self.state, auth, op));
        let (bytes_max, until, mut parts) = (self.conn.hub.max_outbox_bytes, Instant::now() + MULTI_READ_MAX, 0);
        encode_reads(out, xid, self.zxid, cut, results, |bytes| {
            parts += 1;
            bytes <= bytes_max && (parts % LOOK_EVERY != 0 || Instant::now() < until)
        });
    }

    fn answered(&mut self, queue: &mut Queue, op: OpCode, xid: Xid) {
        match self.waited {
            Some(waited) => self.answered_late(queue, op, xid, waited),
            None => {
                queue.tally.answered(op, xid, self.zxid, self.now_ms, self.latency_ms);
                self.answered.counts.add(op);
                self.answered.newest = Some((op, xid));
            }
        }
        self.unlooked += match op {
            OpCode::MultiRead | OpCode::SetWatches | OpCode::SetWatches2 => LOOK_EVERY,
            _ => 1,
        };
        if self.unlooked >= LOOK_EVERY {
            self.unlooked = 0;
            self.over |= Instant::now() >= self.until;
        }
    }

    fn answered_late(&mut self, queue: &mut Queue, op: OpCode, xid: Xid, Waited { since, passed }: Waited) {
        let now = Instant::now();
        let executed = now.saturating_duration_since(mem::replace(&mut self.looked, now));
        let took = now.saturating_duration_since(since);
        queue.tally.answered(op, xid, self.zxid, self.now_ms, millis(took));
        let hub = &self.conn.hub;
        hub.metrics.read_answered(op, took);
        let barrier = passed.map(|passed| passed.saturating_duration_since(since));
        hub.slow.read(self.conn, Asked { op: Some(op), xid, took }, executed, barrier, 1, queue.out.len());
    }

    fn unimplemented(&mut self, queue: &mut Queue, xid: Xid) {
        encode_reply(&mut queue.out, xid, Zxid(-1), Err(ErrorCode::Unimplemented));
        queue.close_after_flush();
        self.answered(queue, OpCode::Error, xid);
    }

    /// ReadOnlyRequestProcessor: what would change the state or asks the leader is refused.
    fn read_only(&mut self, queue: &mut Queue, xid: Xid, op: OpCode) {
        use OpCode::*;
        match op {
            CloseSession => {
                encode_reply(&mut queue.out, xid, self.zxid, Ok(&Reply::Empty));
                queue.close_after_flush();
            }
            Create | Create2 | CreateContainer | CreateTtl | Delete | SetData | SetAcl | Multi | Reconfig | Sync
            | Check => encode_reply(&mut queue.out, xid, self.zxid, Err(ErrorCode::NotReadOnly)),
            _ => return self.unimplemented(queue, xid),
        }
        self.answered(queue, op, xid);
    }
}
