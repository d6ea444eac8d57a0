//! Applies committed entries to this member's state, and tells whoever waits on this member.
//!
//! ```text
//!   entries ─► up to 64 under one guard:  state.apply ─► hook (watches) ─► sink of an own write  (entry by entry)
//!           ─► guard dropped ─► position published ─► openraft's responders ─► connections woken, once
//! ```
//!
//! Rule: nothing awaits under the guard, and everything that a client sees of an entry is put into its outbox under it.
//! Reason: a connection that reads under a read guard then finds each event before the state that it announces.

use std::io;
use std::sync::Arc;

use coordd_proto::Zxid;
use coordd_tree::{Change, Command, Op, Outcome, Refusal, SessionOutcome, State};
use futures_util::{Stream, StreamExt};
use openraft::impls::EntryPayload;
use openraft::storage::{EntryResponder, RaftStateMachine};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::applied::{Applied, Position, Seen};
use super::liveness::deadlines::Attachment;
use super::liveness::expire::SessionNews;
use super::log_store::LogStore;
use super::peer::roster::Roster;
use super::proposer::Proposer;
use super::snapshot_store::{SnapshotBuilder, SnapshotFile, SnapshotStore};
use super::types::{Entry, LogId, Proposal, StoredMembership, TypeConfig};
use super::zxid::zxid_of;
use super::{codec, levels, members, snapshot_io};
use crate::consensus::{ApplyHook, Meter};
use crate::planted;

/// Entries applied under one guard; readers get their turn between batches.
const BATCH_MAX: usize = 64;

type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotFile>;

pub(crate) struct StateMachine {
    pub applied: Arc<Applied>,
    pub roster: Arc<Roster>,
    pub proposer: Arc<Proposer>,
    pub hook: Arc<dyn ApplyHook>,
    pub meter: Arc<dyn Meter>,
    pub sessions: mpsc::UnboundedSender<SessionNews>,
    pub snapshots: Arc<SnapshotStore>,
    pub log: LogStore,
    pub last_applied: Option<LogId>,
    pub membership: StoredMembership,
    pub changes: Vec<Change>,
}

impl StateMachine {
    fn apply_entry(&mut self, state: &mut State, entry: Entry) -> io::Result<()> {
        let zxid = zxid_of(state.zxid_base(), entry.log_id.index());
        self.changes.clear();
        match entry.payload {
            EntryPayload::Blank => state.noop(zxid),
            EntryPayload::Normal(proposal) => self.apply_command(state, zxid, proposal)?,
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                self.roster.update(&self.membership);
                state.apply_membership(zxid, &members::rows(&self.membership), &mut self.changes);
                self.hook.changed(state, zxid, &self.changes);
            }
        }
        self.last_applied = Some(entry.log_id);
        self.applied.digests.applied(entry.log_id.index(), || state.digest());
        Ok(())
    }

    fn apply_command(&mut self, state: &mut State, zxid: Zxid, proposal: Proposal) -> io::Result<()> {
        self.meter.proposal(proposal.command.len());
        let mut command = Command::decode(&proposal.command).map_err(|_| codec::damaged("command"))?;
        command.time_ms = proposal.time_ms;
        levels::check(&command.op)?;
        let origin = command.origin;
        let own = origin.member == self.proposer.member() && origin.boot == self.proposer.boot();
        planted::bend(state, &mut command);
        let outcome = state.apply(zxid, &command, &mut self.changes);
        if let Outcome::Refused(refusal) = &outcome {
            // One that came before this member was in is as good as never sent.
            if own && matches!(refusal, Refusal::Hole | Refusal::NotAMember) {
                self.proposer.hole_seen();
            }
            return Ok(());
        }
        if own && let Some(exceeded) = state.take_exceeded() {
            self.hook.quota_exceeded(command.session, &exceeded);
        }
        if !self.changes.is_empty() {
            self.hook.changed(state, zxid, &self.changes);
        }
        self.tell_sessions(&command, &outcome);
        if own && let Some(decided) = self.proposer.decided(origin.seq) {
            self.meter.decided(decided.proposed.elapsed());
            if let Some(sink) = decided.sink {
                sink.applied(state, zxid, outcome);
            }
        }
        Ok(())
    }

    fn tell_sessions(&self, command: &Command, outcome: &Outcome) {
        let Outcome::Session(outcome) = outcome else { return };
        match outcome {
            SessionOutcome::Opened(info) | SessionOutcome::Attached(info) => {
                let member = match command.op {
                    Op::AttachSession { member, .. } => member,
                    _ => command.origin.member,
                };
                let timeout_ms = u64::try_from(info.timeout_ms).unwrap_or(0);
                self.hook.session_attached(info.id, info.attach);
                let attachment = Attachment { session: info.id, attach: info.attach, member, timeout_ms };
                let _ = self.sessions.send(SessionNews::Attached(attachment));
            }
            SessionOutcome::Ended(session) => {
                self.hook.session_ended(*session);
                let _ = self.sessions.send(SessionNews::Ended(*session));
            }
            SessionOutcome::Unchanged => {}
        }
    }

    fn publish(&self, seen: Seen) {
        if let Some(last) = &self.last_applied {
            let position = Position { term: codec::term_of(last), index: last.index() };
            self.applied.publish(position, seen);
        }
    }

    /// Puts a loaded snapshot in the place of the state, and tells everyone who relied on the old one.
    fn replace(&mut self, meta: &SnapshotMeta, loaded: State) {
        let applied = self.applied.clone();
        let mut state = applied.state.write();
        *state = loaded;
        applied.digests.clear();
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.roster.update(&self.membership);
        if let Some((boot, seq)) = state.origin_last(self.proposer.member())
            && boot == self.proposer.boot()
        {
            self.proposer.decided_unseen(seq).iter().for_each(|sink| sink.lost());
        }
        self.hook.state_replaced(&state);
        let (seen, zxid) = (Seen::of(&state), state.last_zxid());
        drop(state);
        self.publish(seen);
        self.hook.batch_done(zxid);
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        let applied = self.applied.clone();
        let mut batches = entries.ready_chunks(BATCH_MAX);
        if self.proposer.undecided().0 == 0 && !self.log.follows() {
            // Nobody waits here: a leader lets its followers hear of the commit first, and they apply beside it. Once
            // for all batches: where a thousand clients read, a turn of each comes before this task has its next.
            tokio::task::yield_now().await;
        }
        while let Some(batch) = batches.next().await {
            planted::lag().await;
            let mut responders = Vec::new();
            let (began, entries) = (Instant::now(), batch.len());
            self.meter.applying();
            let (seen, zxid) = {
                let mut state = applied.state.write();
                for item in batch {
                    let (entry, responder) = item?;
                    self.apply_entry(&mut state, entry)?;
                    responders.extend(responder);
                }
                (Seen::of(&state), state.last_zxid())
            };
            self.meter.applied(began.elapsed(), entries);
            self.publish(seen);
            responders.into_iter().for_each(|responder| responder.send(()));
            self.hook.batch_done(zxid);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let meta = SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() };
        self.snapshots.builder(self.applied.clone(), meta)
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> Result<(), io::Error> {
        let (store, kept, began) = (self.snapshots.clone(), meta.clone(), Instant::now());
        let loaded = snapshot_io::blocking(move || {
            let loaded = snapshot_io::load(&snapshot)?;
            store.adopt(&kept, &snapshot)?;
            Ok(loaded)
        });
        let loaded = loaded.await?;
        self.replace(meta, loaded);
        self.meter.snapshot_loaded(began.elapsed());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.current()
    }
}
