//! The objects that have no slices: a ConfigMap, and the Lease of a leader.

use coordd_api::discovery::{ConfigTree, LeaderView};

use super::guard::{Change, Sight, judge};
use super::job::usable;
use super::mark::Kind;
use super::plan::{Ground, Plan};
use super::world::View;
use super::{Policy, Write, config_map, leader};

pub(super) fn config_map(ground: &Ground<'_>, view: &View<ConfigTree>, plan: &mut Plan) {
    let path = &ground.projection.spec.path;
    let Some(target) = &ground.projection.spec.target.config_map else { return };
    if !usable(path, view, plan) {
        return;
    }
    let name = target.name.clone().unwrap_or_else(|| ground.name().to_owned());
    let present = ground.world.config_maps.get(&name);
    let owned = present.map(|present| &present.owned);
    if ground.is_foreign(Kind::ConfigMap, &name, owned) {
        plan.conflicts.push(format!("{}/{name}", Kind::ConfigMap));
        return;
    }
    if owned.is_some_and(|owned| owned.deleting) {
        return;
    }
    let source = ground.source(path);
    let there = present.filter(|present| present.shape.is_of(&source)).map(|present| &present.shape);
    let mut data = view.value().map(|tree| config_map::data(tree, target, there)).unwrap_or_default();
    plan.rejected.append(&mut data.rejected);
    if !data.unread.is_empty() {
        let keys = data.unread.join(", ");
        plan.problems.push(format!(
            "values that are there cannot be had any more: {keys}; nothing is written until they can be, or are gone"
        ));
        return;
    }
    if data.bytes > usize::try_from(target.max_bytes).unwrap_or(0) {
        let (bytes, max) = (data.bytes, target.max_bytes);
        plan.problems.push(format!(
            "{path} has {bytes} bytes, more than target.configMap.maxBytes, which is {max}: raise it, or choose a \
             narrower path"
        ));
        return;
    }
    if let Some(keys) = data.untold() {
        plan.problems.push(format!(
            "of {keys} keys it would have to be written down whose they are, which are too many for one ConfigMap: \
             choose a narrower path, or name its znodes without separators"
        ));
        return;
    }
    let there = there.map_or(0, config_map::MapShape::keys);
    let lost = if data.values.is_empty() { there } else { 0 };
    let change = Change { most: there, wanted: data.values.len(), lost };
    let policy = Policy { hold_half: false, min: 0, ..ground.policy };
    let before = ground.memory.holds.get(&name).copied();
    let (hold, held) = judge(&policy, change, Sight::of(ground.world.source.is_reachable()), before, ground.now);
    plan.memory.holds.extend(held.map(|held| (name.clone(), held)));
    if let Some(hold) = hold {
        plan.holds.insert(name, hold);
        return;
    }
    let change = (ground.world.ensemble.as_str(), view.zxid().unwrap_or(0));
    let map = config_map::config_map(ground.projection, &name, &source, change, data, owned);
    let wanted = config_map::seen(&map).shape;
    if present.is_none_or(|present| !present.shape.covers(&wanted)) {
        plan.writes.push(Write::ConfigMap(Box::new(map)));
    }
}

pub(super) fn lease(ground: &Ground<'_>, name: &str, view: &View<LeaderView>, plan: &mut Plan) {
    let present = ground.world.leases.get(name);
    let owned = present.map(|present| &present.owned);
    if ground.is_foreign(Kind::Lease, name, owned) {
        plan.conflicts.push(format!("{}/{name}", Kind::Lease));
        return;
    }
    if owned.is_some_and(|owned| owned.deleting) {
        return;
    }
    let source = ground.source(&ground.projection.spec.path);
    let change = (ground.world.ensemble.as_str(), view.zxid().unwrap_or(0));
    let lease = leader::lease(ground.projection, name, &source, change, view.value(), present, ground.now);
    plan.writes.extend(lease.map(|lease| Write::Lease(Box::new(lease))));
}
