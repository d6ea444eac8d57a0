//! What keeps others from harming the members: whom their ports are open to, and how many may be evicted at once.
//!
//! ```text
//!   anybody ─► client 2181, HTTP 8080        members, operator ─► peer 2888, admin 9080        all else: closed
//! ```
//!
//! Rule: as many may be evicted as the spec says, and never so many that those that are there lose their majority.
//! Reason: while three members become five, two of three must not go at once.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Members;
use super::meta::{Owner, Words};
use crate::crd::{CoordinationClusterSpec, EvictionPolicy};
use crate::names::{ADMIN_PORT, CLIENT_PORT, HTTP_PORT, PEER_PORT, label};

fn labelled(key: &str, value: &str) -> LabelSelector {
    let labels = [(key.to_owned(), value.to_owned())].into();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// Ports by number: a name would be that of the container of whichever pod is meant.
fn ports(numbers: &[u16]) -> Option<Vec<NetworkPolicyPort>> {
    let port = |number: &u16| NetworkPolicyPort {
        port: Some(IntOrString::Int((*number).into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    Some(numbers.iter().map(port).collect())
}

pub(super) fn network_policy(owner: &Owner, operator_namespace: &str) -> NetworkPolicy {
    let members = NetworkPolicyPeer { pod_selector: Some(owner.label_selector()), ..NetworkPolicyPeer::default() };
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(labelled(label::NAMESPACE_NAME, operator_namespace)),
        pod_selector: Some(labelled(label::NAME, label::OPERATOR_VALUE)),
        ..NetworkPolicyPeer::default()
    };
    let open = NetworkPolicyIngressRule { from: None, ports: ports(&[CLIENT_PORT, HTTP_PORT]) };
    let inner =
        NetworkPolicyIngressRule { from: Some(vec![members, operator]), ports: ports(&[PEER_PORT, ADMIN_PORT]) };
    NetworkPolicy {
        metadata: owner.meta(owner.name.network_policy(), &Words::new()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(owner.label_selector()),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![open, inner]),
            egress: None,
        }),
    }
}

/// As many as the spec says and those that are there bear. Where it is not known how many there are, one.
fn evictable(spec: &CoordinationClusterSpec, members: Option<&Members>) -> i32 {
    let present = members.map_or(1, |members| members.replicas.min(spec.replicas));
    let bearable = (present - 1) / 2;
    spec.disruption.max_unavailable.min(bearable.max(1))
}

/// None for one member: a budget would block every node drain, and there is no majority to protect.
pub(super) fn disruption_budget(
    owner: &Owner,
    spec: &CoordinationClusterSpec,
    members: Option<&Members>,
) -> Option<PodDisruptionBudget> {
    let most = members.map_or(spec.replicas, |members| members.replicas.max(spec.replicas));
    if most < 2 {
        return None;
    }
    let policy = match spec.disruption.unhealthy_pod_eviction_policy {
        EvictionPolicy::IfHealthyBudget => "IfHealthyBudget",
        EvictionPolicy::AlwaysAllow => "AlwaysAllow",
    };
    Some(PodDisruptionBudget {
        metadata: owner.meta(owner.name.disruption_budget(), &Words::new()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(evictable(spec, members))),
            selector: Some(owner.label_selector()),
            unhealthy_pod_eviction_policy: Some(policy.to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(wanted: i32, present: Option<i32>, max_unavailable: i32) -> Option<i32> {
        let mut spec = CoordinationClusterSpec { replicas: wanted, ..CoordinationClusterSpec::default() };
        spec.disruption.max_unavailable = max_unavailable;
        let members = present.map(|replicas| Members { replicas, image: String::new() });
        let owner = Owner { name: crate::names::ClusterName::new("shop", "orders"), uid: "u".to_owned() };
        let budget = disruption_budget(&owner, &spec, members.as_ref())?;
        match budget.spec?.max_unavailable? {
            IntOrString::Int(number) => Some(number),
            IntOrString::String(_) => None,
        }
    }

    #[test]
    fn evictions_leave_a_majority_of_those_that_are_there() {
        assert_eq!(allowed(3, Some(3), 1), Some(1));
        assert_eq!(allowed(5, Some(5), 2), Some(2));
        assert_eq!(allowed(5, Some(3), 2), Some(1), "three on their way to five bear one");
        assert_eq!(allowed(3, Some(5), 2), Some(1), "five on their way to three: the fifth may have no vote any more");
        assert_eq!(allowed(5, None, 2), Some(1), "not known");
        assert_eq!(allowed(7, Some(7), 0), Some(0), "forbidden by the user");
        assert_eq!(allowed(3, Some(0), 1), Some(1), "hibernated");
    }

    #[test]
    fn bug_28_a_single_member_has_no_budget_but_keeps_it_while_others_are_still_there() {
        assert_eq!(allowed(1, Some(1), 1), None);
        assert_eq!(allowed(1, Some(3), 1), Some(1));
        assert_eq!(allowed(2, Some(2), 1), Some(1));
    }
}
