//! The StatefulSet: names and volumes that stay with a member, and nothing else of what a StatefulSet could do.
//!
//! Rule: Kubernetes neither orders nor restarts the pods (`Parallel`, `OnDelete`) and never removes a volume
//! (`Retain`). Reason: all three need to know of votes, which the operator does and Kubernetes does not; and a set that
//! waits for its first pod to be ready never gets out of a template that does not work.

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::meta::{Owner, Words};
use super::{Members, pod};
use crate::crd::{CoordinationClusterSpec, Storage};
use crate::names::{file, label};

/// Old templates that Kubernetes keeps; nobody rolls back by them.
const HISTORY: i32 = 3;

pub(super) fn stateful_set(owner: &Owner, spec: &CoordinationClusterSpec, members: &Members) -> StatefulSet {
    let retain = || Some("Retain".to_owned());
    StatefulSet {
        metadata: owner.meta(owner.name.stateful_set(), &Words::new()),
        spec: Some(StatefulSetSpec {
            replicas: Some(members.replicas),
            service_name: Some(owner.name.peer_service()),
            selector: owner.label_selector(),
            template: pod::template(owner, spec, &members.image),
            volume_claim_templates: Some(vec![claim(owner, &spec.storage)]),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: retain(),
                when_scaled: retain(),
            }),
            revision_history_limit: Some(HISTORY),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// It can never be changed once the set is there, so nothing stands in it that could change.
fn claim(owner: &Owner, storage: &Storage) -> PersistentVolumeClaim {
    let mut labels = owner.selector();
    labels.insert(label::CLUSTER_UID.to_owned(), owner.uid.clone());
    labels.insert(label::MANAGED_BY.to_owned(), label::MANAGED_BY_VALUE.to_owned());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(file::DATA_VOLUME.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), storage.size.clone())].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}
