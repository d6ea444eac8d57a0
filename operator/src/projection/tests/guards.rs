//! What is not written, not taken away, and not touched.

use coordd_api::discovery::InstanceState;
use serde_json::json;

use super::shelf::*;
use crate::crd::projection::condition;
use crate::projection::*;
use crate::world::Moment;

fn addresses(shelf: &Shelf) -> Vec<String> {
    shelf.endpoints("orders").into_keys().collect()
}

fn views(instances: &[&str]) -> Views {
    Views::Service(view("/services/orders", 7, instances.iter().map(|address| up(address)).collect()))
}

#[test]
fn nothing_is_written_before_the_first_whole_answer() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    for view in [View::Waiting, View::Refused("403".to_owned())] {
        let (plan, writes) = shelf.settle(&projection, &Views::Service(view), 0);
        assert_eq!((writes, plan.zxid), (0, None));
    }
    let (plan, _) = shelf.settle(&projection, &Views::Service(View::Gone { zxid: 5 }), 0);
    assert_eq!((plan.services, plan.endpoints), (1, 0), "no registrations is an answer too");
}

#[test]
fn a_lost_source_takes_nothing_away_and_what_was_seen_is_still_mended() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]), 0);
    let lost = Source::Lost { since: Moment(0), why: "refused".to_owned() };
    let world = World { source: lost.clone(), ..shelf.world(views(&["10.0.0.1", "10.0.0.2"])) };
    let plan = shelf.plan(&projection, &world, 1000);
    assert!(plan.writes.is_empty(), "{plan:?}");
    shelf.slices.clear();
    let world = World { source: lost, ..shelf.world(views(&["10.0.0.1", "10.0.0.2"])) };
    assert_eq!(shelf.plan(&projection, &world, 1000).writes.len(), 1);
}

#[test]
fn an_empty_registry_is_held_and_what_comes_is_written_at_once() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.2"]), 0);
    for seconds in [1, 100, 100_000] {
        let (plan, writes) = shelf.settle(&projection, &views(&[]), seconds);
        assert_eq!((writes, plan.holds["orders"].kind), (0, HoldKind::Empty));
    }
    shelf.settle(&projection, &views(&["10.0.0.9"]), 100_001);
    assert_eq!(addresses(&shelf), ["10.0.0.9:8080"], "one of two is no great loss");
}

#[test]
fn drained_means_drained_after_the_grace() {
    let target = json!({"service": {"ports": [{"name": "http", "port": 80}]}});
    let projection = projection(target, json!({"guards": {"emptyPolicy": "Drain"}}));
    let mut shelf = Shelf::default();
    shelf.settle(&projection, &views(&["10.0.0.1"]), 0);
    let (plan, _) = shelf.settle(&projection, &Views::Service(View::Gone { zxid: 9 }), 100);
    assert_eq!(plan.wake, Some(Moment(160_000)));
    shelf.settle(&projection, &Views::Service(View::Gone { zxid: 9 }), 160);
    assert!(addresses(&shelf).is_empty() && shelf.services.contains_key("orders"), "the Service stays");
}

#[test]
fn a_great_loss_is_held_for_the_grace_while_what_is_new_is_written() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]), 0);
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.9"]), 10);
    assert_eq!(addresses(&shelf).len(), 6);
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.9"]), 70);
    assert_eq!(addresses(&shelf), ["10.0.0.1:8080", "10.0.0.9:8080"]);
}

#[test]
fn what_may_not_be_an_endpoint_any_more_is_not_held_either() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.2", "10.1.0.1"]), 0);
    projection.spec.guards.allowed_cidrs = vec!["10.0.0.0/16".to_owned()];
    let (plan, _) = shelf.settle(&projection, &views(&["10.0.0.1", "10.0.0.2", "10.1.0.1"]), 1);
    assert_eq!(addresses(&shelf), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert_eq!(plan.rejected.len(), 1);
    projection.spec.path = "/services/other".to_owned();
    shelf.settle(&projection, &Views::Service(view("/services/other", 8, vec![up("10.0.0.7")])), 2);
    assert_eq!(addresses(&shelf), ["10.0.0.7:8080"], "nor what came from elsewhere");
}

#[test]
fn somebody_elses_service_is_told_and_not_touched() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.foreign.insert((Kind::Service, "orders".to_owned()));
    let (plan, writes) = shelf.settle(&projection, &views(&["10.0.0.1"]), 0);
    assert_eq!((writes, plan.conflicts.as_slice()), (0, ["Service/orders".to_owned()].as_slice()));
    let world = shelf.world(views(&["10.0.0.1"]));
    let status = status(&Scene { projection: &projection, world: &world, plan: &plan, refused: &None, now: Moment(0) });
    let said = |type_: &str| status.conditions.iter().find(|one| one.type_ == type_).unwrap().status.clone();
    assert_eq!((said(condition::NAME_CONFLICT), said(condition::READY)), ("True".to_owned(), "False".to_owned()));
    let told: Vec<_> = events(&Default::default(), &status).into_iter().map(|event| event.reason).collect();
    assert_eq!(told, ["NameConflict"]);

    let mut shelf = Shelf::default();
    shelf.settle(&projection, &views(&["10.0.0.1"]), 0);
    let another = {
        let mut other = projection.clone();
        other.metadata.uid = Some("another".to_owned());
        other
    };
    let (plan, writes) = shelf.settle(&another, &views(&["10.0.0.2"]), 0);
    assert_eq!((writes, plan.conflicts.len(), plan.services), (0, 1, 0), "of another projection, by its uid");
}

#[test]
fn an_instance_that_the_operator_registered_is_no_endpoint() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    let mut own = up("10.0.0.1");
    own.metadata.insert(mark::REGISTERED_BY.to_owned(), "coordd-operator".to_owned());
    let views = Views::Service(view("/services/orders", 7, vec![own, up("10.0.0.2")]));
    let (plan, _) = shelf.settle(&projection, &views, 0);
    assert_eq!(addresses(&shelf), ["10.0.0.2:8080"]);
    assert!(plan.rejected[0].reason.contains("its own source"));
}

#[test]
fn a_host_name_is_waited_for_and_holds_what_is_there() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1"]), 0);
    let by_name = Views::Service(view("/services/orders", 8, vec![up("db.example.com")]));
    let mut world = shelf.world(by_name);
    let plan = shelf.plan(&projection, &world, 1);
    assert!(plan.writes.is_empty() && plan.waiting.len() == 1 && plan.hosts.contains("db.example.com"));
    let found = ["10.0.0.8", "::ffff:10.0.0.9", "127.0.0.1"].map(|text| text.parse().unwrap());
    world.hosts.insert("db.example.com".to_owned(), Host::Found(found.into()));
    let plan = shelf.plan(&projection, &world, 2);
    plan.writes.iter().for_each(|write| shelf.write(write));
    assert_eq!(addresses(&shelf), ["10.0.0.8:8080", "10.0.0.9:8080"]);
    assert!(plan.rejected[0].reason.contains("loopback"));
    world.hosts.insert("db.example.com".to_owned(), Host::Unknown("no such name".to_owned()));
    assert!(shelf.plan(&projection, &world, 3).rejected[0].reason.contains("no such name"));
}

#[test]
fn states_become_conditions() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    let states = [InstanceState::Up, InstanceState::Starting, InstanceState::Stopping, InstanceState::Down];
    let instances = states.iter().enumerate();
    let instances = instances.map(|(at, state)| instance(&format!("10.0.0.{at}"), &[("http", 1)], *state)).collect();
    shelf.settle(&projection, &Views::Service(view("/services/orders", 7, instances)), 0);
    let slice = shelf.slices.values().next().unwrap();
    let conditions: Vec<_> = slice.endpoints.iter().map(|one| one.conditions.clone().unwrap()).collect();
    let read: Vec<_> =
        conditions.iter().map(|one| (one.ready.unwrap(), one.serving.unwrap(), one.terminating.unwrap())).collect();
    assert_eq!(read, [(true, true, false), (false, false, false), (false, true, true), (false, false, false)]);
}

#[test]
fn a_source_lost_for_too_long_makes_synced_unknown_and_keeps_the_rest() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(&["10.0.0.1"]), 0);
    let source = Source::Lost { since: Moment(0), why: "refused".to_owned() };
    let world = World { source, ..shelf.world(views(&["10.0.0.1"])) };
    let plan = shelf.plan(&projection, &world, 0);
    let at = |seconds: i64| {
        let now = Moment(seconds * 1000);
        let scene = Scene { projection: &projection, world: &world, plan: &plan, refused: &None, now };
        let status = status(&scene);
        let said = |type_: &str| status.conditions.iter().find(|one| one.type_ == type_).unwrap().status.clone();
        [condition::READY, condition::SYNCED, condition::SOURCE_REACHABLE].map(said).join(" ")
    };
    assert_eq!(at(4), "True True Unknown");
    assert_eq!(at(299), "True True False");
    assert_eq!(at(300), "Unknown Unknown False");
}
