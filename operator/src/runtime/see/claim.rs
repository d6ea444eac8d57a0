//! Claims and the volumes that they are bound to.
//!
//! Rule: any claim whose name could be a member's is kept, whoever made it. Reason: Kubernetes gives a pod the claim
//! that bears the right name, and asks nobody where it comes from.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{label, text};
use crate::names::label as names;
use crate::names::{annotation, file};
use crate::world::{Claim, ClaimState, Seen};

const HOSTNAME: &str = "kubernetes.io/hostname";

/// A claim that may be a member's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenClaim {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    pub made_for: Option<String>,
    pub ensemble: Option<String>,
    pub state: ClaimState,
    pub deleting: bool,
    pub volume: Option<String>,
    /// Uids of what it goes with when that is deleted.
    pub owners: Vec<String>,
}

impl SeenClaim {
    /// The claim in the words of the plan.
    pub(crate) fn claim(&self, ordinal: i32, cluster_uid: &str, ours: bool, only_on: Seen<Vec<String>>) -> Claim {
        Claim {
            name: self.name.clone(),
            ordinal,
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            ours,
            made_for: self.made_for.clone(),
            ensemble: self.ensemble.clone(),
            state: self.state.clone(),
            deleting: self.deleting,
            owned: self.goes_with(cluster_uid),
            only_on,
        }
    }

    /// Whether it goes when the cluster of this uid does.
    pub(crate) fn goes_with(&self, cluster_uid: &str) -> bool {
        self.owners.iter().any(|owner| owner == cluster_uid)
    }

    /// The name of the cluster that a claim of this name would be of.
    pub(crate) fn cluster(&self) -> Option<String> {
        cluster_of(&self.name).map(str::to_owned)
    }
}

fn cluster_of(claim: &str) -> Option<&str> {
    let pod = claim.strip_prefix(file::DATA_VOLUME)?.strip_prefix('-')?;
    let (cluster, ordinal) = pod.rsplit_once('-')?;
    (!cluster.is_empty() && !ordinal.is_empty() && ordinal.bytes().all(|c| c.is_ascii_digit())).then_some(cluster)
}

pub(crate) fn claim(claim: &PersistentVolumeClaim) -> Option<SeenClaim> {
    let meta = &claim.metadata;
    let name = meta.name.clone()?;
    cluster_of(&name)?;
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    let annotations: Option<&BTreeMap<_, _>> = meta.annotations.as_ref();
    let owners = meta.owner_references.iter().flatten();
    Some(SeenClaim {
        namespace: meta.namespace.clone()?,
        uid: text(meta.uid.as_ref()),
        resource_version: text(meta.resource_version.as_ref()),
        made_for: label(meta, names::CLUSTER_UID).map(str::to_owned),
        ensemble: annotations.and_then(|all| all.get(annotation::ENSEMBLE_ID)).cloned(),
        state: match phase {
            Some("Bound") => ClaimState::Bound,
            Some("Lost") => ClaimState::Lost,
            _ => ClaimState::Pending,
        },
        deleting: meta.deletion_timestamp.is_some(),
        volume: claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|volume| !volume.is_empty()),
        owners: owners.into_iter().map(|owner: &OwnerReference| owner.uid.clone()).collect(),
        name,
    })
}

/// A volume that a member's claim may be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenVolume {
    /// Names of the only nodes that it can be used on; none: any.
    pub only_on: Vec<String>,
    /// The claim that it is for.
    pub claim: (String, String),
}

pub(crate) fn volume(volume: &PersistentVolume) -> Option<SeenVolume> {
    let spec = volume.spec.as_ref()?;
    let claim = spec.claim_ref.as_ref()?;
    let name = claim.name.clone().filter(|name| cluster_of(name).is_some())?;
    let required = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    let terms = required.map(|required| required.node_selector_terms.as_slice()).unwrap_or_default();
    Some(SeenVolume { only_on: hosts(terms), claim: (claim.namespace.clone().unwrap_or_default(), name) })
}

/// Terms are alternatives: one that names no host may be met anywhere.
fn hosts(terms: &[NodeSelectorTerm]) -> Vec<String> {
    let mut hosts = Vec::new();
    for term in terms {
        let mut named =
            term.match_expressions.iter().flatten().filter(|rule| rule.key == HOSTNAME && rule.operator == "In");
        match named.next() {
            Some(rule) => hosts.extend(rule.values.iter().flatten().cloned()),
            None => return Vec::new(),
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bound_to(terms: Value) -> Vec<String> {
        let object = json!({
            "metadata": {"name": "pv"},
            "spec": {
                "claimRef": {"namespace": "shop", "name": "data-orders-1"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}
            }
        });
        volume(&serde_json::from_value(object).unwrap()).unwrap().only_on
    }

    #[test]
    fn a_local_volume_is_bound_to_the_nodes_that_it_names() {
        let on =
            |key: &str, hosts: &[&str]| json!({"matchExpressions": [{"key": key, "operator": "In", "values": hosts}]});
        assert_eq!(bound_to(json!([on(HOSTNAME, &["n1"])])), ["n1"]);
        assert_eq!(bound_to(json!([on(HOSTNAME, &["n1"]), on(HOSTNAME, &["n2"])])), ["n1", "n2"]);
        assert!(bound_to(json!([on("zone", &["z1"])])).is_empty());
        assert!(bound_to(json!([on(HOSTNAME, &["n1"]), on("zone", &["z1"])])).is_empty(), "either will do");
    }

    #[test]
    fn claims_that_cannot_be_a_members_are_not_kept() {
        for name in ["orders-1", "data-orders", "data-orders-x", "data--1", "logs-orders-1"] {
            let object = json!({"metadata": {"namespace": "shop", "name": name}});
            assert!(claim(&serde_json::from_value(object).unwrap()).is_none(), "{name}");
        }
    }

    #[test]
    fn a_claim_tells_for_whom_it_was_made_and_what_it_holds() {
        let object = json!({
            "metadata": {
                "namespace": "shop", "name": "data-orders-1", "uid": "u", "resourceVersion": "5",
                "labels": {"coordd.dev/cluster-uid": "c"}, "annotations": {"coordd.dev/ensemble-id": "e"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "c"}]
            },
            "spec": {"volumeName": "pv"},
            "status": {"phase": "Lost"}
        });
        let seen = claim(&serde_json::from_value(object).unwrap()).unwrap();
        assert_eq!((seen.made_for.as_deref(), seen.ensemble.as_deref()), (Some("c"), Some("e")));
        assert_eq!(
            (seen.state, seen.volume.as_deref(), seen.owners.as_slice()),
            (ClaimState::Lost, Some("pv"), ["c".to_owned()].as_slice())
        );
    }
}
