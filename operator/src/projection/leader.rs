//! Who leads an election, as an instance of a Service of one, and as a Lease.
//!
//! ```text
//!   leader's id:  10.1.2.3:8080 · [fd00::1]:8080 · http://host:8080/… · host:8080 · the name of a pod here ─► endpoint
//! ```
//!
//! Rule: the Lease is written when the leader changes and never renewed, and it has no duration. Reason: it tells who
//! leads, and grants nothing; the election is in ZooKeeper.

use std::collections::BTreeMap;

use coordd_api::discovery::{Candidate, Instance, InstanceState, LeaderView};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;

use super::address::address;
use super::mark::{self, ENSEMBLE, FENCING_TOKEN, SOURCE, ZXID};
use super::service::{annotation, change, owned};
use super::world::{Present, World};
use crate::crd::ServiceProjection;
use crate::world::Moment;

/// What of a Lease is compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaseShape {
    labels: BTreeMap<String, String>,
    pub source: String,
    /// Of which change it is, as the ensemble's id and its zxid.
    pub change: Option<(String, i64)>,
    token: String,
    holder: Option<String>,
    transitions: i32,
}

impl LeaseShape {
    pub(super) fn covers(&self, wanted: &LeaseShape) -> bool {
        wanted.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
            && (&self.source, &self.token, &self.holder) == (&wanted.source, &wanted.token, &wanted.holder)
    }
}

/// What is compared of a Lease that is there.
pub fn seen(lease: &Lease) -> Present<LeaseShape> {
    let spec = lease.spec.clone().unwrap_or_default();
    Present {
        owned: owned(&lease.metadata),
        shape: LeaseShape {
            labels: lease.metadata.labels.clone().unwrap_or_default(),
            source: annotation(&lease.metadata, SOURCE),
            change: change(&lease.metadata),
            token: annotation(&lease.metadata, FENCING_TOKEN),
            holder: spec.holder_identity,
            transitions: spec.lease_transitions.unwrap_or(0),
        },
    }
}

/// The one that leads as an instance; `None` when nobody does.
///
/// # Errors
/// Why it is not known where it can be called.
pub(super) fn instance(view: &LeaderView, world: &World) -> Result<Option<Instance>, (String, String)> {
    let Some(leader) = &view.leader else { return Ok(None) };
    let znode = format!("{}/{}", view.path.trim_end_matches('/'), leader.znode.rsplit('/').next().unwrap_or_default());
    let id = leader.id.as_deref().map(str::trim).unwrap_or_default();
    let Some((host, port)) = place(id, world) else {
        let calls = if id.is_empty() { "does not say where it is".to_owned() } else { format!("calls itself {id:?}") };
        return Err((znode, format!("the leader {calls}: candidates must name host:port, a URL or their pod")));
    };
    Ok(Some(Instance {
        id: id.to_owned(),
        address: host,
        ports: port.into_iter().map(|port| ("default".to_owned(), port)).collect(),
        state: InstanceState::Up,
        zone: None,
        weight: None,
        metadata: BTreeMap::new(),
        znode,
        since: leader.since.unwrap_or(0),
    }))
}

/// Host and port that an id tells.
fn place(id: &str, world: &World) -> Option<(String, Option<u16>)> {
    if let Some(ip) = address(id.trim_start_matches('[').trim_end_matches(']')) {
        return Some((ip.to_string(), None));
    }
    let authority = id.split_once("://").map_or(id, |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    if let Some((host, port)) = authority.rsplit_once(':')
        && let Ok(port) = port.parse::<u16>()
        && port > 0
    {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        return host_of(host, world).map(|host| (host, Some(port)));
    }
    host_of(authority, world).map(|host| (host, None))
}

fn host_of(host: &str, world: &World) -> Option<String> {
    if let Some(ip) = address(host) {
        return Some(ip.to_string());
    }
    if let Some((ip, _)) = world.pods.iter().find(|(_, pod)| pod.name == host) {
        return Some(ip.to_string());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    // One word alone may be anything; a host name that others resolve has a domain.
    (host.contains('.') && host.len() <= 253 && host.chars().all(plain)).then(|| host.to_owned())
}

fn holder(candidate: &Candidate) -> String {
    let id = candidate.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    id.or_else(|| candidate.znode.rsplit('/').next()).unwrap_or_default().chars().take(250).collect()
}

/// The Lease as it is to be; `None` when it is so already.
pub(super) fn lease(
    projection: &ServiceProjection,
    name: &str,
    source: &str,
    (ensemble, zxid): (&str, i64),
    view: Option<&LeaderView>,
    present: Option<&Present<LeaseShape>>,
    now: Moment,
) -> Option<Lease> {
    let leader = view.and_then(|view| view.leader.as_ref());
    let holder = leader.map(holder);
    let token = view.and_then(|view| view.fencing_token).map(|token| token.to_string()).unwrap_or_default();
    let metadata = mark::meta(projection, name, present.map(|present| &present.owned));
    let before = present.map(|present| &present.shape);
    if let Some(before) = before {
        let ours = metadata.labels.iter().flatten().all(|(key, value)| before.labels.get(key) == Some(value));
        // Of one ensemble a token only grows: whoever tells a smaller one is behind.
        let is_behind = || {
            let same = before.source == source && before.change.as_ref().is_some_and(|(of, _)| of == ensemble);
            let number = |token: &str| token.parse::<i64>().ok();
            same && number(&token).zip(number(&before.token)).is_some_and(|(new, old)| new < old)
        };
        if is_behind() {
            return None;
        }
        if ours && (&before.source, &before.token, &before.holder) == (&source.to_owned(), &token, &holder) {
            return None;
        }
    }
    let changes = before.is_some_and(|before| before.holder != holder);
    let transitions = before.map_or(0, |before| before.transitions.saturating_add(i32::from(changes)));
    let time = Timestamp::from_millisecond(now.0).ok().map(MicroTime);
    let change = [(ENSEMBLE, ensemble.to_owned()), (ZXID, zxid.to_string())];
    let annotations = [(SOURCE, source.to_owned()), (FENCING_TOKEN, token)].into_iter().chain(change);
    let metadata =
        ObjectMeta { annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).collect()), ..metadata };
    let spec = LeaseSpec {
        holder_identity: holder,
        acquire_time: time.clone(),
        renew_time: time,
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    };
    Some(Lease { metadata, spec: Some(spec) })
}
