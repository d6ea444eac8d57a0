//! The leader's look at everyone, every few seconds: is their state the same, and what do they understand (design D19).
//!
//! ```text
//!   leader ─ Attendance{index} ─► each member, once it has applied that index ─► {digest there, level understood}
//!     digests differ   ─► those that differ from most voters stop (diverged)
//!     all voters there ─► the lowest level among them, if it is above the present one, is raised by a log entry
//! ```
//!
//! Rule: digests are compared at one log index, and only more than half of the voters can find a member wrong, the
//! leader included; where they are split nobody knows who is right, and that is said. A level counts only when every
//! voter is there to announce it. Reason: whoever cannot apply an entry stops, so none may be written that a voter
//! cannot apply.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordd_proto::SessionId;
use coordd_tree::{AuthList, FEATURE_LEVEL, Op};
use futures_util::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{sleep, timeout};

use super::Raft;
use super::applied::Applied;
use super::diverged::{Diverged, Divergence};
use super::leadership::{Leader, Leadership};
use super::peer::call::{Answer, Call};
use super::peer::peers::Peers;
use super::proposer::Proposer;
use super::types::NodeId;
use crate::consensus::{Nobody, Write};

const EVERY: Duration = Duration::from_secs(5);
/// While voters may understand more than what is written.
const EVERY_BEFORE_RAISE: Duration = Duration::from_millis(100);
/// How long a member may take to get to the index that it is asked about.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// What a member answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Present {
    voter: bool,
    digest: Option<u64>,
    understands: u32,
}

/// What the digests of one index say.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    Same,
    Odd {
        majority: u64,
        members: Vec<NodeId>,
    },
    /// They differ, and no digest is that of most voters.
    Split,
}

fn compare(present: &BTreeMap<NodeId, Present>, voters: usize) -> Verdict {
    let mut held: BTreeMap<u64, usize> = BTreeMap::new();
    for Present { voter, digest, .. } in present.values() {
        if let Some(digest) = digest {
            *held.entry(*digest).or_default() += usize::from(*voter);
        }
    }
    if held.len() < 2 {
        return Verdict::Same;
    }
    let Some((&majority, _)) = held.iter().find(|(_, count)| **count > voters / 2) else { return Verdict::Split };
    let odd = |(_, member): &(&NodeId, &Present)| member.digest.is_some_and(|digest| digest != majority);
    Verdict::Odd { majority, members: present.iter().filter(odd).map(|(id, _)| *id).collect() }
}

/// The level to raise, if all voters are there and understand more than `now`.
fn raisable(present: &BTreeMap<NodeId, Present>, voters: usize, now: u32) -> Option<u32> {
    let there: Vec<_> = present.values().filter(|member| member.voter).map(|member| member.understands).collect();
    let all = there.len() == voters;
    there.into_iter().min().filter(|level| all && *level > now)
}

/// This member's answer, once it has applied `index`.
pub(crate) async fn answer(applied: &Applied, index: Option<u64>) -> Answer {
    let digest = match index {
        Some(index) if timeout(ANSWER_MAX, applied.reached(index)).await.is_ok() => applied.digests.at(index),
        Some(_) | None => None,
    };
    Answer::Present { digest, understands: FEATURE_LEVEL }
}

pub(crate) struct RollCall {
    pub me: NodeId,
    pub raft: Raft,
    pub peers: Arc<Peers>,
    pub applied: Arc<Applied>,
    pub leadership: Leadership,
    pub proposer: Arc<Proposer>,
    pub diverged: Arc<Diverged>,
}

impl RollCall {
    pub(crate) async fn run(mut self) {
        let mut compared = 0;
        let mut raised = None;
        while self.diverged.found.get().is_none() {
            let leader = self.leadership.wait_for_leader().await;
            if leader.id != self.me {
                self.leadership.changed_from(leader).await;
                continue;
            }
            // Before an entry of this term is applied, the state may lack what older terms committed.
            if self.applied.position().term == leader.term {
                self.call(leader, &mut compared, &mut raised).await;
            }
            let settled = self.applied.feature_level() >= FEATURE_LEVEL;
            sleep(if settled { EVERY } else { EVERY_BEFORE_RAISE }).await;
        }
    }

    async fn call(&self, leader: Leader, compared: &mut u64, raised: &mut Option<(u64, u32)>) {
        let own = self.applied.digests.newest().filter(|(index, _)| *index > *compared);
        let membership = self.raft.metrics().borrow_watched().committed_membership_config.clone();
        let voters: Vec<NodeId> = membership.voter_ids().collect();
        let mut present = self.ask_all(&voters, own.map(|(index, _)| index)).await;
        let digest = own.map(|(_, digest)| digest);
        present.insert(self.me, Present { voter: voters.contains(&self.me), digest, understands: FEATURE_LEVEL });
        let level = raisable(&present, voters.len(), self.applied.feature_level());
        if let Some(level) = level.filter(|level| *raised != Some((leader.term, *level))) {
            *raised = Some((leader.term, level));
            self.raise(level);
        }
        if let Some((index, _)) = own {
            *compared = index;
            self.judge(index, &present, compare(&present, voters.len())).await;
        }
    }

    async fn ask_all(&self, voters: &[NodeId], index: Option<u64>) -> BTreeMap<NodeId, Present> {
        let ask = |(id, link): (NodeId, Arc<super::peer::control::Control>)| async move {
            let answered = timeout(ANSWER_MAX, link.call(&Call::Attendance { index })).await;
            let Ok(Ok(Answer::Present { digest, understands })) = answered else { return None };
            Some((id, Present { voter: voters.contains(&id), digest, understands }))
        };
        join_all(self.peers.all().into_iter().map(ask)).await.into_iter().flatten().collect()
    }

    fn raise(&self, level: u32) {
        tracing::info!(level, "every voter understands this feature level: raising it");
        let op = Op::RaiseFeatureLevel(level);
        let sink = Arc::new(Nobody);
        self.proposer.propose(&mut vec![Write {
            session: SessionId::NONE,
            attach: 0,
            auth: AuthList::default(),
            op,
            sink,
        }]);
    }

    async fn judge(&self, index: u64, present: &BTreeMap<NodeId, Present>, verdict: Verdict) {
        match verdict {
            Verdict::Same => {}
            Verdict::Split => tracing::error!(
                index,
                ?present,
                "the states of the voters differ and none is that of most: nobody can tell which is right; compare \
                 them and replace the wrong ones"
            ),
            Verdict::Odd { majority, members } => {
                for id in members {
                    tracing::error!(member = id, index, "its state is not that of the others; it is told to stop");
                    self.tell(id, index, majority).await;
                }
            }
        }
    }

    async fn tell(&self, id: NodeId, index: u64, majority: u64) {
        if id == self.me {
            return stop(&self.diverged, &self.applied, index, majority).await;
        }
        self.diverged.meter.digest_differs();
        if let Err(error) = self.peers.call(id, &Call::Diverged { index, majority }).await {
            tracing::warn!(member = id, %error, "it could not be told");
        }
    }
}

/// Stops this member if its digest at `index` is not that of the majority, as the leader says.
pub(crate) async fn stop(diverged: &Diverged, applied: &Applied, index: u64, majority: u64) {
    if let Some(own) = applied.digests.at(index).filter(|own| *own != majority) {
        diverged.stop(Divergence { index, own, majority }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(members: &[(NodeId, bool, Option<u64>, u32)]) -> BTreeMap<NodeId, Present> {
        let one = |&(id, voter, digest, understands)| (id, Present { voter, digest, understands });
        members.iter().map(one).collect()
    }

    fn digests(members: &[(NodeId, bool, Option<u64>)], voters: usize) -> Verdict {
        let all: Vec<_> = members.iter().map(|&(id, voter, digest)| (id, voter, digest, 1)).collect();
        compare(&present(&all), voters)
    }

    #[test]
    fn those_that_differ_from_most_voters_are_odd_the_asker_and_learners_too() {
        assert_eq!(digests(&[(1, true, Some(7)), (2, true, Some(7)), (3, true, None)], 3), Verdict::Same);
        let one_of_three = digests(&[(1, true, Some(8)), (2, true, Some(7)), (3, true, Some(7))], 3);
        assert_eq!(one_of_three, Verdict::Odd { majority: 7, members: vec![1] });
        let a_learner = digests(&[(1, true, Some(7)), (2, true, Some(7)), (9, false, Some(8))], 3);
        assert_eq!(a_learner, Verdict::Odd { majority: 7, members: vec![9] });
    }

    #[test]
    fn without_most_voters_on_one_side_nobody_is_odd() {
        assert_eq!(digests(&[(1, true, Some(7)), (2, true, Some(8))], 2), Verdict::Split);
        assert_eq!(digests(&[(1, true, Some(7)), (2, true, Some(8)), (3, true, None)], 3), Verdict::Split);
        let learners = [(1, true, Some(7)), (8, false, Some(8)), (9, false, Some(8))];
        assert_eq!(digests(&learners, 3), Verdict::Split, "learners find nobody wrong");
    }

    #[test]
    fn a_level_is_raised_only_when_every_voter_announces_it() {
        let all = present(&[(1, true, None, 3), (2, true, None, 2), (9, false, None, 1)]);
        assert_eq!(raisable(&all, 2, 1), Some(2), "the lowest of the voters");
        assert_eq!(raisable(&all, 3, 1), None, "one is away");
        assert_eq!(raisable(&all, 2, 2), None, "it is there already");
    }
}
