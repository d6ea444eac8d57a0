//! A formed member's consensus: openraft over the log and the state, and the tasks around it, built in one place.
//!
//! ```text
//!   log store, state machine, network ─► openraft ─► status ─► leadership ─┬─ dispatch   (own writes to the leader)
//!                                                                          ├─ failover   (broken links, hung leaders)
//!                                                                          ├─ liveness   (reports, gate, expiry)
//!                                                                          ├─ barriers   (sync)
//!                                                                          ├─ roll call  (same state, feature level)
//!                                                                          └─ snapshots  (when, by bytes and entries)
//! ```

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::Config;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::applied::Applied;
use super::barrier::{BarrierTask, Barriers};
use super::dispatch::Dispatch;
use super::diverged::Diverged;
use super::door::Door;
use super::failover::{self, Failover};
use super::flush::FlushMeter;
use super::heard::Heard;
use super::intake::{self, Intake, LastOrigin};
use super::leadership::{self, Leadership};
use super::liveness::expire::{ContactDesk, Expirer};
use super::liveness::gate::Gate;
use super::liveness::report::Reporter;
use super::log_store::LogStore;
use super::network::Network;
use super::peer::control::News;
use super::peer::peers::Peers;
use super::peer::{Identity, Local};
use super::proposer::{Proposer, Window};
use super::removal::Removal;
use super::roll_call::RollCall;
use super::snapshot_store::SnapshotStore;
use super::state_machine::StateMachine;
use super::types::StoredMembership;
use super::{Raft, Timing, patience, status};
use crate::consensus::{ApplyHook, LocalSessions, Meter};

/// What a core is built from.
pub(crate) struct Parts {
    pub identity: Identity,
    pub boot: u32,
    pub timing: Timing,
    pub log: LogStore,
    pub flushes: Arc<FlushMeter>,
    pub snapshots: Arc<SnapshotStore>,
    pub applied: Arc<Applied>,
    pub door: Arc<Door>,
    pub local: Arc<Local>,
    pub hook: Arc<dyn ApplyHook>,
    pub meter: Arc<dyn Meter>,
    pub sessions: Arc<dyn LocalSessions>,
    /// Ends the process: consensus has stopped, and only a new start brings it back.
    pub fail: Arc<dyn Fn() + Send + Sync>,
}

/// A log that takes nothing for so long is at rest.
const LOG_IDLE: Duration = Duration::from_secs(10);

/// A running core. Its tasks end with the process.
pub(crate) struct Core {
    pub me: u64,
    pub raft: Raft,
    pub log: LogStore,
    pub proposer: Arc<Proposer>,
    pub intake: Intake,
    pub peers: Arc<Peers>,
    pub gate: Arc<Gate>,
    pub desk: Arc<ContactDesk>,
    pub barriers: Arc<Barriers>,
    pub leadership: Leadership,
    pub heard: Arc<Heard>,
    /// Wakes the failover, see there.
    pub ahead: Arc<Notify>,
    pub removal: Removal,
    pub snapshots: Arc<SnapshotStore>,
    pub flushes: Arc<FlushMeter>,
    pub applied: Arc<Applied>,
    pub door: Arc<Door>,
    pub diverged: Arc<Diverged>,
}

/// openraft's settings: raft-notes.md §1.4 and stack.md §1.6.
fn config(timing: &Timing) -> Result<Arc<Config>, io::Error> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: "coordd".to_owned(),
        heartbeat_interval: ms(timing.heartbeat),
        heartbeat_min_interval: Some(ms(timing.heartbeat / 2)),
        election_timeout_min: ms(timing.election_min),
        election_timeout_max: ms(timing.election_max),
        quorum_loss_probe_interval: Some(ms(timing.election_max * 2) + 100),
        max_payload_entries: 1024,
        max_append_entries: Some(4096),
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: timing.log_keep_entries,
        purge_batch_size: 1024,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        backoff: "20ms 50ms 100ms ...500ms".to_owned(),
        ..Config::default()
    };
    config.validate().map(Arc::new).map_err(io::Error::other)
}

/// Starts openraft, which loads the newest snapshot and applies what was committed behind it.
async fn recover(
    me: u64,
    timing: &Timing,
    network: Network,
    log: LogStore,
    state_machine: StateMachine,
) -> io::Result<Raft> {
    let (meter, applied) = (state_machine.meter.clone(), state_machine.applied.clone());
    let (began, snapshot) = (Instant::now(), state_machine.snapshots.last_index());
    let raft = Raft::new(me, config(timing)?, network, log, state_machine).await.map_err(io::Error::other)?;
    meter.started(began.elapsed(), applied.position().index.saturating_sub(snapshot));
    Ok(raft)
}

/// Calls `fail` once consensus has stopped, unless that was this member's own decision. A member without consensus
/// answers its peers as if it were there, and nothing would ever start it anew.
async fn watch_for_the_end(diverged: Arc<Diverged>, fail: Arc<dyn Fn() + Send + Sync>) {
    // The other metrics change several times a write, and each change would wake this task.
    let mut server = diverged.raft.server_metrics();
    while server.changed().await.is_ok() {}
    let fatal = match &diverged.raft.metrics().borrow_watched().running_state {
        Err(fatal) => fatal.to_string(),
        Ok(()) => "it is gone".to_owned(),
    };
    if diverged.found.get().is_none() {
        tracing::error!(fatal, "consensus has stopped; this member ends, to be started anew");
        fail();
    }
}

impl Core {
    /// Recovers from disk and joins consensus.
    ///
    /// # Errors
    /// What the disk or openraft says; the member must not serve then.
    pub(crate) async fn start(parts: Parts) -> io::Result<Core> {
        let Parts { identity, boot, timing, log, flushes, snapshots, applied, door, .. } = parts;
        let (local, hook, meter, sessions, fail) = (parts.local, parts.hook, parts.meter, parts.sessions, parts.fail);
        let (me, log) = (identity.node_id, log.of(identity.node_id));
        let proposer = Arc::new(Proposer::new(me, boot, Window::default()));
        let (session_news, news_of_sessions) = mpsc::unbounded_channel();
        let (link_news, news) = mpsc::unbounded_channel::<News>();
        let (peers, last_origin) = (Arc::new(Peers::new(local.clone(), link_news)), Arc::<LastOrigin>::default());
        let state_machine = StateMachine {
            applied: applied.clone(),
            roster: local.roster.clone(),
            proposer: proposer.clone(),
            hook,
            meter: meter.clone(),
            sessions: session_news,
            snapshots: snapshots.clone(),
            log: log.clone(),
            last_applied: None,
            membership: StoredMembership::default(),
            changes: Vec::new(),
        };
        let network = Network { peers: peers.clone(), last_origin: last_origin.clone(), meter: meter.clone() };
        let raft = recover(me, &timing, network, log.clone(), state_machine).await?;
        let (leadership, removal) = (Leadership(status::follow_leadership(&raft)), Removal::new(me, raft.clone()));
        status::follow_membership(&raft, peers.clone(), removal.clone());
        tokio::spawn(leadership::measure(me, leadership.clone(), meter.clone()));
        let (gate, barriers, heard) = (Arc::<Gate>::default(), Arc::<Barriers>::default(), Arc::<Heard>::default());
        let desk = Arc::new(ContactDesk::new(raft.clone()));
        let intake = intake::start(raft.clone(), applied.clone(), door.clone(), last_origin);
        let (down_tx, down) = mpsc::unbounded_channel();
        tokio::spawn(failover::sort_news(news, down_tx.clone(), removal.clone()));
        let stall_limit = timing.election_max * 13 / 20;
        let (leader, heard_of, out) = (leadership.clone(), heard.clone(), removal.clone());
        tokio::spawn(failover::watch_for_stalls(me, leader, heard_of, stall_limit, out, down_tx));
        let (leader, heard_of, ahead) = (leadership.clone(), heard.clone(), Arc::<Notify>::default());
        let failover = Failover { me, raft: raft.clone(), leadership: leader, heard: heard_of, ahead: ahead.clone() };
        tokio::spawn(failover.run(down));
        let diverged = Diverged {
            found: OnceLock::new(),
            raft: raft.clone(),
            gate: gate.clone(),
            proposer: proposer.clone(),
            sessions: sessions.clone(),
            meter,
        };
        let diverged = Arc::new(diverged);
        tokio::spawn(watch_for_the_end(diverged.clone(), fail));
        let core = Core {
            applied: applied.clone(),
            door,
            diverged,
            me,
            raft,
            log,
            proposer,
            intake,
            peers,
            gate,
            desk,
            barriers,
            leadership,
            heard,
            ahead,
            removal,
            snapshots,
            flushes,
        };
        core.spawn_tasks(boot, &timing, applied, sessions, news_of_sessions);
        Ok(core)
    }

    fn spawn_tasks(
        &self,
        boot: u32,
        timing: &Timing,
        applied: Arc<Applied>,
        sessions: Arc<dyn LocalSessions>,
        news: mpsc::UnboundedReceiver<super::liveness::expire::SessionNews>,
    ) {
        let bound_ms = u64::try_from(timing.answer_bound().as_millis()).unwrap_or(u64::MAX);
        let dispatch = Dispatch {
            proposer: self.proposer.clone(),
            applied: applied.clone(),
            peers: self.peers.clone(),
            intake: self.intake.clone(),
            leadership: self.leadership.clone(),
        };
        tokio::spawn(dispatch.run());
        let reporter = Reporter {
            member: self.me,
            boot,
            bound_ms,
            sessions: sessions.clone(),
            gate: self.gate.clone(),
            applied: applied.clone(),
            peers: self.peers.clone(),
            leadership: self.leadership.clone(),
            desk: self.desk.clone(),
            door: self.door.clone(),
        };
        tokio::spawn(reporter.run());
        let expirer = Expirer {
            member: self.me,
            desk: self.desk.clone(),
            applied: applied.clone(),
            proposer: self.proposer.clone(),
            leadership: self.leadership.clone(),
            news,
        };
        tokio::spawn(expirer.run());
        let roll_call = RollCall {
            me: self.me,
            raft: self.raft.clone(),
            peers: self.peers.clone(),
            applied: applied.clone(),
            leadership: self.leadership.clone(),
            proposer: self.proposer.clone(),
            diverged: self.diverged.clone(),
        };
        tokio::spawn(roll_call.run());
        let barriers = BarrierTask {
            me: self.me,
            raft: self.raft.clone(),
            peers: self.peers.clone(),
            applied: applied.clone(),
            leadership: self.leadership.clone(),
            barriers: self.barriers.clone(),
            patience: timing.patience,
        };
        tokio::spawn(barriers.run());
        let clients = patience::Clients { proposer: self.proposer.clone(), sessions };
        tokio::spawn(clients.clone().close_when_leaderless(self.leadership.clone(), timing.patience));
        tokio::spawn(clients.close_when_full(self.door.clone(), self.gate.clone(), timing.patience));
        tokio::spawn(self.door.clone().watch());
        tokio::spawn(self.log.clone().rest_when_idle(LOG_IDLE));
        self.snapshots.clone().take_when_due(self.raft.clone(), self.flushes.clone());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use coordd_tree::State;
    use openraft::storage::{IOFlushed, RaftLogStorage};
    use tokio::sync::Notify;

    use super::*;
    use crate::consensus::Nobody;
    use crate::raft::diverged::Divergence;
    use crate::raft::types::Vote;
    use crate::raft::{codec, disks};

    pub(crate) fn parts(dir: &Path, fail: Arc<dyn Fn() + Send + Sync>) -> Parts {
        let disks = disks::open_small(dir).unwrap();
        let identity = Identity { ensemble_id: "e".into(), node_id: 1, disk_id: disks.identity.disk_id().to_owned() };
        Parts {
            boot: disks.identity.boot(),
            timing: Timing::default(),
            log: disks.log,
            flushes: disks.flushes,
            snapshots: disks.snapshots,
            applied: Arc::new(Applied::new(State::new())),
            door: Arc::new(Door::new(disks.wal, 0)),
            local: Arc::new(Local::new(Some(identity.clone()), None)),
            identity,
            hook: Arc::new(Nobody),
            meter: Arc::new(Nobody),
            sessions: Arc::new(Nobody),
            fail,
        }
    }

    #[tokio::test]
    async fn a_member_whose_consensus_stops_ends() {
        let dir = tempfile::tempdir().unwrap();
        let ended = Arc::new(Notify::new());
        let told = ended.clone();
        let core = Core::start(parts(dir.path(), Arc::new(move || told.notify_one()))).await.unwrap();
        let running = tokio::time::timeout(Duration::from_millis(50), ended.notified()).await;
        assert!(running.is_err(), "it ended while it ran");
        core.raft.shutdown().await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.unwrap();
    }

    #[tokio::test]
    async fn a_member_that_found_itself_wrong_stays_to_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let ended = Arc::new(Notify::new());
        let told = ended.clone();
        let core = Core::start(parts(dir.path(), Arc::new(move || told.notify_one()))).await.unwrap();
        core.diverged.stop(Divergence { index: 1, own: 1, majority: 2 }).await;
        assert!(tokio::time::timeout(Duration::from_millis(200), ended.notified()).await.is_err());
    }

    #[tokio::test]
    async fn the_term_of_the_last_entry_is_told_apart_from_that_of_the_vote() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path(), Arc::new(|| {}));
        let blank = |index| codec::entry(4, index, Bytes::from_static(&[1, 0])).unwrap();
        parts.log.append((0..3).map(blank), IOFlushed::noop()).await.unwrap();
        parts.log.save_vote(&Vote::new(9, 2)).await.unwrap();
        let core = Core::start(parts).await.unwrap();
        let within = core.raft.wait(Some(Duration::from_secs(5)));
        within.metrics(|seen| seen.current_term == 9, "started").await.unwrap();
        let seen = status::observe(&core, "e", "m1");
        assert_eq!((seen.last_log_term, seen.last_log_index, seen.term), (4, 2, 9));
    }
}
