//! The names that a cluster needs, and who holds them.
//!
//! Rule: what the watches do not show is looked for by name before it is called absent. Reason: the watches see only
//! what bears the operator's label; an object of somebody else under the same name must not be written over.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Api, Resource};

use super::Context;
use super::failure::Failure;
use super::see::{self, Child, SeenSet};
use super::shelf::{Key, Shelf};
use crate::names::ClusterName;

/// The objects of a cluster, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ChildKind {
    PeerService,
    ClientService,
    ConnectionMap,
    NetworkPolicy,
    DisruptionBudget,
    StatefulSet,
}

impl ChildKind {
    /// For fail points and metrics.
    pub(crate) fn write(self) -> &'static str {
        match self {
            ChildKind::PeerService => "peer-service",
            ChildKind::ClientService => "client-service",
            ChildKind::ConnectionMap => "connection-map",
            ChildKind::NetworkPolicy => "network-policy",
            ChildKind::DisruptionBudget => "disruption-budget",
            ChildKind::StatefulSet => "stateful-set",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            ChildKind::PeerService | ChildKind::ClientService => "Service",
            ChildKind::ConnectionMap => "ConfigMap",
            ChildKind::NetworkPolicy => "NetworkPolicy",
            ChildKind::DisruptionBudget => "PodDisruptionBudget",
            ChildKind::StatefulSet => "StatefulSet",
        }
    }

    pub(crate) fn name(self, cluster: &ClusterName) -> String {
        match self {
            ChildKind::PeerService => cluster.peer_service(),
            ChildKind::ClientService => cluster.client_service(),
            ChildKind::ConnectionMap => cluster.connection_map(),
            ChildKind::NetworkPolicy => cluster.network_policy(),
            ChildKind::DisruptionBudget => cluster.disruption_budget(),
            ChildKind::StatefulSet => cluster.stateful_set(),
        }
    }
}

/// What bears the names of a cluster's children.
#[derive(Default)]
pub(crate) struct Children {
    pub present: HashMap<ChildKind, Child>,
    pub set: Option<SeenSet>,
    /// `Kind/name` of what somebody else made.
    pub foreign: Vec<String>,
}

impl Children {
    /// Takes one object in; fails when it belongs to a former cluster of this name and is about to go.
    pub(crate) fn take(&mut self, kind: &str, name: &str, cluster: &Owner<'_>, child: &Child) -> Result<bool, Failure> {
        if child.is_of(cluster.uid) {
            return Ok(true);
        }
        let full = format!("{kind}/{name}");
        match &child.controller {
            Some((kind, owner, _)) if kind == "CoordinationCluster" && *owner == cluster.name.name => {
                Err(Failure::Leftover(full))
            }
            _ => {
                self.foreign.push(full);
                Ok(false)
            }
        }
    }
}

/// The cluster that the children are to be of.
pub(crate) struct Owner<'a> {
    pub name: &'a ClusterName,
    pub uid: &'a str,
}

/// Looks at every name.
pub(crate) async fn look(context: &Context, cluster: &Owner<'_>) -> Result<Children, Failure> {
    let shelves = &context.shelves;
    let mut children = Children::default();
    for (kind, shelf) in [
        (ChildKind::PeerService, &shelves.services),
        (ChildKind::ClientService, &shelves.services),
        (ChildKind::ConnectionMap, &shelves.config_maps),
        (ChildKind::NetworkPolicy, &shelves.policies),
        (ChildKind::DisruptionBudget, &shelves.budgets),
    ] {
        let name = kind.name(cluster.name);
        let found = match cached(shelf, cluster.name, &name) {
            Some(child) => Some(child),
            None => live(context, kind, cluster.name).await?.map(Arc::new),
        };
        let Some(child) = found else { continue };
        if children.take(kind.kind(), &name, cluster, &child)? {
            children.present.insert(kind, Child::clone(&child));
        }
    }
    let set = match cached(&shelves.sets, cluster.name, &cluster.name.stateful_set()) {
        Some(set) => Some(SeenSet::clone(&set)),
        None => live_set(context, cluster.name).await?,
    };
    if let Some(set) = set
        && children.take("StatefulSet", &cluster.name.stateful_set(), cluster, &set.child)?
    {
        children.present.insert(ChildKind::StatefulSet, set.child.clone());
        children.set = Some(set);
    }
    Ok(children)
}

fn cached<T: PartialEq>(shelf: &Shelf<T>, cluster: &ClusterName, name: &str) -> Option<Arc<T>> {
    shelf.get(&Key::new(&cluster.namespace, name))
}

async fn live(context: &Context, kind: ChildKind, cluster: &ClusterName) -> Result<Option<Child>, Failure> {
    match kind {
        ChildKind::PeerService | ChildKind::ClientService => live_as::<Service>(context, kind, cluster).await,
        ChildKind::ConnectionMap => live_as::<ConfigMap>(context, kind, cluster).await,
        ChildKind::NetworkPolicy => live_as::<NetworkPolicy>(context, kind, cluster).await,
        ChildKind::DisruptionBudget => live_as::<PodDisruptionBudget>(context, kind, cluster).await,
        ChildKind::StatefulSet => live_as::<StatefulSet>(context, kind, cluster).await,
    }
}

async fn live_as<K>(context: &Context, kind: ChildKind, cluster: &ClusterName) -> Result<Option<Child>, Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug,
    K: serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), &cluster.namespace);
    let name = kind.name(cluster);
    let found = super::read(kind.kind(), api.get_metadata_opt(&name)).await?;
    Ok(found.and_then(|object| see::child(&object.metadata)))
}

async fn live_set(context: &Context, cluster: &ClusterName) -> Result<Option<SeenSet>, Failure> {
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &cluster.namespace);
    let found = super::read("StatefulSet", api.get_opt(&cluster.stateful_set())).await?;
    Ok(found.as_ref().and_then(see::stateful_set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(controller: Option<(&str, &str, &str)>) -> Child {
        Child {
            namespace: "shop".into(),
            uid: "x".into(),
            resource_version: "1".into(),
            controller: controller.map(|(kind, name, uid)| (kind.into(), name.into(), uid.into())),
            deleting: false,
            print: 0,
        }
    }

    fn take(controller: Option<(&str, &str, &str)>) -> (Result<bool, Failure>, Vec<String>) {
        let name = ClusterName::new("shop", "orders");
        let mut children = Children::default();
        let taken = children.take("Service", "orders", &Owner { name: &name, uid: "new" }, &child(controller));
        (taken, children.foreign)
    }

    #[test]
    fn what_somebody_else_made_is_named_and_left_alone() {
        let (taken, foreign) = take(None);
        assert_eq!((taken.unwrap(), foreign), (false, vec!["Service/orders".to_owned()]));
        let (taken, foreign) = take(Some(("Helm", "orders", "h")));
        assert_eq!((taken.unwrap(), foreign.len()), (false, 1));
    }

    #[test]
    fn what_a_former_cluster_of_the_name_left_is_waited_for() {
        let (taken, foreign) = take(Some(("CoordinationCluster", "orders", "old")));
        assert!(matches!(taken, Err(Failure::Leftover(_))));
        assert!(foreign.is_empty());
        let (taken, _) = take(Some(("CoordinationCluster", "orders", "new")));
        assert!(taken.unwrap());
    }
}
