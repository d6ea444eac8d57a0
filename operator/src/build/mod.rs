//! From a cluster to the objects that it consists of. Pure.
//!
//! ```text
//!   cluster + Ground (pods, image) ─► Desired: Services, StatefulSet, … ─► runtime applies them server-side
//! ```
//!
//! Rule: whatever stands in the pod template restarts the members when it changes, so a new release of the operator
//! builds the very same template from an old spec; a test holds it against a committed one. Reason: upgrading the
//! operator must not roll every ensemble.

mod container;
mod meta;
mod pod;
mod scheduling;
mod services;
mod set;
mod settings;
mod shields;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::crd::CoordinationCluster;
pub(crate) use container::probe;
use meta::Owner;

/// What the spec alone does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// `None` while no StatefulSet may be applied.
    pub members: Option<Members>,
    /// Where the operator's own pods run, whom the admin port is open to.
    pub operator_namespace: String,
}

/// The pods that there are to be now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    pub replicas: i32,
    pub image: String,
}

/// All objects of a cluster, in the order in which they are applied. The Secret is not among them: its content is
/// random, so the runtime makes it once and never again.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    pub peer_service: Service,
    pub client_service: Service,
    pub connection_map: ConfigMap,
    pub network_policy: NetworkPolicy,
    /// `None` for a single member: then there must be none, unless it is not known how many there are.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// `None` while none may be applied; one that is there stays as it is.
    pub stateful_set: Option<StatefulSet>,
}

impl Desired {
    /// Whether one that is there is to go. While no StatefulSet may be applied, the spec is not what is carried out,
    /// and there may be more members than it says.
    pub(crate) fn forbids_budget(&self) -> bool {
        self.disruption_budget.is_none() && self.stateful_set.is_some()
    }
}

/// Builds what `cluster`, as the API server knows it, consists of.
pub fn build(cluster: &CoordinationCluster, ground: &Ground) -> Desired {
    let owner = Owner::of(cluster);
    let spec = &cluster.spec;
    Desired {
        peer_service: services::peer_service(&owner),
        client_service: services::client_service(&owner, &spec.service),
        connection_map: services::connection_map(&owner),
        network_policy: shields::network_policy(&owner, &ground.operator_namespace),
        disruption_budget: shields::disruption_budget(&owner, spec, ground.members.as_ref()),
        stateful_set: ground.members.as_ref().map(|members| set::stateful_set(&owner, spec, members)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::CoordinationClusterSpec;

    #[test]
    fn a_budget_goes_only_where_the_spec_is_what_is_carried_out() {
        let spec = CoordinationClusterSpec { replicas: 1, ..CoordinationClusterSpec::default() };
        let cluster = CoordinationCluster::new("orders", spec);
        let forbids = |members: Option<i32>| {
            let members = members.map(|replicas| Members { replicas, image: "coordd".to_owned() });
            build(&cluster, &Ground { members, operator_namespace: "system".to_owned() }).forbids_budget()
        };
        assert!(forbids(Some(1)), "it would block every drain");
        assert!(!forbids(Some(3)), "three that are to become one");
        assert!(!forbids(None), "nobody knows how many there are");
    }
}
