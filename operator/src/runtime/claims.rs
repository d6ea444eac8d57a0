//! Notes on the claims of members: what is on their volumes, and with whom they go.
//!
//! Rule: a claim goes with its cluster (by an owner reference) exactly while `whenDeleted` says Delete, says which
//! ensemble its member was last seen in, and is labelled as this cluster's, also when it was adopted. Reason: the first
//! makes deletion need nobody's help; by the second a person who finds a volume that was kept knows what it holds; and
//! who adopts all volumes once more finds one former cluster, not two.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::see::SeenClaim;
use crate::crd::{CoordinationCluster, RetentionPolicy};
use crate::names::{ClusterName, annotation, label, manager};
use crate::world::World;

/// Writes on each claim that does not say what it should, and in the world that it was written: nobody shall hear that
/// a policy is still to come when it is there.
pub(crate) async fn note(
    context: &Context,
    cluster: &CoordinationCluster,
    world: &mut World,
    claims: &[SeenClaim],
) -> Result<(), Failure> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &world.name.namespace);
    for claim in claims.iter().filter(|claim| !claim.deleting) {
        if claim.made_for.as_ref() != Some(&world.uid) {
            // No field of what is applied below: an operator of before knows nothing of it and would take it away.
            let params = PatchParams { field_manager: Some(manager::CLAIMS.to_owned()), ..PatchParams::default() };
            context.gate.write("claim", api.patch(&claim.name, &params, &Patch::Merge(adopted(world, claim)))).await?;
            continue;
        }
        let ensemble = ensemble(&world.name, world, claim);
        let owned = cluster.spec.storage.retention.when_deleted == RetentionPolicy::Delete;
        if owned == claim.goes_with(&world.uid) && ensemble == claim.ensemble {
            continue;
        }
        let patch = Patch::Apply(body(world, claim, owned, ensemble.as_deref()));
        let params = PatchParams::apply(manager::CLAIMS).force();
        context.gate.write("claim", api.patch(&claim.name, &params, &patch)).await?;
        if let Some(noted) = world.claims.iter_mut().find(|noted| noted.uid == claim.uid) {
            noted.owned = owned;
        }
    }
    Ok(())
}

/// What its member has answered, or else what is known from before.
fn ensemble(cluster: &ClusterName, world: &World, claim: &SeenClaim) -> Option<String> {
    let ordinal = cluster.ordinal_of_claim(&claim.name)?;
    let pod = world.pods.iter().find(|pod| pod.ordinal == ordinal);
    let answer = pod.and_then(|pod| pod.asked.answer());
    answer.and_then(|answer| answer.ensemble_id.clone()).or_else(|| claim.ensemble.clone())
}

/// That a claim is this cluster's from now on. What follows is written when that has been seen.
fn adopted(world: &World, claim: &SeenClaim) -> Value {
    json!({"metadata": {"resourceVersion": claim.resource_version, "labels": {label::CLUSTER_UID: world.uid}}})
}

fn body(world: &World, claim: &SeenClaim, owned: bool, ensemble: Option<&str>) -> Value {
    let mut metadata = json!({"name": claim.name, "uid": claim.uid});
    if let Some(ensemble) = ensemble {
        metadata["annotations"] = json!({annotation::ENSEMBLE_ID: ensemble});
    }
    if owned {
        metadata["ownerReferences"] = json!([{
            "apiVersion": "coordd.dev/v1alpha1",
            "kind": "CoordinationCluster",
            "name": world.name.name,
            "uid": world.uid,
        }]);
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata})
}
