//! Where a member's disk comes from, and what becomes of it.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::quantity_schema;

/// The volume of each member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) == 0",
    "message": "storage.size cannot be changed yet: make a new cluster of the wanted size and restore a \
        snapshot in it"
}, {
    "rule": "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || \
        self.storageClassName == oldSelf.storageClassName)",
    "message": "storage.storageClassName cannot be changed yet: make a new cluster and restore a snapshot in it"
}]))]
pub struct Storage {
    /// Size of each member's volume, a Kubernetes quantity in bytes. At least 1Gi. Cannot be changed yet.
    /// Default: 10Gi.
    #[schemars(schema_with = "quantity_schema")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Gi')) >= 0",
        "message": "storage.size must be a quantity of at least 1Gi, such as 10Gi: the log alone takes some \
            hundred MiB"
    }]))]
    pub size: Quantity,
    /// Name of the StorageClass of the volumes. Cannot be changed yet. Default: the class that Kubernetes has as its
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// What becomes of volumes that no member needs. They are never removed before the member is out of the ensemble.
    pub retention: Retention,
}

impl Default for Storage {
    fn default() -> Storage {
        Storage { size: Quantity("10Gi".to_owned()), storage_class_name: None, retention: Retention::default() }
    }
}

/// What becomes of volumes that no member needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// The volumes of a cluster that is deleted: Retain or Delete. A change is in force once
    /// `status.observedGeneration` is that of the change and DataVolumesReady does not say `RetentionPending`; a
    /// deletion before that follows what it was. Cannot be changed while `paused`. Default: Retain.
    pub when_deleted: RetentionPolicy,
    /// The volume of a member that was removed by scaling down: Retain (until its ordinal is needed again: what was
    /// removed never comes back under its old identity) or Delete. Default: Delete.
    pub when_scaled: RetentionPolicy,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { when_deleted: RetentionPolicy::Retain, when_scaled: RetentionPolicy::Delete }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetentionPolicy {
    Retain,
    Delete,
}
