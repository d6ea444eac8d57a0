//! openraft's metrics, turned into what the rest of the member reads: leadership at once, indexes ten times a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Raft;
use super::codec;
use super::core::Core;
use super::leadership::{Leader, View};
use super::members;
use super::peer::call::leader_of;
use super::peer::peers::Peers;
use super::removal::Removal;
use crate::consensus::{Role, Status};

/// How stale the indexes in a status may be.
const EVERY: Duration = Duration::from_millis(100);

fn view(raft: &Raft) -> View {
    let metrics = raft.server_metrics().borrow_watched().clone();
    let term = metrics.vote.leader_id.term;
    let leader = leader_of(&metrics.vote).filter(|id| metrics.current_leader == Some(*id));
    View { leader: leader.map(|id| Leader { id, term }), term, state: metrics.state }
}

/// Publishes who leads on every change.
pub(crate) fn follow_leadership(raft: &Raft) -> watch::Receiver<View> {
    let (views, followed) = watch::channel(view(raft));
    let raft = raft.clone();
    tokio::spawn(async move {
        let mut metrics = raft.server_metrics();
        loop {
            let now = view(&raft);
            views.send_if_modified(|known| std::mem::replace(known, now) != now);
            if metrics.changed().await.is_err() {
                return;
            }
        }
    });
    followed
}

/// Keeps the links to peers, and what is believed of this member's own place, in step with the newest membership in
/// the log.
pub(crate) fn follow_membership(raft: &Raft, peers: Arc<Peers>, removal: Removal) {
    let raft = raft.clone();
    tokio::spawn(async move {
        let mut metrics = raft.server_metrics();
        loop {
            let membership = metrics.borrow_watched().membership_config.clone();
            let nodes: BTreeMap<_, _> = membership.nodes().map(|(id, node)| (*id, node.clone())).collect();
            peers.follow(&nodes);
            removal.follow(&membership);
            if metrics.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Publishes the status of a formed member, on changes of leadership and otherwise ten times a second. Trouble that may
/// pass by itself counts only once it lasted for `patience`: clients that come meanwhile are better off waiting here.
pub(crate) async fn publish(
    core: Arc<Core>,
    ensemble_id: String,
    name: String,
    patience: Duration,
    status: watch::Sender<Arc<Status>>,
) {
    let mut leadership = core.leadership.clone();
    let mut served_at: Option<Instant> = None;
    loop {
        let mut now = observe(&core, &ensemble_id, &name);
        if now.not_serving.is_none() {
            now.not_serving = passing_trouble(&core, now.leader);
            match (&now.not_serving, served_at) {
                (None, _) => served_at = Some(Instant::now()),
                (Some(_), Some(at)) if at.elapsed() < patience => now.not_serving = None,
                (Some(_), _) => {}
            }
        }
        let now = Arc::new(now);
        status.send_if_modified(|known| {
            let changed = *known != now;
            if changed {
                *known = now;
            }
            changed
        });
        if let Ok(Err(_)) = timeout(EVERY, leadership.0.changed()).await {
            sleep(EVERY).await;
        }
    }
}

pub(crate) fn observe(core: &Core, ensemble_id: &str, name: &str) -> Status {
    let metrics = core.raft.metrics().borrow_watched().clone();
    let leader = core.leadership.leader().map(|leader| leader.id);
    let index = |id: &Option<super::types::LogId>| id.as_ref().map_or(0, |id| id.index());
    // Term and index of one look, which the metrics do not give; a snapshot may be ahead of a log that it took over.
    let last = core.log.last().max(metrics.last_applied);
    let last_log_index = index(&last);
    let lag = |(id, matching): (&u64, &Option<super::types::LogId>)| {
        (*id != core.me).then(|| (*id, last_log_index.saturating_sub(index(matching))))
    };
    let membership = &metrics.committed_membership_config;
    Status {
        ensemble_id: Some(ensemble_id.to_owned()),
        node_id: Some(core.me),
        name: name.to_owned(),
        role: match metrics.state {
            // Its state is worth nothing, not even to read from.
            _ if core.diverged.found.get().is_some() => Role::Unformed,
            ServerState::Leader => Role::Leader,
            ServerState::Candidate => Role::Candidate,
            ServerState::Follower => Role::Follower,
            ServerState::Learner | ServerState::Shutdown => Role::Learner,
        },
        term: metrics.current_term,
        leader,
        members: members::infos(membership),
        membership_index: index(membership.log_id()),
        last_log_index,
        last_log_term: last.as_ref().map_or(0, codec::term_of),
        committed_index: index(&metrics.cluster_committed),
        applied_index: index(&metrics.last_applied),
        log_unsynced_bytes: core.log.unsynced_bytes(),
        feature_level: core.applied.feature_level(),
        undecided_writes: core.proposer.undecided().0 as u64,
        lag: metrics.replication.iter().flatten().filter_map(lag).collect(),
        heard: heard(core, &metrics),
        not_serving: not_serving(core, &metrics),
    }
}

/// Whoever is silent for as long as a follower waits for its leader is as good as gone.
fn heard(core: &Core, metrics: &openraft::RaftMetrics<super::types::TypeConfig>) -> Vec<u64> {
    let silent_max = Duration::from_millis(core.raft.config().election_timeout_max);
    let others = metrics.heartbeat.iter().flatten().filter(|(id, _)| **id != core.me);
    others.filter(|(_, at)| at.is_some_and(|at| at.elapsed() <= silent_max)).map(|(id, _)| *id).collect()
}

fn not_serving(core: &Core, metrics: &openraft::RaftMetrics<super::types::TypeConfig>) -> Option<String> {
    if let Some(divergence) = core.diverged.found.get() {
        return Some(divergence.to_string());
    }
    if let Err(fatal) = &metrics.running_state {
        return Some(format!("consensus has stopped: {fatal}"));
    }
    let as_of = core.removal.as_of()?;
    Some(format!("this member was removed from the ensemble (membership of log index {as_of})"))
}

fn passing_trouble(core: &Core, leader: Option<u64>) -> Option<String> {
    if let Some(why) = core.door.why_shut() {
        return Some(why);
    }
    if leader.is_none() {
        return Some("no leader is known: there is no quorum, or an election is under way".to_owned());
    }
    (!core.gate.is_open()).then(|| "no leader has acknowledged this member's session heartbeat lately".to_owned())
}
