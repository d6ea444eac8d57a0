//! What to write now, and what to say of it.
//!
//! ```text
//!   views known? ─► each Service: its own? ─► made · mended ─► its slices, held by the guard
//!                └─► Services of children that went ─► held, then deleted
//!                └─► Services that are called otherwise now ─► followed until that in their place is complete
//!   whatever is known ─► endpoints of its own that are forbidden ─► taken away
//! ```
//!
//! Rule: the plan for a world in which it was carried out is empty. Reason: that is what makes dying between any two
//! writes harmless, and rest cost nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{Held, Hold, Peaks};
use super::job::{Child, Job, jobs};
use super::mark::Kind;
use super::work::Standing;
use super::world::{Owned, Source, World};
use super::{Addresses, Policy, Write, forbidden, host, maps, strays, work};
use crate::crd::ServiceProjection;
use crate::crd::projection::Rejection;
use crate::world::Moment;

/// How long an answer may be on its way before that is told.
const WAIT_MS: i64 = 5_000;

/// What is remembered between two plans; whoever forgets it begins every grace anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// By name of the Service or the ConfigMap.
    pub holds: BTreeMap<String, Held>,
    /// How many endpoints there were lately, by name of the Service. Forgotten, it is what is there now.
    pub peaks: BTreeMap<String, Peaks>,
    /// Since when some answer has been waited for.
    pub waiting_since: Option<Moment>,
}

/// What to do and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In order; each may be the last that is carried out.
    pub writes: Vec<Write>,
    /// Paths of the children whose instances are to be followed; `None` while that is not known.
    pub follow: Option<BTreeSet<String>>,
    /// Host names whose addresses are to be known.
    pub hosts: BTreeSet<String>,
    pub services: usize,
    pub endpoints: usize,
    pub ready: usize,
    pub rejected: Vec<Rejection>,
    pub zxid: Option<i64>,
    /// What is held, by name of the Service or the ConfigMap.
    pub holds: BTreeMap<String, Hold>,
    /// Objects that are somebody else's, as `Kind/name`.
    pub conflicts: Vec<String>,
    /// Children that bear another name than their own, because that is another child's.
    pub renamed: Vec<String>,
    /// Answers and addresses that have not come yet.
    pub waiting: Vec<String>,
    /// They have been waited for so long that it has to be told.
    pub late: bool,
    /// What cannot be done, and why.
    pub problems: Vec<String>,
    /// Children of which nothing can be done, while the others are projected; and why.
    pub partial: Vec<String>,
    pub memory: Memory,
    /// When it has to be looked at again, whatever happens.
    pub wake: Option<Moment>,
}

/// What every part of a plan is made from.
pub(super) struct Ground<'a> {
    pub projection: &'a ServiceProjection,
    pub world: &'a World,
    pub addresses: &'a Addresses,
    pub policy: Policy,
    pub memory: &'a Memory,
    pub now: Moment,
    /// `NAMESPACE/CLUSTER`, before the path of a source.
    pub cluster: String,
}

impl Ground<'_> {
    pub(super) fn name(&self) -> &str {
        self.projection.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.projection.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn source(&self, path: &str) -> String {
        format!("{}{path}", self.cluster)
    }

    /// Whether it is known how it stands now: of the path, of a child, or of the list, which is "".
    pub(super) fn reaches(&self, path: &str) -> bool {
        self.world.source.is_reachable() || self.world.reached.contains(path)
    }

    /// Whether a source is that of a child of the path: of its own child, and not of one further below.
    pub(super) fn is_child(&self, source: &str) -> bool {
        let base = self.source(&format!("{}/", self.projection.spec.path.trim_end_matches('/')));
        source.strip_prefix(&base).is_some_and(|name| !name.contains('/'))
    }

    /// The Services of this projection that were made of children of the path, by name: the child's path.
    pub(super) fn below(&self) -> BTreeMap<String, String> {
        let mine = self.world.services.iter().filter(|(_, service)| self.owns(&service.owned));
        let below = mine.filter(|(_, service)| self.is_child(&service.shape.source));
        let path = |source: &str| source.strip_prefix(self.cluster.as_str()).unwrap_or(source).to_owned();
        below.map(|(name, service)| (name.clone(), path(&service.shape.source))).collect()
    }

    /// Whether the projection has made it.
    pub(super) fn owns(&self, owned: &Owned) -> bool {
        owned.owner.is_some() && owned.owner == self.projection.metadata.uid
    }

    /// Whether an object of this name is somebody else's.
    pub(super) fn is_foreign(&self, kind: Kind, name: &str, seen: Option<&Owned>) -> bool {
        match seen {
            Some(owned) => !self.owns(owned),
            None => self.world.foreign.contains(&(kind, name.to_owned())),
        }
    }
}

/// Plans.
pub fn plan(
    projection: &ServiceProjection,
    world: &World,
    addresses: &Addresses,
    memory: &Memory,
    now: Moment,
) -> Plan {
    let spec = &projection.spec;
    let own = projection.metadata.namespace.clone().unwrap_or_default();
    let namespace = spec.cluster_ref.namespace.as_ref().unwrap_or(&own);
    let cluster = format!("{namespace}/{}", spec.cluster_ref.name);
    let policy = Policy::of(&spec.guards);
    let ground = Ground { projection, world, addresses, policy, memory, now, cluster };
    let mut plan = Plan::default();
    // Of a child whose answer has not come nothing is forgotten.
    let there = |name: &String| world.services.contains_key(name);
    plan.memory.peaks =
        memory.peaks.iter().filter(|(name, _)| there(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if !matches!(world.source, Source::Closed { .. }) {
        match jobs(&ground, &mut plan) {
            Job::Services(children) => services(&ground, &children, &mut plan),
            Job::ConfigMap(view) => maps::config_map(&ground, view, &mut plan),
            Job::Nothing => {}
        }
    }
    // These come first: nothing else is to keep them.
    let forbidden = forbidden::without(&ground, &plan.writes);
    plan.writes.splice(0..0, forbidden);
    count(&ground, &mut plan);
    plan.rejected.sort_by(|one, other| (&one.znode, &one.reason).cmp(&(&other.znode, &other.reason)));
    plan.rejected.dedup();
    let told = waiting(memory, now, &mut plan);
    plan.wake = plan.holds.values().filter_map(|hold| hold.until).chain(told).min();
    plan
}

/// Notes since when something is waited for; when that has to be told. A child that has just come is no news.
fn waiting(memory: &Memory, now: Moment, plan: &mut Plan) -> Option<Moment> {
    if plan.waiting.is_empty() {
        return None;
    }
    let since = memory.waiting_since.unwrap_or(now);
    plan.memory.waiting_since = Some(since);
    let end = Moment(since.0.saturating_add(WAIT_MS));
    plan.late = now >= end;
    (!plan.late).then_some(end)
}

fn services(ground: &Ground<'_>, children: &[Child<'_>], plan: &mut Plan) {
    plan.hosts = host::wanted(children, ground.namespace(), ground.world);
    let mut deletes = Vec::new();
    let one = |child| {
        let standing = work::service(ground, child, plan, &mut deletes);
        if standing == Standing::Pending {
            former(ground, child, children, plan, &mut deletes);
        }
        (child, standing)
    };
    let children: Vec<(&Child<'_>, Standing)> = children.iter().map(one).collect();
    // What is taken away comes last, over all Services.
    plan.writes.extend(deletes);
    let strays = strays::strays(ground, &children, plan);
    plan.writes.extend(strays);
}

/// As long as a child's Service is not all there, whoever calls it by the name that it had is to find who is registered
/// now: what stands in the way of the new one may do so for ever.
fn former(ground: &Ground<'_>, child: &Child<'_>, all: &[Child<'_>], plan: &mut Plan, deletes: &mut Vec<Write>) {
    let source = ground.source(&child.path);
    let of_child = ground.world.services.iter().filter(|(name, there)| {
        let owned = &there.owned;
        let is_wanted = all.iter().any(|child| child.name == **name);
        there.shape.source == source && ground.owns(owned) && !owned.deleting && !is_wanted
    });
    for (name, _) in of_child {
        let told = plan.waiting.len();
        work::service(ground, &Child { name: name.clone(), ..child.clone() }, plan, deletes);
        // It may be that of the child which has been told.
        let waiting = plan.waiting.split_off(told);
        let news: Vec<String> = waiting.into_iter().filter(|one| !plan.waiting.contains(one)).collect();
        plan.waiting.extend(news);
    }
}

/// What is there of this projection.
fn count(ground: &Ground<'_>, plan: &mut Plan) {
    let mine = ground.world.services.values().filter(|service| ground.owns(&service.owned));
    let uids: BTreeSet<&str> = mine.map(|service| service.owned.uid.as_str()).collect();
    plan.services = uids.len();
    let slices = ground.world.slices.iter();
    let slices = slices.filter(|slice| slice.owned.owner.as_deref().is_some_and(|owner| uids.contains(owner)));
    let mut seen = BTreeSet::new();
    for slice in slices {
        for (ip, endpoint) in &slice.endpoints {
            if seen.insert((&slice.service, &slice.group, ip)) {
                plan.endpoints += 1;
                plan.ready += usize::from(endpoint.ready);
            }
        }
    }
    let maps = ground.world.config_maps.values().filter(|map| ground.owns(&map.owned));
    plan.endpoints += maps.map(|map| map.shape.keys()).sum::<usize>();
}
