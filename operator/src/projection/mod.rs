//! From what the discovery API says to Services, EndpointSlices, ConfigMaps and Leases. Pure.
//!
//! ```text
//!   spec, World (views, objects, pods, hosts), Memory ─► plan ─► Plan { writes, counts, holds, memory, wake }
//!
//!   views ─► endpoint: address, ports, state ─► guard: what may go ─► slices: fewest writes ─┐
//!        └─► name: which Service                                      service ───────────────┼─► writes in order
//!        └─► config_map · leader                                                             ┘
//! ```
//!
//! Rule: nothing is planned before the first whole answer, nothing is taken away while the source is lost, and nothing
//! that is not this projection's is ever in a plan. Reason: who calls a Service does not know that ZooKeeper exists;
//! a registry that is away, empty by a fault or full of nonsense must not take the callers down.

mod address;
mod config_map;
mod endpoint;
mod forbidden;
mod guard;
mod host;
mod job;
mod keep;
mod leader;
mod maps;
pub mod mark;
mod name;
mod plan;
mod service;
mod slices;
mod status;
mod strays;
mod work;
mod world;

pub use address::{Addresses, Cidr};
pub use config_map::{MapShape, seen as seen_config_map};
pub use endpoint::{Endpoint, Family, Group, Hints, Ports};
pub use guard::{Held, Hold, HoldKind, Peaks, Policy};
pub use leader::{LeaseShape, seen as seen_lease};
pub use mark::Kind;
pub use plan::{Memory, Plan, plan};
pub use service::{Shape, seen as seen_service, seen_slice};
pub use slices::{PER_SLICE, Slice};
pub use status::{Refused, Scene, blind, events, status};
pub use world::{Host, Owned, Pod, Present, Source, View, Views, World};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// One write; what it changes carries the uid and the resource version that the plan was made on, and what it makes
/// carries one that no object has, so that nothing is taken over.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Service(Box<Service>),
    Slice(Box<EndpointSlice>),
    ConfigMap(Box<ConfigMap>),
    Lease(Box<Lease>),
    /// A Service, or a slice of the Service `group`.
    Delete {
        kind: Kind,
        group: String,
        name: String,
        uid: String,
        resource_version: String,
    },
}

impl Write {
    /// What it is a part of, as `Kind/name`: a Service with its slices, a ConfigMap, a Lease. When one write of a group
    /// cannot be made, those after it are not tried, and those of other groups are.
    pub fn group(&self) -> String {
        let of = |kind, name: Option<&String>| format!("{kind}/{}", name.map(String::as_str).unwrap_or_default());
        match self {
            Write::Service(object) => of(Kind::Service, object.metadata.name.as_ref()),
            Write::Slice(object) => {
                let labels = object.metadata.labels.as_ref();
                of(Kind::Service, labels.and_then(|labels| labels.get(mark::SLICE_SERVICE)))
            }
            Write::ConfigMap(object) => of(Kind::ConfigMap, object.metadata.name.as_ref()),
            Write::Lease(object) => of(Kind::Lease, object.metadata.name.as_ref()),
            Write::Delete { group, .. } => of(Kind::Service, Some(group)),
        }
    }
}

/// Whether what was written of a Service is what was to be: an API server that is older than a field leaves it out, and
/// a webhook may change what it likes. What is not kept would be written for ever.
pub fn keeps_service(wanted: &Service, written: &Service) -> bool {
    seen_service(written).shape.covers(&seen_service(wanted).shape)
}

/// The same of a slice.
pub fn keeps_slice(wanted: &EndpointSlice, written: &EndpointSlice) -> bool {
    let same = |(wanted, written): (Slice, Slice)| {
        written.intact
            && (wanted.group, wanted.endpoints) == (written.group, written.endpoints)
            && (wanted.source, wanted.service) == (written.source, written.service)
    };
    seen_slice(wanted).zip(seen_slice(written)).is_some_and(same)
}

/// The same of a ConfigMap.
pub fn keeps_config_map(wanted: &ConfigMap, written: &ConfigMap) -> bool {
    seen_config_map(written).shape.covers(&seen_config_map(wanted).shape)
}

/// The same of a Lease.
pub fn keeps_lease(wanted: &Lease, written: &Lease) -> bool {
    seen_lease(written).shape.covers(&seen_lease(wanted).shape)
}

#[cfg(test)]
mod tests;
