//! What is watched in one namespace for its projections.
//!
//! ```text
//!   Services, slices, ConfigMaps, Leases of projections ─► shelves ─ changed? ─► its projection is called
//!   all Services ─► their addresses
//!   pods ─► name, addresses, node ─ changed? ─► the projections that name them
//! ```
//!
//! Rule: opened by the first projection of a namespace and closed after the last. Reason: in a cluster of thousands of
//! pods the operator needs to know those of the few namespaces that project something.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Desk;
use crate::names::{ClusterName, label};
use crate::projection::{
    self, Kind, LeaseShape, MapShape, Present, Shape, Slice, mark, seen_config_map, seen_lease, seen_service,
    seen_slice,
};
use crate::runtime::Context;
use crate::runtime::metrics::Metrics;
use crate::runtime::shelf::Shelf;
use crate::runtime::watching::{News, Watching};

/// Something that bears the label of projections, with the name of the one that it says it is of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ours<T> {
    pub projection: String,
    pub value: T,
}

/// A pod as far as it can be an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub name: String,
    pub uid: String,
    pub addresses: Vec<IpAddr>,
    pub node: Option<String>,
}

#[derive(Clone)]
pub(super) struct Shelves {
    pub services: Arc<Shelf<Ours<Present<Shape>>>>,
    pub slices: Arc<Shelf<Ours<Arc<Slice>>>>,
    pub config_maps: Arc<Shelf<Ours<Present<MapShape>>>>,
    pub leases: Arc<Shelf<Ours<Present<LeaseShape>>>>,
    pub pods: Arc<Shelf<Place>>,
    /// The addresses of all Services, whosever they are.
    pub addresses: Arc<Shelf<Vec<IpAddr>>>,
}

pub(super) struct Room {
    pub shelves: Shelves,
    /// Names that were found to be somebody else's, and when.
    foreign: Mutex<BTreeMap<(Kind, String), Instant>>,
    _watches: JoinSet<()>,
}

fn ours<K: ResourceExt, T>(object: &K, value: Option<T>) -> Option<Ours<T>> {
    let projection = object.labels().get(mark::PROJECTION).cloned().unwrap_or_default();
    value.map(|value| Ours { projection, value })
}

pub(super) fn service(object: &Service) -> Option<Ours<Present<Shape>>> {
    ours(object, Some(seen_service(object)))
}

/// Shared with the looks: there may be thousands of endpoints.
pub(super) fn slice(object: &EndpointSlice) -> Option<Ours<Arc<Slice>>> {
    ours(object, seen_slice(object).map(Arc::new))
}

pub(super) fn config_map(object: &ConfigMap) -> Option<Ours<Present<MapShape>>> {
    ours(object, Some(seen_config_map(object)))
}

pub(super) fn lease(object: &Lease) -> Option<Ours<Present<LeaseShape>>> {
    ours(object, Some(seen_lease(object)))
}

/// `None` for a Service without an address of its own.
fn addresses(service: &Service) -> Option<Vec<IpAddr>> {
    Some(seen_service(service).shape.addresses).filter(|addresses| !addresses.is_empty())
}

/// `None` for a pod that has ended, and for one that has its node's address, which is not its own.
fn place(pod: &Pod) -> Option<Place> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    if spec.host_network == Some(true) || matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        return None;
    }
    let addresses: Vec<IpAddr> = status.pod_ips.iter().flatten().filter_map(|ip| ip.ip.parse().ok()).collect();
    let node = spec.node_name.clone().filter(|node| !node.is_empty());
    Some(Place { name: pod.name_any(), uid: pod.uid()?, addresses, node }).filter(|place| !place.addresses.is_empty())
}

struct Watch<'a> {
    client: &'a Client,
    namespace: &'a str,
    desk: &'a Arc<Desk>,
    metrics: &'a Arc<Metrics>,
    tasks: &'a mut JoinSet<()>,
}

impl Watch<'_> {
    fn of<K, T>(
        &mut self,
        kind: &'static str,
        labelled: bool,
        trim: fn(&K) -> Option<T>,
        shelf: &Arc<Shelf<T>>,
        changed: fn(&Desk, &str, &T),
    ) where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        let selector = format!("{}={}", label::MANAGED_BY, mark::MANAGED);
        let config = watcher::Config::default();
        let config = if labelled { config.labels(&selector) } else { config };
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let (shelf, desk, metrics) = (Arc::clone(shelf), Arc::clone(self.desk), Arc::clone(self.metrics));
        let namespace = self.namespace.to_owned();
        let watching = Watching { kind, api, config, scope: Some(namespace.clone()), trim };
        self.tasks.spawn(async move {
            let heard = |news: News<T>| {
                news.changed.iter().for_each(|value| changed(&desk, &namespace, value));
                if news.complete {
                    desk.call_all(&namespace);
                }
            };
            watching.carry(&shelf, &metrics, heard).await;
        });
    }
}

fn call<T>(desk: &Desk, namespace: &str, changed: &Ours<T>) {
    desk.calls.call(ClusterName::new(namespace, &changed.projection));
}

fn call_for_pod(desk: &Desk, namespace: &str, place: &Place) {
    let words = place.addresses.iter().map(IpAddr::to_string).chain([place.name.clone()]);
    desk.call_those_that_name(namespace, &words.collect::<Vec<_>>());
}

impl Room {
    pub(super) fn open(context: &Context, namespace: &str) -> Room {
        fn new<T: PartialEq>(namespace: &str) -> Arc<Shelf<T>> {
            Arc::new(Shelf::new(&[Some(namespace.to_owned())]))
        }
        let shelves = Shelves {
            services: new(namespace),
            slices: new(namespace),
            config_maps: new(namespace),
            leases: new(namespace),
            pods: new(namespace),
            addresses: new(namespace),
        };
        let mut tasks = JoinSet::new();
        let Context { client, desk, metrics, .. } = context;
        let mut watch = Watch { client, namespace, desk, metrics, tasks: &mut tasks };
        watch.of("projected services", true, service, &shelves.services, call);
        watch.of("projected endpointslices", true, slice, &shelves.slices, call);
        watch.of("projected configmaps", true, config_map, &shelves.config_maps, call);
        watch.of("projected leases", true, lease, &shelves.leases, call);
        watch.of("services beside projections", false, addresses, &shelves.addresses, |_, _, _| {});
        watch.of("pods of projections", false, place, &shelves.pods, call_for_pod);
        Room { shelves, foreign: Mutex::default(), _watches: tasks }
    }

    /// What has not been listed yet.
    pub(super) fn missing(&self) -> Option<String> {
        let Shelves { services, slices, config_maps, leases, pods, addresses } = &self.shelves;
        let kinds = [services.missing(), slices.missing(), config_maps.missing(), leases.missing(), pods.missing()];
        kinds.into_iter().chain([addresses.missing()]).flatten().next()
    }

    /// The pods that have an address for themselves.
    pub(super) fn pods(&self, zone: impl Fn(&str) -> Option<String>) -> BTreeMap<IpAddr, projection::Pod> {
        let mut found: BTreeMap<IpAddr, Option<projection::Pod>> = BTreeMap::new();
        for (_, place) in self.shelves.pods.select(|_, _| true) {
            let pod = projection::Pod {
                name: place.name.clone(),
                uid: place.uid.clone(),
                zone: place.node.as_deref().and_then(&zone),
                node: place.node.clone(),
            };
            for address in &place.addresses {
                // Two that have one address: nobody knows which it is.
                found.entry(*address).and_modify(|other| *other = None).or_insert_with(|| Some(pod.clone()));
            }
        }
        found.into_iter().filter_map(|(address, pod)| Some((address, pod?))).collect()
    }

    pub(super) fn foreign(&self) -> BTreeMap<(Kind, String), Instant> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a name is somebody else's, or that it is not any more.
    pub(super) fn note_foreign(&self, kind: Kind, name: &str, is: bool) {
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        if is {
            foreign.insert((kind, name.to_owned()), Instant::now());
        } else {
            foreign.remove(&(kind, name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value, phase: &str) -> Option<Place> {
        let status = json!({"phase": phase, "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]});
        let object = json!({"metadata": {"name": "web-0", "uid": "u"}, "spec": spec, "status": status});
        place(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_pod_is_a_place_while_it_runs_and_has_addresses_of_its_own() {
        let containers = json!([]);
        let running = pod(json!({"containers": containers, "nodeName": "n1"}), "Running").unwrap();
        assert_eq!((running.addresses.len(), running.node.as_deref()), (2, Some("n1")));
        assert_eq!(pod(json!({"containers": containers}), "Succeeded"), None);
        assert_eq!(pod(json!({"containers": containers, "hostNetwork": true}), "Running"), None);
    }
}
