//! All watches but that of the clusters themselves, and which cluster each change concerns.
//!
//! ```text
//!   pods, claims, StatefulSets, Services, … of the watched namespaces ─┐
//!   nodes, volumes ────────────────────────────────────────────────────┴─► shelves ─► Calls: clusters to look at
//! ```
//!
//! Rule: the watches run in every replica, the reconciles only where the lease is. Reason: the one that takes over
//! has everything at hand at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolume, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{Lookup, ObjectRef};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::Scope;
use super::metrics::Metrics;
use super::see::{self, Child, SeenClaim, SeenPod, SeenSet, SeenVolume};
use super::shelf::{NOT_LISTED, Shelf};
use super::watching::{News, Watching};
use crate::names::{ClusterName, label};
use crate::world;

/// Clusters, or projections, that are to be looked at, each once.
#[derive(Default)]
pub(crate) struct Calls {
    waiting: Mutex<BTreeSet<ClusterName>>,
    /// How many there have been; every stream hears of each.
    count: watch::Sender<u64>,
}

impl Calls {
    pub(crate) fn call(&self, cluster: ClusterName) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster);
        self.count.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn take(&self, scope: &Scope) -> Option<ClusterName> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mine =
            waiting.iter().find(|cluster| scope.as_ref().is_none_or(|scope| *scope == cluster.namespace))?.clone();
        waiting.remove(&mine);
        Some(mine)
    }

    /// The calls for clusters in `scope`, for ever.
    pub(crate) fn stream<K>(self: Arc<Self>, scope: Scope) -> impl Stream<Item = ObjectRef<K>> + Send
    where
        K: Lookup,
        K::DynamicType: Default,
    {
        let heard = self.count.subscribe();
        stream::unfold((self, scope, heard), |(calls, scope, mut heard)| async move {
            loop {
                heard.mark_unchanged();
                if let Some(cluster) = calls.take(&scope) {
                    let called = ObjectRef::new(&cluster.name).within(&cluster.namespace);
                    return Some((called, (calls, scope, heard)));
                }
                // It ends with the calls, which this holds.
                heard.changed().await.ok()?;
            }
        })
    }
}

/// What is watched.
pub(crate) struct Shelves {
    pub pods: Shelf<SeenPod>,
    pub claims: Shelf<SeenClaim>,
    pub sets: Shelf<SeenSet>,
    pub services: Shelf<Child>,
    pub config_maps: Shelf<Child>,
    pub budgets: Shelf<Child>,
    pub policies: Shelf<Child>,
    pub nodes: Shelf<world::Node>,
    pub volumes: Shelf<SeenVolume>,
    pub calls: Arc<Calls>,
}

impl Shelves {
    pub(crate) fn new(scopes: &[Scope]) -> Shelves {
        Shelves {
            pods: Shelf::new(scopes),
            claims: Shelf::new(scopes),
            sets: Shelf::new(scopes),
            services: Shelf::new(scopes),
            config_maps: Shelf::new(scopes),
            budgets: Shelf::new(scopes),
            policies: Shelf::new(scopes),
            nodes: Shelf::new(&[None]),
            volumes: Shelf::new(&[None]),
            calls: Arc::default(),
        }
    }

    /// What is not known of `namespace` of that without which nothing can be said there.
    pub(crate) fn missing_in(&self, namespace: &str) -> Option<String> {
        let shelves = [
            ("pods", self.pods.missing_in(namespace)),
            ("claims", self.claims.missing_in(namespace)),
            ("StatefulSets", self.sets.missing_in(namespace)),
            ("Services", self.services.missing_in(namespace)),
            ("ConfigMaps", self.config_maps.missing_in(namespace)),
            ("PodDisruptionBudgets", self.budgets.missing_in(namespace)),
            ("NetworkPolicies", self.policies.missing_in(namespace)),
        ];
        shelves.into_iter().find_map(|(kind, missing)| Some(format!("{kind}: {}", missing?)))
    }

    /// Whether there is something that this replica can work on, and what is missing: one of many namespaces that
    /// cannot be listed is no reason to be of no use to the others, but a list that is on its way is waited for.
    pub(crate) fn ready(&self, scopes: &[Scope]) -> (bool, Vec<String>) {
        let missing_in = |scope: &Scope| {
            let namespace = scope.as_deref().unwrap_or_default();
            self.missing_in(namespace).map(|why| if namespace.is_empty() { why } else { format!("{namespace}: {why}") })
        };
        let missing: Vec<String> = scopes.iter().filter_map(missing_in).collect();
        let waits = missing.iter().any(|why| why.ends_with(NOT_LISTED));
        (!waits && missing.len() < scopes.len(), missing)
    }

    /// Starts every watch; they end with the process.
    pub(crate) fn watch(self: &Arc<Self>, client: &Client, scopes: &[Scope], metrics: &Arc<Metrics>) {
        for scope in scopes {
            let watches = Watches { shelves: self, client, scope, metrics };
            watches.namespaced("pods", member_pods(), see::pod, |all| &all.pods, of_pod);
            watches.namespaced("claims", watcher::Config::default(), see::claim, |all| &all.claims, of_claim);
            watches.namespaced(
                "statefulsets",
                ours(),
                see::stateful_set,
                |all| &all.sets,
                |all, seen| of_child(all, &seen.child),
            );
            watches.children::<Service>("services", |all| &all.services);
            watches.children::<ConfigMap>("configmaps", |all| &all.config_maps);
            watches.children::<PodDisruptionBudget>("poddisruptionbudgets", |all| &all.budgets);
            watches.children::<NetworkPolicy>("networkpolicies", |all| &all.policies);
        }
        let watches = Watches { shelves: self, client, scope: &None, metrics };
        let nodes = Api::<Node>::all(client.clone());
        watches.start("nodes", nodes, watcher::Config::default(), see::node, |all| &all.nodes, of_node);
        let volumes = Api::<PersistentVolume>::all(client.clone());
        watches.start("volumes", volumes, watcher::Config::default(), see::volume, |all| &all.volumes, of_volume);
    }
}

fn ours() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", label::MANAGED_BY, label::MANAGED_BY_VALUE))
}

fn member_pods() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={},{}", label::NAME, label::NAME_VALUE, label::INSTANCE))
}

fn of_pod(_: &Shelves, seen: &SeenPod) -> Vec<ClusterName> {
    vec![seen.cluster.clone()]
}

fn of_claim(_: &Shelves, seen: &SeenClaim) -> Vec<ClusterName> {
    seen.cluster().map(|name| ClusterName::new(&seen.namespace, name)).into_iter().collect()
}

fn of_child(_: &Shelves, child: &Child) -> Vec<ClusterName> {
    let owner = child.controller.as_ref();
    owner.map(|(_, name, _)| ClusterName::new(&child.namespace, name)).into_iter().collect()
}

fn of_node(shelves: &Shelves, node: &world::Node) -> Vec<ClusterName> {
    let there = shelves.pods.select(|_, seen| seen.pod.node.as_deref() == Some(node.name.as_str()));
    there.iter().map(|(_, seen)| seen.cluster.clone()).collect()
}

fn of_volume(shelves: &Shelves, volume: &SeenVolume) -> Vec<ClusterName> {
    let (namespace, name) = &volume.claim;
    let claim = shelves.claims.get(&super::shelf::Key::new(namespace, name));
    claim.map(|claim| of_claim(shelves, &claim)).unwrap_or_default()
}

type Concerned<T> = fn(&Shelves, &T) -> Vec<ClusterName>;
type Place<T> = fn(&Shelves) -> &Shelf<T>;

struct Watches<'a> {
    shelves: &'a Arc<Shelves>,
    client: &'a Client,
    scope: &'a Scope,
    metrics: &'a Arc<Metrics>,
}

impl Watches<'_> {
    fn children<K>(&self, kind: &'static str, place: Place<Child>)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
    {
        let trim = |object: &PartialObjectMeta<K>| see::child(&object.metadata);
        let api: Api<PartialObjectMeta<K>> = super::scoped(self.client, self.scope);
        self.start(kind, api, ours(), trim, place, of_child);
    }

    fn namespaced<K, T>(
        &self,
        kind: &'static str,
        config: watcher::Config,
        trim: fn(&K) -> Option<T>,
        place: Place<T>,
        concerned: Concerned<T>,
    ) where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        self.start(kind, super::scoped(self.client, self.scope), config, trim, place, concerned);
    }

    fn start<K, T>(
        &self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        trim: fn(&K) -> Option<T>,
        place: Place<T>,
        concerned: Concerned<T>,
    ) where
        K: ResourceExt + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        let (shelves, metrics) = (Arc::clone(self.shelves), Arc::clone(self.metrics));
        let watching = Watching { kind, api, config, scope: self.scope.clone(), trim };
        tokio::spawn(async move {
            let heard = |news: News<T>| {
                let concerned = news.changed.iter().flat_map(|changed| concerned(&shelves, changed));
                concerned.for_each(|cluster| shelves.calls.call(cluster));
            };
            watching.carry(place(&shelves), &metrics, heard).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::runtime::shelf::Carrier;

    /// Lists nothing of any kind in `namespace`.
    fn list(shelves: &Shelves, namespace: &str) {
        fn empty<T: PartialEq>(shelf: &Shelf<T>, namespace: &str) {
            Carrier::new(Some(namespace.to_owned())).take(shelf, Event::<ConfigMap>::InitDone, |_| None);
        }
        empty(&shelves.pods, namespace);
        empty(&shelves.claims, namespace);
        empty(&shelves.sets, namespace);
        let children = [&shelves.services, &shelves.config_maps, &shelves.budgets, &shelves.policies];
        children.into_iter().for_each(|shelf| empty(shelf, namespace));
    }

    #[test]
    fn a_namespace_that_is_gone_makes_the_operator_of_no_less_use_to_the_others() {
        let scopes = ["a", "b"].map(|namespace| Some(namespace.to_owned()));
        let shelves = Shelves::new(&scopes);
        list(&shelves, "a");
        assert_eq!(shelves.ready(&scopes), (false, vec!["b: pods: not listed yet".to_owned()]), "it is on its way");
        shelves.pods.failed(&scopes[1], "forbidden".to_owned());
        assert_eq!(shelves.missing_in("a"), None);
        assert_eq!(shelves.missing_in("b").unwrap(), "pods: forbidden");
        assert_eq!(shelves.ready(&scopes), (true, vec!["b: pods: forbidden".to_owned()]));
        assert!(!shelves.ready(&scopes[1..]).0, "nothing else is left to work on");
        list(&shelves, "b");
        assert_eq!(shelves.ready(&scopes), (true, Vec::new()));
    }
}
