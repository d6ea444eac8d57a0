//! Where members run and what their pods look like beyond what coordd needs.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, LocalObjectReference, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::quantities_schema;

/// What each member asks of its node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.requests.all(name, !(name in self.limits) || \
        quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
    "message": "resources.requests must not be above resources.limits: raise the limit or lower the request"
}]))]
pub struct Resources {
    /// What is reserved, as Kubernetes quantities: cpu in cores, memory in bytes. Default: cpu 100m, memory 512Mi.
    #[schemars(schema_with = "quantities_schema")]
    pub requests: BTreeMap<String, Quantity>,
    /// What is never exceeded, as Kubernetes quantities. coordd stops growing its tree at 60 % of the memory limit.
    /// Default: memory 512Mi.
    #[schemars(schema_with = "quantities_schema")]
    pub limits: BTreeMap<String, Quantity>,
}

impl Default for Resources {
    fn default() -> Resources {
        let quantity = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
        Resources {
            requests: [quantity("cpu", "100m"), quantity("memory", "512Mi")].into(),
            limits: [quantity("memory", "512Mi")].into(),
        }
    }
}

/// On which nodes members run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Scheduling {
    /// Members on nodes of their own: Preferred, Required (a member without a node of its own waits) or Off.
    /// Default: Preferred.
    pub anti_affinity: Spread,
    /// Members spread evenly over zones (`topology.kubernetes.io/zone`): Preferred, Required or Off.
    /// Default: Preferred.
    pub zone_spread: Spread,
    /// Labels that a node must have. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that members bear. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Name of the PriorityClass of the pods; it has to exist. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

impl Default for Scheduling {
    fn default() -> Scheduling {
        Scheduling {
            anti_affinity: Spread::Preferred,
            zone_spread: Spread::Preferred,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Spread {
    Preferred,
    Required,
    Off,
}

/// What is added to each member's pod. Any change restarts the members one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    /// More labels. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(key, !key.startsWith('app.kubernetes.io/') && !key.startsWith('coordd.dev/') && \
            !key.startsWith('apps.kubernetes.io/') && !key.startsWith('statefulset.kubernetes.io/') && \
            key != 'controller-revision-hash')",
        "message": "podTemplate.labels must not begin with app.kubernetes.io/, apps.kubernetes.io/ or \
            coordd.dev/, nor be those of a StatefulSet: the operator and Kubernetes find members by \
            these; choose another label"
    }]))]
    pub labels: BTreeMap<String, String>,
    /// More annotations. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(key, !key.startsWith('coordd.dev/'))",
        "message": "podTemplate.annotations must not begin with coordd.dev/: these are the operator's; choose \
            another annotation"
    }]))]
    pub annotations: BTreeMap<String, String>,
    /// More environment variables of the container `coordd`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(variable, !variable.name.startsWith('COORDD_'))",
        "message": "podTemplate.env must not set COORDD_…: set the field of that name under spec.config instead"
    }, {
        "rule": "self.all(variable, variable.name != 'POD_NAME')",
        "message": "podTemplate.env must not set POD_NAME: the operator sets it, for a member's name is its pod's; \
            choose another name"
    }]))]
    pub env: Vec<EnvVar>,
    /// Name of the ServiceAccount of the pods; its token is not mounted. Default: the namespace's `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Secrets with which the image is pulled. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,
}
