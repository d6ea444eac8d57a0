//! Endpoints that are there and not wanted any more, as far as they may stay.
//!
//! ```text
//!   slices ─► ports as they are called now, addresses that are allowed ─► which are lost? ─► guard ─► kept
//! ```
//!
//! Rule: an endpoint is an address with its ports. One that has the address of a lost one, and was not there before,
//! takes its place. Reason: many tasks of one host differ in their ports alone; and a process that is started again
//! with another port is not two.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::endpoint::{Endpoint, Endpoints, Group, Ports};
use super::guard::{Change, Sight, judge};
use super::job::Child;
use super::plan::{Ground, Plan};
use super::service::Shape;
use super::slices::Slice;
use crate::crd::projection::Port;

/// What is there and not wanted any more, how much of it has nothing in its place, and how much is there in all.
#[derive(Default)]
pub(super) struct Keepable {
    endpoints: Endpoints,
    lost: usize,
    present: usize,
}

pub(super) fn keepable<'a>(
    ground: &Ground<'_>,
    child: &Child<'_>,
    shape: &Shape,
    there: impl Iterator<Item = &'a Slice>,
    wanted: &Endpoints,
) -> Keepable {
    let mut present: BTreeMap<IpAddr, BTreeMap<Group, &Endpoint>> = BTreeMap::new();
    for slice in there {
        let Some(ports) = renamed(child, shape, &slice.group.ports) else { continue };
        for (ip, endpoint) in slice.endpoints.iter().filter(|(ip, _)| ground.addresses.check(**ip).is_ok()) {
            let group = Group { family: slice.group.family, ports: ports.clone() };
            present.entry(*ip).or_default().insert(group, endpoint);
        }
    }
    let mut kept = Keepable::default();
    for (ip, groups) in present {
        kept.present += groups.len();
        let is_wanted = |group: &Group| wanted.get(group).is_some_and(|there| there.contains_key(&ip));
        let new = wanted.iter().filter(|(group, there)| there.contains_key(&ip) && !groups.contains_key(group)).count();
        let gone: Vec<(&Group, &&Endpoint)> = groups.iter().filter(|(group, _)| !is_wanted(group)).collect();
        let lost = gone.len().saturating_sub(new);
        kept.lost += lost;
        for (group, endpoint) in gone.into_iter().filter(|_| lost > 0) {
            kept.endpoints.entry(group.clone()).or_default().insert(ip, (*endpoint).clone());
        }
    }
    kept
}

/// The ports of a slice by the names that they have now, without those that there are no more; `None` where none is
/// left.
fn renamed(child: &Child<'_>, shape: &Shape, ports: &Ports) -> Option<Ports> {
    let name = |port: &Port| port.name.clone().unwrap_or_default();
    let now = |old: &String| {
        let by_name = child.ports.iter().find(|port| name(port) == *old);
        let number = shape.ports.iter().find(|(name, ..)| name == old).map(|(_, number, _)| *number);
        let by_number = || child.ports.iter().find(|port| Some(port.port) == number);
        let only = || child.ports.first().filter(|_| child.ports.len() == 1 && ports.len() == 1);
        by_name.or_else(by_number).or_else(only)
    };
    let renamed = ports.iter().filter_map(|(old, (number, _))| {
        let port = now(old)?;
        Some((name(port), (*number, port.app_protocol.clone())))
    });
    Some(renamed.collect::<Ports>()).filter(|renamed| !renamed.is_empty())
}

/// Adds to what is wanted what the guard holds. `known`: the addresses of all that are registered are.
pub(super) fn keep(
    ground: &Ground<'_>,
    child: &Child<'_>,
    known: bool,
    kept: Keepable,
    wanted: &mut Endpoints,
    plan: &mut Plan,
) {
    let grace = ground.policy.grace;
    let before = ground.memory.peaks.get(&child.name).cloned().unwrap_or_default();
    let (peaks, most) = before.with(kept.present, ground.now, grace);
    plan.memory.peaks.insert(child.name.clone(), peaks);
    let change = Change { most, wanted: wanted.values().map(BTreeMap::len).sum(), lost: kept.lost };
    let before = ground.memory.holds.get(&child.name).copied();
    let reachable = ground.reaches(&child.path);
    // An election is followed at once, unless nobody knows how it stands: whoever led does not lead any more, wherever
    // the one that leads now can be called.
    if !child.guarded && reachable {
        return;
    }
    let sight = match (reachable, known) {
        (false, _) => Sight::Lost,
        (true, false) => Sight::Partly,
        (true, true) => Sight::Whole,
    };
    let (hold, held) = judge(&ground.policy, change, sight, before, ground.now);
    plan.memory.holds.extend(held.map(|held| (child.name.clone(), held)));
    let Some(hold) = hold else { return };
    plan.holds.insert(child.name.clone(), hold);
    for (group, endpoints) in kept.endpoints {
        let there = wanted.entry(group).or_default();
        for (ip, endpoint) in endpoints {
            there.entry(ip).or_insert(endpoint);
        }
    }
}
