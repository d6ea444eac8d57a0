//! One Service: itself first, then its slices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Write;
use super::endpoint::{Endpoint, Endpoints, Group, Reading};
use super::guard::{Change, judge};
use super::job::{Child, Known};
use super::mark::Kind;
use super::plan::{Ground, Plan};
use super::service::{self, Wanted};
use super::slices::{Slice, pack};
use super::world::Owned;

/// How far a child's Service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there with all that is known of its child.
    Complete,
    /// Something is to be written, or waited for, or stands in its way.
    Pending,
    /// The child may not be asked for: it is as it was.
    Refused,
}

pub(super) fn service(ground: &Ground<'_>, child: &Child<'_>, plan: &mut Plan, deletes: &mut Vec<Write>) -> Standing {
    let present = ground.world.services.get(&child.name);
    let owned = present.map(|present| &present.owned);
    if ground.is_foreign(Kind::Service, &child.name, owned) {
        plan.conflicts.push(format!("{}/{}", Kind::Service, child.name));
        return Standing::Pending;
    }
    let Some(known) = &child.known else {
        return if child.refused { Standing::Refused } else { Standing::Pending };
    };
    if owned.is_some_and(|owned| owned.deleting) {
        plan.waiting.push(format!("the end of the Service {}, which is being deleted", child.name));
        return Standing::Pending;
    }
    let before = (plan.writes.len(), deletes.len(), plan.waiting.len());
    let source = ground.source(&child.path);
    let Child { name, ports, headless, traffic, .. } = child;
    let wanted =
        Wanted { projection: ground.projection, name, source: &source, ports, headless: *headless, traffic: *traffic };
    let object = wanted.service(owned);
    let shape = service::seen(&object).shape;
    if present.is_none_or(|present| !present.shape.covers(&shape)) {
        plan.writes.push(Write::Service(Box::new(object)));
    }
    // Slices are owned by the Service: they are written when it is there.
    if let Some(owned) = owned {
        slices(ground, child, known, &wanted, owned, plan, deletes);
    } else {
        note(&reading(ground, child).read(&known.instances), &known.instances, &child.path, plan);
    }
    let after = (plan.writes.len(), deletes.len(), plan.waiting.len());
    if after == before { Standing::Complete } else { Standing::Pending }
}

fn reading<'a>(ground: &'a Ground<'_>, child: &'a Child<'_>) -> Reading<'a> {
    Reading { ports: child.ports, addresses: ground.addresses, world: ground.world, traffic: child.traffic }
}

/// What is told of what was read.
fn note(read: &super::endpoint::Read, instances: &[coordd_api::discovery::Instance], path: &str, plan: &mut Plan) {
    plan.rejected.extend(read.rejected.iter().cloned());
    let names = instances.iter().map(|instance| &instance.address);
    plan.hosts.extend(names.filter(|text| super::address::address(text).is_none()).cloned());
    if read.waiting > 0 {
        plan.waiting.push(format!("addresses of host names below {path}"));
    }
}

fn slices(
    ground: &Ground<'_>,
    child: &Child<'_>,
    known: &Known,
    wanted: &Wanted<'_>,
    owned: &Owned,
    plan: &mut Plan,
    deletes: &mut Vec<Write>,
) {
    let mut read = reading(ground, child).read(&known.instances);
    note(&read, &known.instances, &child.path, plan);
    let mine: Vec<Slice> = {
        let mine = ground.world.slices.iter().filter(|slice| slice.owned.owner.as_deref() == Some(owned.uid.as_str()));
        let mine = mine.filter(|slice| !slice.owned.deleting);
        mine.map(|slice| Slice { intact: slice.intact && slice.source == wanted.source, ..slice.clone() }).collect()
    };
    let there = mine.iter().filter(|slice| slice.source == wanted.source);
    let kept = keepable(ground, child, there, &read.endpoints);
    let reachable = ground.world.source.is_reachable() && read.waiting == 0;
    keep(ground, child, reachable, kept, &mut read.endpoints, plan);
    let taken: BTreeSet<&str> = ground.world.slices.iter().map(|slice| slice.owned.name.as_str()).collect();
    let foreign = ground.world.foreign.iter().filter(|(kind, _)| *kind == Kind::Slice).map(|(_, name)| name.as_str());
    let taken: BTreeSet<&str> = taken.into_iter().chain(foreign).collect();
    let packed = pack(wanted.name, &mine.iter().collect::<Vec<_>>(), &read.endpoints, &taken);
    for put in &packed.puts {
        let slice = wanted.slice(put, owned, known.zxid, ground.world.term);
        plan.writes.push(Write::Slice(Box::new(slice)));
    }
    deletes.extend(packed.deletes.into_iter().map(|slice| delete(Kind::Slice, wanted.name, slice)));
}

/// The endpoints that are there and not wanted any more, as far as they may be there at all; and how many there are.
struct Keepable {
    lost: Endpoints,
    present: usize,
}

fn keepable<'a>(
    ground: &Ground<'_>,
    child: &Child<'_>,
    there: impl Iterator<Item = &'a Slice>,
    wanted: &Endpoints,
) -> Keepable {
    let named = |group: &Group| {
        let is = |name: &String| child.ports.iter().any(|port| port.name.as_deref().unwrap_or_default() == name);
        group.ports.keys().all(is)
    };
    let everywhere: BTreeSet<&IpAddr> = wanted.values().flat_map(BTreeMap::keys).collect();
    let (mut lost, mut present) = (Endpoints::new(), BTreeSet::new());
    for slice in there.filter(|slice| named(&slice.group)) {
        for (ip, endpoint) in slice.endpoints.iter().filter(|(ip, _)| ground.addresses.check(**ip).is_ok()) {
            present.insert(*ip);
            if !everywhere.contains(ip) {
                let group: &mut BTreeMap<IpAddr, Endpoint> = lost.entry(slice.group.clone()).or_default();
                group.insert(*ip, endpoint.clone());
            }
        }
    }
    Keepable { lost, present: present.len() }
}

/// Adds to what is wanted what the guard holds.
fn keep(
    ground: &Ground<'_>,
    child: &Child<'_>,
    reachable: bool,
    kept: Keepable,
    wanted: &mut Endpoints,
    plan: &mut Plan,
) {
    let distinct = |all: &Endpoints| all.values().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>().len();
    let change = Change { present: kept.present, wanted: distinct(wanted), lost: distinct(&kept.lost) };
    let before = ground.memory.holds.get(&child.name).copied();
    // An election is followed at once, unless nobody knows how it stands.
    if !child.guarded && reachable {
        return;
    }
    let (hold, held) = judge(&ground.policy, change, reachable, before, ground.now);
    plan.memory.holds.extend(held.map(|held| (child.name.clone(), held)));
    let Some(hold) = hold else { return };
    plan.holds.insert(child.name.clone(), hold);
    for (group, endpoints) in kept.lost {
        wanted.entry(group).or_default().extend(endpoints);
    }
}

pub(super) fn delete(kind: Kind, service: &str, owned: Owned) -> Write {
    let Owned { name, uid, resource_version, .. } = owned;
    Write::Delete { kind, group: service.to_owned(), name, uid, resource_version }
}
