//! Which endpoint stands in which EndpointSlice: as few writes as there can be.
//!
//! ```text
//!   by (family, ports):  stay where they are ─► fill slices that are written anyway ─► one that has the room
//!                        ─► new slices of 100          (more than twice as many as needed: the emptiest dissolve)
//!   order:  what adds ─► what only changes or takes away ─► slices that are empty
//! ```
//!
//! Rule: an endpoint that is wanted is in at least one slice after every single write; it may be in two for a moment.
//! Reason: the operator may die between two writes, and whoever balances load must not find fewer than there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::endpoint::{Endpoint, Endpoints, Group};
use super::mark::hash;
use super::world::Owned;

/// As many endpoints as Kubernetes puts into one.
pub const PER_SLICE: usize = 100;

/// An EndpointSlice of a projection, as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub owned: Owned,
    /// Name of its Service.
    pub service: String,
    pub group: Group,
    pub endpoints: BTreeMap<IpAddr, Endpoint>,
    /// Where its facts come from.
    pub source: String,
    /// Of which change they are, as the ensemble's id and its zxid.
    pub change: Option<(String, i64)>,
    /// Nobody has changed what does not stand in the other fields.
    pub intact: bool,
}

/// A slice as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Put {
    pub name: String,
    pub group: Group,
    pub endpoints: BTreeMap<IpAddr, Endpoint>,
    /// The slice that is changed; a new one is made otherwise.
    pub seen: Option<Owned>,
}

/// What to write, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Packed {
    /// These add endpoints.
    pub adds: Vec<Put>,
    /// These change some, or take them away.
    pub changes: Vec<Put>,
    pub deletes: Vec<Owned>,
}

/// One slice at work.
struct Work<'a> {
    seen: Option<&'a Slice>,
    name: String,
    endpoints: BTreeMap<IpAddr, Endpoint>,
    adds: bool,
    dissolved: bool,
}

impl Work<'_> {
    fn room(&self) -> usize {
        if self.dissolved { 0 } else { PER_SLICE.saturating_sub(self.endpoints.len()) }
    }

    fn is_written(&self) -> bool {
        !self.dissolved && self.seen.is_none_or(|seen| seen.endpoints != self.endpoints || !seen.intact)
    }
}

/// Packs the endpoints of the Service `service`. `taken` are the names of all slices that are there.
pub(super) fn pack(service: &str, present: &[&Slice], wanted: &Endpoints, taken: &BTreeSet<&str>) -> Packed {
    let mut given: BTreeSet<String> = BTreeSet::new();
    let mut groups: BTreeSet<&Group> = wanted.keys().collect();
    groups.extend(present.iter().map(|slice| &slice.group));
    let nothing = BTreeMap::new();
    let mut works = Vec::new();
    for group in groups {
        let mine: Vec<&Slice> = present.iter().copied().filter(|slice| slice.group == *group).collect();
        let wanted = wanted.get(group).unwrap_or(&nothing);
        let new_name = |given: &mut BTreeSet<String>| new_name(service, group, taken, given);
        works.extend(group_of(&mine, wanted, &mut given, new_name).into_iter().map(|work| (group, work)));
    }
    ordered(works, wanted)
}

fn group_of<'a>(
    mine: &[&'a Slice],
    wanted: &BTreeMap<IpAddr, Endpoint>,
    given: &mut BTreeSet<String>,
    new_name: impl Fn(&mut BTreeSet<String>) -> String,
) -> Vec<Work<'a>> {
    let mut works = stay(mine, wanted);
    dissolve(&mut works, wanted.len());
    let placed: BTreeSet<IpAddr> =
        works.iter().filter(|work| !work.dissolved).flat_map(|work| work.endpoints.keys().copied()).collect();
    let mut rest: Vec<(IpAddr, Endpoint)> =
        wanted.iter().filter(|(ip, _)| !placed.contains(ip)).map(|(ip, endpoint)| (*ip, endpoint.clone())).collect();
    rest.reverse();
    // Slices that are written anyway, the fullest first.
    let mut order: Vec<usize> = (0..works.len()).filter(|at| works[*at].is_written()).collect();
    order.sort_by_key(|at| Reverse(works[*at].endpoints.len()));
    order.into_iter().for_each(|at| fill(&mut works[at], &mut rest));
    let moving = works.iter().any(|work| work.dissolved);
    while !rest.is_empty() {
        let roomy = works.iter().enumerate().filter(|(_, work)| work.room() >= rest.len());
        let tightest = roomy.min_by_key(|(_, work)| work.room()).map(|(at, _)| at);
        // Whatever dissolves goes into those that stay.
        let roomiest = || {
            let some = works.iter().enumerate().filter(|(_, work)| moving && work.room() > 0);
            some.max_by_key(|(at, work)| (work.room(), Reverse(*at))).map(|(at, _)| at)
        };
        match tightest.or_else(roomiest) {
            Some(at) => fill(&mut works[at], &mut rest),
            None => {
                let name = new_name(given);
                let mut work = Work { seen: None, name, endpoints: BTreeMap::new(), adds: true, dissolved: false };
                fill(&mut work, &mut rest);
                works.push(work);
            }
        }
    }
    works
}

/// Each endpoint stays where it is; one that is in two slices, in the first.
fn stay<'a>(mine: &[&'a Slice], wanted: &BTreeMap<IpAddr, Endpoint>) -> Vec<Work<'a>> {
    let mut seen = BTreeSet::new();
    let mut mine = mine.to_vec();
    mine.sort_by(|one, other| one.owned.name.cmp(&other.owned.name));
    let work = |slice: &'a Slice| {
        let here = slice.endpoints.keys().filter(|ip| wanted.contains_key(ip));
        let stays = here.filter(|ip| seen.insert(**ip)).copied().collect::<Vec<_>>();
        let endpoints = stays.into_iter().filter_map(|ip| Some((ip, wanted.get(&ip)?.clone()))).collect();
        Work { seen: Some(slice), name: slice.owned.name.clone(), endpoints, adds: false, dissolved: false }
    };
    mine.into_iter().map(work).collect()
}

/// When there are more than twice as many slices as needed, the emptiest are to be given up.
fn dissolve(works: &mut [Work<'_>], wanted: usize) {
    let needed = wanted.div_ceil(PER_SLICE);
    let mut used: Vec<usize> = (0..works.len()).filter(|at| !works[*at].endpoints.is_empty()).collect();
    if used.len() <= needed.saturating_mul(2).max(1) {
        return;
    }
    used.sort_by_key(|at| (Reverse(works[*at].endpoints.len()), *at));
    for at in used.into_iter().skip(needed) {
        works[at].dissolved = true;
    }
}

fn fill(work: &mut Work<'_>, rest: &mut Vec<(IpAddr, Endpoint)>) {
    while work.room() > 0 {
        let Some((ip, endpoint)) = rest.pop() else { return };
        work.endpoints.insert(ip, endpoint);
        work.adds = true;
    }
}

/// What adds comes first. A slice that adds keeps, for this time, what only a later write puts elsewhere.
fn ordered(works: Vec<(&Group, Work<'_>)>, wanted: &Endpoints) -> Packed {
    let everywhere: BTreeSet<IpAddr> = wanted.values().flat_map(|there| there.keys().copied()).collect();
    let mut packed = Packed::default();
    for (group, work) in works {
        let seen = work.seen.map(|slice| slice.owned.clone());
        if work.dissolved || work.endpoints.is_empty() {
            packed.deletes.extend(seen);
            continue;
        }
        if !work.is_written() {
            continue;
        }
        let adds = work.adds;
        let mut put = Put { name: work.name, group: group.clone(), endpoints: work.endpoints, seen };
        if adds {
            let leaving = work.seen.iter().flat_map(|slice| &slice.endpoints);
            let leaving = leaving.filter(|(ip, _)| everywhere.contains(ip) && !put.endpoints.contains_key(ip));
            let leaving: Vec<_> = leaving.map(|(ip, endpoint)| (*ip, endpoint.clone())).collect();
            put.endpoints.extend(leaving);
            packed.adds.push(put);
        } else {
            packed.changes.push(put);
        }
    }
    packed
}

fn new_name(service: &str, group: &Group, taken: &BTreeSet<&str>, given: &mut BTreeSet<String>) -> String {
    let family = group.family.word().to_lowercase();
    let mut number = 0_u32;
    loop {
        let name = format!("{service}-{family}-{:05x}", hash(&format!("{:?}/{number}", group.ports)) >> 44);
        if !taken.contains(name.as_str()) && given.insert(name.clone()) {
            return name;
        }
        number = number.wrapping_add(1);
    }
}
