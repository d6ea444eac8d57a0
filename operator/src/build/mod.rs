//! From a cluster to the objects that it consists of. Pure.
//!
//! ```text
//!   cluster + Ground (replicas, image) ─► Desired: Services, StatefulSet, … ─► runtime applies them server-side
//! ```
//!
//! Rule: whatever stands in the pod template restarts the members when it changes, so a new release of the operator
//! builds the very same template from an old spec; a test holds it against a committed one. Reason: upgrading the
//! operator must not roll every ensemble.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

/// What the spec alone does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    pub replicas: i32,
    pub image: String,
    /// Where the operator's own pods run, whom the admin port is open to.
    pub operator_namespace: String,
}

/// All objects of a cluster, in the order in which they are applied. The Secret is not among them: its content is
/// random, so the runtime makes it once and never again.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    pub peer_service: Service,
    pub client_service: Service,
    pub connection_map: ConfigMap,
    pub network_policy: NetworkPolicy,
    /// `None` for a single member: then there must be none.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// `None` until the bootstrap is recorded.
    pub stateful_set: Option<StatefulSet>,
}
