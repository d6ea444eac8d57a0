//! Whom the members' ports are open to, by evaluating the policy as a network plugin would.
//!
//! Rule: a connection is let in if some rule lists its port and its source; a pod that a policy selects is closed to
//! all else. Reason: the network of the tests' own cluster enforces no policy, so what is rendered is judged here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use support::{OPERATOR_NAMESPACE, cluster, settled};

type Labels = BTreeMap<String, String>;

/// Where a connection comes from.
struct Source {
    namespace: &'static str,
    /// `None`: from outside of the cluster.
    pod: Option<Labels>,
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    assert!(selector.match_expressions.is_none(), "the evaluation knows no expressions");
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

fn names(peer: &NetworkPolicyPeer, policy: &NetworkPolicy, source: &Source) -> bool {
    assert!(peer.ip_block.is_none(), "the evaluation knows no address blocks");
    let Some(pod) = &source.pod else { return false };
    let home = policy.metadata.namespace.as_deref();
    let in_namespace = match &peer.namespace_selector {
        None => home == Some(source.namespace),
        Some(selector) => selects(selector, &labels([("kubernetes.io/metadata.name", source.namespace)])),
    };
    in_namespace && peer.pod_selector.as_ref().is_none_or(|selector| selects(selector, pod))
}

fn lets_in(rule: &NetworkPolicyIngressRule, policy: &NetworkPolicy, source: &Source, port: u16) -> bool {
    let listed = rule.ports.as_ref().is_none_or(|ports| {
        ports.iter().any(|open| open.port == Some(IntOrString::Int(port.into())) && open.end_port.is_none())
    });
    listed && rule.from.as_ref().is_none_or(|peers| peers.iter().any(|peer| names(peer, policy, source)))
}

/// Whether `policy` lets `source` reach `port` of a pod with the labels `target` in its own namespace.
fn allowed(policy: &NetworkPolicy, target: &Labels, source: &Source, port: u16) -> bool {
    let spec = policy.spec.as_ref().unwrap();
    assert_eq!(spec.policy_types.as_deref(), Some(["Ingress".to_owned()].as_slice()));
    if !selects(spec.pod_selector.as_ref().unwrap(), target) {
        return true;
    }
    spec.ingress.iter().flatten().any(|rule| lets_in(rule, policy, source, port))
}

fn member(instance: &str) -> Labels {
    labels([
        ("app.kubernetes.io/name", "coordd"),
        ("app.kubernetes.io/instance", instance),
        ("apps.kubernetes.io/pod-index", "0"),
    ])
}

#[test]
fn peer_and_admin_ports_are_open_to_members_and_the_operator_alone() {
    let policy = settled(&cluster("examples/minimal.yaml")).network_policy;
    let operator = || Some(labels([("app.kubernetes.io/name", "coordd-operator"), ("pod-template-hash", "x")]));
    let sources = [
        ("a member", Source { namespace: "shop", pod: Some(member("minimal")) }, true),
        ("the operator", Source { namespace: OPERATOR_NAMESPACE, pod: operator() }, true),
        ("a client", Source { namespace: "shop", pod: Some(labels([("app", "web")])) }, false),
        ("a member of another cluster", Source { namespace: "shop", pod: Some(member("other")) }, false),
        ("a namesake elsewhere", Source { namespace: "stage", pod: Some(member("minimal")) }, false),
        ("one that calls itself the operator", Source { namespace: "shop", pod: operator() }, false),
        ("the operator's neighbour", Source { namespace: OPERATOR_NAMESPACE, pod: Some(Labels::new()) }, false),
        ("somebody outside", Source { namespace: "", pod: None }, false),
    ];
    for (who, source, trusted) in sources {
        for (port, open_to_all) in [(2181, true), (8080, true), (2888, false), (9080, false), (22, false)] {
            let expected = open_to_all || (trusted && port != 22);
            let answer = allowed(&policy, &member("minimal"), &source, port);
            assert_eq!(answer, expected, "{who} to {port}");
        }
    }
}

#[test]
fn the_policy_is_about_the_pods_of_its_own_cluster() {
    let built = settled(&cluster("examples/minimal.yaml"));
    let template = built.stateful_set.unwrap().spec.unwrap().template;
    let pod = template.metadata.unwrap().labels.unwrap();
    let stranger = Source { namespace: "shop", pod: Some(labels([("app", "web")])) };
    assert!(!allowed(&built.network_policy, &pod, &stranger, 9080), "the pods that are made are protected");
    assert!(allowed(&built.network_policy, &member("other"), &stranger, 9080), "others are none of its business");
}
