//! Services of this projection that no child has.
//!
//! ```text
//!   of a child that is called otherwise now ─► followed (`plan`), and deleted when the one in its place is complete
//!   of a child that went ────────────────────► held as an empty one is, then deleted; not while the list may be old
//!   of another path, or made by another spec ► deleted when all that is wanted now is complete
//! ```
//!
//! Rule: each is judged by its own source; what stands in the way of one child keeps no other. Of a child that went the
//! Service is what would be lost, with endpoints or without. Reason: whoever calls a Service that is replaced has it
//! until the other one is there, and when the child comes back another one would have another address; and one znode
//! that may not be read must not keep the dead of all others alive.

use std::collections::BTreeMap;

use super::guard::{Change, Hold, Sight, judge};
use super::job::Child;
use super::mark::Kind;
use super::plan::{Ground, Plan};
use super::service::Shape;
use super::work::{Standing, delete};
use super::world::{Owned, Present};
use super::{Policy, Write};

/// Who is a child is what the list says.
const LIST: &str = "";

/// What is wanted, by its source: the name of the Service and how far that is.
type Wanted<'a> = BTreeMap<String, (&'a str, Standing)>;

pub(super) fn strays(ground: &Ground<'_>, children: &[(&Child<'_>, Standing)], plan: &mut Plan) -> Vec<Write> {
    let wanted: Wanted<'_> = children
        .iter()
        .map(|(child, standing)| (ground.source(&child.path), (child.name.as_str(), *standing)))
        .collect();
    let mine = ground.world.services.iter().filter(|(name, present)| {
        let is_wanted = children.iter().any(|(child, _)| child.name == **name);
        ground.owns(&present.owned) && !present.owned.deleting && !is_wanted
    });
    let mine: Vec<(&String, &Present<Shape>)> = mine.collect();
    let goes = mine.into_iter().filter(|(name, present)| goes(ground, &wanted, name, present, plan));
    goes.map(|(name, present)| delete(Kind::Service, name, present.owned.clone())).collect()
}

/// Whether a Service that no child has may go now.
fn goes(ground: &Ground<'_>, wanted: &Wanted<'_>, name: &str, present: &Present<Shape>, plan: &mut Plan) -> bool {
    let source = &present.shape.source;
    let target = ground.projection.spec.target.service.as_ref();
    let templated = target.is_some_and(|service| service.name_template.is_some());
    let there = endpoints(ground, &present.owned);
    let mut reachable = ground.reaches(LIST);
    let mut most = there;
    let stays = match wanted.get(source) {
        Some((_, Standing::Pending | Standing::Refused)) => return false,
        Some((other, Standing::Complete)) => {
            let other = ground.world.services.get(*other);
            other.map_or(0, |other| endpoints(ground, &other.owned))
        }
        None if templated && ground.is_child(source) => {
            reachable &= ground.world.settled;
            most = there.max(1);
            0
        }
        None if !wanted.is_empty() => {
            let all = wanted.values().all(|(_, standing)| *standing != Standing::Pending);
            let any = wanted.values().any(|(_, standing)| *standing == Standing::Complete);
            return all && any && reachable;
        }
        None => 0,
    };
    // Of what has gone there are no fewer than the least.
    let policy = Policy { min: 0, ..ground.policy };
    // With nothing in its place it is held as one that has become empty.
    let lost = if stays == 0 { most } else { 0 };
    let change = Change { most, wanted: stays, lost };
    let before = ground.memory.holds.get(name).copied();
    let (hold, held) = judge(&policy, change, Sight::of(reachable), before, ground.now);
    plan.memory.holds.extend(held.map(|held| (name.to_owned(), held)));
    let goes = hold.is_none() && reachable;
    plan.holds.extend(hold.map(|hold| (name.to_owned(), Hold { kept: there, ..hold })));
    goes
}

fn endpoints(ground: &Ground<'_>, service: &Owned) -> usize {
    let of = ground.world.slices.iter().filter(|slice| slice.owned.owner.as_deref() == Some(service.uid.as_str()));
    of.map(|slice| slice.endpoints.len()).sum()
}
