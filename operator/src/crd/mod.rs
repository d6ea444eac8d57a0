//! `CoordinationCluster` (`coordd.dev/v1alpha1`, `cc`): what a user writes and what `kubectl get` answers; in
//! `projection` the same of `ServiceProjection`.
//!
//! ```text
//!   spec ── defaults and CEL rules beside each field ──► crds/…yaml, which `operator crds` prints
//!   status ◄── written by the operator alone, computed from what was observed
//! ```
//!
//! Rule: types, defaults and rules, no behaviour; a default never changes, since it is filled in when a stored object
//! is read. Reason: whatever changes here changes for clusters that were made long ago, without anyone asking.

mod applies;
mod config;
mod pod;
pub mod projection;
mod reference;
mod spec;
mod status;
mod storage;
mod text;

pub use applies::{Applies, applies};
pub use config::Config;
pub use pod::{PodTemplate, Resources, Scheduling, Spread};
pub use projection::{ProjectionStatus, ServiceProjection, ServiceProjectionSpec};
pub use reference::{page as reference, projection_page as projection_reference};
pub use spec::{
    CoordinationCluster, CoordinationClusterSpec, Disruption, EvictionPolicy, Healing, Projections, Service,
    ServiceType, Update,
};
pub use status::{
    Bootstrap, ClusterStatus, Endpoints, MemberStatus, OperationStatus, Recovery, SeenHealth, StatusRole, condition,
};
pub use storage::{Retention, RetentionPolicy, Storage};
pub use text::Span;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The manifests of all kinds, by file name under `crds/`.
///
/// # Errors
/// When a manifest cannot be written as YAML.
pub fn manifests() -> Result<Vec<(String, String)>, serde_yaml::ser::Error> {
    let file = |crd: &CustomResourceDefinition| format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
    let all = [CoordinationCluster::crd(), ServiceProjection::crd()];
    all.iter().map(|crd| Ok((file(crd), serde_yaml::to_string(crd)?))).collect()
}

#[cfg(test)]
mod tests;
