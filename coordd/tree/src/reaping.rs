//! Which containers and TTL znodes could go, found without a walk over the tree.
//!
//! ```text
//!   containers   childless ones                           due if ever used, or never used for too long
//!   ttl          childless ones by (mtime + ttl)          due once that has passed; a set starts it anew, children not
//! ```
//!
//! Rule: this finds candidates for the leader, who proposes `Op::Reap`; apply looks at the znode again. Derived from
//! the znodes, so no snapshot carries it.

use std::collections::BTreeSet;

use coordd_proto::Zxid;

use crate::znode::{Node, NodeId, Owner, Znodes};

/// A znode for the leader to propose `Op::Reap` for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReapCandidate {
    pub path: String,
    pub czxid: Zxid,
}

/// How much and how eagerly to reap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReapLimits {
    pub candidates_max: usize,
    /// Containers that never had a child are due after so long; `None` is never, as in ZooKeeper 3.9.
    pub never_used_ms: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Reaping {
    containers: BTreeSet<NodeId>,
    ttl: BTreeSet<(i64, NodeId)>,
}

fn ttl_deadline(node: &Node, owner: Owner) -> Option<i64> {
    owner.ttl_ms().map(|ttl| node.mtime.saturating_add(ttl))
}

/// Whether a childless znode's time to live is over.
pub(crate) fn ttl_is_over(node: &Node, owner: Owner, now_ms: i64) -> bool {
    ttl_deadline(node, owner).is_some_and(|deadline| deadline < now_ms)
}

impl Reaping {
    /// Call before an owned znode's children or mtime change or it goes.
    pub(crate) fn leave(&mut self, id: NodeId, node: &Node, owner: Owner) {
        if owner.is_container() {
            self.containers.remove(&id);
        } else if let Some(deadline) = ttl_deadline(node, owner) {
            self.ttl.remove(&(deadline, id));
        }
    }

    /// Call after it is there and changed.
    pub(crate) fn enter(&mut self, id: NodeId, node: &Node, owner: Owner) {
        if node.children > 0 {
            return;
        }
        if owner.is_container() {
            self.containers.insert(id);
        } else if let Some(deadline) = ttl_deadline(node, owner) {
            self.ttl.insert((deadline, id));
        }
    }

    pub(crate) fn due(&self, znodes: &Znodes, now_ms: i64, limits: ReapLimits) -> Vec<ReapCandidate> {
        let overdue = self.ttl.iter().take_while(|(deadline, _)| *deadline < now_ms).map(|&(_, id)| id);
        let unused = |node: &Node| limits.never_used_ms.is_some_and(|max| now_ms.saturating_sub(node.mtime) > max);
        let containers = self.containers.iter().copied().filter(|&id| {
            let node = znodes.get(id);
            node.creates > 0 || unused(node)
        });
        let candidate = |id| ReapCandidate { path: znodes.path(id), czxid: znodes.get(id).czxid };
        overdue.chain(containers).take(limits.candidates_max).map(candidate).collect()
    }
}
