//! What is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "(has(self.service) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.leader) ? 1 : 0) == 1",
        "message": "target must have exactly one of service, configMap and leader"
    },
    {
        "rule": "has(self.service) == has(oldSelf.service) && has(self.leader) == has(oldSelf.leader)",
        "message": "target cannot be changed into another kind; make another projection"
    }
]))]
pub struct Target {
    /// A Service with the instances as its endpoints, or one for each child of the path. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTarget>,
    /// A ConfigMap with the subtree's values. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapTarget>,
    /// A Service whose one endpoint is who leads the election, and a Lease that says so. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderTarget>,
}

/// A Service without a selector, and its EndpointSlices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!(has(self.name) && has(self.nameTemplate))",
        "message": "target.service has either a name or a nameTemplate"
    },
    {
        "rule": "self.headless == oldSelf.headless",
        "message": "target.service.headless cannot be changed: Kubernetes keeps the address of a Service; make another \
            projection"
    }
]))]
pub struct ServiceTarget {
    /// Name of the Service. Default: the projection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// One Service for each child of the path, named so; {name} is the child's name and {projection} the projection's.
    /// What is no name for a Service is made one. Default: none, one Service for the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 6, max = 120),
        regex(pattern = r"^[-a-z0-9]*(\{projection\})?[-a-z0-9]*\{name\}[-a-z0-9]*$")
    )]
    pub name_template: Option<String>,
    /// Ports of the Service, 1 to 10; with more than one each has a name.
    #[schemars(length(min = 1, max = 10), extend("x-kubernetes-validations" = port_rules()))]
    pub ports: Vec<Port>,
    /// true: no address of its own, its DNS name gives the endpoints'. Default: false.
    #[serde(default)]
    pub headless: bool,
    /// Which endpoints are preferred: PreferSameZone, PreferClose (the same in older words) or PreferSameNode; hints
    /// are written with the endpoints. Default: none, all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<TrafficDistribution>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrafficDistribution {
    PreferSameZone,
    PreferClose,
    PreferSameNode,
}

/// What the ports of one Service must be among themselves.
fn port_rules() -> Value {
    json!([
        {
            "rule": "size(self) == 1 || self.all(each, has(each.name))",
            "message": "each of several ports needs a name"
        },
        {
            "rule": "self.all(one, self.exists_one(other, other.port == one.port))",
            "message": "each port needs a number of its own"
        },
        {
            "rule": "self.all(one, !has(one.name) || \
                self.exists_one(other, has(other.name) && other.name == one.name))",
            "message": "each port needs a name of its own"
        }
    ])
}

/// A port of a Service, and where an instance's comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its name. Default: none, for a single port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Number under which the Service is called, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Name of the port in the registrations. Default: the name; of a single port also `default`, or the only one that
    /// an instance has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub from: Option<String>,
    /// Number of the instance's port where its registration does not say, 1 to 65535. Default: none; such an instance
    /// is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub target_port: Option<i32>,
    /// What is spoken there, such as http or kubernetes.io/h2c, for meshes and proxies. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[a-z0-9]([-a-z0-9./]*[a-zA-Z0-9])?$"))]
    pub app_protocol: Option<String>,
}

/// A ConfigMap whose keys are the paths of the subtree's znodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
    "message": "target.configMap.name cannot be changed: a ConfigMap is never deleted; make another projection"
}]))]
pub struct ConfigMapTarget {
    /// Name of the ConfigMap. Default: the projection's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// What stands in a key between the names of znodes: `.`, `-` or `_`, so db/url becomes db.url. Default: `.`.
    pub separator: Separator,
    /// Key of the value of the znode at the path itself. Default: none, it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub root_key: Option<String>,
    /// Bytes of all keys and values at most, 1024 to 1000000; with more nothing is written. Default: 900000.
    #[schemars(range(min = 1024, max = 1_000_000))]
    pub max_bytes: i32,
}

/// What stands between the names of znodes in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Separator {
    #[serde(rename = ".")]
    Dot,
    #[serde(rename = "-")]
    Dash,
    #[serde(rename = "_")]
    Underscore,
}

impl Default for ConfigMapTarget {
    fn default() -> ConfigMapTarget {
        ConfigMapTarget { name: None, separator: Separator::Dot, root_key: None, max_bytes: 900_000 }
    }
}

/// A Service with one endpoint, and a Lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.headless == oldSelf.headless",
        "message": "target.leader.headless cannot be changed: Kubernetes keeps the address of a Service; make another \
            projection"
    },
    {
        "rule": "self.lease == oldSelf.lease && has(self.name) == has(oldSelf.name) \
            && (!has(self.name) || self.name == oldSelf.name)",
        "message": "target.leader.name and lease cannot be changed: a Lease is never deleted; make another projection"
    }
]))]
pub struct LeaderTarget {
    /// Name of the Service and of the Lease. Default: the projection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Ports of the Service, 1 to 10; with more than one each has a name. A candidate says one port at most, so all
    /// but one have a targetPort.
    #[schemars(length(min = 1, max = 10), extend("x-kubernetes-validations" = port_rules()))]
    pub ports: Vec<Port>,
    /// true: no address of its own, its DNS name gives the leader's. Default: false.
    #[serde(default)]
    pub headless: bool,
    /// Whether a Lease says who leads, for tools that read one; it is written when the leader changes and never
    /// renewed. Default: true.
    #[serde(default = "yes")]
    pub lease: bool,
}

fn yes() -> bool {
    true
}
