//! Registrations as applications write them, decoded: bytes in, an instance or the reason why not out (design D15).
//!
//! ```text
//!   Entry{name, data} ─► auto? ─► curator │ serverset │ dubbo │ nerve │ kafka │ hostport │ json ─► Verdict
//! ```
//!
//! Rule: pure, and strangers write the input: every znode gets a verdict of its own, whatever is in it or beside it. A
//! wrong registration is rejected as a whole, by a reason that names what is wrong with it. Reason: an instance with a
//! guessed port is called, and nobody knows why it fails.

mod address;
mod auto;
mod curator;
mod dubbo;
mod fields;
#[cfg(test)]
mod hostile_tests;
mod hostport;
mod json;
mod kafka;
mod nerve;
pub(crate) mod percent;
mod reason;
mod serverset;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use coordd_api::discovery::{Format, InstanceState};

pub(crate) use auto::detect;
pub(crate) use json::{Path, Paths};
pub(crate) use reason::Reason;

/// Longer data is no registration.
pub(crate) const DATA_MAX: usize = 64 * 1024;

/// The name of a port that has none, and of its TLS sibling.
const PORT: &str = "default";
const SECURE_PORT: &str = "secure";

/// Where registrars that have no field for it put the zone.
const ZONE_KEYS: [&str; 5] = ["zone", "availability-zone", "availability_zone", "az", "topology.kubernetes.io/zone"];

/// A znode among registrations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub name: &'a str,
    pub data: &'a [u8],
}

/// What a registration says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registration {
    pub id: String,
    pub address: String,
    pub ports: BTreeMap<String, u16>,
    pub state: InstanceState,
    pub zone: Option<String>,
    pub weight: Option<f64>,
    pub metadata: BTreeMap<String, String>,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Instance(Registration),
    /// It belongs here and is no registration: weights, another category.
    Aside,
    Rejected(Reason),
}

type Decoded = Result<Registration, Reason>;

impl Registration {
    /// An instance that is up, with nothing but an address.
    fn at(id: &str, address: String) -> Registration {
        Registration {
            id: id.to_owned(),
            address,
            ports: BTreeMap::new(),
            state: InstanceState::Up,
            zone: None,
            weight: None,
            metadata: BTreeMap::new(),
        }
    }

    /// A named endpoint: a port of this instance, or one elsewhere.
    fn add_endpoint(&mut self, name: &str, address: &str, port: u16) {
        if address == self.address && !self.ports.contains_key(name) {
            self.ports.insert(name.to_owned(), port);
        } else {
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            self.metadata.insert(format!("endpoint.{name}"), format!("{host}:{port}"));
        }
    }

    fn take_zone_from_metadata(&mut self) {
        self.zone = ZONE_KEYS.iter().find_map(|key| self.metadata.get(*key)).filter(|zone| !zone.is_empty()).cloned();
    }

    /// A weight among the metadata counts where it is one.
    fn take_weight_from_metadata(&mut self) {
        let weight = self.metadata.get("weight").and_then(|weight| weight.parse().ok());
        self.weight = weight.filter(|weight: &f64| weight.is_finite() && *weight >= 0.0);
    }
}

impl From<Decoded> for Verdict {
    fn from(decoded: Decoded) -> Verdict {
        decoded.map_or_else(Verdict::Rejected, Verdict::Instance)
    }
}

/// A verdict for each of `entries`, in their order.
pub(crate) fn decode(format: Format, entries: &[Entry<'_>], paths: &Paths) -> Vec<Verdict> {
    let each = |decode: fn(Entry<'_>) -> Verdict| entries.iter().map(|entry| checked(*entry, decode)).collect();
    match format {
        Format::Curator => each(|entry| curator::decode(entry).into()),
        Format::ServerSet => serverset::decode_all(entries),
        Format::Dubbo => each(dubbo::decode),
        Format::Nerve => each(|entry| nerve::decode(entry).into()),
        Format::Kafka => each(|entry| kafka::decode(entry).into()),
        Format::HostPort => each(|entry| hostport::decode(entry).into()),
        Format::Json => {
            entries.iter().map(|entry| checked(*entry, |entry| json::decode(entry, paths).into())).collect()
        }
    }
}

fn checked(entry: Entry<'_>, decode: impl Fn(Entry<'_>) -> Verdict) -> Verdict {
    if entry.data.len() > DATA_MAX { Verdict::Rejected(Reason::TooLong) } else { decode(entry) }
}
