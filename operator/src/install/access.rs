//! What the operator may do, and no more.
//!
//! ```text
//!   CLUSTER  what a cluster consists of: in all namespaces, or in those that are named
//!   PROJECTIONS  what is projected there, if it is
//!   NODES    nodes and volumes, which have no namespace: read only, to tell a lost node from a silent one
//!   NETWORKS the networks of Services, which have none either: read only, if something is projected
//!   LEASE    its own Lease, in its own namespace
//!   view, edit  what people may do with clusters who may view or edit a namespace anyway
//! ```
//!
//! Rule: each verb is one that some line of `runtime` needs; Secrets are read by name, never listed. Reason: whoever
//! takes the operator over has these rights.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Documents, NAME, Options, meta, within};
use crate::names::GROUP;

/// (group, resources, verbs)
type Right = (&'static str, &'static [&'static str], &'static [&'static str]);

const CLUSTER: [Right; 10] = [
    (GROUP, &["coordinationclusters"], &["get", "list", "watch"]),
    (GROUP, &["coordinationclusters/status"], &["patch"]),
    (GROUP, &["coordinationclusters/finalizers"], &["update"]),
    ("apps", &["statefulsets"], &["get", "list", "watch", "create", "patch"]),
    ("", &["services", "configmaps"], &["get", "list", "watch", "create", "patch"]),
    ("networking.k8s.io", &["networkpolicies"], &["get", "list", "watch", "create", "patch"]),
    ("policy", &["poddisruptionbudgets"], &["get", "list", "watch", "create", "patch", "delete"]),
    ("", &["secrets"], &["get", "create", "patch"]),
    ("", &["pods"], &["get", "list", "watch", "delete"]),
    ("", &["persistentvolumeclaims"], &["get", "list", "watch", "patch", "delete"]),
];
/// What ServiceProjections need beyond that.
const PROJECTIONS: [Right; 5] = [
    (GROUP, &["serviceprojections"], &["get", "list", "watch"]),
    (GROUP, &["serviceprojections/status"], &["patch"]),
    ("", &["services"], &["delete"]),
    ("discovery.k8s.io", &["endpointslices"], &["get", "list", "watch", "create", "patch", "delete"]),
    ("coordination.k8s.io", &["leases"], &["get", "list", "watch", "create", "patch"]),
];
const EVENTS: Right = ("events.k8s.io", &["events"], &["create", "patch"]);
const NODES: Right = ("", &["nodes", "persistentvolumes"], &["list", "watch"]);
/// No endpoint of a projection is in the networks of Services.
const NETWORKS: Right = ("networking.k8s.io", &["servicecidrs"], &["list"]);
/// The name of a Lease that is not there yet cannot be a condition.
const NEW_LEASE: Right = ("coordination.k8s.io", &["leases"], &["create"]);
const LEASE: Right = ("coordination.k8s.io", &["leases"], &["get", "update"]);

const CLUSTERS: [&str; 2] = ["coordinationclusters", "coordinationclusters/scale"];
/// For people: the names of the roles of Kubernetes that take these in, and what they may do with what. A projection
/// points a Service at any address that is allowed, so whoever writes one is given that right by name.
const READERS: People =
    ("view", &["view"], &["get", "list", "watch"], &[CLUSTERS[0], CLUSTERS[1], "serviceprojections"]);
const WRITERS: People = (
    "edit",
    &["admin", "edit"],
    &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    &CLUSTERS,
);

/// Suffix of the role's name, roles that take it in, verbs, resources.
type People = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

fn rule((group, resources, verbs): Right) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn cluster_rules(options: &Options) -> Option<Vec<PolicyRule>> {
    let more = PROJECTIONS.into_iter().filter(|_| options.projections);
    Some(CLUSTER.into_iter().chain([EVENTS]).chain(more).map(rule).collect())
}

fn node_rules(options: &Options) -> Option<Vec<PolicyRule>> {
    Some([NODES].into_iter().chain(options.projections.then_some(NETWORKS)).map(rule).collect())
}

fn lease_rules() -> Option<Vec<PolicyRule>> {
    let mine = PolicyRule { resource_names: Some(vec![NAME.to_owned()]), ..rule(LEASE) };
    Some(vec![rule(NEW_LEASE), mine])
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: "rbac.authorization.k8s.io".to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn subjects(options: &Options) -> Option<Vec<Subject>> {
    let account = Subject {
        kind: "ServiceAccount".to_owned(),
        name: NAME.to_owned(),
        namespace: Some(options.namespace.clone()),
        ..Subject::default()
    };
    Some(vec![account])
}

fn people((suffix, taken_in, verbs, resources): People) -> ClusterRole {
    let mut metadata = meta(&format!("{NAME}-{suffix}"));
    let joins =
        taken_in.iter().map(|role| (format!("rbac.authorization.k8s.io/aggregate-to-{role}"), "true".to_owned()));
    metadata.labels.get_or_insert_default().extend(joins);
    let rule = PolicyRule {
        api_groups: Some(vec![GROUP.to_owned()]),
        resources: Some(resources.iter().map(|resource| (*resource).to_owned()).collect()),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    };
    ClusterRole { metadata, rules: Some(vec![rule]), ..ClusterRole::default() }
}

pub(super) fn add(options: &Options, out: &mut Documents) -> Result<(), serde_yaml::ser::Error> {
    out.add(&ServiceAccount { metadata: within(&options.namespace, meta(NAME)), ..ServiceAccount::default() })?;
    for_all(options, NAME, cluster_rules(options).filter(|_| options.watch_namespaces.is_empty()), out)?;
    for_all(options, &format!("{NAME}-nodes"), node_rules(options), out)?;
    out.add(&people(READERS))?;
    out.add(&people(WRITERS))?;
    for namespace in &options.watch_namespaces {
        for_one(options, within(namespace, meta(NAME)), cluster_rules(options), out)?;
    }
    for_one(options, within(&options.namespace, meta(&format!("{NAME}-lease"))), lease_rules(), out)
}

fn for_all(
    options: &Options,
    name: &str,
    rules: Option<Vec<PolicyRule>>,
    out: &mut Documents,
) -> Result<(), serde_yaml::ser::Error> {
    let Some(rules) = rules else { return Ok(()) };
    out.add(&ClusterRole { metadata: meta(name), rules: Some(rules), ..ClusterRole::default() })?;
    let role_ref = role_ref("ClusterRole", name);
    out.add(&ClusterRoleBinding { metadata: meta(name), role_ref, subjects: subjects(options) })
}

fn for_one(
    options: &Options,
    metadata: ObjectMeta,
    rules: Option<Vec<PolicyRule>>,
    out: &mut Documents,
) -> Result<(), serde_yaml::ser::Error> {
    let role_ref = role_ref("Role", metadata.name.as_deref().unwrap_or_default());
    out.add(&Role { metadata: metadata.clone(), rules })?;
    out.add(&RoleBinding { metadata, role_ref, subjects: subjects(options) })
}
