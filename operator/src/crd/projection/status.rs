//! What was read and written, as `kubectl get` and `kubectl wait` show it.
//!
//! Rule: it changes only when something but a time has. Reason: two hundred projections at rest write nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Types of the conditions.
pub mod condition {
    /// What is written may be relied on: its objects exist, are its own and are not stale.
    pub const READY: &str = "Ready";
    /// What is written is what is registered; Unknown when the ensemble is out of reach for longer than staleAfter.
    pub const SYNCED: &str = "Synced";
    /// The ensemble answers.
    pub const SOURCE_REACHABLE: &str = "SourceReachable";
    /// An object of a name that it needs is somebody else's; it is not touched.
    pub const NAME_CONFLICT: &str = "NameConflict";
}

/// What the operator read and wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectionStatus {
    /// Generation of the spec that this status answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of Services that it keeps.
    pub services: i32,
    /// Number of endpoints that are written, or of keys of a ConfigMap.
    pub endpoints: i32,
    /// Number of endpoints that are ready to be called.
    pub ready_endpoints: i32,
    /// Number of registrations that are not projected.
    pub rejected: i32,
    /// The first five of them, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub rejections: Vec<Rejection>,
    /// The newest change of the znodes that this rests on. Where nothing else here changes with it it is told once a
    /// minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zxid: Option<i64>,
    /// When what had changed in the znodes was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// Ready, Synced, SourceReachable, NameConflict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A registration that is not projected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Path of the znode.
    pub znode: String,
    /// What is wrong with it.
    pub reason: String,
}
