//! ConfigMaps, leaders and Leases.

use coordd_api::discovery::{Candidate, ConfigTree, LeaderView, LeftOut, Recipe};
use serde_json::json;

use super::shelf::*;
use crate::projection::*;

fn tree(values: &[(&str, &str)]) -> Views {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let value = ConfigTree { path: "/services/orders".to_owned(), zxid: 7, values, left_out: Vec::new() };
    Views::ConfigMap(View::There { zxid: 7, value: value.into() })
}

#[test]
fn a_subtree_becomes_a_config_map_that_follows_it() {
    let (projection, mut shelf) = (projection(json!({"configMap": {}}), json!({})), Shelf::default());
    shelf.settle(&projection, &tree(&[("db/url", "a"), ("size", "3")]), 0);
    let data = |shelf: &Shelf| shelf.maps["orders"].data.clone().unwrap();
    assert_eq!(data(&shelf)["db.url"], "a");
    let (plan, writes) = shelf.settle(&projection, &tree(&[("db/url", "b")]), 1);
    assert_eq!((writes, plan.endpoints, data(&shelf).len()), (1, 1, 1));
    let (plan, writes) = shelf.settle(&projection, &Views::ConfigMap(View::Gone { zxid: 9 }), 2);
    assert_eq!((writes, plan.holds.len()), (0, 1), "nothing at all is held");
}

#[test]
fn too_much_for_a_config_map_is_told_and_the_last_one_stays() {
    let target = json!({"configMap": {"maxBytes": 1024}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    shelf.settle(&projection, &tree(&[("a", "1")]), 0);
    let (plan, writes) = shelf.settle(&projection, &tree(&[("a", &"x".repeat(1024))]), 1);
    assert_eq!(writes, 0);
    assert!(plan.problems[0].contains("1025 bytes"), "{:?}", plan.problems);
}

#[test]
fn a_value_that_may_not_be_read_any_more_holds_all_of_them() {
    let (projection, mut shelf) = (projection(json!({"configMap": {}}), json!({})), Shelf::default());
    shelf.settle(&projection, &tree(&[("db/url", "a"), ("size", "3")]), 0);
    let Views::ConfigMap(View::There { zxid, value }) = tree(&[("size", "4")]) else { unreachable!() };
    let mut value = ConfigTree::clone(&value);
    value.left_out = vec![LeftOut { key: "db/url".to_owned(), reason: "it may not be read".to_owned() }];
    let (plan, writes) = shelf.settle(&projection, &Views::ConfigMap(View::There { zxid, value: value.into() }), 1);
    assert_eq!((writes, plan.problems.len()), (0, 1));
    assert!(plan.problems[0].contains("db.url"), "{:?}", plan.problems);
    shelf.settle(&projection, &tree(&[("size", "4")]), 2);
    assert_eq!(shelf.maps["orders"].data.as_ref().unwrap().len(), 1, "it has gone");
}

#[test]
fn a_key_is_not_taken_by_another_znode() {
    let (projection, mut shelf) = (projection(json!({"configMap": {}}), json!({})), Shelf::default());
    let value = |shelf: &Shelf| shelf.maps["orders"].data.as_ref().unwrap()["db.url"].clone();
    shelf.settle(&projection, &tree(&[("db/url", "a")]), 0);
    let (plan, _) = shelf.settle(&projection, &tree(&[("db.url", "other"), ("db/url", "a")]), 1);
    assert_eq!((value(&shelf).as_str(), plan.rejected.len()), ("a", 1));
    shelf.settle(&projection, &tree(&[("db.url", "other"), ("db/url", "b")]), 2);
    assert_eq!(value(&shelf), "b", "and follows whose it is");
}

fn leader(id: Option<&str>, token: i64) -> Views {
    let candidate = |id: &str| Candidate {
        znode: "/services/orders/_c_1-latch-0000000007".to_owned(),
        id: Some(id.to_owned()),
        since: Some(token),
    };
    let value = LeaderView {
        path: "/services/orders".to_owned(),
        recipe: Some(Recipe::CuratorLatch),
        zxid: token,
        leader: id.map(candidate),
        fencing_token: id.map(|_| token),
        candidates: id.map(candidate).into_iter().collect(),
    };
    Views::Leader(View::There { zxid: token, value: value.into() })
}

#[test]
fn the_leader_is_the_one_endpoint_and_the_lease_names_it() {
    let target = json!({"leader": {"ports": [{"port": 80, "targetPort": 9000}]}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    let table = [
        ("10.0.0.1:8080", "10.0.0.1:8080"),
        ("http://10.0.0.2:8081/x", "10.0.0.2:8081"),
        ("[fd00::1]:8082", "fd00::1:8082"),
        ("10.0.0.4", "10.0.0.4:9000"),
    ];
    for (at, (id, expected)) in table.into_iter().enumerate() {
        shelf.settle(&projection, &leader(Some(id), 10 + at as i64), at as i64);
        assert_eq!(shelf.endpoints("orders").into_keys().collect::<Vec<_>>(), [expected]);
        let spec = shelf.leases["orders"].spec.clone().unwrap();
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some(id), Some(at as i32)));
    }
    let (_, writes) = shelf.settle(&projection, &leader(Some("10.0.0.4"), 13), 1000);
    assert_eq!(writes, 0, "it is not renewed");
    let (plan, _) = shelf.settle(&projection, &leader(Some("janitor"), 20), 1001);
    assert!(plan.rejected[0].reason.contains("\"janitor\""));
    shelf.settle(&projection, &leader(None, 21), 1002);
    assert!(shelf.endpoints("orders").is_empty(), "nobody leads");
    assert_eq!(shelf.leases["orders"].spec.as_ref().unwrap().holder_identity, None);
}

#[test]
fn whoever_led_is_called_no_more_once_a_leader_has_a_name_that_nobody_answers_for() {
    let target = json!({"leader": {"ports": [{"port": 80, "targetPort": 9000}]}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    shelf.settle(&projection, &leader(Some("10.0.0.1:8080"), 5), 0);
    let (plan, _) = shelf.settle(&projection, &leader(Some("b.corp.example:8080"), 6), 1);
    assert!(shelf.endpoints("orders").is_empty(), "the Lease names another one: {plan:?}");
    assert_eq!(plan.waiting, ["the addresses of b.corp.example below /services/orders"]);
}

#[test]
fn a_token_never_falls_and_what_is_written_says_of_which_change_it_is() {
    let target = json!({"leader": {"ports": [{"port": 80, "targetPort": 9000}]}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    let token =
        |shelf: &Shelf| shelf.leases["orders"].metadata.annotations.as_ref().unwrap()[mark::FENCING_TOKEN].clone();
    shelf.settle(&projection, &leader(Some("10.0.0.1:8080"), 9), 0);
    let lease = seen_lease(&shelf.leases["orders"]);
    assert_eq!(lease.shape.change, Some(("e1".to_owned(), 9)));
    shelf.settle(&projection, &leader(Some("10.0.0.2:8080"), 5), 1);
    assert_eq!(token(&shelf), "9", "who says so is behind");
    let mut other = shelf.world(leader(Some("10.0.0.2:8080"), 5));
    other.ensemble = "e2".to_owned();
    let plan = shelf.plan(&projection, &other, 2);
    plan.writes.iter().for_each(|write| shelf.write(write));
    assert_eq!(token(&shelf), "5", "in another ensemble numbers begin anew");
    let (projection, mut shelf) = (super::shelf::projection(json!({"configMap": {}}), json!({})), Shelf::default());
    shelf.settle(&projection, &tree(&[("size", "3")]), 0);
    assert_eq!(seen_config_map(&shelf.maps["orders"]).shape.change, Some(("e1".to_owned(), 7)));
}

#[test]
fn a_leader_may_call_itself_by_its_pod() {
    let target = json!({"leader": {"ports": [{"port": 80, "targetPort": 9000}], "lease": false}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    for _ in 0..2 {
        let mut world = shelf.world(leader(Some("web-0"), 5));
        let pod = Pod { name: "web-0".to_owned(), uid: "u".to_owned(), node: Some("n1".to_owned()), zone: None };
        world.pods.insert("10.0.0.5".parse().unwrap(), pod);
        let plan = shelf.plan(&projection, &world, 0);
        plan.writes.iter().for_each(|write| shelf.write(write));
    }
    assert!(shelf.endpoints("orders").contains_key("10.0.0.5:9000"));
    let endpoint = shelf.slices.values().next().unwrap().endpoints[0].clone();
    assert_eq!(endpoint.target_ref.unwrap().name.as_deref(), Some("web-0"));
    assert_eq!(endpoint.node_name.as_deref(), Some("n1"));
    assert!(shelf.leases.is_empty());
}
