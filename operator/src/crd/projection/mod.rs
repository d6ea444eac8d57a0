//! `ServiceProjection` (`coordd.dev/v1alpha1`, `sp`): which registrations become which objects of Kubernetes.
//!
//! ```text
//!   clusterRef, path, format ─► what is read      target ─► one of: service · configMap · leader
//!   guards ─► what is written only after a second look        status ◄── what was read and written
//! ```
//!
//! Rule: types, defaults and rules, no behaviour; a default never changes. Reason: a projection that was made long ago
//! must go on as it was.

mod guards;
mod spec;
mod status;
mod target;

pub(crate) use guards::PRIVATE_NETWORKS;
pub use guards::{EmptyPolicy, Guards};
pub use spec::{ClusterRef, JsonPaths, Registered, SecretRef, ServiceProjection, ServiceProjectionSpec};
pub use status::{ProjectionStatus, Rejection, condition};
pub use target::{ConfigMapTarget, LeaderTarget, Port, Separator, ServiceTarget, Target, TrafficDistribution};

#[cfg(test)]
mod tests;
