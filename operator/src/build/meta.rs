//! What all objects of a cluster have in common: where they are, what they are labelled with, whose they are.
//!
//! Rule: every object bears the cluster's controller reference and the operator's labels; whatever selects pods uses
//! `ClusterName::selector` alone. Reason: Kubernetes clears away what has an owner, the operator finds its own by
//! label, and a StatefulSet's selector can never be changed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;

use crate::crd::CoordinationCluster;
use crate::names::{ClusterName, label};

/// The cluster that the objects are of.
pub(super) struct Owner {
    pub name: ClusterName,
    pub uid: String,
}

/// Labels or annotations, or the settings of a selector.
pub(super) type Words = BTreeMap<String, String>;

impl Owner {
    pub(super) fn of(cluster: &CoordinationCluster) -> Owner {
        let ObjectMeta { namespace, name, uid, .. } = &cluster.metadata;
        let name = ClusterName::new(namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default());
        Owner { name, uid: uid.clone().unwrap_or_default() }
    }

    /// The metadata of the object `name`; `more` labels yield to the operator's.
    pub(super) fn meta(&self, name: String, more: &Words) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.name.namespace.clone()),
            labels: Some(self.labels(more)),
            owner_references: Some(vec![self.reference()]),
            ..ObjectMeta::default()
        }
    }

    pub(super) fn labels(&self, more: &Words) -> Words {
        let fixed = [
            (label::COMPONENT, label::COMPONENT_VALUE.to_owned()),
            (label::PART_OF, label::NAME_VALUE.to_owned()),
            (label::MANAGED_BY, label::MANAGED_BY_VALUE.to_owned()),
            (label::CLUSTER_UID, self.uid.clone()),
        ];
        let ours = self.name.selector().into_iter().chain(fixed).map(|(key, value)| (key.to_owned(), value));
        let mut labels = more.clone();
        labels.extend(ours);
        labels
    }

    /// Selects the members' pods.
    pub(super) fn selector(&self) -> Words {
        self.name.selector().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    pub(super) fn label_selector(&self) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector()), ..LabelSelector::default() }
    }

    fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: CoordinationCluster::api_version(&()).into_owned(),
            kind: CoordinationCluster::kind(&()).into_owned(),
            name: self.name.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}
