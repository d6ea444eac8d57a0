//! Changes of who is in the ensemble, one committed entry each (design D10).
//!
//! ```text
//!   add: probe ─► id from the log ─► order to adopt it ─► learner          promote: learner that caught up ─► voter
//!   remove: leadership moved away first ─► out                             replace: see `replacement`
//! ```
//!
//! Rule: every change names the membership index that it was planned on, and is refused with the present one when that
//! has moved; repeating a change that is done is `Ok`. Reason: an operator or a person may lose an answer and must be
//! able to ask again, and two of them must not undo each other's work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::entry::RaftPayload;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{Instant as _, Precondition, RaftMetrics};
use tokio::time::{Instant, sleep, timeout};

use super::core::Core;
use super::formation;
use super::peer::call::{Adoption, Answer, Call, Probed};
use super::types::{InPlaceOf, Membership, Node, NodeId, Payload, TypeConfig};

/// A learner that is no more than so many entries behind has caught up.
const LAG_MAX: u64 = 512;
/// More voters make each write slower and the ensemble hardly safer.
pub(crate) const VOTERS_MAX: usize = 7;
/// How long a transfer may take before the others are told to elect.
const TRANSFER_MAX: Duration = Duration::from_millis(200);
/// How long each may take to say whether it stands for election.
const ELECT_MAX: Duration = Duration::from_millis(100);
/// A voter that acknowledged nothing for so long may hang, though its link stands: heartbeats are sent every 100 ms.
const SILENT_MIN: Duration = Duration::from_millis(300);
/// A transfer to a member that is further behind than this would hold up writes.
const TRANSFER_LAG_MAX: u64 = 256;

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error(
        "this member does not lead; ask {}",
        .leader.as_deref().unwrap_or("again when there is a leader")
    )]
    NotLeader { leader: Option<String> },
    #[error("the membership has changed since this was planned: it is of log index {present} now")]
    Moved { present: u64 },
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unavailable(String),
}

pub(super) type Result<T> = std::result::Result<T, ChangeError>;

pub(super) fn refused(why: impl Into<String>) -> ChangeError {
    ChangeError::Refused(why.into())
}

pub(super) fn unavailable(why: impl std::fmt::Display) -> ChangeError {
    ChangeError::Unavailable(why.to_string())
}

fn room_for_a_voter(present: usize) -> Result<()> {
    if present < VOTERS_MAX {
        return Ok(());
    }
    Err(refused(format!("the ensemble has {present} voters, and {VOTERS_MAX} is the most; remove one first")))
}

/// The membership as the leader has it, and what openraft says of everyone.
pub(super) struct Present {
    /// Log index of the membership.
    pub(super) index: u64,
    metrics: RaftMetrics<TypeConfig>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) voters: BTreeSet<NodeId>,
}

impl super::member::Member {
    /// Hands leadership to the most advanced other voter. The id of who leads then.
    ///
    /// # Errors
    /// Why it stays here.
    pub async fn hand_over(&self) -> Result<NodeId> {
        let core = self.core().ok_or_else(|| unavailable("not part of an ensemble"))?;
        core.transfer(None).await
    }
}

impl Core {
    fn metrics(&self) -> RaftMetrics<TypeConfig> {
        self.raft.metrics().borrow_watched().clone()
    }

    /// The membership to change, if this member leads and `planned_on` is still the newest.
    pub(super) fn present(&self, planned_on: Option<u64>) -> Result<Present> {
        let metrics = self.metrics();
        if self.leadership.leader().is_none_or(|leader| leader.id != self.me) {
            let leads = |(id, _): &(&NodeId, &Node)| Some(**id) == metrics.current_leader;
            let leader = metrics.membership_config.nodes().find(leads).map(|(_, node)| node.name.clone());
            return Err(ChangeError::NotLeader { leader });
        }
        let present = metrics.membership_config.log_id().as_ref().map_or(0, |id| id.index());
        if planned_on.is_some_and(|planned| planned != present) {
            return Err(ChangeError::Moved { present });
        }
        let nodes = metrics.membership_config.nodes().map(|(id, node)| (*id, node.clone())).collect();
        let voters = metrics.membership_config.voter_ids().collect();
        Ok(Present { index: present, metrics, nodes, voters })
    }

    /// Appends one membership entry, fenced by the membership that `metrics` showed. The index of the new one.
    async fn change(
        &self,
        metrics: &RaftMetrics<TypeConfig>,
        voters: BTreeSet<NodeId>,
        nodes: BTreeMap<NodeId, Node>,
    ) -> Result<u64> {
        let membership = Membership::new(vec![voters], nodes).map_err(|error| refused(error.to_string()))?;
        let fence = Precondition::LastMembershipLogId { last_membership_log_id: *metrics.membership_config.log_id() };
        match self.raft.append_membership(membership, Payload::blank(), [fence]).await {
            Ok(written) => Ok(written.log_id.index()),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(ChangeError::NotLeader { leader: forward.leader_node.map(|node| node.name) })
            }
            Err(RaftError::APIError(ClientWriteError::PreconditionFailed(_))) => {
                let now = self.metrics();
                Err(ChangeError::Moved { present: now.membership_config.log_id().as_ref().map_or(0, |id| id.index()) })
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => Err(unavailable(error)),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Adds the member at `peer_addr` as a learner; its id, and the index of the membership that it is in. A member
    /// that is in already is `Ok`.
    pub(crate) async fn add(&self, peer_addr: &str, planned_on: Option<u64>) -> Result<(NodeId, u64)> {
        self.add_in_place_of(None, peer_addr, planned_on).await
    }

    /// The same for one that comes to take a place.
    pub(super) async fn add_in_place_of(
        &self,
        place: Option<InPlaceOf>,
        peer_addr: &str,
        planned_on: Option<u64>,
    ) -> Result<(NodeId, u64)> {
        let probed = formation::probe(peer_addr, &self.peers.local).await.map_err(unavailable)?;
        let Present { index, nodes, .. } = self.present(None)?;
        if let Some(identity) = &probed.identity
            && nodes.get(&identity.node_id).is_some_and(|node| node.disk_id == identity.disk_id)
        {
            return Ok((identity.node_id, index));
        }
        let Present { metrics, mut nodes, voters, .. } = self.present(planned_on)?;
        let id = self.adopted_id(peer_addr, &probed).await?;
        nodes.insert(id, Node { in_place_of: place, ..formation::node_of(&probed.name, &probed) });
        Ok((id, self.change(&metrics, voters, nodes).await?))
    }

    /// Gives an unformed member its id and has it written down there.
    async fn adopted_id(&self, peer_addr: &str, probed: &Probed) -> Result<NodeId> {
        let ours = self.peers.local.identity().ok_or_else(|| unavailable("not part of an ensemble"))?;
        let id = match &probed.identity {
            Some(theirs) if theirs.ensemble_id != ours.ensemble_id => {
                return Err(refused(format!(
                    "{peer_addr} belongs to ensemble {}; only a member with an empty disk can be added",
                    theirs.ensemble_id
                )));
            }
            Some(theirs) if probed.has_log => {
                return Err(refused(format!(
                    "{peer_addr} was member {} and is out; its disk must be emptied before it is added anew",
                    theirs.node_id
                )));
            }
            Some(theirs) => theirs.node_id,
            None if probed.has_log => return Err(refused(format!("{peer_addr}: {}", formation::LOG_OF_NOBODY))),
            None => self.fresh_id().await?,
        };
        let order = Adoption { ensemble_id: ours.ensemble_id, node_id: id, disk_id: probed.disk_id.clone() };
        match formation::ask(peer_addr, &self.peers.local, &Call::Adopt(order)).await.map_err(unavailable)? {
            Answer::Done => Ok(id),
            other => Err(unavailable(format!("{peer_addr} was told to join and answered {other:?}"))),
        }
    }

    /// An id that no member ever had: an index of the log, beyond the ids that the first members were founded with.
    async fn fresh_id(&self) -> Result<NodeId> {
        loop {
            let index = self.raft.write_blank().await.map_err(unavailable)?.log_id.index();
            if index > VOTERS_MAX as u64 {
                return Ok(index);
            }
        }
    }

    /// How many entries a member is behind; `None` while nothing is known of it.
    fn lag(metrics: &RaftMetrics<TypeConfig>, id: NodeId) -> Option<u64> {
        let matching = metrics.replication.as_ref()?.get(&id)?.as_ref()?;
        Some(metrics.last_log_index.unwrap_or(0).saturating_sub(matching.index()))
    }

    /// How little a voter is fit to lead: one that may hang comes last, then the one that is furthest behind.
    fn rank(metrics: &RaftMetrics<TypeConfig>, id: NodeId) -> (bool, Option<u64>) {
        let heard = metrics.heartbeat.as_ref().and_then(|heard| *heard.get(&id)?);
        (heard.is_none_or(|at| at.elapsed() > SILENT_MIN), Self::lag(metrics, id))
    }

    /// Gives a learner that has caught up its vote; the index of the membership in which it has it.
    pub(crate) async fn promote(&self, id: NodeId, planned_on: Option<u64>) -> Result<u64> {
        let Present { index, metrics, nodes, mut voters } = self.present(None)?;
        if voters.contains(&id) {
            return Ok(index);
        }
        if !nodes.contains_key(&id) {
            return Err(refused(format!("{id} is not a member; members are {:?}", nodes.keys().collect::<Vec<_>>())));
        }
        self.present(planned_on)?;
        room_for_a_voter(voters.len())?;
        match Self::lag(&metrics, id) {
            Some(lag) if lag <= LAG_MAX => {}
            Some(lag) => {
                return Err(unavailable(format!(
                    "member {id} is {lag} entries behind; promote it at {LAG_MAX} or less"
                )));
            }
            None => return Err(unavailable(format!("nothing was heard of member {id} yet"))),
        }
        voters.insert(id);
        self.change(&metrics, voters, nodes).await
    }

    /// Takes a member out, voter or learner; the index of the membership without it. The leader itself must hand over
    /// first.
    pub(crate) async fn remove(&self, id: NodeId, planned_on: Option<u64>) -> Result<u64> {
        let Present { index, metrics, mut nodes, mut voters } = self.present(None)?;
        if !nodes.contains_key(&id) {
            return Ok(index);
        }
        self.present(planned_on)?;
        if id == self.me {
            return Err(refused("this member leads: transfer leadership first, then ask the new leader"));
        }
        if voters.len() == 1 && voters.contains(&id) {
            return Err(refused("the last voter cannot be removed"));
        }
        voters.remove(&id);
        nodes.remove(&id);
        self.change(&metrics, voters, nodes).await
    }

    /// Hands leadership to `to`, or to the most advanced voter whose link is up. The id of who leads then. That `to`
    /// leads already any member may say: who asks again asks the one that led before.
    pub(crate) async fn transfer(&self, to: Option<NodeId>) -> Result<NodeId> {
        let leader = self.leadership.leader().map(|leader| leader.id);
        if let Some(leader) = leader.filter(|leader| to == Some(*leader)) {
            return Ok(leader);
        }
        let Present { metrics, voters, .. } = self.present(None)?;
        let ready = |id: &NodeId| {
            *id != self.me
                && self.peers.is_up(*id)
                && Self::lag(&metrics, *id).is_some_and(|lag| lag <= TRANSFER_LAG_MAX)
        };
        let target = match to {
            Some(id) if !voters.contains(&id) => return Err(refused(format!("{id} is not a voter"))),
            Some(id) if !ready(&id) => return Err(unavailable(format!("voter {id} is down or too far behind"))),
            Some(id) => id,
            None => {
                let fitness = |id: &NodeId| (self.desk.is_short(*id), Self::rank(&metrics, *id));
                let best = voters.iter().copied().filter(ready).min_by_key(fitness);
                best.ok_or_else(|| unavailable("no other voter is up and caught up"))?
            }
        };
        self.raft.trigger().transfer_leader(target).await.map_err(unavailable)?;
        let mut leadership = self.leadership.clone();
        let moved = leadership.0.wait_for(|view| view.leader.is_some_and(|leader| leader.id != self.me));
        if let Ok(Ok(view)) = timeout(TRANSFER_MAX, moved).await {
            return Ok(view.leader.map_or(target, |leader| leader.id));
        }
        self.rescue_transfer().await
    }

    /// A transfer that does not end blocks this term; all followers have dropped the lease, so any of them may stand.
    async fn rescue_transfer(&self) -> Result<NodeId> {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            self.peers.ask_all(&Call::Elect, ELECT_MAX).await;
            if let Some(leader) = self.leadership.leader().filter(|leader| leader.id != self.me) {
                return Ok(leader.id);
            }
            if !self.metrics().membership_config.voter_ids().any(|id| id != self.me && self.peers.is_up(id)) {
                return Err(unavailable("no other voter is up any more"));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(unavailable("leadership did not move within 5 s"))
    }

    /// Whether a learner may be promoted now.
    pub(super) fn has_caught_up(&self, id: NodeId) -> bool {
        Self::lag(&self.metrics(), id).is_some_and(|lag| lag <= LAG_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::Runtime;
    use super::*;

    #[test]
    fn leadership_goes_to_one_that_was_heard_of_lately_before_one_that_only_has_the_whole_log() {
        let mut metrics = RaftMetrics::<TypeConfig>::new_initial(1);
        metrics.last_log_index = Some(10);
        let at = |index| Some(super::super::codec::log_id(1, index));
        metrics.replication = Some([(2, at(10)), (3, at(8)), (4, at(9))].into());
        let lately = <Runtime as openraft::AsyncRuntime>::Instant::now();
        let hangs = lately - SILENT_MIN * 2;
        metrics.heartbeat = Some([(2, Some(hangs.into())), (3, Some(lately.into())), (4, Some(lately.into()))].into());
        let mut voters = [2, 3, 4];
        voters.sort_by_key(|id| Core::rank(&metrics, *id));
        assert_eq!(voters, [4, 3, 2]);
    }

    #[test]
    fn a_seventh_voter_is_the_last_one() {
        assert_eq!(room_for_a_voter(6), Ok(()));
        let ChangeError::Refused(why) = room_for_a_voter(7).unwrap_err() else { panic!("not a refusal") };
        assert_eq!(why, "the ensemble has 7 voters, and 7 is the most; remove one first");
    }
}
