//! From registered instances to endpoints.
//!
//! ```text
//!   instance ─► its addresses (canonical, allowed) × its ports by its target's ─► Group (family, ports) ─► Endpoint
//!           └─► rejected, with a reason
//! ```
//!
//! Rule: instances with the same address and ports are one endpoint, ready if one of them is. Reason: a process that
//! registers again after a pause is there twice until its old session ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use coordd_api::discovery::{Instance, InstanceState};

use super::Addresses;
use super::address::address;
use super::host::{self, Name};
use super::mark::REGISTERED_BY;
use super::world::{Host, Pod, World};
use crate::crd::projection::{Port, Rejection, TrafficDistribution};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Kubernetes' word.
    pub fn word(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}

/// Ports of an endpoint by name ("" for a single one without): number, and what is spoken there.
pub type Ports = BTreeMap<String, (u16, Option<String>)>;

/// What all endpoints of a slice have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    pub family: Family,
    pub ports: Ports,
}

/// For whom an endpoint is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hints {
    None,
    Zone,
    ZoneAndNode,
}

/// What is known of an endpoint beside its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub ready: bool,
    pub serving: bool,
    pub terminating: bool,
    pub zone: Option<String>,
    pub node: Option<String>,
    /// Name and uid of the pod that has this address.
    pub pod: Option<(String, String)>,
    pub hints: Hints,
}

impl Endpoint {
    fn worth(&self) -> (bool, bool, bool) {
        (self.ready, self.serving, !self.terminating)
    }
}

/// Endpoints by group and address.
pub(super) type Endpoints = BTreeMap<Group, BTreeMap<IpAddr, Endpoint>>;

/// How instances are to be read.
pub(super) struct Reading<'a> {
    pub ports: &'a [Port],
    pub addresses: &'a Addresses,
    pub world: &'a World,
    pub namespace: &'a str,
    /// Host names that are asked for.
    pub hosts: &'a BTreeSet<String>,
    pub traffic: Option<TrafficDistribution>,
}

/// What came of reading them.
#[derive(Default)]
pub(super) struct Read {
    pub endpoints: Endpoints,
    pub rejected: Vec<Rejection>,
    /// Host names whose addresses are not known yet.
    pub waiting: BTreeSet<String>,
}

impl Reading<'_> {
    pub(super) fn read<'b>(&self, instances: impl IntoIterator<Item = &'b Instance>) -> Read {
        let mut read = Read::default();
        for instance in instances {
            match self.one(instance, &mut read) {
                Ok(()) => {}
                Err(reason) => read.rejected.push(Rejection { znode: instance.znode.clone(), reason }),
            }
        }
        read
    }

    fn one(&self, instance: &Instance, read: &mut Read) -> Result<(), String> {
        if let Some(by) = instance.metadata.get(REGISTERED_BY) {
            return Err(format!("it was registered by {by} itself: projected, it would be its own source"));
        }
        let ports = self.ports_of(instance)?;
        let Some(addresses) = self.addresses_of(&instance.address)? else {
            read.waiting.insert(instance.address.clone());
            return Ok(());
        };
        let mut refused = None;
        for address in addresses {
            if let Err(why) = self.addresses.check(address) {
                refused.get_or_insert(why);
                continue;
            }
            let group = Group { family: Family::of(address), ports: ports.clone() };
            let endpoint = self.endpoint(instance, address);
            let there = read.endpoints.entry(group).or_default();
            if there.get(&address).is_none_or(|other| other.worth() < endpoint.worth()) {
                there.insert(address, endpoint);
            }
        }
        // Of a name with several addresses each is judged by itself.
        refused.map_or(Ok(()), Err)
    }

    /// `None` while a host name is being resolved.
    fn addresses_of(&self, text: &str) -> Result<Option<Vec<IpAddr>>, String> {
        if let Some(address) = address(text) {
            return Ok(Some(vec![address]));
        }
        let name = match host::read(text, self.namespace, self.world)? {
            Name::Pod(addresses) => return Ok(Some(addresses)),
            Name::Host(name) => name,
        };
        if !self.hosts.contains(&name) {
            return Err(format!("there are more than {} host names: register addresses", host::MOST));
        }
        match self.world.hosts.get(&name) {
            Some(Host::Found(addresses)) => Ok(Some(addresses.iter().map(IpAddr::to_canonical).collect())),
            Some(Host::Unknown(why)) => Err(format!("the host name {text} cannot be resolved: {why}")),
            Some(Host::Waiting) | None => Ok(None),
        }
    }

    fn ports_of(&self, instance: &Instance) -> Result<Ports, String> {
        let single = self.ports.len() == 1;
        let mut found = Ports::new();
        for port in self.ports {
            if let Some(number) = number(port, instance, single) {
                let name = port.name.clone().unwrap_or_default();
                found.insert(name, (number, port.app_protocol.clone()));
            }
        }
        if found.is_empty() {
            let has = instance.ports.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let has = if has.is_empty() { "no port".to_owned() } else { format!("only {has}") };
            let wanted = self.ports.iter().filter_map(|port| port.from.as_deref().or(port.name.as_deref()));
            let wanted = wanted.collect::<Vec<_>>().join(" or ");
            let wanted = if wanted.is_empty() { "one port".to_owned() } else { wanted };
            return Err(format!("it has {has}, and {wanted} is wanted: set ports[].from or ports[].targetPort"));
        }
        Ok(found)
    }

    fn endpoint(&self, instance: &Instance, address: IpAddr) -> Endpoint {
        let (ready, serving, terminating) = match instance.state {
            InstanceState::Up => (true, true, false),
            InstanceState::Stopping => (false, true, true),
            InstanceState::Starting | InstanceState::Down => (false, false, false),
        };
        let pod = self.world.pods.get(&address);
        let node = pod.and_then(|pod| pod.node.clone());
        let zone = instance.zone.clone().filter(|zone| fits(zone)).or_else(|| pod.and_then(|pod| pod.zone.clone()));
        let hints = match self.traffic {
            None => Hints::None,
            Some(_) if zone.is_none() => Hints::None,
            Some(TrafficDistribution::PreferSameNode) if node.is_some() => Hints::ZoneAndNode,
            Some(_) => Hints::Zone,
        };
        let pod = pod.map(|Pod { name, uid, .. }| (name.clone(), uid.clone()));
        Endpoint { ready, serving, terminating, zone, node, pod, hints }
    }
}

/// What Kubernetes takes as a zone.
fn fits(zone: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends =
        zone.starts_with(|c: char| c.is_ascii_alphanumeric()) && zone.ends_with(|c: char| c.is_ascii_alphanumeric());
    zone.len() <= 63 && ends && zone.chars().all(inner)
}

fn number(port: &Port, instance: &Instance, single: bool) -> Option<u16> {
    let named = |name: &str| instance.ports.get(name).copied();
    let given = || port.target_port.and_then(|number| u16::try_from(number).ok());
    if let Some(from) = &port.from {
        return named(from).or_else(given);
    }
    let by_name = port.name.as_deref().and_then(named);
    let only = || match instance.ports.len() {
        1 => instance.ports.values().next().copied(),
        _ => None,
    };
    let lone = || if single { named("default").or_else(only) } else { None };
    by_name.or_else(lone).or_else(given)
}
