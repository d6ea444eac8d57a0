//! One client connection as the rest of the member sees it: its outbox, its undecided requests, who it is.
//!
//! ```text
//!   connection task ── parses, executes, queues ──► ┌ Queue (one lock) ──────────────────────────────┐ ──► socket
//!   apply ── reply, then the reads behind it ─────► │ out: bytes in final order                        │
//!   apply ── watch events ────────────────────────► │ pending: what waits for apply, in request order  │
//!                                                   └──────────────────────────────────────────────────┘
//! ```
//!
//! Rule: whoever appends to `out` holds a guard of the state and appends what that state shows. Reason: then `out` is
//! in zxid order by itself, an event lies before any answer that shows its change, and no other queue is needed (design
//! D16). Lock order: state, watch table, this queue.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::{Buf, Bytes, BytesMut};
use coordd_proto::{AuthId, ErrorCode, OpCode, SessionId, Xid};
use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::auth::Identities;
use super::batch;
use super::hub::Hub;
use super::outlet::Outlet;
use super::tally::Tally;
use crate::clock;
use crate::session::heard::{Heard, Patience};
use crate::session::registry::Holder;
use crate::watch::WatcherId;

/// An output buffer that grew beyond this is given back once it is written.
const KEEP_OUT_BYTES: usize = 64 * 1024;

/// Empties an output buffer that is with the socket.
pub(crate) fn written(out: &mut BytesMut) {
    out.clear();
    if out.capacity() > KEEP_OUT_BYTES {
        *out = BytesMut::new();
    }
}

/// A request that waits for its turn.
pub(crate) enum Pending {
    /// The handshake: the session is being opened or attached. `read_only` is echoed if the request had the field.
    Handshake {
        timeout_ms: i32,
        password: [u8; 16],
        read_only: Option<bool>,
        since: Instant,
    },
    Write {
        xid: Xid,
        op: OpCode,
        since: Instant,
    },
    /// A `sync`, and when its barrier passed if it did.
    Sync {
        xid: Xid,
        record: Bytes,
        passed: Option<Instant>,
        since: Instant,
    },
    /// Refused before it was proposed; answered at its turn.
    Refused {
        xid: Xid,
        op: OpCode,
        code: ErrorCode,
        since: Instant,
    },
    /// Executed here once everything before it is answered: the whole frame and the identities at its receipt. One that
    /// `walks` takes as long as the tree is large, and only the connection's own task executes it.
    Local {
        frame: Bytes,
        auth: Arc<Identities>,
        since: Instant,
        walks: bool,
    },
}

impl Pending {
    /// Whether apply will bring an outcome for it.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self, Pending::Write { .. } | Pending::Handshake { .. })
    }

    /// What was asked and when.
    pub(crate) fn asked(&self) -> (Option<OpCode>, Xid, Instant) {
        match self {
            Pending::Handshake { since, .. } => (Some(OpCode::CreateSession), Xid::default(), *since),
            Pending::Write { xid, op, since } | Pending::Refused { xid, op, since, .. } => (Some(*op), *xid, *since),
            Pending::Sync { xid, since, .. } => (Some(OpCode::Sync), *xid, *since),
            Pending::Local { frame, since, .. } => {
                let (xid, op) = batch::header(frame).unwrap_or_default();
                (OpCode::from_wire(op), xid, *since)
            }
        }
    }
}

/// How a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Open,
    /// Takes no further requests and closes once those that it took are answered.
    Drain,
    /// Closes once its outbox is written.
    Flush,
    /// Closes at once, without what is in the outbox.
    Cut,
}

/// What is under the connection's lock.
pub(crate) struct Queue {
    pub out: BytesMut,
    pub pending: VecDeque<Pending>,
    /// Bytes of the frames that wait in `pending`.
    pub held_bytes: usize,
    pub auth: Arc<Identities>,
    pub fate: Fate,
    /// Already on the hub's list of connections to wake.
    pub listed: bool,
    /// The task waits for bytes and for nothing else: whoever fills `out` may write it, too.
    pub parked: bool,
    pub tally: Tally,
}

impl Queue {
    pub(crate) fn close_after_flush(&mut self) {
        if self.is_served() {
            self.fate = Fate::Flush;
        }
    }

    /// Whether the next outcome is that of the client's own request to end the session.
    pub(crate) fn asked_to_close(&self) -> bool {
        matches!(self.pending.front(), Some(Pending::Write { op: OpCode::CloseSession, .. }))
    }

    /// Whether requests that were taken are still answered, and events told.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self.fate, Fate::Open | Fate::Drain)
    }

    /// Queues a request that is executed here at its turn.
    pub(crate) fn hold(&mut self, frame: Bytes, since: Instant, walks: bool) {
        self.held_bytes += frame.len();
        self.pending.push_back(Pending::Local { frame, auth: self.auth.clone(), since, walks });
    }

    /// Whether later requests must not be looked at yet: behind a `sync`, a walk, the handshake or the end of the
    /// session.
    pub(crate) fn holds_parsing(&self) -> bool {
        matches!(
            self.pending.back(),
            Some(
                Pending::Sync { .. }
                    | Pending::Local { walks: true, .. }
                    | Pending::Handshake { .. }
                    | Pending::Write { op: OpCode::CloseSession, .. }
            )
        )
    }

    /// Whether what has its turn is a walk.
    pub(crate) fn walks(&self) -> bool {
        matches!(self.pending.front(), Some(Pending::Local { walks: true, .. }))
    }

    /// Whether apply will bring an outcome for something that waits here: what stands before it cannot be put off.
    pub(crate) fn is_undecided(&self) -> bool {
        self.pending.iter().any(Pending::is_undecided)
    }

    /// Something at the front could be answered now.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(
            self.pending.front(),
            Some(Pending::Local { .. } | Pending::Refused { .. } | Pending::Sync { passed: Some(_), .. })
        )
    }
}

/// A client connection.
pub(crate) struct Conn {
    me: Weak<Conn>,
    pub id: u64,
    pub peer: SocketAddr,
    /// Wall clock when it was accepted, milliseconds.
    pub established_ms: i64,
    pub hub: Arc<Hub>,
    session: AtomicI64,
    attach: AtomicU32,
    timeout_ms: AtomicU64,
    read_only: AtomicBool,
    heard: Heard,
    woken: AtomicBool,
    waker: AtomicWaker,
    outlet: Outlet,
    queue: Mutex<Queue>,
}

impl Conn {
    pub(crate) fn new(id: u64, peer: SocketAddr, hub: Arc<Hub>) -> Arc<Conn> {
        let ip = AuthId::new("ip", peer.ip().to_canonical().to_string());
        let queue = Queue {
            out: BytesMut::new(),
            pending: VecDeque::new(),
            held_bytes: 0,
            auth: Identities::new(vec![ip]),
            fate: Fate::Open,
            listed: false,
            parked: false,
            tally: Tally::default(),
        };
        Arc::new_cyclic(|me| Conn {
            me: me.clone(),
            id,
            peer,
            established_ms: clock::wall_ms(),
            hub,
            session: AtomicI64::new(0),
            attach: AtomicU32::new(0),
            timeout_ms: AtomicU64::new(0),
            read_only: AtomicBool::new(false),
            heard: Heard::default(),
            woken: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            outlet: Outlet::default(),
            queue: Mutex::new(queue),
        })
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// This connection as the `Arc` it lives in; `None` only while the last `Arc` is being dropped.
    pub(crate) fn shared(&self) -> Option<Arc<Conn>> {
        self.me.upgrade()
    }

    pub(crate) fn watcher(&self) -> WatcherId {
        WatcherId(self.id)
    }

    /// The session is established: set once, by the apply of the handshake's entry.
    pub(crate) fn establish(&self, session: SessionId, attach: u32, timeout_ms: u64, read_only: bool) {
        self.heard.begin(clock::monotonic_ms());
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        self.attach.store(attach, Ordering::Relaxed);
        self.read_only.store(read_only, Ordering::Relaxed);
        self.session.store(session.0, Ordering::Release);
    }

    pub(crate) fn is_established(&self) -> bool {
        self.session() != SessionId::NONE
    }

    pub(crate) fn timeout_ms(&self) -> u64 {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Wakes the connection's task, also out of a write that the client does not take.
    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn waker(&self) -> &AtomicWaker {
        &self.waker
    }

    pub(crate) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Whether it was woken since the last call.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Puts the connection on the list of those that are told once the batch is applied.
    pub(crate) fn list(self: &Arc<Conn>, queue: &mut Queue) {
        if !mem::replace(&mut queue.listed, true) {
            self.hub.list(self.clone());
        }
    }

    /// The batch that filled the outbox is applied: the bytes go out here and now if `may_write` and the task is
    /// parked, or the task is woken for them. How many the socket took, if it was asked.
    pub(crate) fn push(&self, may_write: impl FnOnce() -> bool) -> Option<usize> {
        let mut queue = self.queue();
        queue.listed = false;
        let here = queue.parked && queue.fate == Fate::Open && !queue.is_ready() && may_write();
        let taken = here.then(|| self.outlet.write_now(&queue.out));
        if taken == Some(queue.out.len()) {
            written(&mut queue.out);
            return taken;
        }
        queue.out.advance(taken.unwrap_or(0));
        drop(queue);
        self.wake();
        taken
    }

    /// As [`Conn::push`], by its own task in any case.
    pub(crate) fn wake_to_write(&self) {
        self.queue().listed = false;
        self.wake();
    }

    /// Closes it once what it was sent is written.
    pub(crate) fn close_after_flush(&self) {
        self.queue().close_after_flush();
        self.wake();
    }

    /// Closes it once every request that it took is answered; whether it was open until now.
    pub(crate) fn drain(&self) -> bool {
        let mut queue = self.queue();
        let open = queue.fate == Fate::Open;
        if open {
            queue.fate = Fate::Drain;
        }
        drop(queue);
        self.wake();
        open
    }

    /// Closes it at once, without what is in its outbox.
    pub(crate) fn cut(&self) {
        self.queue().fate = Fate::Cut;
        self.wake();
    }
}

impl Holder for Conn {
    fn session(&self) -> SessionId {
        SessionId(self.session.load(Ordering::Acquire))
    }

    fn attach(&self) -> u32 {
        self.attach.load(Ordering::Relaxed)
    }

    fn patience(&self) -> Patience {
        Patience { timeout_ms: self.timeout_ms(), tick_ms: self.hub.tick_ms() }
    }

    fn heard(&self) -> &Heard {
        &self.heard
    }
}
