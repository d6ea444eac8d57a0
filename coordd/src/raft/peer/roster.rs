//! Who is in the ensemble, as the newest membership applied here says; what peer links check identities against.
//!
//! Rule: an id is unique for all time and is taken from the index of the log at which its member was added, so an id
//! that is not in a membership at least as new as itself was removed. Reason: a member that lags must not refuse a
//! leader that was added after its own newest entry, while a removed one must be told that it is out (raft-notes.md
//! §6).

use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::super::types::{Node, NodeId, StoredMembership};

/// The members by id, and the log index of the membership entry they come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub index: u64,
    pub nodes: BTreeMap<NodeId, Node>,
}

/// What the roster says of a peer that names itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Member,
    /// Not known here, and may have been added after the membership that is known here.
    Unknown,
    /// Was a member and is none any more, as of the index.
    Removed(u64),
    /// The id is a member's, the disk is not.
    WrongDisk,
}

#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: RwLock<Members>,
}

impl Roster {
    pub(crate) fn update(&self, membership: &StoredMembership) {
        let index = membership.log_id().as_ref().map_or(0, |id| id.index());
        let nodes = membership.nodes().map(|(id, node)| (*id, node.clone())).collect();
        *self.members.write() = Members { index, nodes };
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<Node> {
        self.members.read().nodes.get(&id).cloned()
    }

    pub(crate) fn standing(&self, id: NodeId, disk_id: &str) -> Standing {
        let members = self.members.read();
        match members.nodes.get(&id) {
            Some(node) if node.disk_id == disk_id => Standing::Member,
            Some(_) => Standing::WrongDisk,
            None if members.nodes.is_empty() || id > members.index => Standing::Unknown,
            None => Standing::Removed(members.index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lagging_roster_refuses_no_newcomer_and_a_fresh_one_names_the_removed() {
        let roster = Roster::default();
        assert_eq!(roster.standing(3, "d"), Standing::Unknown);
        let node = Node { disk_id: "d1".into(), ..Node::default() };
        *roster.members.write() = Members { index: 40, nodes: BTreeMap::from([(1, node)]) };
        assert_eq!(roster.standing(1, "d1"), Standing::Member);
        assert_eq!(roster.standing(1, "other"), Standing::WrongDisk);
        assert_eq!(roster.standing(2, "d2"), Standing::Removed(40));
        assert_eq!(roster.standing(41, "d41"), Standing::Unknown);
    }
}
