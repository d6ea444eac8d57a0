//! The objects of a cluster, as committed, and what must hold for all of them.
//!
//! ```text
//!   examples/*.yaml, tests/specs/*.yaml ─► build ─► tests/golden/*.yaml (all objects; REWRITE=1 writes them)
//!                                               └─► tests/frozen/*.yaml (the pod template; never written over)
//! ```
//!
//! Rule: a frozen template changes only by hand. Reason: whoever changes it restarts every member of every cluster when
//! the operator is upgraded.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use operator::build::{Ground, Members, build};
use support::{IMAGE, OPERATOR_NAMESPACE, assert_golden, cluster, document, documents, golden, package, settled};

const CASES: [(&str, &str); 4] = [
    ("minimal", "examples/minimal.yaml"),
    ("production", "examples/production.yaml"),
    ("small", "examples/small.yaml"),
    ("everything", "tests/specs/everything.yaml"),
];

fn set(file: &str) -> StatefulSet {
    settled(&cluster(file)).stateful_set.unwrap()
}

fn pod(set: &StatefulSet) -> PodSpec {
    set.spec.clone().unwrap().template.spec.unwrap()
}

fn container(set: &StatefulSet) -> Container {
    pod(set).containers.remove(0)
}

#[test]
fn all_objects_are_as_committed() {
    for (name, file) in CASES {
        assert_golden(&golden(&format!("{name}.yaml")), &documents(&settled(&cluster(file))));
    }
}

#[test]
fn a_new_operator_builds_the_templates_of_the_old_one() {
    for (name, file) in CASES {
        let set = set(file);
        let spec = set.spec.unwrap();
        let unchangeable = (&spec.selector, &spec.service_name, &spec.pod_management_policy);
        let text = [
            document(&spec.template),
            document(&spec.volume_claim_templates),
            document(&unchangeable.0),
            document(&(unchangeable.1, unchangeable.2)),
        ]
        .concat();
        let path = package().join("tests/frozen").join(format!("{name}.yaml"));
        if !path.exists() && std::env::var_os("REWRITE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let frozen = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            frozen == text,
            "{} differs from what is built: this restarts the members of every cluster when the operator is upgraded; \
             make what is new depend on a field whose default leaves the template as it is",
            path.display()
        );
    }
}

#[test]
fn no_pod_is_told_of_services_by_variables() {
    for (name, file) in CASES {
        let told = pod(&set(file)).enable_service_links;
        assert_eq!(told, Some(false), "{name}: a Service named coordd would set COORDD_PORT, which coordd reads");
    }
}

#[test]
fn neither_the_operator_s_version_nor_its_namespace_is_in_the_pod_template() {
    let cluster = cluster("examples/minimal.yaml");
    let template = |namespace: &str| {
        let members = Some(Members { replicas: 3, image: "registry.example.com/coordd:9.9.9".to_owned() });
        let built = build(&cluster, &Ground { members, operator_namespace: namespace.to_owned() });
        document(&built.stateful_set.unwrap().spec.unwrap().template)
    };
    let built = template("coordd-system");
    assert_eq!(built, template("elsewhere"));
    assert!(!built.contains(env!("CARGO_PKG_VERSION")), "{built}");
}

#[test]
fn without_members_there_is_no_stateful_set() {
    let cluster = cluster("examples/minimal.yaml");
    let built = build(&cluster, &Ground { members: None, operator_namespace: OPERATOR_NAMESPACE.to_owned() });
    assert!(built.stateful_set.is_none());
    assert!(built.disruption_budget.is_some());
}

#[test]
fn every_object_is_owned_by_its_cluster_and_labelled_as_the_operators() {
    for (_, file) in CASES {
        let built = settled(&cluster(file));
        let mut all = vec![
            &built.peer_service.metadata,
            &built.client_service.metadata,
            &built.connection_map.metadata,
            &built.network_policy.metadata,
            &built.stateful_set.as_ref().unwrap().metadata,
        ];
        all.extend(built.disruption_budget.as_ref().map(|budget| &budget.metadata));
        for metadata in all {
            let owner = &metadata.owner_references.as_ref().unwrap()[0];
            assert_eq!((owner.controller, owner.uid.as_str()), (Some(true), "11111111-2222-3333-4444-555555555555"));
            let labels = metadata.labels.as_ref().unwrap();
            assert_eq!(labels["app.kubernetes.io/managed-by"], "coordd-operator", "{file}");
            assert_eq!(metadata.namespace.as_deref(), Some("shop"));
        }
    }
}

#[test]
fn kubernetes_neither_orders_nor_restarts_pods_nor_removes_volumes() {
    for (_, file) in CASES {
        let spec = set(file).spec.unwrap();
        assert_eq!(spec.pod_management_policy.as_deref(), Some("Parallel"));
        assert_eq!(spec.update_strategy.unwrap().type_.as_deref(), Some("OnDelete"));
        let retention = spec.persistent_volume_claim_retention_policy.unwrap();
        assert_eq!(
            (retention.when_deleted.as_deref(), retention.when_scaled.as_deref()),
            (Some("Retain"), Some("Retain"))
        );
    }
}

/// Kubernetes refuses such specs now; those that it took before are still there.
#[test]
fn labels_and_variables_of_the_operator_are_taken_by_nobody() {
    let mut cluster = cluster("tests/specs/everything.yaml");
    let theirs = ("app.kubernetes.io/managed-by".to_owned(), "somebody-else".to_owned());
    cluster.spec.service.labels.insert(theirs.0.clone(), theirs.1);
    let named = serde_json::from_value(serde_json::json!({"name": "POD_NAME", "value": "another"})).unwrap();
    cluster.spec.pod_template.env.push(named);
    let built = settled(&cluster);
    let labels = built.client_service.metadata.labels.unwrap();
    assert_eq!(labels[&theirs.0], "coordd-operator");
    let env = container(&built.stateful_set.unwrap()).env.unwrap();
    let names: Vec<_> = env.iter().filter(|variable| variable.name == "POD_NAME").collect();
    assert!(names.len() == 1 && names[0].value.is_none(), "{names:?}");
}

#[test]
fn bug_25_members_are_known_by_names_and_none_is_told_of_an_ensemble() {
    let container = container(&set("examples/minimal.yaml"));
    let args = container.args.unwrap().join(" ");
    assert!(args.contains("--name $(POD_NAME)"), "{args}");
    assert!(args.contains("--advertise-peer $(POD_NAME).minimal-peers.shop.svc:2888"), "{args}");
    assert!(!args.contains("--ensemble"), "{args}");
    assert_eq!(container.env.unwrap()[0].name, "POD_NAME");
}

#[test]
fn bug_05_a_member_is_sent_away_before_it_stops_in_a_bounded_time_that_it_has() {
    let set = set("examples/minimal.yaml");
    let (pod, container) = (pod(&set), container(&set));
    let command = container.lifecycle.unwrap().pre_stop.unwrap().exec.unwrap().command.unwrap().join(" ");
    assert_eq!(command, "/coordd drain --timeout 10s --token-file /etc/coordd/secrets/admin-token");
    let mounts = container.volume_mounts.unwrap();
    assert!(mounts.iter().any(|mount| mount.mount_path == "/etc/coordd/secrets" && mount.name == "secrets"));
    assert_eq!(pod.volumes.unwrap()[0].secret.as_ref().unwrap().secret_name.as_deref(), Some("minimal-secrets"));
    assert!(pod.termination_grace_period_seconds.unwrap() > 20, "twice ten seconds, and some to end");
}

#[test]
fn pods_are_as_restricted_as_pod_security_knows() {
    for (_, file) in CASES {
        let set = set(file);
        let (pod, container) = (pod(&set), container(&set));
        let (outer, inner) = (pod.security_context.unwrap(), container.security_context.unwrap());
        assert_eq!((outer.run_as_non_root, outer.run_as_user.map(|user| user >= 10_000)), (Some(true), Some(true)));
        assert_eq!(outer.seccomp_profile.unwrap().type_, "RuntimeDefault");
        assert_eq!((inner.allow_privilege_escalation, inner.read_only_root_filesystem), (Some(false), Some(true)));
        assert_eq!(inner.capabilities.unwrap().drop.unwrap(), ["ALL"]);
        assert_eq!((pod.automount_service_account_token, pod.enable_service_links), (Some(false), Some(false)));
    }
}

#[test]
fn bug_15_liveness_asks_the_process_alone_and_readiness_the_ensemble() {
    let container = container(&set("examples/minimal.yaml"));
    let path = |probe: Option<k8s_openapi::api::core::v1::Probe>| probe.unwrap().http_get.unwrap().path.unwrap();
    assert_eq!(path(container.startup_probe), "/livez");
    assert_eq!(path(container.liveness_probe), "/livez");
    assert_eq!(path(container.readiness_probe), "/readyz");
}

#[test]
fn bug_11_a_restart_is_ordered_by_a_time_that_changes_an_annotation_and_nothing_else() {
    let with = |at: Option<&str>| {
        let mut cluster = cluster("examples/minimal.yaml");
        cluster.spec.restart_at = at.map(str::to_owned);
        settled(&cluster).stateful_set.unwrap().spec.unwrap().template
    };
    let mut ordered = with(Some("2026-08-01T12:00:00Z"));
    assert_ne!(ordered, with(Some("2026-08-02T12:00:00Z")), "another time, another restart");
    let annotations = ordered.metadata.as_mut().unwrap().annotations.take().unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["coordd.dev/restarted-at"]);
    assert_eq!(ordered, with(None));
}

#[test]
fn bug_12_members_and_operator_prove_who_they_are_from_the_first_day() {
    for (_, file) in CASES {
        let set = set(file);
        let (pod, container) = (pod(&set), container(&set));
        let secret = pod.volumes.unwrap().remove(0).secret.unwrap();
        assert_eq!((secret.optional, secret.default_mode), (Some(false), Some(0o440)), "none starts without");
        let keys: Vec<_> = secret.items.unwrap().into_iter().map(|item| item.key).collect();
        assert_eq!(keys, ["admin-token", "peer-secret"]);
        let env = container.env.unwrap();
        let value = |name: &str| env.iter().find(|one| one.name == name).and_then(|one| one.value.as_deref());
        assert_eq!(value("COORDD_ADMIN_TOKEN_FILE"), Some("/etc/coordd/secrets/admin-token"));
        assert_eq!(value("COORDD_PEER_SECRET_FILE"), Some("/etc/coordd/secrets/peer-secret"));
    }
}

#[test]
fn labels_of_the_user_never_take_the_place_of_those_that_select() {
    let built = settled(&cluster("tests/specs/everything.yaml"));
    let labels = built.client_service.metadata.labels.unwrap();
    assert_eq!(
        (labels["team"].as_str(), labels["app.kubernetes.io/managed-by"].as_str()),
        ("platform", "coordd-operator")
    );
    let spec = built.stateful_set.unwrap().spec.unwrap();
    let pods = spec.template.metadata.unwrap().labels.unwrap();
    for (key, value) in spec.selector.match_labels.unwrap() {
        assert_eq!(pods[&key], value);
    }
    assert_eq!(pods["team"], "platform");
}

#[test]
fn what_selects_pods_is_the_same_everywhere_and_names_no_version() {
    let built = settled(&cluster("examples/minimal.yaml"));
    let expected = built.stateful_set.as_ref().unwrap().spec.as_ref().unwrap().selector.match_labels.clone().unwrap();
    assert_eq!(expected.len(), 2);
    assert_eq!(built.peer_service.spec.unwrap().selector.unwrap(), expected);
    assert_eq!(built.client_service.spec.unwrap().selector.unwrap(), expected);
    assert_eq!(built.disruption_budget.unwrap().spec.unwrap().selector.unwrap().match_labels.unwrap(), expected);
    assert_eq!(built.network_policy.spec.unwrap().pod_selector.unwrap().match_labels.unwrap(), expected);
}

#[test]
fn bug_13_peers_are_found_before_they_are_ready_and_every_port_says_what_is_spoken_there() {
    let built = settled(&cluster("examples/minimal.yaml"));
    let peers = built.peer_service.spec.unwrap();
    assert_eq!((peers.cluster_ip.as_deref(), peers.publish_not_ready_addresses), (Some("None"), Some(true)));
    let clients = built.client_service.spec.unwrap();
    assert_eq!(clients.publish_not_ready_addresses, None);
    for port in peers.ports.into_iter().chain(clients.ports).flatten() {
        assert!(port.name.is_some() && port.app_protocol.is_some(), "a mesh guesses: {port:?}");
    }
    let map = built.connection_map.data.unwrap();
    assert_eq!(map["connection-string"], "minimal.shop.svc:2181");
    assert_eq!(map["http-url"], "http://minimal.shop.svc:8080");
}

#[test]
fn two_clusters_share_no_name_and_no_selector() {
    let (one, other) = (set("examples/minimal.yaml"), set("examples/small.yaml"));
    assert_ne!(one.metadata.name, other.metadata.name);
    assert_ne!(one.spec.unwrap().selector, other.spec.unwrap().selector);
    assert_eq!(container(&set("examples/small.yaml")).image.as_deref(), Some(IMAGE));
}
