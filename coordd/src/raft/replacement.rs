//! `replace`: an unformed member in the place of one whose disk is lost (design D9).
//!
//! ```text
//!   who lives there? ─► learner, whose entry says in whose place ─► catches up ─► the old one out ─► vote
//! ```
//!
//! Rule: each step is fenced by the entry of the step before. Done already is `Ok` whatever it was planned on; what is
//! left to do needs the present membership. Reason: once the old one is out, only its successor's entry tells whether
//! it voted, and a call that was meant for another membership must not take out a second voter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::core::Core;
use super::formation;
use super::membership::{Present, Result, refused, unavailable};
use super::types::{InPlaceOf, Node, NodeId};

/// How long a call waits for the newcomer to catch up before it asks to be called again.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// What is left to do.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// The old one is out and voted.
    Promote,
    /// The newcomer has to come in, where it is not, and the old one has to go.
    All {
        voted: bool,
    },
}

/// What is left to do for `newcomer`, `None` while it is no member, to be in the place of `old`.
fn left_to_do(
    old: NodeId,
    newcomer: Option<NodeId>,
    nodes: &BTreeMap<NodeId, Node>,
    voters: &BTreeSet<NodeId>,
) -> Result<Left> {
    let votes = newcomer.is_some_and(|id| voters.contains(&id));
    let in_place_of = newcomer.and_then(|id| nodes.get(&id)?.in_place_of);
    match newcomer {
        Some(id) if id == old && votes => Ok(Left::Nothing),
        Some(id) if id == old => {
            Err(refused(format!("member {old} lives there already, as a learner; promote it if it is to vote")))
        }
        Some(id) if votes && nodes.contains_key(&old) => Err(refused(format!(
            "member {id} lives there and votes already, so it takes nobody's place; to take {old} out, remove it"
        ))),
        _ if nodes.contains_key(&old) => Ok(Left::All { voted: voters.contains(&old) }),
        Some(_) if votes => Ok(Left::Nothing),
        Some(_) if in_place_of == Some(InPlaceOf { member: old, voted: true }) => Ok(Left::Promote),
        Some(_) if in_place_of == Some(InPlaceOf { member: old, voted: false }) => Ok(Left::Nothing),
        Some(id) => Err(refused(format!(
            "{old} is not a member, and nobody knows whether it voted; member {id} lives there as a learner: promote \
             it if it is to vote"
        ))),
        None => Err(refused(format!("{old} is not a member; members are {:?}", nodes.keys().collect::<Vec<_>>()))),
    }
}

impl Core {
    /// Puts the member at `peer_addr` in the place of `old`; its id, and the index of the membership that comes of it.
    pub(crate) async fn replace(&self, old: NodeId, peer_addr: &str, planned_on: u64) -> Result<(NodeId, u64)> {
        let probed = formation::probe(peer_addr, &self.peers.local).await.map_err(unavailable)?;
        let Present { index, nodes, voters, .. } = self.present(None)?;
        let member = probed
            .identity
            .filter(|identity| nodes.get(&identity.node_id).is_some_and(|node| node.disk_id == identity.disk_id));
        let newcomer = member.map(|identity| identity.node_id);
        match (left_to_do(old, newcomer, &nodes, &voters)?, newcomer) {
            (Left::Nothing, Some(newcomer)) => Ok((newcomer, index)),
            (Left::Promote, Some(newcomer)) => Ok((newcomer, self.promote(newcomer, Some(planned_on)).await?)),
            (Left::All { voted }, Some(newcomer)) => {
                self.present(Some(planned_on))?;
                self.put_in_place(newcomer, old, voted, planned_on).await
            }
            (Left::All { voted }, _) => {
                let place = InPlaceOf { member: old, voted };
                let (newcomer, index) = self.add_in_place_of(Some(place), peer_addr, Some(planned_on)).await?;
                self.put_in_place(newcomer, old, voted, index).await
            }
            (Left::Nothing | Left::Promote, None) => Err(unavailable("the membership is changing")),
        }
    }

    /// The same for a member that is in as a learner, which catches up first.
    async fn put_in_place(&self, newcomer: NodeId, old: NodeId, voted: bool, planned_on: u64) -> Result<(NodeId, u64)> {
        let until = Instant::now() + CATCH_UP_MAX;
        while !self.has_caught_up(newcomer) {
            // Nobody catches up with a member that does not lead any more.
            self.present(None)?;
            if Instant::now() > until {
                return Err(unavailable(format!("member {newcomer} is still catching up; ask again")));
            }
            sleep(Duration::from_millis(100)).await;
        }
        let index = self.remove(old, Some(planned_on)).await?;
        match voted {
            true => Ok((newcomer, self.promote(newcomer, Some(index)).await?)),
            false => Ok((newcomer, index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::membership::ChangeError;
    use super::*;

    fn nodes<const N: usize>(ids: [NodeId; N]) -> BTreeMap<NodeId, Node> {
        ids.map(|id| (id, Node::default())).into()
    }

    fn is_refused(left: Result<Left>) -> bool {
        matches!(left, Err(ChangeError::Refused(_)))
    }

    #[test]
    fn who_is_in_already_or_votes_takes_nobody_out() {
        let (nodes, voters) = (nodes([1, 2, 3, 50]), [1, 2, 3].into());
        assert_eq!(left_to_do(3, Some(50), &nodes, &voters), Ok(Left::All { voted: true }));
        assert_eq!(left_to_do(3, None, &nodes, &voters), Ok(Left::All { voted: true }));
        assert_eq!(left_to_do(50, None, &nodes, &voters), Ok(Left::All { voted: false }));
        assert_eq!(left_to_do(2, Some(2), &nodes, &voters), Ok(Left::Nothing), "it lives where it should");
        assert!(is_refused(left_to_do(50, Some(50), &nodes, &voters)));
        assert!(is_refused(left_to_do(2, Some(1), &nodes, &voters)));
    }

    #[test]
    fn a_call_that_is_repeated_does_what_is_left_and_makes_no_voter_of_a_learner() {
        for (voted, left) in [(true, Left::Promote), (false, Left::Nothing)] {
            let (mut nodes, voters) = (nodes([1, 2, 60]), [1, 2].into());
            nodes.get_mut(&60).unwrap().in_place_of = Some(InPlaceOf { member: 3, voted });
            assert_eq!(left_to_do(3, Some(60), &nodes, &voters), Ok(left));
            assert!(is_refused(left_to_do(4, Some(60), &nodes, &voters)), "another one's place");
            assert_eq!(left_to_do(3, Some(60), &nodes, &[1, 2, 60].into()), Ok(Left::Nothing));
        }
    }

    #[test]
    fn nobody_comes_in_the_place_of_who_never_was() {
        let (nodes, voters) = (nodes([1, 2, 3, 50]), [1, 2, 3].into());
        assert!(is_refused(left_to_do(33, None, &nodes, &voters)));
        assert!(is_refused(left_to_do(33, Some(50), &nodes, &voters)));
    }
}
