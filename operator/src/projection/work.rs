//! One Service and its slices.
//!
//! ```text
//!   new:                    the Service ─► its slices
//!   its ports are renamed:  slices that add ─► the Service ─► slices that take away
//!   else:                   slices that add ─► slices that take away ─► the Service
//! ```
//!
//! Rule: after each write every endpoint that stays can be called through some port of the Service; and nothing waits
//! for the Service that does not need it. Reason: Kubernetes joins Service and slices by the ports' names, so where a
//! name is changed the new one needs its endpoints first; and a write that is refused ends those of its Service, which
//! must not keep the dead there as long as a policy stands against another field.

use std::collections::BTreeSet;

use super::endpoint::{Read, Reading};
use super::job::{Child, Known};
use super::mark::Kind;
use super::plan::{Ground, Plan};
use super::service::{self, Shape, Wanted};
use super::slices::{Packed, Put, Slice, pack};
use super::world::{Owned, Present};
use super::{Write, keep};

/// Of the host names that are waited for so many are told.
const NAMES_SHOWN: usize = 3;

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
    let changed = present.is_none_or(|present| !present.shape.covers(&shape));
    let own = changed.then(|| Write::Service(Box::new(object)));
    // Slices are owned by the Service: they are written when it is there.
    if let Some(present) = present {
        let packed = slices(ground, child, known, &wanted, present, plan);
        let (change, term) = ((ground.world.ensemble.as_str(), known.zxid), ground.world.term);
        let put = |put: &Put| Write::Slice(Box::new(wanted.slice(put, &present.owned, change, term)));
        plan.writes.extend(packed.adds.iter().map(put));
        let (first, last) = if present.shape.calls_ports_as(&shape) { (None, own) } else { (own, None) };
        plan.writes.extend(first);
        plan.writes.extend(packed.changes.iter().map(put));
        deletes.extend(packed.deletes.into_iter().map(|slice| delete(Kind::Slice, name, slice)));
        deletes.extend(last);
    } else {
        plan.writes.extend(own);
        read(ground, child, known, plan);
    }
    let after = (plan.writes.len(), deletes.len(), plan.waiting.len());
    if after == before { Standing::Complete } else { Standing::Pending }
}

/// The instances as endpoints, and what is told of them.
fn read(ground: &Ground<'_>, child: &Child<'_>, known: &Known<'_>, plan: &mut Plan) -> Read {
    let reading = Reading {
        ports: child.ports,
        addresses: ground.addresses,
        world: ground.world,
        namespace: ground.namespace(),
        hosts: &plan.hosts,
        traffic: child.traffic,
    };
    let read = reading.read(known.instances.iter());
    plan.rejected.extend(read.rejected.iter().cloned());
    if !read.waiting.is_empty() {
        let shown: Vec<&str> = read.waiting.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        let more = read.waiting.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        plan.waiting.push(format!("the addresses of {}{more} below {}", shown.join(", "), child.path));
    }
    read
}

fn slices(
    ground: &Ground<'_>,
    child: &Child<'_>,
    known: &Known<'_>,
    wanted: &Wanted<'_>,
    present: &Present<Shape>,
    plan: &mut Plan,
) -> Packed {
    let owned = &present.owned;
    let mut read = read(ground, child, known, plan);
    let mine: Vec<Slice> = {
        let slices = ground.world.slices.iter().map(AsRef::as_ref);
        let mine = slices.filter(|slice: &&Slice| slice.owned.owner.as_deref() == Some(owned.uid.as_str()));
        let mine = mine.filter(|slice| !slice.owned.deleting);
        // Callers find it by the label that names the Service.
        let is_whole = |slice: &Slice| (slice.source.as_str(), slice.service.as_str()) == (wanted.source, wanted.name);
        mine.map(|slice| Slice { intact: slice.intact && is_whole(slice), ..slice.clone() }).collect()
    };
    let there = mine.iter().filter(|slice| slice.source == wanted.source);
    let kept = keep::keepable(ground, child, &present.shape, there, &read.endpoints);
    let known = read.waiting.is_empty();
    keep::keep(ground, child, known, kept, &mut read.endpoints, plan);
    let taken: BTreeSet<&str> = ground.world.slices.iter().map(|slice| slice.owned.name.as_str()).collect();
    let foreign = ground.world.foreign.iter().filter(|(kind, _)| *kind == Kind::Slice).map(|(_, name)| name.as_str());
    let taken: BTreeSet<&str> = taken.into_iter().chain(foreign).collect();
    pack(wanted.name, &mine.iter().collect::<Vec<_>>(), &read.endpoints, &taken)
}

pub(super) fn delete(kind: Kind, service: &str, owned: Owned) -> Write {
    let Owned { name, uid, resource_version, .. } = owned;
    Write::Delete { kind, group: service.to_owned(), name, uid, resource_version }
}
