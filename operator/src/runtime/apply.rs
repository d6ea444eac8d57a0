//! Writes the objects of a cluster, server-side, where they are not as they should be.
//!
//! ```text
//!   Desired ─► body ─► the same body as last time, on an object that nobody has changed since? ─► nothing
//!                   └─ else one server-side apply, under one field manager, fenced by the uid that was seen
//! ```
//!
//! Rule: the StatefulSet is written on only at the resource version that was seen, since the body says how many pods
//! there are. Reason: written late, it would take pods away that were added meanwhile.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::children::{ChildKind, Children};
use super::failure::Failure;
use super::see::{self, SeenSet};
use crate::build::Desired;
use crate::names::{ClusterName, manager};
use crate::plan::Hold;

/// What was applied last, and what the object looked like then.
#[derive(Default)]
pub(crate) struct Applied(Mutex<HashMap<(ClusterName, ChildKind), (u64, u64)>>);

impl Applied {
    fn is(&self, cluster: &ClusterName, kind: ChildKind, body: u64, print: u64) -> bool {
        let applied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        applied.get(&(cluster.clone(), kind)) == Some(&(body, print))
    }

    fn note(&self, cluster: &ClusterName, kind: ChildKind, body: u64, print: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((cluster.clone(), kind), (body, print));
    }

    pub(crate) fn forget(&self, cluster: &ClusterName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _), _| name != cluster);
    }
}

/// What came of applying.
#[derive(Default)]
pub(crate) struct Done {
    /// What Kubernetes does not let in, in its own words.
    pub refused: Vec<Hold>,
    /// The StatefulSet as it is now, if it was written.
    pub set: Option<SeenSet>,
}

/// Applies all.
pub(crate) async fn apply(
    context: &Context,
    cluster: &ClusterName,
    children: &Children,
    desired: Desired,
) -> Result<Done, Failure> {
    let mut refused = Vec::new();
    let no_budget = desired.forbids_budget();
    let apply = Apply { context, cluster, children };
    let mut note = |done: Result<(), Failure>| match done {
        Err(failure) => failure.refused().map(|why| refused.push(why)).ok_or(failure),
        Ok(()) => Ok(()),
    };
    note(apply.one(ChildKind::PeerService, desired.peer_service).await.map(drop))?;
    note(apply.one(ChildKind::ClientService, desired.client_service).await.map(drop))?;
    note(apply.one(ChildKind::ConnectionMap, desired.connection_map).await.map(drop))?;
    note(apply.one(ChildKind::NetworkPolicy, desired.network_policy).await.map(drop))?;
    if no_budget {
        apply.no_budget().await?;
    }
    if let Some(budget) = desired.disruption_budget {
        note(apply.one(ChildKind::DisruptionBudget, budget).await.map(drop))?;
    }
    let mut set = None;
    if let Some(desired) = desired.stateful_set {
        let applied = apply.one(ChildKind::StatefulSet, desired).await;
        note(applied.map(|written| set = written.as_ref().and_then(see::stateful_set)))?;
    }
    Ok(Done { refused, set })
}

struct Apply<'a> {
    context: &'a Context,
    cluster: &'a ClusterName,
    children: &'a Children,
}

impl Apply<'_> {
    /// The object as it is now, if it was written.
    async fn one<K>(&self, kind: ChildKind, mut object: K) -> Result<Option<K>, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let body = body(&object)?;
        if let Some(present) = self.children.present.get(&kind) {
            let same = self.context.applied.is(self.cluster, kind, body, present.print);
            // What is on its way out is made anew when it is gone.
            if same || present.deleting {
                return Ok(None);
            }
            object.meta_mut().uid = Some(present.uid.clone());
            if kind == ChildKind::StatefulSet {
                object.meta_mut().resource_version = Some(present.resource_version.clone());
            }
        }
        let api: Api<K> = Api::namespaced(self.context.client.clone(), &self.cluster.namespace);
        let params = PatchParams::apply(manager::CHILDREN).force();
        let name = kind.name(self.cluster);
        let patch = Patch::Apply(&object);
        let written = self.context.gate.write(kind.write(), api.patch(&name, &params, &patch)).await?;
        if let Some(child) = see::child(written.meta()) {
            self.context.applied.note(self.cluster, kind, body, child.print);
        }
        Ok(Some(written))
    }

    /// A single member has no budget: it would only block every drain.
    async fn no_budget(&self) -> Result<(), Failure> {
        let Some(present) = self.children.present.get(&ChildKind::DisruptionBudget).filter(|present| !present.deleting)
        else {
            return Ok(());
        };
        let api: Api<PodDisruptionBudget> = Api::namespaced(self.context.client.clone(), &self.cluster.namespace);
        let only_it = Preconditions { uid: Some(present.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(only_it), ..DeleteParams::default() };
        let name = self.cluster.disruption_budget();
        let kind = ChildKind::DisruptionBudget;
        self.context.gate.write(kind.write(), api.delete(&name, &params)).await.map(drop)
    }
}

fn body(object: &impl Serialize) -> Result<u64, Failure> {
    let text = serde_json::to_vec(object).map_err(|error| Failure::Unwritable("a child", error.to_string()))?;
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    Ok(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_body_on_an_object_that_nobody_changed_is_not_written_again() {
        let (applied, name) = (Applied::default(), ClusterName::new("shop", "orders"));
        let is = |body, print| applied.is(&name, ChildKind::StatefulSet, body, print);
        assert!(!is(1, 1));
        applied.note(&name, ChildKind::StatefulSet, 1, 1);
        assert!(is(1, 1));
        assert!(!is(2, 1), "another body");
        assert!(!is(1, 2), "somebody changed it");
        applied.forget(&name);
        assert!(!is(1, 1));
    }
}
