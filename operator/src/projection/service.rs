//! The Service and its EndpointSlices as Kubernetes writes them, there and back.
//!
//! Rule: what is written and read again is the same, or it would be written for ever. A Service has no selector, and
//! one that somebody gave it is taken away: Kubernetes would add endpoints of its own. Its targetPort says nothing, the
//! slices do, by the port's name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ObjectReference, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{
    self as discovery, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForNode, ForZone,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::endpoint::{Endpoint, Family, Group, Hints, Ports};
use super::mark::{
    self, APPLIED, ENSEMBLE, HEADLESS, SLICE_MANAGED_BY, SLICE_SERVICE, SLICES_MANAGED, SOURCE, TERM, ZXID,
};
use super::slices::{Put, Slice};
use super::world::{Owned, Present};
use crate::crd::ServiceProjection;
use crate::crd::projection::{Port, TrafficDistribution};

const TCP: &str = "TCP";
const NO_ADDRESS: &str = "None";

/// What of a Service is compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    labels: BTreeMap<String, String>,
    pub source: String,
    applied: String,
    /// Name, number, and what is spoken there.
    pub(super) ports: BTreeSet<(String, i32, Option<String>)>,
    headless: bool,
    plain: bool,
    traffic: Option<String>,
    pub addresses: Vec<IpAddr>,
}

impl Shape {
    /// Whether its ports have the names of those of `wanted`: by them slices are joined to it.
    pub(super) fn calls_ports_as(&self, wanted: &Shape) -> bool {
        let names = |shape: &Shape| shape.ports.iter().map(|(name, ..)| name.clone()).collect::<BTreeSet<_>>();
        names(self) == names(wanted)
    }

    pub(super) fn is_headless(&self) -> bool {
        self.headless
    }

    /// Whether nothing is missing of what is wanted, nor anything there that must not be.
    pub(super) fn covers(&self, wanted: &Shape) -> bool {
        wanted.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
            && (&self.source, &self.applied, &self.traffic) == (&wanted.source, &wanted.applied, &wanted.traffic)
            && wanted.ports.is_subset(&self.ports)
            && (self.headless, self.plain) == (wanted.headless, wanted.plain)
    }
}

pub(crate) fn owned(meta: &ObjectMeta) -> Owned {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    Owned {
        name: text(&meta.name),
        uid: text(&meta.uid),
        resource_version: text(&meta.resource_version),
        owner: controller.map(|owner| owner.uid.clone()),
        deleting: meta.deletion_timestamp.is_some(),
    }
}

pub(crate) fn annotation(meta: &ObjectMeta, key: &str) -> String {
    meta.annotations.as_ref().and_then(|all| all.get(key)).cloned().unwrap_or_default()
}

/// Of which change an object is, as the ensemble's id and its zxid.
pub(crate) fn change(meta: &ObjectMeta) -> Option<(String, i64)> {
    let zxid = annotation(meta, ZXID).parse().ok()?;
    Some((annotation(meta, ENSEMBLE), zxid))
}

/// What is compared of a Service that is there.
pub fn seen(service: &Service) -> Present<Shape> {
    let spec = service.spec.clone().unwrap_or_default();
    let headless = spec.cluster_ip.as_deref() == Some(NO_ADDRESS);
    let port = |port: &ServicePort| (port.name.clone().unwrap_or_default(), port.port, port.app_protocol.clone());
    let plain = spec.type_.as_deref().is_none_or(|kind| kind == "ClusterIP")
        && spec.selector.as_ref().is_none_or(BTreeMap::is_empty)
        && spec.publish_not_ready_addresses != Some(true);
    Present {
        owned: owned(&service.metadata),
        shape: Shape {
            labels: service.metadata.labels.clone().unwrap_or_default(),
            source: annotation(&service.metadata, SOURCE),
            applied: annotation(&service.metadata, APPLIED),
            ports: spec.ports.iter().flatten().map(port).collect(),
            headless,
            plain,
            traffic: spec.traffic_distribution,
            addresses: spec.cluster_ips.iter().flatten().filter_map(|text| text.parse().ok()).collect(),
        },
    }
}

/// A Service that is wanted.
pub(super) struct Wanted<'a> {
    pub projection: &'a ServiceProjection,
    pub name: &'a str,
    pub source: &'a str,
    pub ports: &'a [Port],
    pub headless: bool,
    pub traffic: Option<TrafficDistribution>,
}

impl Wanted<'_> {
    pub(super) fn service(&self, seen: Option<&Owned>) -> Service {
        let spec = ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: self.headless.then(|| NO_ADDRESS.to_owned()),
            ip_family_policy: Some("PreferDualStack".to_owned()),
            // Said, and not left out: nobody else may set it.
            selector: Some(BTreeMap::new()),
            publish_not_ready_addresses: Some(false),
            ports: Some(self.ports.iter().map(service_port).collect()),
            traffic_distribution: self.traffic.map(|traffic| word(traffic).to_owned()),
            ..ServiceSpec::default()
        };
        let applied = mark::applied(&spec);
        let annotations = [(SOURCE, self.source.to_owned()), (APPLIED, applied)];
        let metadata = ObjectMeta {
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            ..mark::meta(self.projection, self.name, seen)
        };
        Service { metadata, spec: Some(spec), ..Service::default() }
    }

    /// A slice of the Service `service`, of the change `zxid` of an ensemble, in this term of the operator's Lease.
    pub(super) fn slice(&self, put: &Put, service: &Owned, (ensemble, zxid): (&str, i64), term: i32) -> EndpointSlice {
        let mut labels = mark::labels(self.projection.metadata.name.as_deref().unwrap_or_default());
        labels.insert(SLICE_SERVICE.to_owned(), self.name.to_owned());
        labels.insert(SLICE_MANAGED_BY.to_owned(), SLICES_MANAGED.to_owned());
        if self.headless {
            labels.insert(HEADLESS.to_owned(), String::new());
        }
        let annotations = [
            (SOURCE, self.source.to_owned()),
            (ENSEMBLE, ensemble.to_owned()),
            (ZXID, zxid.to_string()),
            (TERM, term.to_string()),
        ];
        let owner = OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            name: service.name.clone(),
            uid: service.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        };
        let metadata = ObjectMeta {
            name: Some(put.name.clone()),
            namespace: self.projection.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        };
        EndpointSlice {
            metadata: mark::fenced(metadata, put.seen.as_ref()),
            address_type: put.group.family.word().to_owned(),
            ports: Some(put.group.ports.iter().map(endpoint_port).collect()),
            endpoints: put
                .endpoints
                .iter()
                .map(|(ip, endpoint)| written(*ip, endpoint, &self.projection.metadata))
                .collect(),
        }
    }
}

fn word(traffic: TrafficDistribution) -> &'static str {
    match traffic {
        TrafficDistribution::PreferSameZone => "PreferSameZone",
        TrafficDistribution::PreferClose => "PreferClose",
        TrafficDistribution::PreferSameNode => "PreferSameNode",
    }
}

fn service_port(port: &Port) -> ServicePort {
    ServicePort {
        name: port.name.clone(),
        port: port.port,
        protocol: Some(TCP.to_owned()),
        app_protocol: port.app_protocol.clone(),
        ..ServicePort::default()
    }
}

fn endpoint_port((name, (number, spoken)): (&String, &(u16, Option<String>))) -> EndpointPort {
    EndpointPort {
        name: Some(name.clone()),
        port: Some(i32::from(*number)),
        protocol: Some(TCP.to_owned()),
        app_protocol: spoken.clone(),
    }
}

fn written(ip: IpAddr, endpoint: &Endpoint, place: &ObjectMeta) -> discovery::Endpoint {
    let zone = || Some(vec![ForZone { name: endpoint.zone.clone()? }]);
    let node = || Some(vec![ForNode { name: endpoint.node.clone()? }]);
    let hints = match endpoint.hints {
        Hints::None => None,
        Hints::Zone => Some(EndpointHints { for_zones: zone(), for_nodes: None }),
        Hints::ZoneAndNode => Some(EndpointHints { for_zones: zone(), for_nodes: node() }),
    };
    let pod = endpoint.pod.as_ref().map(|(name, uid)| ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: place.namespace.clone(),
        name: Some(name.clone()),
        uid: Some(uid.clone()),
        ..ObjectReference::default()
    });
    discovery::Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(endpoint.ready),
            serving: Some(endpoint.serving),
            terminating: Some(endpoint.terminating),
        }),
        zone: endpoint.zone.clone(),
        node_name: endpoint.node.clone(),
        target_ref: pod,
        hints,
        ..discovery::Endpoint::default()
    }
}

/// A slice that is there; `None` for one of a kind that no projection makes.
pub fn seen_slice(slice: &EndpointSlice) -> Option<Slice> {
    let label = |key: &str| slice.metadata.labels.as_ref()?.get(key).cloned();
    let family = [Family::V4, Family::V6].into_iter().find(|family| family.word() == slice.address_type)?;
    let mut intact = label(SLICE_MANAGED_BY).as_deref() == Some(SLICES_MANAGED);
    let mut ports = Ports::new();
    for port in slice.ports.iter().flatten() {
        let number = port.port.and_then(|number| u16::try_from(number).ok()).unwrap_or(0);
        intact &= port.protocol.as_deref() == Some(TCP);
        ports.insert(port.name.clone().unwrap_or_default(), (number, port.app_protocol.clone()));
    }
    let mut endpoints = BTreeMap::new();
    for endpoint in &slice.endpoints {
        let ip = endpoint.addresses.first().and_then(|text| text.parse().ok());
        let Some(ip) = ip.filter(|ip| Family::of(*ip) == family && endpoint.addresses.len() == 1) else {
            intact = false;
            continue;
        };
        let read = read(endpoint);
        intact &= written(ip, &read, &slice.metadata) == *endpoint;
        intact &= endpoints.insert(ip, read).is_none();
    }
    Some(Slice {
        owned: owned(&slice.metadata),
        service: label(SLICE_SERVICE).unwrap_or_default(),
        group: Group { family, ports },
        endpoints,
        source: annotation(&slice.metadata, SOURCE),
        change: change(&slice.metadata),
        intact,
    })
}

fn read(endpoint: &discovery::Endpoint) -> Endpoint {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    let hints = match &endpoint.hints {
        Some(hints) if hints.for_nodes.is_some() => Hints::ZoneAndNode,
        Some(hints) if hints.for_zones.is_some() => Hints::Zone,
        Some(_) | None => Hints::None,
    };
    let pod = endpoint.target_ref.as_ref();
    Endpoint {
        ready: conditions.ready.unwrap_or(true),
        serving: conditions.serving.unwrap_or(true),
        terminating: conditions.terminating.unwrap_or(false),
        zone: endpoint.zone.clone(),
        node: endpoint.node_name.clone(),
        pod: pod.and_then(|pod| Some((pod.name.clone()?, pod.uid.clone()?))),
        hints,
    }
}
