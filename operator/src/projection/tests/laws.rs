//! What holds over any history of registrations.

use std::collections::{BTreeMap, BTreeSet};

use coordd_api::discovery::{Instance, InstanceState};
use proptest::prelude::*;
use serde_json::json;

use super::shelf::*;
use crate::projection::*;

const STATES: [InstanceState; 4] =
    [InstanceState::Up, InstanceState::Starting, InstanceState::Stopping, InstanceState::Down];

/// An instance by small numbers, so that the same come again with other ports and states.
fn any_instance(addresses: u32) -> impl Strategy<Value = Instance> {
    (0..addresses, 1_u16..4, 0_usize..4, 0_usize..40).prop_map(|(at, port, state, odd)| {
        let address = match odd {
            0 => "127.0.0.1".to_owned(),
            1 => "8.8.8.8".to_owned(),
            2..8 => format!("fd00::{:x}", at + 1),
            _ => format!("10.0.{}.{}", at / 250, at % 250 + 1),
        };
        instance(&address, &[("http", 8000 + port)], STATES[state])
    })
}

fn wanted(instances: &[Instance]) -> BTreeMap<String, bool> {
    let mut wanted = BTreeMap::new();
    for one in instances.iter().filter(|one| one.address.starts_with("10.") || one.address.starts_with("fd")) {
        let ready = wanted.entry(format!("{}:{}", one.address, one.ports["http"])).or_insert(false);
        *ready |= one.state == InstanceState::Up;
    }
    wanted
}

fn hosts(endpoints: &BTreeMap<String, bool>) -> BTreeSet<String> {
    endpoints.keys().filter_map(|text| Some(text.rsplit_once(':')?.0.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// At rest the endpoints are the registered instances and no others; the next plan is empty; at every single write
    /// in between no instance that was there and stays is missing; what is somebody else's is as it was.
    #[test]
    fn the_endpoints_are_the_instances_and_none_is_ever_missing(
        history in prop::collection::vec(prop::collection::vec(any_instance(400), 0..350), 1..6),
    ) {
        let target = json!({"service": {"ports": [{"name": "http", "port": 80}]}});
        let projection = projection(target, json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}}));
        let mut shelf = Shelf::default();
        shelf.settle(&one_service_of_another(), &Views::Service(view("/services/orders", 1, vec![up("10.7.7.7")])), 0);
        let foreign = (shelf.services.clone(), shelf.slices.clone());
        for (round, instances) in history.iter().enumerate() {
            let views = Views::Service(view("/services/orders", 2 + round as i64, instances.clone()));
            let wanted = wanted(instances);
            let stay: BTreeSet<String> =
                hosts(&shelf.endpoints("orders")).intersection(&hosts(&wanted)).cloned().collect();
            let mut plans = 0;
            loop {
                let plan = shelf.plan(&projection, &shelf.world(views.clone()), round as i64);
                if plan.writes.is_empty() {
                    break;
                }
                plans += 1;
                prop_assert!(plans <= 4, "it does not come to rest");
                for write in &plan.writes {
                    shelf.write(write);
                    let there = hosts(&shelf.endpoints("orders"));
                    prop_assert!(stay.is_subset(&there), "{:?} is missing", stay.difference(&there).next());
                }
            }
            prop_assert_eq!(&shelf.endpoints("orders"), &wanted);
            let is_foreign = |name: Option<&String>| foreign.1.contains_key(name.unwrap());
            let mine = shelf.slices.values().filter(|slice| !is_foreign(slice.metadata.name.as_ref()));
            let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for slice in mine {
                prop_assert!((1..=PER_SLICE).contains(&slice.endpoints.len()));
                let group = format!("{} {:?}", slice.address_type, slice.ports);
                groups.entry(group).or_default().push(slice.endpoints.len());
            }
            for (group, sizes) in groups {
                let needed = sizes.iter().sum::<usize>().div_ceil(PER_SLICE);
                prop_assert!(sizes.len() <= 2 * needed, "{group}: {sizes:?}");
            }
        }
        for (name, service) in &foreign.0 {
            prop_assert_eq!(&shelf.services[name], service);
        }
        for (name, slice) in &foreign.1 {
            prop_assert_eq!(&shelf.slices[name], slice);
        }
    }

    /// Whoever dies after any write and begins anew, with nothing remembered, comes to the same end.
    #[test]
    fn a_plan_that_is_cut_off_anywhere_is_finished_by_the_next(
        before in prop::collection::vec(any_instance(200), 1..250),
        after in prop::collection::vec(any_instance(200), 130..250),
        cut in 0_usize..12,
    ) {
        let projection = one_service();
        let mut shelf = Shelf::default();
        shelf.settle(&projection, &Views::Service(view("/services/orders", 1, before)), 0);
        let views = Views::Service(view("/services/orders", 2, after.clone()));
        let plan = shelf.plan(&projection, &shelf.world(views.clone()), 1);
        plan.writes.iter().take(cut).for_each(|write| shelf.write(write));
        shelf.memory = Memory::default();
        let (plan, _) = shelf.settle(&projection, &views, 2);
        if plan.holds.is_empty() {
            prop_assert_eq!(shelf.endpoints("orders"), wanted(&after));
        }
    }

    /// A single instance that comes, goes or changes its state is one write.
    #[test]
    fn one_change_is_one_write(count in 1_u32..320, which in 0_u32..320, what in 0..3) {
        let (projection, mut shelf) = (one_service(), Shelf::default());
        let all: Vec<Instance> = (0..count).map(|at| up(&format!("10.0.{}.{}", at / 250, at % 250 + 1))).collect();
        shelf.settle(&projection, &Views::Service(view("/services/orders", 1, all.clone())), 0);
        let mut changed = all;
        let at = (which % count) as usize;
        match what {
            0 => changed.push(up("10.9.9.9")),
            1 => changed[at].state = InstanceState::Stopping,
            _ if count > 2 => drop(changed.remove(at)),
            _ => changed[at].state = InstanceState::Down,
        }
        let (_, writes) = shelf.settle(&projection, &Views::Service(view("/services/orders", 2, changed)), 1);
        prop_assert_eq!(writes, 1);
    }
}

fn one_service_of_another() -> crate::crd::ServiceProjection {
    let mut other = one_service();
    other.metadata.name = Some("other".to_owned());
    other.metadata.uid = Some("uid-of-another".to_owned());
    other
}
