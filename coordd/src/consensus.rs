//! What the rest of a member knows of consensus: writes go in, in order; outcomes come back from this member's own
//! apply.
//!
//! ```text
//!   connection ── propose([Write, Write, …]) ──►  Consensus  ──►  log, quorum, commit
//!       ▲                                                             │
//!       └── WriteSink::applied(state, zxid, outcome) ◄── apply ◄──────┘   (state's write guard held)
//!                               ApplyHook::changed(…)  ◄──┘              (before the sink of the same entry)
//! ```
//!
//! Rule: nothing here blocks or awaits while a guard is held, and a sink is called exactly once for each write, in the
//! order in which this member proposed. Reason: a member decides the fate of its writes from its own apply (design D7),
//! so replies, watch events and later reads of one connection fall into one order without any further lock or queue.
//!
//! Lock order everywhere: state, then watch table, then one connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use coordd_proto::{SessionId, Zxid};
use coordd_tree::{AuthList, Change, Op, Outcome, QuotaExceeded, State};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

/// One write of a client, as its connection hands it over.
pub struct Write {
    pub session: SessionId,
    /// The attach number under which the connection holds its session; an older one is refused at apply.
    pub attach: u32,
    pub auth: AuthList,
    pub op: Op,
    pub sink: Arc<dyn WriteSink>,
}

/// Who waits for writes; a connection, mostly.
pub trait WriteSink: Send + Sync {
    /// The oldest undecided write of this sink was applied here as `zxid`. The state's write guard is held: no await,
    /// no other state lock.
    fn applied(&self, state: &State, zxid: Zxid, outcome: Outcome);

    /// The oldest undecided write's outcome cannot be known here any more (a snapshot was installed over it, or there
    /// is no leader for too long): the connection must close without an answer.
    fn lost(&self);
}

/// Waits for nothing and counts nothing: for writes of the member itself, for work outside a running member, and for
/// tests of what is below the server.
pub(crate) struct Nobody;

impl Meter for Nobody {}

impl WriteSink for Nobody {
    fn applied(&self, _: &State, _: Zxid, _: Outcome) {}

    fn lost(&self) {}
}

/// Who waits for a read barrier (`sync`).
pub trait BarrierSink: Send + Sync {
    /// Everything committed anywhere before the barrier was asked for is applied here. A read guard is held.
    fn passed(&self, state: &State);

    /// No leader confirmed the barrier in time: the connection must close without an answer.
    fn lost(&self);
}

/// What apply tells the rest of the member. Called under the state's write guard but for `batch_done`.
pub trait ApplyHook: Send + Sync {
    /// An entry changed znodes; in the order of the entry's changes.
    fn changed(&self, state: &State, zxid: Zxid, changes: &[Change]);

    /// A write of `session`, which came by this member, exceeds a quota.
    fn quota_exceeded(&self, _session: SessionId, _exceeded: &QuotaExceeded) {}

    /// A session is gone (closed or expired): its connection here, if any, must close after what it was sent.
    fn session_ended(&self, session: SessionId);

    /// A session was attached anew; a connection here that holds it under an older attach number must close.
    fn session_attached(&self, session: SessionId, attach: u32);

    /// The state was replaced by a snapshot: each watch must be compared with it as `setWatches` compares.
    fn state_replaced(&self, state: &State);

    /// A batch is applied, up to that zxid, and the guard is dropped: wake the connections that got something.
    fn batch_done(&self, applied: Zxid);
}

/// Who counts what consensus costs. Called on hot paths: no lock, no allocation.
pub trait Meter: Send + Sync {
    /// A start read the log from the disk.
    fn log_read(&self, _took: Duration) {}

    /// A snapshot was put in the place of the state: at a start, or because the leader sent one.
    fn snapshot_loaded(&self, _took: Duration) {}

    /// Consensus was started on what the disk held, which took so long from the log that was read on: loading the
    /// snapshot, then applying so many committed entries.
    fn started(&self, _took: Duration, _entries: u64) {}

    /// The log was flushed once, for so many operations.
    fn flushed(&self, _took: Duration, _operations: u64) {}

    /// A batch of committed entries is about to be applied.
    fn applying(&self) {}

    /// An entry of so many bytes is applied.
    fn proposal(&self, _bytes: usize) {}

    /// A batch of entries was applied under one guard.
    fn applied(&self, _took: Duration, _entries: usize) {}

    /// A write of this member was decided, so long after it was proposed; its sink is told next.
    fn decided(&self, _took: Duration) {}

    fn snapshot_taken(&self, _took: Duration) {}

    fn snapshot_failed(&self) {}

    /// A snapshot is about to be sent to another member; `snapshot_sent` follows however that ends.
    fn snapshot_sending(&self) {}

    fn snapshot_sent(&self) {}

    /// The state of a member, this one or as leader another, is not that of most voters.
    fn digest_differs(&self) {}

    /// There was no leader for so long; whether this member is the new one.
    fn leaderless(&self, _took: Duration, _leads: bool) {}
}

/// The part of a member in its ensemble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Leader,
    Follower,
    Candidate,
    Learner,
    /// Not a member of a formed ensemble yet, or stopped for good.
    Unformed,
}

/// One member as the committed membership describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberInfo {
    pub id: u64,
    pub name: String,
    pub voter: bool,
    /// Random identity of its disk.
    pub disk_id: String,
    pub peer_addr: String,
    pub client_addr: String,
    pub http_addr: String,
}

/// What this member knows of its ensemble; published on every change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub ensemble_id: Option<String>,
    pub node_id: Option<u64>,
    pub name: String,
    pub role: Role,
    pub term: u64,
    pub leader: Option<u64>,
    pub members: Vec<MemberInfo>,
    /// Log index of the membership entry that `members` comes from; fences admin calls.
    pub membership_index: u64,
    pub last_log_index: u64,
    /// Term of that entry, which may be lower than `term`, that of the vote.
    pub last_log_term: u64,
    pub committed_index: u64,
    pub applied_index: u64,
    /// What the log has taken and not yet flushed.
    pub log_unsynced_bytes: u64,
    /// What apply does is that of this level, on every member.
    pub feature_level: u32,
    /// Writes that were proposed here and are not decided yet.
    pub undecided_writes: u64,
    /// As leader: how many entries each other member is behind; empty elsewhere.
    pub lag: Vec<(u64, u64)>,
    /// As leader: which other members acknowledged something lately; empty elsewhere.
    pub heard: Vec<u64>,
    /// Why this member does not serve, in words for an operator; `None` when it does.
    pub not_serving: Option<String>,
}

impl Status {
    /// (id, name, entries) of `lag`; the name is empty where the committed membership does not have the id.
    pub fn lag_by_name(&self) -> impl Iterator<Item = (u64, &str, u64)> {
        let name = |id: u64| self.members.iter().find(|member| member.id == id).map_or("", |member| &member.name);
        self.lag.iter().map(move |&(id, entries)| (id, name(id), entries))
    }

    /// As leader: the other members that follow its log now. One that was given nothing of it yet does not, nor one
    /// that is silent.
    pub fn synced(&self) -> impl Iterator<Item = &MemberInfo> {
        let follows = |id: u64| self.lag.iter().any(|(other, lag)| *other == id && *lag < self.last_log_index);
        self.members.iter().filter(move |member| self.heard.contains(&member.id) && follows(member.id))
    }
}

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The consensus handle that the client port, the admin API and discovery hold.
pub trait Consensus: Send + Sync + 'static {
    /// Takes all of `writes`, in order, leaving the vector empty. Never blocks; outcomes come by the sinks.
    fn propose(&self, writes: &mut Vec<Write>);

    /// Asks for a read barrier; barriers of one moment share one round.
    fn barrier(&self, sink: Arc<dyn BarrierSink>);

    /// The replicated state as applied here.
    fn state(&self) -> &RwLock<State>;

    fn status(&self) -> watch::Receiver<Arc<Status>>;

    /// Whether undecided writes leave room for more; a connection reads no further requests while they do not.
    fn has_room(&self) -> bool;

    /// Resolves once there is room again.
    fn room(&self) -> BoxFuture<()>;

    /// Whether clients may be answered now (design D8: only within a bound of the last quorum-confirmed session
    /// heartbeat).
    fn may_answer(&self) -> bool;

    /// Resolves once clients may be answered again.
    fn answerable(&self) -> BoxFuture<()>;

    /// A refusal of writes: of those that grow the state while memory or disk is short (design D21), of all while the
    /// disk takes none; `None` when there is room.
    fn refused(&self, grows: bool) -> Option<coordd_proto::ErrorCode>;

    /// Of the leader, who expires them: each session with the milliseconds until it is due if it stays silent.
    fn expiries(&self) -> Option<Vec<(SessionId, u64)>> {
        None
    }
}

/// What a connection knows about one of its sessions, for the session heartbeat to the leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contact {
    pub session: SessionId,
    pub attach: u32,
    /// Milliseconds since the session's last request was read, on this member's monotonic clock.
    pub silent_ms: u32,
    /// What its member adds to the timeout before it gives the session up: the way to the next tick.
    pub grace_ms: u32,
    /// The connection is gone; `silent_ms` still counts from the last request.
    pub closed: bool,
}

/// The sessions that are connected to this member, as the heartbeat task sees them.
pub trait LocalSessions: Send + Sync {
    /// Appends each session that spoke or whose connection closed since the last call.
    fn collect(&self, contacts: &mut Vec<Contact>);

    /// No leader for too long: every client connection is closed so that clients try other members.
    fn close_all(&self, reason: &str);

    fn connected(&self) -> usize;

    /// The most that a `Contact` of theirs may grant beyond the timeout.
    fn grace_max_ms(&self) -> u64 {
        0
    }
}

struct Passed(Mutex<Option<oneshot::Sender<bool>>>);

impl Passed {
    fn tell(&self, passed: bool) {
        if let Some(waiting) = self.0.lock().take() {
            let _ = waiting.send(passed);
        }
    }
}

impl BarrierSink for Passed {
    fn passed(&self, _: &State) {
        self.tell(true);
    }

    fn lost(&self) {
        self.tell(false);
    }
}

/// Resolves once everything that was acknowledged anywhere before is applied here; false if no leader confirmed it.
pub async fn caught_up(consensus: &dyn Consensus) -> bool {
    let (tell, told) = oneshot::channel();
    consensus.barrier(Arc::new(Passed(Mutex::new(Some(tell)))));
    told.await.unwrap_or(false)
}

#[cfg(test)]
mod nobody {
    use super::*;

    impl ApplyHook for Nobody {
        fn changed(&self, _: &State, _: Zxid, _: &[Change]) {}
        fn session_ended(&self, _: SessionId) {}
        fn session_attached(&self, _: SessionId, _: u32) {}
        fn state_replaced(&self, _: &State) {}
        fn batch_done(&self, _: Zxid) {}
    }

    impl LocalSessions for Nobody {
        fn collect(&self, _: &mut Vec<Contact>) {}
        fn close_all(&self, _: &str) {}
        fn connected(&self) -> usize {
            0
        }
    }
}
