//! Whether this member was taken out of its ensemble, as its peers say.
//!
//! ```text
//!   peer: "out, as of 52" ─► no elections, not ready ── a membership newer than 52 names it ─► taken back
//! ```
//!
//! Rule: of two words the one of the newer membership counts, in whatever order they come. Reason: a peer that has not
//! applied yet that this member was added again tells it that it is out; a voter that believed so for ever would never
//! stand.

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use super::Raft;
use super::types::{NodeId, StoredMembership};

#[derive(Clone)]
pub(crate) struct Removal {
    me: NodeId,
    raft: Raft,
    /// The membership index as of which a peer said that this member is out.
    as_of: watch::Sender<Option<u64>>,
}

/// Whether a membership shows that what a peer said is out of date.
fn outdates(membership: &StoredMembership, me: NodeId, said: Option<u64>) -> bool {
    let index = membership.log_id().as_ref().map_or(0, |id| id.index());
    said.is_some_and(|as_of| as_of < index) && membership.nodes().any(|(id, _)| *id == me)
}

impl Removal {
    pub(crate) fn new(me: NodeId, raft: Raft) -> Removal {
        Removal { me, raft, as_of: watch::Sender::new(None) }
    }

    /// The membership index as of which this member is out.
    pub(crate) fn as_of(&self) -> Option<u64> {
        *self.as_of.borrow()
    }

    /// Waits while this member is out.
    pub(crate) async fn over(&self) {
        // The sender is here, so it does not end otherwise.
        let _ = self.as_of.subscribe().wait_for(Option::is_none).await;
    }

    /// A peer says that this member is out.
    pub(crate) fn told(&self, as_of: u64) {
        // Nobody would vote for it; asking would only fill everyone's logs.
        self.raft.runtime_config().elect(false);
        if self.as_of.send_replace(self.as_of().max(Some(as_of))).is_none() {
            tracing::warn!(
                membership_index = as_of,
                "removed from the ensemble: stop this member; its data directory is of no more use"
            );
        }
        // The membership may have come before the word.
        let membership = self.raft.server_metrics().borrow_watched().membership_config.clone();
        self.follow(&membership);
    }

    /// Takes back what was said if `membership`, the newest in the log, shows that it is out of date.
    pub(crate) fn follow(&self, membership: &StoredMembership) {
        let back = |said: &mut Option<u64>| outdates(membership, self.me, *said) && said.take().is_some();
        if self.as_of.send_if_modified(back) {
            tracing::info!("this member is in the ensemble again");
            self.raft.runtime_config().elect(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::codec;
    use super::super::types::{Membership, Node};
    use super::*;

    #[test]
    fn the_word_of_a_peer_that_lags_counts_until_a_newer_membership_names_the_member() {
        let at = |index, ids: &[NodeId]| {
            let nodes: BTreeMap<_, _> = ids.iter().map(|id| (*id, Node::default())).collect();
            let membership = Membership::new(vec![[1].into()], nodes).unwrap();
            StoredMembership::new(Some(codec::log_id(1, index)), membership)
        };
        assert!(outdates(&at(60, &[1, 50]), 50, Some(52)));
        assert!(!outdates(&at(51, &[1, 50]), 50, Some(52)), "it is older than what was said");
        assert!(!outdates(&at(60, &[1]), 50, Some(52)), "it does not name the member");
        assert!(!outdates(&at(60, &[1, 50]), 50, None), "nothing was said");
    }
}
