//! Host names in place of addresses.

use super::shelf::*;
use crate::projection::*;

fn views(names: &[String]) -> Views {
    Views::Service(view("/services/orders", 7, names.iter().map(|name| up(name)).collect()))
}

fn world(shelf: &Shelf, names: &[String], host: &Host) -> World {
    let known = names.iter().map(|name| (name.clone(), host.clone())).collect();
    World { hosts: known, ..shelf.world(views(names)) }
}

fn carry_out(shelf: &mut Shelf, world: impl Fn(&Shelf) -> World, seconds: i64) -> Plan {
    let projection = one_service();
    for _ in 0..4 {
        let there = world(shelf);
        let plan = shelf.plan(&projection, &there, seconds);
        if plan.writes.is_empty() {
            return plan;
        }
        plan.writes.iter().for_each(|write| shelf.write(write));
    }
    unreachable!("it does not come to rest");
}

#[test]
fn a_resolver_that_is_away_when_the_operator_starts_takes_nothing_away() {
    let (mut shelf, names) = (Shelf::default(), ["a.example.com".to_owned(), "b.example.com".to_owned()]);
    let found = Host::Found(vec!["10.0.0.1".parse().unwrap()]);
    carry_out(&mut shelf, |shelf| world(shelf, &names, &found), 0);
    shelf.memory = Memory::default();
    for seconds in [1, 100, 100_000] {
        let plan = carry_out(&mut shelf, |shelf| world(shelf, &names, &Host::Waiting), seconds);
        assert_eq!((shelf.endpoints("orders").len(), plan.rejected.len()), (1, 0));
        let plan = carry_out(&mut shelf, |shelf| shelf.world(views(&names)), seconds);
        assert_eq!((shelf.endpoints("orders").len(), plan.hosts.len()), (1, 2));
    }
}

#[test]
fn one_name_that_is_not_answered_is_told_by_name_and_holds_nothing_once_it_is_given_up() {
    let (mut shelf, unanswered) = (Shelf::default(), "old.corp.example".to_owned());
    let all: Vec<String> = (1..=10).map(|at| format!("10.0.0.{at}")).collect();
    carry_out(&mut shelf, |shelf| shelf.world(views(&all)), 0);
    let left = [&all[1..], std::slice::from_ref(&unanswered)].concat();
    let with = |host: Host| {
        let left = left.clone();
        move |shelf: &Shelf| World {
            hosts: [("old.corp.example".to_owned(), host.clone())].into(),
            ..shelf.world(views(&left))
        }
    };
    let plan = carry_out(&mut shelf, with(Host::Waiting), 1);
    assert_eq!(shelf.endpoints("orders").len(), 10);
    assert_eq!(plan.waiting, ["the addresses of old.corp.example below /services/orders"]);
    let plan = carry_out(&mut shelf, with(Host::Unknown("timed out".to_owned())), 2);
    assert_eq!((shelf.endpoints("orders").len(), plan.rejected.len()), (9, 1));
}

#[test]
fn a_single_word_is_a_pod_of_the_namespace_or_nothing() {
    let (mut shelf, names) = (Shelf::default(), ["web-0".to_owned(), "redis".to_owned(), "a b.c".to_owned()]);
    let with_pod = |shelf: &Shelf| {
        let pod = Pod { name: "web-0".to_owned(), uid: "u".to_owned(), node: None, zone: None };
        World { pods: [("10.0.0.9".parse().unwrap(), pod)].into(), ..shelf.world(views(&names)) }
    };
    let plan = carry_out(&mut shelf, with_pod, 0);
    assert!(plan.hosts.is_empty(), "the operator's own namespace is not asked: {:?}", plan.hosts);
    assert_eq!(shelf.endpoints("orders").into_keys().collect::<Vec<_>>(), ["10.0.0.9:8080"]);
    let reasons: Vec<_> = plan.rejected.iter().map(|one| one.reason.as_str()).collect();
    assert!(reasons[0].contains("neither an address nor a host name"), "{reasons:?}");
    assert!(reasons[1].contains("no pod of the namespace shop"), "{reasons:?}");
}

#[test]
fn a_projected_service_is_not_found_by_its_own_name() {
    let mut shelf = Shelf::default();
    let mine = ["Orders.shop.svc.cluster.local.".to_owned(), "pod.orders.shop.svc".to_owned()];
    let others = ["orders.other.svc.cluster.local".to_owned(), "DB.example.com.".to_owned()];
    let all = [mine, others].concat();
    carry_out(&mut shelf, |shelf| shelf.world(views(&[])), 0);
    let there = |name: &str| ("far".to_owned(), name.to_owned());
    let far = |shelf: &Shelf, names: &[String]| {
        let mut world = shelf.world(views(names));
        world.projected.insert(there("pay"));
        world
    };
    let theirs = ["x.pay.far.svc.cluster.local".to_owned()];
    let plan = carry_out(&mut shelf, |shelf| far(shelf, &theirs), 1);
    assert!(plan.rejected[0].reason.contains("projected Service far/pay"), "{:?}", plan.rejected);
    let plan = carry_out(&mut shelf, |shelf| far(shelf, &all), 1);
    assert_eq!(plan.hosts.iter().collect::<Vec<_>>(), ["db.example.com", "orders.other.svc.cluster.local"]);
    assert!(plan.rejected.iter().all(|one| one.reason.contains("projected Service orders")), "{:?}", plan.rejected);
    assert_eq!(plan.rejected.len(), 2);
}

#[test]
fn of_one_projection_no_more_names_are_asked_for_than_the_bound() {
    let mut shelf = Shelf::default();
    let names =
        |from: usize, to: usize| -> Vec<String> { (from..to).map(|at| format!("h{at:03}.example.com")).collect() };
    let plan = carry_out(&mut shelf, |shelf| shelf.world(views(&names(100, 400))), 0);
    assert_eq!((plan.hosts.len(), plan.rejected.len()), (256, 44));
    // Those that are asked for already stay, whatever comes before them.
    let known: Vec<String> = plan.hosts.into_iter().collect();
    let all = [names(0, 400), known.clone()].concat();
    let found = Host::Found(vec!["10.0.0.1".parse().unwrap()]);
    let again = |shelf: &Shelf| World { views: views(&all), ..world(shelf, &known, &found) };
    let plan = carry_out(&mut shelf, again, 1);
    assert_eq!(plan.hosts.into_iter().collect::<Vec<_>>(), known);
}
