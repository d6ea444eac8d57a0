//! Who leads an election.

use serde::{Deserialize, Serialize};

/// How the candidates write themselves down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// Curator's LeaderLatch: `…-latch-0000000000`.
    CuratorLatch,
    /// Curator's LeaderSelector: `…-lock-0000000000`.
    CuratorSelector,
    /// kazoo's Election: `…__lock__0000000000`.
    KazooElection,
    /// ZooKeeper's own recipe: sequential children of any name.
    Sequential,
    /// One ephemeral znode, which is whoever created it: Kafka's `/controller`.
    Single,
}

/// One that stands for election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Candidate {
    pub znode: String,
    /// What the candidate calls itself: the znode's data. `null` where that is empty, no text, or may not be read.
    pub id: Option<String>,
    /// The zxid at which it stood; `null` where the caller may not read the znode.
    pub since: Option<i64>,
}

/// Answer of `GET /v1/leader/{path}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LeaderView {
    pub path: String,
    /// `null` when nobody stands.
    pub recipe: Option<Recipe>,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// The first of the candidates.
    pub leader: Option<Candidate>,
    /// Grows with each new leader and stays while one leads: the zxid at which it stood. Whoever guards a resource
    /// refuses a lower one than it has seen. `null` without a leader, where the caller may not read it, where the
    /// leader is not the oldest candidate, which no client library makes, and for one that stood before the ensemble
    /// was recovered or restored: then the number could fall.
    pub fencing_token: Option<i64>,
    /// In the order in which they will lead, the leader first.
    pub candidates: Vec<Candidate>,
}
