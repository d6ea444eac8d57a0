//! One Service for each child.

use coordd_api::discovery::{ServiceEntry, ServiceList};
use serde_json::json;

use super::shelf::*;
use crate::crd::ServiceProjection;
use crate::projection::*;
use crate::world::Moment;

fn each(more: serde_json::Value) -> ServiceProjection {
    let target = json!({"service": {"nameTemplate": "{name}", "ports": [{"name": "http", "port": 80}]}});
    projection(target, more)
}

fn views(children: &[(&str, &[&str])]) -> Views {
    let names: Vec<&str> = children.iter().map(|(name, _)| *name).collect();
    let path = |name: &str| format!("/services/orders/{name}");
    let of = |(name, instances): &(&str, &[&str])| {
        let instances = instances.iter().map(|address| up(address)).collect();
        (path(name), view(&path(name), 7, instances))
    };
    Views::Children { list: list(7, &names), services: children.iter().map(of).collect() }
}

#[test]
fn each_child_has_a_service_of_its_name() {
    let (projection, mut shelf) = (each(json!({})), Shelf::default());
    let (plan, _) = shelf.settle(&projection, &views(&[("Cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"])]), 0);
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["cart", "pay"]);
    assert_eq!(plan.follow.unwrap().len(), 2);
    assert!(shelf.endpoints("cart").contains_key("10.0.0.1:8080"));
}

#[test]
fn what_dubbo_keeps_beside_its_interfaces_is_no_service() {
    let names = ["com.acme.Orders", "config", "mapping", "metadata"];
    for (path, format, services) in [
        ("/dubbo", "Auto", 1),
        ("/prod/dubbo", "Auto", 1),
        ("/services", "Dubbo", 1),
        ("/dubbo", "Curator", 4),
        ("/services", "Auto", 4),
    ] {
        let projection = each(json!({"path": path, "format": format}));
        let child = |name: &str| format!("{path}/{name}");
        let entry = |name: &str| ServiceEntry { name: name.to_owned(), path: child(name), children: Some(1) };
        let value = ServiceList { path: path.to_owned(), zxid: 7, services: names.map(entry).into() };
        let of = |name: &str| (child(name), view(&child(name), 7, vec![up("10.0.0.1")]));
        let list = View::There { zxid: 7, value: value.into() };
        let mut shelf = Shelf::default();
        let (plan, _) = shelf.settle(&projection, &Views::Children { list, services: names.map(of).into() }, 0);
        assert_eq!((shelf.services.len(), plan.follow.unwrap().len()), (services, services), "{path} {format}");
        assert!(plan.rejected.is_empty() && shelf.services.contains_key("com-acme-orders"));
    }
}

#[test]
fn a_child_whose_answer_has_not_come_is_left_as_it_is() {
    let (projection, mut shelf) = (each(json!({})), Shelf::default());
    let both: [(&str, &[&str]); 2] = [("cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"])];
    shelf.settle(&projection, &views(&both), 0);
    let Views::Children { list, mut services } = views(&both) else { unreachable!() };
    services.remove("/services/orders/pay");
    let (plan, writes) = shelf.settle(&projection, &Views::Children { list, services }, 1);
    assert_eq!((writes, plan.waiting.as_slice()), (0, ["/services/orders/pay".to_owned()].as_slice()));
    let (plan, writes) =
        shelf.settle(&projection, &Views::Children { list: View::Waiting, services: Default::default() }, 2);
    assert_eq!((writes, plan.follow), (0, None));
}

#[test]
fn that_an_answer_has_not_come_is_told_after_a_while() {
    let (mut projection, mut shelf) = (each(json!({})), Shelf::default());
    let (plan, _) = shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"])]), 0);
    let told = |projection: &ServiceProjection, world: &World, plan: &Plan, seconds: i64| {
        let now = Moment(seconds * 1000);
        status(&Scene { projection, world, plan, refused: &None, now })
    };
    let world = shelf.world(views(&[("cart", &["10.0.0.1"])]));
    projection.status = Some(told(&projection, &world, &plan, 0));
    let Views::Children { list: both, .. } = views(&[("cart", &[]), ("pay", &[])]) else { unreachable!() };
    let Views::Children { services, .. } = views(&[("cart", &["10.0.0.1"])]) else { unreachable!() };
    let world = shelf.world(Views::Children { list: both, services });
    for (seconds, reason) in [(10, "Synced"), (14, "Synced"), (15, "Waiting")] {
        let plan = shelf.plan(&projection, &world, seconds);
        let status = told(&projection, &world, &plan, seconds);
        assert_eq!(status.conditions[1].reason, reason, "after {seconds} s");
        assert_eq!(plan.wake, (seconds < 15).then_some(Moment(15_000)));
    }
}

#[test]
fn a_child_that_goes_is_held_and_then_deleted_where_it_is_drained() {
    let drain = each(json!({"guards": {"emptyPolicy": "Drain"}}));
    for (projection, stays) in [(each(json!({})), true), (drain, false)] {
        let mut shelf = Shelf::default();
        shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"])]), 0);
        let (plan, writes) = shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"])]), 10);
        assert_eq!((writes, plan.holds["pay"].kind), (0, HoldKind::Empty));
        // Other changes do not begin the grace anew.
        shelf.settle(&projection, &views(&[("cart", &["10.0.0.3"])]), 40);
        shelf.settle(&projection, &views(&[("cart", &["10.0.0.3"])]), 70);
        assert_eq!(shelf.services.contains_key("pay"), stays);
    }
}

#[test]
fn a_child_that_a_new_operator_is_not_told_of_by_a_member_that_is_behind_stays() {
    let drain = each(json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}}));
    let mut shelf = Shelf::default();
    shelf.settle(&drain, &views(&[("cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"]), ("new", &[])]), 0);
    shelf.memory = Memory::default();
    let behind = |shelf: &Shelf| World { settled: false, ..shelf.world(views(&[("cart", &["10.0.0.3"])])) };
    for seconds in 1..4 {
        let plan = shelf.plan(&drain, &behind(&shelf), seconds);
        plan.writes.iter().for_each(|write| shelf.write(write));
    }
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["cart", "new", "pay"]);
    assert!(shelf.endpoints("cart").contains_key("10.0.0.3:8080"), "who is told of is followed");
    shelf.settle(&drain, &views(&[("cart", &["10.0.0.3"])]), 60);
    assert!(!shelf.services.contains_key("pay"), "it has gone");
}

#[test]
fn a_child_without_endpoints_that_goes_keeps_its_service_and_its_address_as_others_do() {
    let drain = each(json!({"guards": {"emptyPolicy": "Drain"}}));
    for (projection, stays) in [(each(json!({})), true), (drain, false)] {
        let mut shelf = Shelf::default();
        shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"]), ("pay", &["127.0.0.1"])]), 0);
        let uid = shelf.services["pay"].metadata.uid.clone();
        let (plan, writes) = shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"])]), 10);
        assert_eq!((writes, plan.holds["pay"].kind, plan.holds["pay"].kept), (0, HoldKind::Empty, 0));
        shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"])]), 70);
        assert_eq!(shelf.services.get("pay").map(|service| service.metadata.uid.clone()), stays.then_some(uid));
    }
}

#[test]
fn what_is_forbidden_goes_whatever_holds_the_rest() {
    let mut projection = each(json!({}));
    let open = projection.spec.guards.allowed_cidrs.clone();
    let both: [(&str, &[&str]); 2] = [("cart", &["10.0.0.1", "10.1.0.1"]), ("pay", &["10.0.0.2", "10.1.0.2"])];
    let Views::Children { list, mut services } = views(&both) else { unreachable!() };
    services.insert("/services/orders/pay".to_owned(), View::Refused("403".to_owned()));
    let refused = Views::Children { list, services };
    let closed = Source::Closed { reason: "ClusterNotFound", why: String::new() };
    let lost = Source::Lost { since: Moment(0), why: "503".to_owned() };
    for (views_now, source) in [
        (views(&both[..1]), Source::Reachable),
        (views(&[]), Source::Reachable),
        (refused, Source::Reachable),
        (Views::Service(View::Waiting), closed),
        (views(&both), lost),
    ] {
        let mut shelf = Shelf::default();
        projection.spec.guards.allowed_cidrs = open.clone();
        shelf.settle(&projection, &views(&both), 0);
        let change =
            |shelf: &Shelf| shelf.world(views(&[])).slices.iter().map(|one| one.change.clone()).collect::<Vec<_>>();
        let before = change(&shelf);
        projection.spec.guards.allowed_cidrs = vec!["10.0.0.0/16".to_owned()];
        for round in 0..4 {
            let world = World { source: source.clone(), ..shelf.world(views_now.clone()) };
            let plan = shelf.plan(&projection, &world, 1);
            assert!(round < 3 || plan.writes.is_empty(), "it does not come to rest: {:?}", plan.writes);
            plan.writes.iter().for_each(|write| shelf.write(write));
        }
        assert_eq!(shelf.endpoints("pay").into_keys().collect::<Vec<_>>(), ["10.0.0.2:8080"], "{source:?}");
        assert_eq!(shelf.endpoints("cart").len(), 1, "{source:?}");
        assert_eq!(change(&shelf), before, "nothing newer is known");
        projection.spec.guards.allowed_cidrs = vec!["10.9.0.0/16".to_owned()];
        let world = World { source: source.clone(), ..shelf.world(views_now) };
        shelf.plan(&projection, &world, 2).writes.iter().for_each(|write| shelf.write(write));
        assert!(shelf.endpoints("pay").is_empty(), "{source:?}");
        assert!(shelf.services.contains_key("pay"));
    }
}

#[test]
fn too_many_children_are_told_and_those_that_are_there_stay() {
    let (projection, mut shelf) = (each(json!({"guards": {"maxServices": 2}})), Shelf::default());
    shelf.settle(&projection, &views(&[("m", &["10.0.0.1"]), ("n", &["10.0.0.1"])]), 0);
    let (plan, writes) =
        shelf.settle(&projection, &views(&[("a", &["10.0.0.1"]), ("m", &["10.0.0.1"]), ("n", &["10.0.0.1"])]), 1);
    assert_eq!((writes, plan.rejected[0].znode.as_str()), (0, "/services/orders/a"));
}

#[test]
fn children_of_one_name_are_told_apart_and_keep_what_they_are_called() {
    let (projection, mut shelf) = (each(json!({})), Shelf::default());
    shelf.settle(&projection, &views(&[("A.b", &["10.0.0.1"])]), 0);
    let (plan, _) = shelf.settle(&projection, &views(&[("A.b", &["10.0.0.1"]), ("a-b", &["10.0.0.2"])]), 1);
    assert_eq!(plan.renamed.len(), 1);
    assert!(shelf.endpoints("a-b").contains_key("10.0.0.1:8080"), "the first keeps its name");
    assert_eq!(shelf.services.len(), 2);
}

#[test]
fn what_was_made_of_a_path_further_below_goes_when_the_path_is_made_shorter() {
    let mut projection = each(json!({}));
    projection.spec.path = "/services/orders/old".to_owned();
    let mut shelf = Shelf::default();
    let path = |name: &str| format!("/services/orders/old/{name}");
    let entry = |name: &str| ServiceEntry { name: name.to_owned(), path: path(name), children: None };
    let services = vec![entry("cart"), entry("pay")];
    let value = ServiceList { path: "/services/orders/old".to_owned(), zxid: 7, services };
    let of = |name: &str| (path(name), view(&path(name), 7, vec![up("10.0.0.1")]));
    let deep = Views::Children {
        list: View::There { zxid: 7, value: value.into() },
        services: [of("cart"), of("pay")].into(),
    };
    shelf.settle(&projection, &deep, 0);
    projection.spec.path = "/services/orders".to_owned();
    shelf.settle(&projection, &views(&[("cart", &["10.0.0.2"])]), 1);
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["cart"]);
    assert!(shelf.endpoints("cart").contains_key("10.0.0.2:8080"));
}

#[test]
fn a_service_that_is_called_anew_is_there_before_the_old_one_goes() {
    let mut projection = one_service();
    let mut shelf = Shelf::default();
    let views = Views::Service(view("/services/orders", 7, vec![up("10.0.0.1")]));
    shelf.settle(&projection, &views, 0);
    projection.spec.target.service.as_mut().unwrap().name = Some("buy".to_owned());
    loop {
        let plan = shelf.plan(&projection, &shelf.world(views.clone()), 1);
        if plan.writes.is_empty() {
            break;
        }
        for write in &plan.writes {
            shelf.write(write);
            assert!(shelf.endpoints("orders").len() + shelf.endpoints("buy").len() >= 1);
        }
    }
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["buy"]);
}

#[test]
fn a_service_that_is_to_be_called_as_somebody_elses_is_stays() {
    let mut projection = one_service();
    let mut shelf = Shelf::default();
    let views = Views::Service(view("/services/orders", 7, vec![up("10.0.0.1")]));
    shelf.settle(&projection, &views, 0);
    projection.spec.target.service.as_mut().unwrap().name = Some("web".to_owned());
    shelf.foreign.insert((Kind::Service, "web".to_owned()));
    let (plan, writes) = shelf.settle(&projection, &views, 1);
    assert_eq!((writes, plan.conflicts.as_slice()), (0, ["Service/web".to_owned()].as_slice()));
    assert!(shelf.endpoints("orders").contains_key("10.0.0.1:8080"));
    let views = Views::Service(view("/services/orders", 8, vec![up("10.0.0.2"), up("127.0.0.1")]));
    let (plan, _) = shelf.settle(&projection, &views, 1);
    assert_eq!(shelf.endpoints("orders").into_keys().collect::<Vec<_>>(), ["10.0.0.2:8080"], "it is followed");
    assert_eq!(plan.rejected.len(), 1, "what is told is told once");
    shelf.foreign.clear();
    shelf.settle(&projection, &views, 2);
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["web"]);
}

#[test]
fn while_the_service_of_a_new_name_is_not_let_in_the_one_that_is_there_is_followed() {
    let (mut projection, mut shelf) = (each(json!({})), Shelf::default());
    shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"])]), 0);
    projection.spec.target.service.as_mut().unwrap().name_template = Some("x-{name}".to_owned());
    let now = views(&[("cart", &["10.0.0.3"]), ("pay", &["10.0.0.2"])]);
    for seconds in 1..5 {
        let plan = shelf.plan(&projection, &shelf.world(now.clone()), seconds);
        let is_new = |write: &&Write| write.group().starts_with("Service/x-");
        assert_eq!(plan.writes.iter().filter(is_new).count(), 2, "it is tried again");
        plan.writes.iter().filter(|write| !is_new(write)).for_each(|write| shelf.write(write));
    }
    assert_eq!(shelf.endpoints("cart").into_keys().collect::<Vec<_>>(), ["10.0.0.3:8080"]);
    shelf.settle(&projection, &now, 5);
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["x-cart", "x-pay"]);
}

#[test]
fn a_child_that_may_not_be_asked_for_is_named_and_keeps_no_other_alive() {
    let (mut projection, mut shelf) = (each(json!({"guards": {"emptyPolicy": "Drain"}})), Shelf::default());
    shelf.settle(&projection, &views(&[("cart", &["10.0.0.1"]), ("pay", &["10.0.0.2"])]), 0);
    projection.status = Some(Default::default());
    let Views::Children { list, mut services } = views(&[("pay", &[])]) else { unreachable!() };
    services.insert("/services/orders/pay".to_owned(), View::Refused("403".to_owned()));
    let refused = Views::Children { list, services };
    shelf.settle(&projection, &refused, 10);
    let (plan, _) = shelf.settle(&projection, &refused, 70);
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["pay"], "cart has gone, pay is as it was");
    assert!(shelf.endpoints("pay").contains_key("10.0.0.2:8080"));
    let world = shelf.world(refused);
    let now = Moment(70_000);
    let status = status(&Scene { projection: &projection, world: &world, plan: &plan, refused: &None, now });
    let said: Vec<_> = status.conditions.iter().map(|one| (one.status.as_str(), one.reason.as_str())).collect();
    assert_eq!(said[..2], [("True", "Projected"), ("False", "NotProjected")]);
    assert!(status.conditions[0].message.contains("/services/orders/pay"), "{:?}", status.conditions[0]);
}

#[test]
fn a_child_whose_line_is_lost_holds_nothing_of_the_others() {
    let drain = each(json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}}));
    let lost = Source::Lost { since: Moment(0), why: "503".to_owned() };
    for (reached, pay, cart, went) in [
        (vec!["", "/services/orders/cart"], 2, 1, false),
        (vec!["", "/services/orders/pay"], 1, 2, false),
        (vec![], 2, 2, true),
    ] {
        let mut shelf = Shelf::default();
        let all: [(&str, &[&str]); 3] =
            [("cart", &["10.0.0.1", "10.0.0.2"]), ("pay", &["10.0.0.3", "10.0.0.4"]), ("went", &["10.0.0.5"])];
        shelf.settle(&drain, &views(&all), 0);
        let now = views(&[("cart", &["10.0.0.1"]), ("pay", &["10.0.0.3"])]);
        let reached = reached.into_iter().map(str::to_owned).collect();
        let world = World { source: lost.clone(), reached, ..shelf.world(now) };
        let plan = shelf.plan(&drain, &world, 1);
        plan.writes.iter().for_each(|write| shelf.write(write));
        assert_eq!((shelf.endpoints("pay").len(), shelf.endpoints("cart").len()), (pay, cart));
        assert_eq!(shelf.services.contains_key("went"), went, "by the list");
    }
}

#[test]
fn a_child_whose_two_names_are_taken_is_told() {
    let (projection, mut shelf) = (each(json!({})), Shelf::default());
    shelf.settle(&projection, &views(&[("a-b", &["10.0.0.1"]), ("A.b", &["10.0.0.2"])]), 0);
    let aimed = shelf.services.keys().find(|name| *name != "a-b").unwrap().clone();
    let mut shelf = Shelf::default();
    let three: [(&str, &[&str]); 3] = [("a-b", &["10.0.0.1"]), ("A.b", &["10.0.0.2"]), (&aimed, &["10.0.0.3"])];
    let (plan, _) = shelf.settle(&projection, &views(&three), 0);
    assert_eq!(shelf.services.len(), 2);
    assert!(shelf.endpoints(&aimed).contains_key("10.0.0.3:8080"));
    assert_eq!((plan.rejected.len(), plan.rejected[0].znode.as_str()), (1, "/services/orders/A.b"));

    let (mut projection, mut shelf) =
        (each(json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}})), Shelf::default());
    shelf.settle(&projection, &views(&three[..2]), 0);
    projection.spec.target.service.as_mut().unwrap().name_template = Some("x-{name}".to_owned());
    let (plan, _) = shelf.settle(&projection, &views(&three), 1);
    assert!(shelf.endpoints(&aimed).contains_key("10.0.0.2:8080"), "it goes on under the name that it had");
    assert_eq!((plan.rejected.len(), shelf.services.len()), (1, 3));
}

#[test]
fn services_of_children_that_went_count_against_the_most() {
    let (mut projection, mut shelf) = (each(json!({"guards": {"maxServices": 3}})), Shelf::default());
    for round in 0..20 {
        let name = format!("c{round}");
        let (plan, _) = shelf.settle(&projection, &views(&[("lives", &["10.0.0.1"]), (&name, &["10.0.0.2"])]), round);
        assert_eq!(plan.rejected.len(), usize::from(round > 1), "round {round}");
    }
    assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["c0", "c1", "lives"]);
    projection.spec.guards.max_services = 1;
    let all: [(&str, &[&str]); 3] = [("c0", &["10.0.0.3"]), ("c1", &["10.0.0.2"]), ("lives", &["10.0.0.4"])];
    shelf.settle(&projection, &views(&all), 30);
    assert!(shelf.endpoints("c0").contains_key("10.0.0.3:8080"), "what is there is followed, though it is too many");
}

#[test]
fn the_least_number_of_endpoints_is_not_asked_of_a_child_that_went() {
    let guards = json!({"guards": {"emptyPolicy": "Drain", "minEndpoints": 2}});
    let (projection, mut shelf) = (each(guards), Shelf::default());
    shelf.settle(&projection, &views(&[("cart", &["10.0.0.1", "10.0.0.2"])]), 0);
    shelf.settle(&projection, &views(&[]), 1);
    shelf.settle(&projection, &views(&[]), 61);
    assert!(shelf.services.is_empty());
}
