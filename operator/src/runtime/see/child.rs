//! The objects that a cluster owns: who made them, and whether they are as they were when they were applied.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::apps::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::text;
use crate::world::StatefulSet;

/// An object under a name that a cluster needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    /// What controls it, by kind, name and uid.
    pub controller: Option<(String, String, String)>,
    pub deleting: bool,
    /// The same as long as nobody has changed what may be applied.
    pub print: u64,
}

impl Child {
    pub(crate) fn is_of(&self, uid: &str) -> bool {
        self.controller.as_ref().is_some_and(|(_, _, controller)| controller == uid)
    }
}

pub(crate) fn child(meta: &ObjectMeta) -> Option<Child> {
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    Some(Child {
        namespace: meta.namespace.clone()?,
        uid: text(meta.uid.as_ref()),
        resource_version: text(meta.resource_version.as_ref()),
        controller: controller.map(|owner| (owner.kind.clone(), owner.name.clone(), owner.uid.clone())),
        deleting: meta.deletion_timestamp.is_some(),
        print: print(meta),
    })
}

/// Where Kubernetes counts the changes of the spec, those of the status do not matter; elsewhere every change does.
fn print(meta: &ObjectMeta) -> u64 {
    let mut hash = DefaultHasher::new();
    meta.uid.hash(&mut hash);
    match meta.generation {
        Some(generation) => {
            generation.hash(&mut hash);
            meta.labels.hash(&mut hash);
            meta.annotations.hash(&mut hash);
            for owner in meta.owner_references.iter().flatten() {
                (&owner.uid, owner.controller).hash(&mut hash);
            }
        }
        None => meta.resource_version.hash(&mut hash),
    }
    hash.finish()
}

/// A StatefulSet, as a child and as the plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenSet {
    pub child: Child,
    pub set: StatefulSet,
}

pub(crate) fn stateful_set(set: &v1::StatefulSet) -> Option<SeenSet> {
    let meta = &set.metadata;
    let child = child(meta)?;
    let status = set.status.as_ref();
    let caught_up = status.and_then(|status| status.observed_generation) >= meta.generation;
    let revision = status.and_then(|status| status.update_revision.clone()).filter(|revision| !revision.is_empty());
    Some(SeenSet {
        set: StatefulSet {
            uid: child.uid.clone(),
            resource_version: child.resource_version.clone(),
            replicas: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            update_revision: revision.filter(|_| caught_up),
            deleting: child.deleting,
        },
        child,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(generation: i64, observed: i64) -> SeenSet {
        let object = json!({
            "metadata": {
                "namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "9", "generation": generation,
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "other"},
                    {"apiVersion": "v1", "kind": "C", "name": "orders", "uid": "c", "controller": true}
                ]
            },
            "spec": {"replicas": 3, "selector": {}, "template": {}, "serviceName": "s"},
            "status": {"replicas": 3, "observedGeneration": observed, "updateRevision": "r2"}
        });
        stateful_set(&serde_json::from_value(object).unwrap()).unwrap()
    }

    #[test]
    fn the_revision_is_known_only_when_the_newest_template_was_seen() {
        assert_eq!(set(2, 2).set.update_revision.as_deref(), Some("r2"));
        assert_eq!(set(3, 2).set.update_revision, None);
    }

    #[test]
    fn a_child_is_of_the_cluster_that_controls_it() {
        let child = set(1, 1).child;
        assert!(child.is_of("c"));
        assert!(!child.is_of("other"), "an owner that does not control");
    }

    #[test]
    fn a_change_of_the_status_is_no_change_of_what_was_applied() {
        assert_eq!(set(2, 1).child.print, set(2, 2).child.print);
        assert_ne!(set(2, 2).child.print, set(3, 3).child.print);
    }
}
