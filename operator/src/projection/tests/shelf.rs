//! The objects of a namespace, written as Kubernetes writes them: fenced by uid and resource version.

use std::collections::{BTreeMap, BTreeSet};

use coordd_api::discovery::{Format, Instance, InstanceState, ServiceEntry, ServiceList, ServiceView};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::crd::ServiceProjection;
use crate::projection::mark::{MANAGED, NEW};
use crate::projection::*;
use crate::world::Moment;

pub(super) const UID: &str = "uid-of-the-projection";

/// A projection `orders` in the namespace `shop` of `/services/orders`.
pub(super) fn projection(target: Value, more: Value) -> ServiceProjection {
    let mut spec = json!({"clusterRef": {"name": "zk"}, "path": "/services/orders", "target": target});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata = json!({"name": "orders", "namespace": "shop", "uid": UID, "generation": 1});
    let (api, kind) = ("coordd.dev/v1alpha1", "ServiceProjection");
    let object = json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec});
    serde_json::from_value(object).unwrap()
}

pub(super) fn one_service() -> ServiceProjection {
    projection(json!({"service": {"ports": [{"name": "http", "port": 80}]}}), json!({}))
}

pub(super) fn instance(address: &str, ports: &[(&str, u16)], state: InstanceState) -> Instance {
    Instance {
        id: address.to_owned(),
        address: address.to_owned(),
        ports: ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect(),
        state,
        zone: None,
        weight: None,
        metadata: BTreeMap::new(),
        znode: format!("/services/orders/{address}"),
        since: 1,
    }
}

pub(super) fn up(address: &str) -> Instance {
    instance(address, &[("http", 8080)], InstanceState::Up)
}

pub(super) fn view(path: &str, zxid: i64, instances: Vec<Instance>) -> View<ServiceView> {
    let (path, format) = (path.to_owned(), Some(Format::Curator));
    let value = ServiceView { path, format, zxid, instances, rejected: Vec::new() };
    View::There { zxid, value: value.into() }
}

pub(super) fn list(zxid: i64, names: &[&str]) -> View<ServiceList> {
    let entry = |name: &&str| ServiceEntry {
        name: (*name).to_owned(),
        path: format!("/services/orders/{name}"),
        children: None,
    };
    let (path, services) = ("/services/orders".to_owned(), names.iter().map(entry).collect());
    View::There { zxid, value: ServiceList { path, zxid, services }.into() }
}

/// What is there.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) slices: BTreeMap<String, EndpointSlice>,
    pub(super) maps: BTreeMap<String, ConfigMap>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) foreign: BTreeSet<(Kind, String)>,
    pub(super) memory: Memory,
    writes: u64,
}

fn fence(seen: Option<&ObjectMeta>, meta: &ObjectMeta) {
    match seen {
        None => assert_eq!(meta.resource_version.as_deref(), Some(NEW), "{meta:?} is to be made and is fenced"),
        Some(seen) => assert_eq!((&seen.uid, &seen.resource_version), (&meta.uid, &meta.resource_version)),
    }
}

impl Shelf {
    pub(super) fn world(&self, views: Views) -> World {
        let ours = |meta: &ObjectMeta| meta.labels.iter().flatten().any(|(_, value)| value == MANAGED);
        let named = |meta: &ObjectMeta| meta.name.clone().unwrap();
        World {
            source: Source::Reachable,
            reached: BTreeSet::new(),
            views,
            settled: true,
            services: self
                .services
                .values()
                .filter(|one| ours(&one.metadata))
                .map(|one| (named(&one.metadata), seen_service(one)))
                .collect(),
            config_maps: self
                .maps
                .values()
                .filter(|one| ours(&one.metadata))
                .map(|one| (named(&one.metadata), seen_config_map(one)))
                .collect(),
            leases: self
                .leases
                .values()
                .filter(|one| ours(&one.metadata))
                .map(|one| (named(&one.metadata), seen_lease(one)))
                .collect(),
            slices: self
                .slices
                .values()
                .filter(|one| ours(&one.metadata))
                .filter_map(seen_slice)
                .map(Into::into)
                .collect(),
            foreign: self.foreign.clone(),
            pods: BTreeMap::new(),
            projected: self.services.keys().map(|name| ("shop".to_owned(), name.clone())).collect(),
            hosts: BTreeMap::new(),
            ensemble: "e1".to_owned(),
            term: 3,
        }
    }

    pub(super) fn write(&mut self, write: &Write) {
        self.writes += 1;
        let (uid, version) = (format!("uid-{}", self.writes), format!("{}", 100 + self.writes));
        fn put<T: Clone>(
            all: &mut BTreeMap<String, T>,
            object: &T,
            meta: fn(&mut T) -> &mut ObjectMeta,
            (uid, version): (String, String),
        ) {
            let mut object = object.clone();
            let name = meta(&mut object).name.clone().unwrap();
            let seen = all.get(&name).cloned().map(|mut seen| meta(&mut seen).clone());
            fence(seen.as_ref(), meta(&mut object));
            let meta = meta(&mut object);
            meta.uid = Some(seen.and_then(|seen| seen.uid).unwrap_or(uid));
            meta.resource_version = Some(version);
            all.insert(name, object);
        }
        let new = (uid, version);
        match write {
            Write::Service(object) => put(&mut self.services, object.as_ref(), |object| &mut object.metadata, new),
            Write::Slice(object) => put(&mut self.slices, object.as_ref(), |object| &mut object.metadata, new),
            Write::ConfigMap(object) => put(&mut self.maps, object.as_ref(), |object| &mut object.metadata, new),
            Write::Lease(object) => put(&mut self.leases, object.as_ref(), |object| &mut object.metadata, new),
            Write::Delete { kind: Kind::Service, name, uid, .. } => {
                let gone = self.services.remove(name).unwrap();
                assert_eq!(gone.metadata.uid.as_ref(), Some(uid));
                let owned =
                    |slice: &EndpointSlice| slice.metadata.owner_references.iter().flatten().any(|one| one.uid == *uid);
                self.slices.retain(|_, slice| !owned(slice));
            }
            Write::Delete { kind: Kind::Slice, name, uid, .. } => {
                let gone = self.slices.remove(name).unwrap();
                assert_eq!(gone.metadata.uid.as_ref(), Some(uid));
            }
            Write::Delete { kind, .. } => panic!("no {kind} is ever deleted"),
        }
    }

    pub(super) fn plan(&mut self, projection: &ServiceProjection, world: &World, seconds: i64) -> Plan {
        let allowed = projection.spec.guards.allowed_cidrs.iter().map(|text| text.parse().unwrap()).collect();
        let addresses = Addresses { allowed, ..Addresses::default() };
        let plan = plan(projection, world, &addresses, &self.memory, Moment(seconds * 1000));
        self.memory = plan.memory.clone();
        plan
    }

    /// Plans and writes until there is nothing to be written; the last plan, and how many writes there were.
    pub(super) fn settle(&mut self, projection: &ServiceProjection, views: &Views, seconds: i64) -> (Plan, usize) {
        let mut writes = 0;
        for _ in 0..6 {
            let plan = self.plan(projection, &self.world(views.clone()), seconds);
            if plan.writes.is_empty() {
                return (plan, writes);
            }
            writes += plan.writes.len();
            plan.writes.iter().for_each(|write| self.write(write));
        }
        panic!("it does not come to rest");
    }

    /// Address:port of each endpoint, and whether it is ready, of all slices of a Service.
    pub(super) fn endpoints(&self, service: &str) -> BTreeMap<String, bool> {
        let of = |slice: &&EndpointSlice| {
            slice.metadata.labels.iter().flatten().any(|(key, value)| key == mark::SLICE_SERVICE && value == service)
        };
        let mut found = BTreeMap::new();
        for slice in self.slices.values().filter(of) {
            let ports: Vec<String> = slice.ports.iter().flatten().map(|port| port.port.unwrap().to_string()).collect();
            for endpoint in &slice.endpoints {
                let ready = endpoint.conditions.as_ref().unwrap().ready.unwrap();
                found.insert(format!("{}:{}", endpoint.addresses[0], ports.join("+")), ready);
            }
        }
        found
    }
}
