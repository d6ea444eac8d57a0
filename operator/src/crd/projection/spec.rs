//! What a user asks for.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guards::Guards;
use super::status::ProjectionStatus;
use super::target::Target;

/// Keeps objects of Kubernetes like what is registered in the znodes of a cluster.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "coordd.dev",
    version = "v1alpha1",
    kind = "ServiceProjection",
    namespaced,
    shortname = "sp",
    category = "all",
    status = "ProjectionStatus",
    derive = "PartialEq",
    doc = "Keeps a Service with its endpoints, a ConfigMap or a leader's Service like what is registered in the \
        znodes of a CoordinationCluster.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether what is written may be relied on"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Synced')].status",
        description = "Whether what is written is what is registered"
    ),
    printcolumn(
        name = "Services",
        type_ = "integer",
        json_path = ".status.services",
        description = "Services that it keeps"
    ),
    printcolumn(
        name = "Endpoints",
        type_ = "integer",
        json_path = ".status.endpoints",
        description = "Endpoints that are written"
    ),
    printcolumn(
        name = "Rejected",
        type_ = "integer",
        json_path = ".status.rejected",
        description = "Registrations that are not projected"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name", priority = 1),
    printcolumn(name = "Path", type_ = "string", json_path = ".spec.path", priority = 1),
    printcolumn(name = "Last-Sync", type_ = "date", json_path = ".status.lastSyncTime", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Synced')].message",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 63 && \
            self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 63 characters a-z, 0-9 and - and begin with a letter: it becomes the \
            name of a Service")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.format == 'Json' || !has(self.json)",
        "message": "json is for format: Json; set that, or leave json out"
    },
    {
        "rule": "self.format != 'Json' || (has(self.json) && has(self.json.address))",
        "message": "format: Json needs json.address: where in a registration the address stands"
    },
    {
        "rule": "has(self.target.service) || (self.format == 'Auto' && size(self.selector) == 0)",
        "message": "format and selector are for target.service; leave them out for the other targets"
    }
]))]
pub struct ServiceProjectionSpec {
    /// The cluster whose znodes are read.
    pub cluster_ref: ClusterRef,
    /// Path of the znode under which instances, services, configuration or candidates are, such as /services/orders.
    #[schemars(length(min = 1, max = 1000))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self == '/' || (self.startsWith('/') && !self.endsWith('/') && !self.contains('//'))",
        "message": "path must be that of a znode: begin with / and neither end with it nor have it twice"
    }]))]
    pub path: String,
    /// How instances are registered: Curator (Spring Cloud and Dubbo 3 too), ServerSet, Dubbo, Nerve, Kafka, HostPort,
    /// Json, or Auto: the content decides. Default: Auto.
    #[serde(default)]
    pub format: Registered,
    /// For format Json: where in a registration the facts stand. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonPaths>,
    /// Only instances whose metadata say all of this. Default: all instances.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 16))]
    pub selector: BTreeMap<String, String>,
    /// What is written; exactly one.
    pub target: Target,
    /// What protects those who call from what may go wrong with registrations.
    #[serde(default)]
    pub guards: Guards,
    /// A Secret with the keys `username` and `password`, for ZooKeeper's digest scheme. What it says anew counts within
    /// a minute, and at once when the projection changes, be it an annotation. Default: none, and it sees what
    /// world:anyone may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<SecretRef>,
}

/// A CoordinationCluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    /// Its name.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Its namespace. In another than the projection's, the cluster's spec.projections.allowedNamespaces must name the
    /// projection's. Default: the projection's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// A Secret of the projection's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// How instances are registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Registered {
    #[default]
    Auto,
    Curator,
    ServerSet,
    Dubbo,
    Nerve,
    Kafka,
    HostPort,
    Json,
}

/// Paths such as `$.net[0].host` into a registration that is any JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonPaths {
    /// To the address: an IP address or a host name. Default: none; it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub address: Option<String>,
    /// To the port's number. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub port: Option<String>,
    /// To whether it takes calls. Default: none; all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub ready: Option<String>,
    /// To the zone. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub zone: Option<String>,
}
