//! Ports, zones, and how many slices and writes there are.

use coordd_api::discovery::InstanceState;
use serde_json::json;

use super::shelf::*;
use crate::projection::*;

fn many(addresses: impl IntoIterator<Item = u32>) -> Views {
    let instances = addresses.into_iter().map(|at| up(&format!("10.0.{}.{}", at / 250, at % 250 + 1))).collect();
    Views::Service(view("/services/orders", 7, instances))
}

#[test]
fn a_thousand_are_ten_slices_and_one_more_is_one_write() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    let (plan, writes) = shelf.settle(&projection, &many(0..1000), 0);
    assert_eq!((writes, shelf.slices.len(), plan.endpoints), (11, 10, 1000));
    assert!(shelf.slices.values().all(|slice| slice.endpoints.len() == PER_SLICE));
    let (_, writes) = shelf.settle(&projection, &many(0..1001), 1);
    assert_eq!((writes, shelf.slices.len()), (1, 11));
    let (_, writes) = shelf.settle(&projection, &many((0..500).chain(501..1001)), 2);
    assert_eq!(writes, 1, "one that went");
    let (_, writes) = shelf.settle(&projection, &many((0..500).chain(501..1002)), 3);
    assert_eq!((writes, shelf.slices.len()), (1, 11), "one that came has room");
}

#[test]
fn many_slices_with_little_in_them_become_few() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &many(0..1000), 0);
    // Every tenth stays, of each slice ten.
    shelf.settle(&projection, &many((0..1000).filter(|at| at % 10 == 0)), 100);
    let (plan, _) = shelf.settle(&projection, &many((0..1000).filter(|at| at % 10 == 0)), 200);
    assert_eq!((shelf.slices.len(), plan.endpoints), (1, 100));
}

#[test]
fn different_ports_are_different_slices_of_the_same_name() {
    let target =
        json!({"service": {"ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81, "from": "jmx"}]}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    let instances = vec![
        instance("10.0.0.1", &[("http", 1), ("jmx", 2)], InstanceState::Up),
        instance("10.0.0.2", &[("http", 3), ("jmx", 2)], InstanceState::Up),
        instance("10.0.0.3", &[("http", 1)], InstanceState::Up),
        instance("fd00::1", &[("http", 1), ("jmx", 2)], InstanceState::Up),
        instance("10.0.0.4", &[("other", 1)], InstanceState::Up),
    ];
    let (plan, _) = shelf.settle(&projection, &Views::Service(view("/services/orders", 7, instances)), 0);
    assert_eq!(shelf.slices.len(), 4);
    assert!(plan.rejected[0].reason.contains("only other"), "{:?}", plan.rejected);
    let found: Vec<_> = shelf.endpoints("orders").into_keys().collect();
    assert_eq!(found, ["10.0.0.1:2+1", "10.0.0.2:2+3", "10.0.0.3:1", "fd00::1:2+1"]);
    let families = shelf.slices.values().filter(|slice| slice.address_type == "IPv6").count();
    assert_eq!(families, 1);
}

#[test]
fn a_single_port_is_found_by_name_then_default_then_alone_then_by_number() {
    let port = |more| projection(json!({"service": {"ports": [more]}}), json!({}));
    let named = || json!({"name": "http", "port": 80, "targetPort": 9});
    for (spec, ports, expected) in [
        (named(), vec![("http", 1), ("default", 2)], Some(1)),
        (named(), vec![("default", 2), ("x", 3)], Some(2)),
        (named(), vec![("x", 3)], Some(3)),
        (named(), vec![("x", 3), ("y", 4)], Some(9)),
        (named(), vec![], Some(9)),
        (json!({"port": 80, "from": "secure"}), vec![("default", 2)], None),
        (json!({"port": 80}), vec![("default", 2), ("secure", 5)], Some(2)),
    ] {
        let mut shelf = Shelf::default();
        let views = Views::Service(view("/services/orders", 7, vec![instance("10.0.0.1", &ports, InstanceState::Up)]));
        let (plan, _) = shelf.settle(&port(spec.clone()), &views, 0);
        let found = shelf.endpoints("orders").into_keys().next();
        assert_eq!(found, expected.map(|number| format!("10.0.0.1:{number}")), "{spec} {ports:?}");
        assert_eq!(plan.rejected.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn zones_and_hints_follow_the_instance_then_its_pod() {
    let target =
        json!({"service": {"ports": [{"port": 80}], "headless": true, "trafficDistribution": "PreferSameNode"}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    let mut far = up("10.0.0.2");
    far.zone = Some("z2".to_owned());
    let mut odd = up("10.0.0.3");
    odd.zone = Some("a zone!".to_owned());
    let views = Views::Service(view("/services/orders", 7, vec![up("10.0.0.1"), far, odd]));
    for _ in 0..3 {
        let mut world = shelf.world(views.clone());
        let zone = Some("z1".to_owned());
        let pod = Pod { name: "web-0".to_owned(), uid: "u".to_owned(), node: Some("n1".to_owned()), zone };
        world.pods.insert("10.0.0.1".parse().unwrap(), pod);
        let plan = shelf.plan(&projection, &world, 0);
        plan.writes.iter().for_each(|write| shelf.write(write));
    }
    let slice = shelf.slices.values().next().unwrap();
    let label = |key: &str| slice.metadata.labels.as_ref().unwrap().get(key).cloned();
    assert_eq!(label(mark::HEADLESS).as_deref(), Some(""));
    assert_eq!(label("endpointslice.kubernetes.io/managed-by").as_deref(), Some("projections.coordd.dev"));
    assert_eq!(shelf.services["orders"].spec.as_ref().unwrap().cluster_ip.as_deref(), Some("None"));
    let hints: Vec<_> = slice.endpoints.iter().map(|one| one.hints.clone()).collect();
    let first = hints[0].clone().unwrap();
    assert_eq!(first.for_nodes.unwrap()[0].name, "n1");
    assert_eq!(first.for_zones.unwrap()[0].name, "z1");
    assert_eq!(hints[1].clone().unwrap().for_zones.unwrap()[0].name, "z2");
    assert_eq!((hints[2].clone(), slice.endpoints[2].zone.clone()), (None, None), "what is no zone is left out");
}

#[test]
fn what_somebody_changed_is_mended() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &many(0..3), 0);
    type Change = fn(&mut Shelf);
    let changes: [Change; 6] = [
        |shelf| shelf.slices.values_mut().for_each(|slice| slice.endpoints.truncate(1)),
        |shelf| shelf.slices.values_mut().for_each(|slice| slice.endpoints[0].addresses = vec!["10.9.9.9".to_owned()]),
        |shelf| shelf.slices.values_mut().for_each(|slice| slice.endpoints[0].hostname = Some("x".to_owned())),
        |shelf| {
            let service = shelf.services.get_mut("orders").unwrap();
            service.spec.as_mut().unwrap().selector = Some([("app".to_owned(), "x".to_owned())].into());
        },
        |shelf| shelf.services.get_mut("orders").unwrap().spec.as_mut().unwrap().ports = None,
        |shelf| shelf.services.get_mut("orders").unwrap().metadata.annotations = None,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        change(&mut shelf);
        let (_, writes) = shelf.settle(&projection, &many(0..3), 1);
        assert!(writes >= 1, "change {at}");
        assert_eq!(shelf.endpoints("orders").len(), 3, "change {at}");
    }
}

#[test]
fn what_kubernetes_leaves_out_of_what_is_written_is_seen() {
    let target = json!({"service": {"ports": [{"name": "http", "port": 80}], "trafficDistribution": "PreferClose"}});
    let (projection, mut shelf) = (projection(target, json!({})), Shelf::default());
    let views = many([1]);
    let first = shelf.plan(&projection, &shelf.world(views.clone()), 0).writes;
    let [Write::Service(service)] = first.as_slice() else { unreachable!() };
    assert!(keeps_service(service, service));
    let mut older = service.clone();
    older.spec.as_mut().unwrap().traffic_distribution = None;
    assert!(!keeps_service(service, &older));
    shelf.write(&first[0]);
    let second = shelf.plan(&projection, &shelf.world(views), 0).writes;
    let [Write::Slice(slice)] = second.as_slice() else { unreachable!() };
    assert!(keeps_slice(slice, slice));
    let mut changed = slice.clone();
    changed.metadata.labels.as_mut().unwrap().remove(mark::SLICE_MANAGED_BY);
    assert!(!keeps_slice(slice, &changed));
    let mut changed = slice.clone();
    changed.endpoints[0].conditions = None;
    assert!(!keeps_slice(slice, &changed), "what is not said is another thing");
}

#[test]
fn a_slice_that_somebody_gave_to_another_service_is_given_back() {
    let (projection, mut shelf) = (one_service(), Shelf::default());
    let views = Views::Service(view("/services/orders", 7, vec![up("10.0.0.1")]));
    shelf.settle(&projection, &views, 0);
    let slice = shelf.slices.values_mut().next().unwrap();
    slice.metadata.labels.as_mut().unwrap().insert(mark::SLICE_SERVICE.to_owned(), "other".to_owned());
    let (_, writes) = shelf.settle(&projection, &views, 1);
    assert_eq!((writes, shelf.endpoints("orders").len()), (1, 1));
}
