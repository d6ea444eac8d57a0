//! Endpoints that may not be any more, wherever they still stand.
//!
//! ```text
//!   own slices that nothing else writes ─► an address that is refused? ─► the slice without it, or its end
//! ```
//!
//! Rule: what is forbidden goes, whatever is known of the source: held, closed, refused or lost. Reason: holds are for
//! what may come back, and this may not; whoever forbids a network must not have to know of a Service that is kept.

use std::collections::BTreeSet;

use super::Write;
use super::mark::Kind;
use super::plan::Ground;
use super::service::Wanted;
use super::slices::{Put, Slice};
use super::work::delete;

/// The writes that take away what is forbidden from slices that `planned` does not write anyway.
pub(super) fn without(ground: &Ground<'_>, planned: &[Write]) -> Vec<Write> {
    let services = ground.world.services.iter();
    let mine = services.filter(|(_, service)| ground.owns(&service.owned) && !service.owned.deleting);
    let written: BTreeSet<&str> = planned.iter().filter_map(slice_of).collect();
    let mut writes = Vec::new();
    for (name, service) in mine {
        let is_of = |slice: &&Slice| slice.owned.owner.as_deref() == Some(service.owned.uid.as_str());
        let is_deleted = planned.iter().any(|write| is_deletion_of(write, name));
        let slices = ground
            .world
            .slices
            .iter()
            .map(AsRef::as_ref)
            .filter(is_of)
            .filter(|slice| !slice.owned.deleting && !is_deleted);
        for slice in slices.filter(|slice| !written.contains(slice.owned.name.as_str())) {
            let mut left = slice.endpoints.clone();
            left.retain(|ip, _| ground.addresses.check(*ip).is_ok());
            if left.len() == slice.endpoints.len() {
                continue;
            }
            if left.is_empty() {
                writes.push(delete(Kind::Slice, name, slice.owned.clone()));
                continue;
            }
            let (group, seen) = (slice.group.clone(), Some(slice.owned.clone()));
            let put = Put { name: slice.owned.name.clone(), group, endpoints: left, seen };
            let wanted = Wanted {
                projection: ground.projection,
                name,
                source: &slice.source,
                ports: &[],
                headless: service.shape.is_headless(),
                traffic: None,
            };
            let change = slice.change.as_ref().map(|(ensemble, zxid)| (ensemble.as_str(), *zxid));
            let change = change.unwrap_or((&ground.world.ensemble, 0));
            writes.push(Write::Slice(Box::new(wanted.slice(&put, &service.owned, change, ground.world.term))));
        }
    }
    writes
}

/// The name of the slice that a write is of.
fn slice_of(write: &Write) -> Option<&str> {
    match write {
        Write::Slice(slice) => slice.metadata.name.as_deref(),
        Write::Delete { kind: Kind::Slice, name, .. } => Some(name),
        _ => None,
    }
}

fn is_deletion_of(write: &Write, service: &str) -> bool {
    matches!(write, Write::Delete { kind: Kind::Service, name, .. } if name == service)
}
