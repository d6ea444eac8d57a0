//! What was observed, as `kubectl get` and `kubectl wait` show it.
//!
//! Rule: all of it can be made anew from what is observed, but for two records that are written before the deed,
//! `bootstrap` (an ensemble is founded once) and `recovery` (a quorum is given up by order only), and for
//! `featureLevel`, which never falls. Reason: the operator may die between any two writes, and the next one must know
//! that a deed may have been done; and what an ensemble uses nobody tells while all of it is asleep.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Types of the conditions; their meaning in ARCHITECTURE.md.
pub mod condition {
    pub const READY: &str = "Ready";
    pub const AVAILABLE: &str = "Available";
    pub const MEMBERS_READY: &str = "MembersReady";
    pub const MEMBERS_UPDATED: &str = "MembersUpdated";
    pub const PROGRESSING: &str = "Progressing";
    pub const DEGRADED: &str = "Degraded";
    pub const DATA_VOLUMES_READY: &str = "DataVolumesReady";
    pub const PAUSED: &str = "Paused";
    pub const HIBERNATED: &str = "Hibernated";
}

/// What the operator observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Generation of the spec that this status answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the ensemble is doing, in a word, such as Running, Rolling or QuorumLost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Number of pods.
    pub replicas: i32,
    /// Number of members that serve.
    pub ready_replicas: i32,
    /// Number of voters; absent while it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voting_members: Option<i32>,
    /// Voters that serve, of those that the spec wants, such as 3/3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_ready: Option<String>,
    /// Selects the members' pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Name of the member that leads, as a majority sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// How many more members may be lost, such as: tolerates 1; or lost, electing, not serving, unknown, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<String>,
    /// Version that the members run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Image that the spec asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_image: Option<String>,
    /// Id of the ensemble; another after a recovery from quorum loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble_id: Option<String>,
    /// The highest feature level that the ensemble is known to use; a version that does not understand it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_level: Option<i64>,
    /// The members, one row each, by pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub members: Vec<MemberStatus>,
    /// What is being done, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationStatus>,
    /// Where clients connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// How the ensemble came to be; written before its first pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// The last recovery from quorum loss; written before it is carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Ready, Available, MembersReady, MembersUpdated, Progressing, Degraded, DataVolumesReady, Paused, Hibernated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the pod, which is also the member's.
    pub name: String,
    /// Identity in the ensemble, unique for all time; absent until it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Leader, Follower, Learner, Unformed or Unknown.
    pub role: StatusRole,
    /// Whether it follows the leader and has caught up: True, False or Unknown (it cannot be asked).
    pub healthy: SeenHealth,
    /// Why it is not healthy, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Version that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Zone of that node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// When `healthy` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StatusRole {
    Leader,
    Follower,
    Learner,
    Unformed,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeenHealth {
    True,
    False,
    Unknown,
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationStatus {
    /// Founding, ScalingUp, ScalingDown, Rolling, Replacing, Recovering, Hibernating or Resuming.
    #[serde(rename = "type")]
    pub type_: String,
    /// The step at hand, in words.
    pub step: String,
    /// When the operation was first seen.
    pub started_at: Time,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// ZooKeeper connection string of the client Service.
    pub client: String,
    /// Base of the HTTP API.
    pub http: String,
}

/// How the ensemble came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// Number of first members: the pods with the lowest ordinals. The lowest of all founds.
    pub members: i32,
    /// Version of coordd that applies while the spec names none.
    pub version: String,
    /// Id of the ensemble that was founded; absent until it is known to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble_id: Option<String>,
    /// Uid of the deleted cluster whose volumes were adopted by order, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_from: Option<String>,
}

/// A recovery from quorum loss, by explicit order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Name of the member that goes on alone.
    pub survivor: String,
    /// Id of the ensemble that is given up.
    pub from: String,
    /// Id of the ensemble that goes on; absent until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When the order was accepted.
    pub ordered_at: Time,
}
