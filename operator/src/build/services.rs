//! How members are found: by each other under names of their own, by clients under one name.
//!
//! ```text
//!   orders-peers (headless) ─► orders-0.orders-peers … every pod, ready or not      orders ─► the pods that are ready
//!   orders-connection (ConfigMap) ─► what a client's pod is told: connection string, HTTP base
//! ```
//!
//! Rule: the peers' Service names pods that are not ready. Reason: members become ready only by talking to each other.

use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::{Owner, Words};
use crate::crd;
use crate::names::{ADMIN_PORT, CLIENT_PORT, HTTP_PORT, PEER_PORT, connection, port};

/// For meshes, which otherwise guess: a server that speaks first, as the peer port does, would hang.
const TCP: &str = "tcp";
const HTTP: &str = "http";

fn service_port(name: &str, number: u16, protocol: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number.into(),
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        app_protocol: Some(protocol.to_owned()),
        ..ServicePort::default()
    }
}

pub(super) fn peer_service(owner: &Owner) -> Service {
    let ports = vec![
        service_port(port::CLIENT, CLIENT_PORT, TCP),
        service_port(port::PEER, PEER_PORT, TCP),
        service_port(port::HTTP, HTTP_PORT, HTTP),
        service_port(port::ADMIN, ADMIN_PORT, HTTP),
    ];
    Service {
        metadata: owner.meta(owner.name.peer_service(), &Words::new()),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(owner.selector()),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

pub(super) fn client_service(owner: &Owner, wanted: &crd::Service) -> Service {
    let mut metadata = owner.meta(owner.name.client_service(), &wanted.labels);
    metadata.annotations = (!wanted.annotations.is_empty()).then(|| wanted.annotations.clone());
    let type_ = match wanted.type_ {
        crd::ServiceType::ClusterIP => "ClusterIP",
        crd::ServiceType::NodePort => "NodePort",
        crd::ServiceType::LoadBalancer => "LoadBalancer",
    };
    let ports = vec![service_port(port::CLIENT, CLIENT_PORT, TCP), service_port(port::HTTP, HTTP_PORT, HTTP)];
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(type_.to_owned()),
            selector: Some(owner.selector()),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// What clients need to know, for `configMapKeyRef` and `envFrom`; no member mounts it.
pub(super) fn connection_map(owner: &Owner) -> ConfigMap {
    let host = format!("{}.{}.svc", owner.name.client_service(), owner.name.namespace);
    let told = [
        (connection::CLIENT, format!("{host}:{CLIENT_PORT}")),
        (connection::HTTP, format!("http://{host}:{HTTP_PORT}")),
        (connection::NAMESPACE, owner.name.namespace.clone()),
    ];
    ConfigMap {
        metadata: owner.meta(owner.name.connection_map(), &Words::new()),
        data: Some(told.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ..ConfigMap::default()
    }
}
