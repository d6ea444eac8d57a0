//! What a user asks for.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::pod::{PodTemplate, Resources, Scheduling};
use super::status::ClusterStatus;
use super::storage::Storage;
use super::text::Span;

/// An ensemble of coordd that the operator creates, scales, rolls and heals. `spec: {}` is a good one of three members.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "coordd.dev",
    version = "v1alpha1",
    kind = "CoordinationCluster",
    namespaced,
    shortname = "cc",
    category = "all",
    status = "ClusterStatus",
    derive = "PartialEq",
    doc = "An ensemble of coordd that the operator creates, scales, rolls and heals.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether all members serve as the spec wants it"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.state",
        description = "What the ensemble is doing, in a word"
    ),
    printcolumn(
        name = "Members",
        type_ = "string",
        json_path = ".status.membersReady",
        description = "Voters that serve, of those that the spec wants"
    ),
    printcolumn(
        name = "Leader",
        type_ = "string",
        json_path = ".status.leader",
        description = "The member that leads"
    ),
    printcolumn(
        name = "Quorum",
        type_ = "string",
        json_path = ".status.quorum",
        description = "How many more members may be lost"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "What all members run; both where they differ"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.replicas", priority = 1),
    printcolumn(name = "Ensemble-ID", type_ = "string", json_path = ".status.ensembleId", priority = 1),
    printcolumn(name = "Clients", type_ = "string", json_path = ".status.endpoints.client", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name must be at most 40 characters: pods, services and labels are named after it; choose a \
            shorter name"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must begin with a letter and consist of a-z, 0-9 and -: it becomes a DNS name"),
    validation = Rule::new("!self.metadata.name.matches('.*-(peers|secrets|connection|[0-9]+)$')")
        .message("metadata.name must not end in -peers, -secrets, -connection or a number: so end the names of what \
            other clusters own")
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.disruption.maxUnavailable <= 1 || self.disruption.maxUnavailable * 2 < self.replicas",
    "message": "disruption.maxUnavailable must leave a majority: at most (replicas - 1) / 2, or 1"
}, {
    "rule": "!self.paused || self.storage.retention.whenDeleted == oldSelf.storage.retention.whenDeleted",
    "message": "storage.retention.whenDeleted cannot be changed while paused is true: the volumes would go on \
        following what it was; set paused to false with it or before it"
}]))]
pub struct CoordinationClusterSpec {
    /// Number of voting members, 1 to 7. 3 bears the loss of one member, 5 of two; an even number bears no more than
    /// the odd one below it. Changes one member at a time, live. Default: 3.
    #[schemars(range(min = 1, max = 7))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= 1 && self <= 7",
        "message": "replicas must be 1 to 7, best 3 or 5; to stop a cluster and keep its volumes set hibernate: \
            true"
    }]))]
    pub replicas: i32,
    /// Version of coordd, such as 0.1.0; rolls the members. It must be known to the operator and not below the feature
    /// level of the ensemble. Default: the operator's own version when the cluster was founded, and from then on the
    /// same until this is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?$"))]
    pub version: Option<String>,
    /// Full name of the image, such as registry.example.com/coordd:0.1.0; wins over `version`; rolls the members.
    /// Default: the operator's image repository with `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500), regex(pattern = r"^[^\s]+$"))]
    pub image: Option<String>,
    /// coordd's own settings. Any change rolls the members.
    pub config: Config,
    /// The members' volumes. Only `retention` can be changed, live.
    pub storage: Storage,
    /// What each member asks of its node; rolls the members.
    pub resources: Resources,
    /// On which nodes members run; rolls the members.
    pub scheduling: Scheduling,
    /// What may be evicted at once, live.
    pub disruption: Disruption,
    /// The Service that clients use, live.
    pub service: Service,
    /// How members that are lost for good are replaced, live.
    pub healing: Healing,
    /// How members are restarted one by one, live.
    pub update: Update,
    /// Who may project what is registered in this cluster, live.
    pub projections: Projections,
    /// true: the operator observes and reports, and changes nothing. Live. Default: false.
    pub paused: bool,
    /// true: all members are stopped and their volumes kept; false again: the same ensemble comes back. Live.
    /// Default: false.
    pub hibernate: bool,
    /// Any new time here restarts all members, one by one. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"), length(max = 40))]
    pub restart_at: Option<String>,
    /// What is added to each member's pod; rolls the members.
    pub pod_template: PodTemplate,
}

impl Default for CoordinationClusterSpec {
    fn default() -> CoordinationClusterSpec {
        CoordinationClusterSpec {
            replicas: 3,
            version: None,
            image: None,
            config: Config::default(),
            storage: Storage::default(),
            resources: Resources::default(),
            scheduling: Scheduling::default(),
            disruption: Disruption::default(),
            service: Service::default(),
            healing: Healing::default(),
            update: Update::default(),
            projections: Projections::default(),
            paused: false,
            hibernate: false,
            restart_at: None,
            pod_template: PodTemplate::default(),
        }
    }
}

/// What may be evicted at once, by node drains and the like. No budget is made for a single member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Disruption {
    /// Number of members that may be away at once; 0 forbids every eviction. Default: 1.
    #[schemars(range(min = 0, max = 3))]
    pub max_unavailable: i32,
    /// Whether members that are not ready may be evicted: IfHealthyBudget (only while enough others are ready) or
    /// AlwaysAllow (for an ensemble that is broken for good and blocks drains). Default: IfHealthyBudget.
    pub unhealthy_pod_eviction_policy: EvictionPolicy,
}

impl Default for Disruption {
    fn default() -> Disruption {
        Disruption { max_unavailable: 1, unhealthy_pod_eviction_policy: EvictionPolicy::IfHealthyBudget }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EvictionPolicy {
    IfHealthyBudget,
    AlwaysAllow,
}

/// The Service that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// ClusterIP, NodePort or LoadBalancer. Default: ClusterIP.
    #[serde(rename = "type")]
    pub type_: ServiceType,
    /// More annotations, as cloud load balancers ask for. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
    /// More labels. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(key, !key.startsWith('coordd.dev/') && !(key in ['app.kubernetes.io/name', \
            'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app.kubernetes.io/part-of', \
            'app.kubernetes.io/managed-by']))",
        "message": "service.labels must not begin with coordd.dev/ nor be app.kubernetes.io/name, instance, component, \
            part-of or managed-by: the operator sets these; choose another label"
    }]))]
    pub labels: BTreeMap<String, String>,
}

impl Default for Service {
    fn default() -> Service {
        Service { type_: ServiceType::ClusterIP, annotations: BTreeMap::new(), labels: BTreeMap::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    ClusterIP,
    NodePort,
    LoadBalancer,
}

/// How members that are lost for good are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Healing {
    /// Whether the operator replaces members whose node or volume is lost. An empty volume always joins as a new
    /// member. Default: true.
    pub enabled: bool,
    /// How long a node or a volume must be known to be lost before its member is given a new volume; at least 10s.
    /// Default: 10m.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('10s')",
        "message": "healing.replaceAfter must be at least 10s: a shorter absence is no loss"
    }]))]
    pub replace_after: Span,
}

impl Default for Healing {
    fn default() -> Healing {
        Healing { enabled: true, replace_after: Span::new("10m") }
    }
}

/// How members are restarted one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "duration(self.timeout) > duration(self.pauseBetween)",
    "message": "update.timeout must be longer than update.pauseBetween: raise the first or lower the second"
}]))]
pub struct Update {
    /// How long all members must have been healthy before the next is restarted. Default: 0s.
    pub pause_between: Span,
    /// How long a restarted member may take to be healthy again; beyond it the roll stops and says so. At least 10s.
    /// Default: 10m.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('10s')",
        "message": "update.timeout must be at least 10s: a member needs some seconds to start"
    }]))]
    pub timeout: Span,
}

impl Default for Update {
    fn default() -> Update {
        Update { pause_between: Span::new("0s"), timeout: Span::new("10m") }
    }
}

/// Who may project what is registered in this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Projections {
    /// Other namespaces whose ServiceProjections may read this cluster; `*` is all of them. One that is taken out is
    /// told nothing more within half a minute; what was written there stays, also copies of configuration. Default:
    /// none, only the cluster's own.
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 63), regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?|\*)$"))
    )]
    pub allowed_namespaces: Vec<String>,
}
