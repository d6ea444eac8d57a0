//! What holds while the spec is changed, and what counts as one endpoint.

use std::collections::{BTreeMap, BTreeSet};

use coordd_api::discovery::{Instance, InstanceState};
use proptest::prelude::*;
use serde_json::json;

use super::shelf::*;
use crate::crd::ServiceProjection;
use crate::projection::*;

const NAMES: [Option<&str>; 3] = [Some("http"), Some("web"), None];

#[derive(Clone, Debug)]
struct Spec {
    name: usize,
    number: i32,
    second: bool,
    spoken: bool,
    traffic: bool,
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (0_usize..3, 80_i32..82, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(name, number, second, spoken, traffic)| Spec {
            // Each of several ports has a name.
            name: if second { name % 2 } else { name },
            number,
            second,
            spoken,
            traffic,
        },
    )
}

fn projected(spec: &Spec, keep: bool) -> ServiceProjection {
    let mut first = json!({"port": spec.number, "from": "http"});
    if let Some(name) = NAMES[spec.name] {
        first["name"] = name.into();
    }
    if spec.spoken {
        first["appProtocol"] = "http".into();
    }
    let mut ports = vec![first];
    if spec.second {
        ports.push(json!({"name": "admin", "port": 90, "from": "admin"}));
    }
    let mut service = json!({"ports": ports});
    if spec.traffic {
        service["trafficDistribution"] = "PreferSameZone".into();
    }
    let guards = if keep { json!({}) } else { json!({"emptyPolicy": "Drain", "emptyGrace": "0s"}) };
    projection(json!({"service": service}), json!({"guards": guards}))
}

/// Who can be called through some port of the Service: ports are joined by name.
fn called(shelf: &Shelf) -> BTreeSet<String> {
    let Some(service) = shelf.services.get("orders") else { return BTreeSet::new() };
    let ports = service.spec.as_ref().unwrap().ports.iter().flatten();
    let names: BTreeSet<String> = ports.map(|port| port.name.clone().unwrap_or_default()).collect();
    let mut called = BTreeSet::new();
    for slice in shelf.slices.values() {
        let joined = slice.ports.iter().flatten().any(|port| names.contains(port.name.as_deref().unwrap_or_default()));
        called.extend(slice.endpoints.iter().filter(|_| joined).map(|endpoint| endpoint.addresses[0].clone()));
    }
    called
}

fn instances(mask: u16) -> Vec<Instance> {
    let there = (0..12).filter(|at| mask & (1 << at) != 0);
    let ports = [("http", 8080), ("admin", 9090)];
    there.map(|at| instance(&format!("10.0.0.{}", at + 1), &ports, InstanceState::Up)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Over any history of specs and registrations whoever was called and stays can be called after every single write;
    /// with nothing registered all that were there can, but where one of several ports gets name and number anew.
    #[test]
    fn whoever_is_called_can_be_while_ports_are_called_otherwise(
        history in prop::collection::vec((any_spec(), prop_oneof![1 => Just(0_u16), 3 => 1_u16..4096]), 1..8),
        keep in any::<bool>(),
    ) {
        let mut shelf = Shelf::default();
        let mut before: Option<Spec> = None;
        for (round, (spec, mask)) in history.into_iter().enumerate() {
            let is_known = before.is_none_or(|old| {
                let only = !old.second && !spec.second;
                only || old.name == spec.name || old.number == spec.number
            });
            before = Some(spec.clone());
            let projection = projected(&spec, keep);
            let views = Views::Service(view("/services/orders", 7, instances(mask)));
            let wanted: BTreeSet<String> = instances(mask).into_iter().map(|one| one.address).collect();
            for plans in 0.. {
                prop_assert!(plans < 6, "it does not come to rest");
                let plan = shelf.plan(&projection, &shelf.world(views.clone()), round as i64);
                if plan.writes.is_empty() {
                    break;
                }
                for write in &plan.writes {
                    let were = called(&shelf);
                    shelf.write(write);
                    let after = called(&shelf);
                    let stays = |one: &&String| wanted.contains(*one) || (keep && is_known && wanted.is_empty());
                    prop_assert_eq!(were.difference(&after).find(stays), None, "{:?}", write);
                }
            }
            prop_assert!(wanted.is_subset(&called(&shelf)));
        }
    }
}

#[test]
fn the_dead_go_though_the_service_itself_may_not_be_changed() {
    let (spec, mut shelf) =
        (Spec { name: 0, number: 80, second: false, spoken: false, traffic: false }, Shelf::default());
    let all = Views::Service(view("/services/orders", 7, [tasks("10.0.0.1", 1..4), tasks("10.0.0.2", 4..5)].concat()));
    shelf.settle(&projected(&spec, true), &all, 0);
    let now = Views::Service(view("/services/orders", 8, tasks("10.0.0.1", 1..4)));
    for changed in [Spec { spoken: true, ..spec.clone() }, Spec { number: 81, ..spec.clone() }] {
        for seconds in 1..3 {
            let plan = shelf.plan(&projected(&changed, true), &shelf.world(now.clone()), seconds);
            let may = plan.writes.iter().take_while(|write| !matches!(write, Write::Service(_)));
            may.for_each(|write| shelf.write(write));
            assert!(plan.writes.iter().any(|write| matches!(write, Write::Service(_))), "it is tried again");
        }
        assert_eq!(shelf.endpoints("orders").len(), 3);
    }
}

fn tasks(host: &str, ports: std::ops::Range<u16>) -> Vec<Instance> {
    ports.map(|port| instance(host, &[("http", port)], InstanceState::Up)).collect()
}

fn settled(shelf: &mut Shelf, instances: Vec<Instance>, seconds: i64) -> BTreeMap<String, bool> {
    let projection = one_service();
    shelf.settle(&projection, &Views::Service(view("/services/orders", 7, instances)), seconds);
    shelf.endpoints("orders")
}

#[test]
fn many_tasks_of_one_host_are_many_endpoints() {
    let mut shelf = Shelf::default();
    let all = [tasks("10.0.0.1", 1..11), tasks("10.0.0.2", 1..11)].concat();
    assert_eq!(settled(&mut shelf, all, 0).len(), 20);
    let few = [tasks("10.0.0.1", 1..2), tasks("10.0.0.2", 1..2)].concat();
    assert_eq!(settled(&mut shelf, few.clone(), 1).len(), 20, "18 of 20 are more than half");
    assert_eq!(settled(&mut shelf, few, 62).len(), 2);
}

#[test]
fn a_task_that_comes_back_with_another_port_takes_the_place_of_the_one_that_was() {
    let mut shelf = Shelf::default();
    settled(&mut shelf, tasks("10.0.0.1", 1..2), 0);
    assert_eq!(settled(&mut shelf, tasks("10.0.0.1", 7..8), 1).into_keys().collect::<Vec<_>>(), ["10.0.0.1:7"]);
}

#[test]
fn a_storm_that_comes_in_steps_is_one_loss() {
    let mut shelf = Shelf::default();
    let count = |shelf: &mut Shelf, count: u16, seconds| {
        let all = (0..count).map(|at| up(&format!("10.0.0.{}", at + 1))).collect();
        settled(shelf, all, seconds).len()
    };
    let there: Vec<usize> =
        [(0, 10), (2, 6), (4, 4), (6, 2), (8, 1), (30, 10)].map(|(at, wanted)| count(&mut shelf, wanted, at)).into();
    assert_eq!(there, [10, 6, 6, 6, 6, 10]);
    // Who does not come back has gone.
    let there: Vec<usize> = [(200, 10), (202, 6), (204, 4), (206, 2), (263, 2), (264, 2)]
        .map(|(at, wanted)| count(&mut shelf, wanted, at))
        .into();
    assert_eq!(there, [10, 6, 6, 6, 6, 2]);
}
