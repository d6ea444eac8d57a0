//! What was observed of one cluster, in the words of the plan; no Kubernetes types, no clients.
//!
//! ```text
//!   Kubernetes: StatefulSet, pods, claims, nodes, Secret ─┐
//!   each member's /admin/v1/status, asked by pod address ─┼─► World ─► plan, status
//!   the cluster's own spec, orders and records ───────────┘
//! ```
//!
//! Rule: what could not be seen is `Unknown` and says why; what was looked for and is not there is `Gone`. A pod that
//! does not answer is `Silent`, never absent. Reason: "cannot be asked" taken for "gone" is how operators destroy
//! ensembles (operators.md §2, 16 and 18).

mod member;
mod objects;
mod orders;

use std::time::Duration;

pub use member::{Answer, Asked, Part, Peer};
pub use objects::{Claim, ClaimState, Node, NodeState, Pod, PodState, SecretState, StatefulSet};
pub use orders::{Orders, RecoverOrder};

use crate::crd::{Bootstrap, Recovery};
use crate::names::ClusterName;

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// How long ago `self` was at `now`; nothing for a moment that is yet to come.
    pub fn until(self, now: Moment) -> Duration {
        Duration::from_millis(u64::try_from(now.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// The result of a look at something that may be there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    There(T),
    /// It was looked for, and is not there.
    Gone,
    /// It could not be looked for; why.
    Unknown(String),
}

impl<T> Seen<T> {
    pub fn there(&self) -> Option<&T> {
        match self {
            Seen::There(value) => Some(value),
            Seen::Gone | Seen::Unknown(_) => None,
        }
    }

    pub fn is_gone(&self) -> bool {
        matches!(self, Seen::Gone)
    }
}

/// Everything that a plan is made from, but for the spec and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub name: ClusterName,
    pub uid: String,
    /// The cluster is being deleted.
    pub deleting: bool,
    /// What the user ordered by annotation.
    pub orders: Orders,
    /// The records of the cluster's status.
    pub bootstrap: Option<Bootstrap>,
    pub recovery: Option<Recovery>,
    /// The highest feature level that the ensemble is known to use.
    pub feature_level: Option<u32>,
    pub stateful_set: Seen<StatefulSet>,
    /// Pods of this cluster's StatefulSet, by ordinal; complete, or the whole observation has failed.
    pub pods: Vec<Pod>,
    /// Claims that bear the name of one of this cluster's members, by ordinal; complete.
    pub claims: Vec<Claim>,
    /// All nodes; Unknown where the operator may not read them.
    pub nodes: Seen<Vec<Node>>,
    pub secret: Seen<SecretState>,
    /// Objects under names that this cluster needs that somebody else made, as `Kind/name`.
    pub foreign: Vec<String>,
}

impl World {
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.name == name)
    }

    /// A node by name; `Gone` only if all nodes could be seen and it is not among them.
    pub fn node(&self, name: &str) -> Seen<&Node> {
        match &self.nodes {
            Seen::There(nodes) => nodes.iter().find(|node| node.name == name).map_or(Seen::Gone, Seen::There),
            Seen::Gone => Seen::Unknown("nodes were not looked for".to_owned()),
            Seen::Unknown(why) => Seen::Unknown(why.clone()),
        }
    }

    pub fn claim(&self, ordinal: i32) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.ordinal == ordinal)
    }
}
