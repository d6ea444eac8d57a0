//! Where apply meets the connections: watch events into outboxes, session ends to their holders, one wake a batch.
//!
//! ```text
//!   apply ─ changed ─► watch table ─► event, encoded once ─► out of each watcher ─┐
//!         ─ session_ended, session_attached ─► registry ─► fate of the holder      ├─► list ── batch_done ──► wake
//!         ─ changed ─► marks of those who follow over HTTP ─── batch_done ──► wake
//!         ─ sink.applied ─► reply, reads behind it ────────────────────────────────┘
//! ```
//!
//! Rule: nothing here waits, and an event is filtered by the ACL as it was before the change and by the identities of
//! the connection as they are now; a refused event still uses up its one-shot watch (NIOServerCnxn.process).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use coordd_proto::{EventType, Perms, SessionId, Zxid, encode_event};
use coordd_tree::{AclView, Change, ChangeKind, QuotaExceeded, State};
use parking_lot::Mutex;

use super::conn::{Conn, Fate, Pending};
use super::metrics::Metrics;
use super::rarely::Rarely;
use super::slow::{Asked, SlowLog};
use super::teller::Teller;
use crate::clock;
use crate::consensus::{ApplyHook, Consensus, Contact, LocalSessions};
use crate::planted::{self, Bug};
use crate::session::registry::{Holder, Registry};
use crate::watch::table::Trigger;
use crate::watch::{Followed, Table, Told, WatcherId, catch_up};

/// The connections of this member, their sessions and their watches.
pub struct Hub {
    started_ms: u64,
    next_id: AtomicU64,
    /// Every open connection, with or without a session.
    conns: Mutex<HashMap<u64, Arc<Conn>>>,
    registry: Mutex<Registry<Conn>>,
    watches: Mutex<Watches>,
    followed: Arc<Followed>,
    listed: Mutex<Vec<Arc<Conn>>>,
    teller: OnceLock<Teller>,
    /// The newest zxid whose events are delivered or needed none.
    told_upto: AtomicI64,
    tick_ms: AtomicU64,
    pub(crate) max_outbox_bytes: usize,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) slow: SlowLog,
    exceeded: Rarely,
}

/// The watch table and the connections behind its ids.
#[derive(Default)]
pub(crate) struct Watches {
    pub table: Table,
    conns: ById,
}

/// The ids are ours, so nobody can choose them to collide.
type ById = HashMap<u64, Arc<Conn>, foldhash::fast::RandomState>;

impl Hub {
    pub fn new(max_outbox_bytes: usize) -> Arc<Hub> {
        Arc::new(Hub {
            started_ms: clock::monotonic_ms(),
            next_id: AtomicU64::new(1),
            conns: Mutex::default(),
            registry: Mutex::default(),
            watches: Mutex::default(),
            followed: Arc::default(),
            listed: Mutex::default(),
            teller: OnceLock::new(),
            told_upto: AtomicI64::new(0),
            tick_ms: AtomicU64::new(0),
            max_outbox_bytes,
            metrics: Arc::default(),
            slow: SlowLog::default(),
            exceeded: Rarely::default(),
        })
    }

    /// ZooKeeper's unit of time, to which silence is rounded up; 0 until the port knows it.
    pub(crate) fn tick_ms(&self) -> u64 {
        self.tick_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_tick(&self, tick_ms: u32) {
        self.tick_ms.store(tick_ms.into(), Ordering::Relaxed);
    }

    pub(crate) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// From now on apply may write to parked connections itself; `workers` is how many threads run tasks.
    pub(crate) fn serve(&self, consensus: &Arc<dyn Consensus>, workers: usize) {
        self.teller.get_or_init(|| Teller::start(consensus, &self.metrics, workers));
    }

    /// The marks of those who follow paths over HTTP.
    pub(crate) fn followed(&self) -> &Arc<Followed> {
        &self.followed
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn opened(&self, conn: &Arc<Conn>) {
        self.conns.lock().insert(conn.id, conn.clone());
    }

    /// The connection is closed: nothing of it stays but one last report of its session.
    pub(crate) fn closed(&self, conn: &Conn) {
        let mut queue = conn.queue();
        queue.fate = Fate::Cut;
        if let Some((op, xid, since)) = queue.pending.front().map(Pending::asked) {
            let asked = Asked { op, xid, took: since.elapsed() };
            self.slow.unanswered(conn, asked, queue.pending.len() as u64);
        }
        // The log decides of a write all the same.
        let dropped = queue.pending.iter().filter(|pending| !pending.is_undecided()).count();
        self.metrics.stale_requests.add(dropped as u64);
        queue.pending.clear();
        queue.held_bytes = 0;
        drop(queue);
        self.conns.lock().remove(&conn.id);
        self.registry.lock().remove(conn);
        let mut watches = self.watches.lock();
        watches.table.remove_watcher(conn.watcher());
        watches.conns.remove(&conn.id);
    }

    /// The connection holds its session from now on. Called under the lock of its queue.
    pub(crate) fn established(&self, conn: &Arc<Conn>) {
        self.registry.lock().insert(conn.clone());
    }

    /// The watch table; only under a guard of the state, and before any connection's lock.
    pub(crate) fn watches(&self) -> parking_lot::MutexGuard<'_, Watches> {
        self.watches.lock()
    }

    /// Watches are being left on a state at `zxid`: what happened before it needs no event.
    pub(crate) fn registered_at(&self, zxid: Zxid) {
        self.told_upto.fetch_max(zxid.0, Ordering::Relaxed);
    }

    pub(crate) fn list(&self, conn: Arc<Conn>) {
        self.listed.lock().push(conn);
    }

    pub(crate) fn connections(&self) -> Vec<Arc<Conn>> {
        let mut all: Vec<_> = self.conns.lock().values().cloned().collect();
        all.sort_unstable_by_key(|conn| conn.id);
        all
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.conns.lock().len()
    }

    fn deliver(&self, conns: &ById, told: &Told<'_>, event: &[u8], acl: Option<&AclView>) {
        let mut sent = 0;
        for watcher in told.watchers {
            let Some(conn) = conns.get(&watcher.0) else { continue };
            let mut queue = conn.queue();
            if !queue.is_served() || acl.is_some_and(|acl| !acl.permits(Perms::READ, queue.auth.list.iter())) {
                continue;
            }
            if planted::holds_back(conn, event) {
                continue;
            }
            if queue.out.len() + event.len() > self.max_outbox_bytes {
                queue.fate = Fate::Cut;
                self.metrics.outbox_overflows.add(1);
            } else {
                queue.out.extend_from_slice(event);
                queue.tally.sent += 1;
                sent += 1;
            }
            conn.list(&mut queue);
        }
        self.metrics.watch_bytes.add(event.len() as u64 * sent);
        self.metrics.packets_sent.add(sent);
    }
}

impl Watches {
    pub(crate) fn conn(&self, watcher: WatcherId) -> Option<&Arc<Conn>> {
        self.conns.get(&watcher.0)
    }

    /// Makes `conn` known as a watcher.
    pub(crate) fn watcher(&mut self, conn: &Arc<Conn>) {
        self.conns.entry(conn.id).or_insert_with(|| conn.clone());
    }
}

fn event_bytes(zxid: Zxid, event: EventType, path: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + 16 + 12 + path.len());
    encode_event(&mut out, zxid, event, path);
    out.freeze()
}

impl ApplyHook for Hub {
    fn changed(&self, _state: &State, zxid: Zxid, changes: &[Change]) {
        self.told_upto.store(zxid.0, Ordering::Relaxed);
        changes.iter().for_each(|change| self.followed.changed(&change.path));
        let mut watches = self.watches.lock();
        let Watches { table, conns } = &mut *watches;
        if table.count() == 0 {
            return;
        }
        for change in changes {
            let trigger = match change.kind {
                ChangeKind::Created => Trigger::Created,
                ChangeKind::Deleted => Trigger::Deleted,
                ChangeKind::DataChanged => Trigger::DataChanged,
                ChangeKind::AclChanged => continue,
            };
            table.fire(trigger, &change.path, |told| {
                self.metrics.watch_fired(told.event, told.watchers.len());
                let acl = if told.of_parent { &change.parent_acl } else { &change.acl };
                let filter = (!acl.is_open()).then_some(acl);
                self.deliver(conns, &told, &event_bytes(zxid, told.event, told.path), filter);
            });
        }
    }

    fn quota_exceeded(&self, session: SessionId, exceeded: &QuotaExceeded) {
        if let Some(left_out) = self.exceeded.turn(clock::monotonic_ms()) {
            tracing::warn!(%session, left_out, "{exceeded}");
        }
    }

    fn session_ended(&self, session: SessionId) {
        let holder = self.registry.lock().forget(session);
        if let Some(conn) = holder {
            let mut queue = conn.queue();
            if queue.asked_to_close() {
                queue.close_after_flush();
            } else if queue.is_served() {
                // Expired: an answer that still waits for the gate would make its client believe in the session.
                queue.fate = Fate::Cut;
            }
            conn.list(&mut queue);
        }
    }

    fn session_attached(&self, session: SessionId, attach: u32) {
        let holder = self.registry.lock().get(session).cloned();
        if let Some(conn) = holder.filter(|conn| conn.attach() < attach && !planted::active(Bug::StaleAttach)) {
            let mut queue = conn.queue();
            queue.fate = Fate::Cut;
            conn.list(&mut queue);
        }
    }

    fn state_replaced(&self, state: &State) {
        self.followed.replaced();
        let before = Zxid(self.told_upto.swap(state.last_zxid().0, Ordering::Relaxed));
        let mut watches = self.watches.lock();
        let Watches { table, conns } = &mut *watches;
        let missed = catch_up::after_replacement(table, state, before);
        for (told, event) in &missed.events {
            let bytes = event_bytes(Zxid(-1), *event, &told.path);
            let one = Told { event: *event, path: &told.path, of_parent: false, watchers: &[told.watcher] };
            self.deliver(conns, &one, &bytes, None);
        }
        // What a persistent watch missed cannot be told one by one: such a client must begin anew.
        for watcher in missed.must_reconnect {
            if let Some(conn) = conns.get(&watcher.0) {
                let mut queue = conn.queue();
                queue.fate = Fate::Cut;
                conn.list(&mut queue);
            }
        }
        drop(watches);
        let holders: Vec<Arc<Conn>> = self.registry.lock().iter().cloned().collect();
        for conn in holders {
            if state.session(conn.session()).is_none_or(|session| session.attach != conn.attach()) {
                let mut queue = conn.queue();
                queue.fate = Fate::Cut;
                conn.list(&mut queue);
            }
        }
    }

    fn batch_done(&self, applied: Zxid) {
        self.followed.batch_done(applied.0);
        loop {
            let mut listed = std::mem::take(&mut *self.listed.lock());
            if listed.is_empty() {
                return;
            }
            match self.teller.get() {
                Some(teller) => teller.tell(&mut listed),
                None => listed.drain(..).for_each(|conn| conn.wake_to_write()),
            }
            // Give the grown vector back, so that a batch costs no allocation.
            let mut next = self.listed.lock();
            if next.is_empty() {
                *next = listed;
                return;
            }
        }
    }
}

impl LocalSessions for Hub {
    fn collect(&self, contacts: &mut Vec<Contact>) {
        let given_up = self.registry.lock().collect(clock::monotonic_ms(), contacts);
        given_up.iter().for_each(|conn| conn.cut());
    }

    fn close_all(&self, reason: &str) {
        let holders: Vec<Arc<Conn>> = self.registry.lock().iter().cloned().collect();
        if !holders.is_empty() {
            tracing::info!(connections = holders.len(), reason, "closing client connections");
        }
        holders.iter().for_each(|conn| conn.cut());
    }

    fn connected(&self) -> usize {
        self.registry.lock().len()
    }

    fn grace_max_ms(&self) -> u64 {
        self.tick_ms()
    }
}
