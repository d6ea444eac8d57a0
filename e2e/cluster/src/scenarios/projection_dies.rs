//! The operator dies before and after each kind of write of projections; whoever starts next finishes, and nothing is
//! wrong.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::apps::endpoints;
use crate::ensemble::Ensemble;
use crate::operator::Stopped;
use crate::projection::Projection;
use crate::scene::{PATIENCE, Scene, until};
use crate::tree::Tree;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "projection-dies",
    about: "the operator dies before and after each write of projections",
    short: false,
    play: Play::Anywhere(play),
};

const ODD: &str = "/many/s0/odd";

/// What there is to be after some change.
struct Wanted {
    services: usize,
    setting: String,
    leader: usize,
}

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let tree = Tree::of(&ensemble)?;
    tree.make(&[("/many", ""), ("/config", ""), ("/config/setting", "0"), ("/election", "")])?;
    tree.make(&[(&candidate(0), &format!("{}:80", address(0)))])?;
    let mut wanted = Wanted { services: 1, setting: "0".to_owned(), leader: 0 };
    service(&tree, 0)?;
    let ports = json!([{"name": "http", "port": 80}]);
    let each = json!({"service": {"ports": ports, "nameTemplate": "many-{name}"}});
    let guards = json!({"emptyPolicy": "Drain", "emptyGrace": "0s", "holdHalfEmpty": false});
    Projection::ready(scene, "many", "/many", &json!({"format": "Curator", "target": each, "guards": guards}))?;
    Projection::ready(scene, "settings", "/config", &json!({"target": {"configMap": {}}}))?;
    Projection::ready(scene, "boss", "/election", &json!({"target": {"leader": {"ports": ports}}}))?;
    is_so(scene, &wanted)?;
    for point in ["service", "slice", "status", "config-map", "lease", "service-delete", "slice-delete"] {
        for side in ["before", "after"] {
            if point == "slice-delete" {
                odd_one(scene, &tree)?;
            }
            let stopped = Stopped::all()?;
            change(&tree, point, &mut wanted)?;
            stopped.dies_at(&format!("projection-{point}:{side}"))?;
            stopped.start()?;
            is_so(scene, &wanted)?;
        }
        println!("      died before and after {point}");
    }
    Ok(())
}

fn address(number: usize) -> String {
    format!("100.64.1.{}", number + 1)
}

/// One more instance of the first service, with another port: it has a slice of its own.
fn odd_one(scene: &Scene, tree: &Tree<'_>) -> Result<()> {
    let odd = address(99);
    tree.make(&[(ODD, &json!({"name": "x", "id": "odd", "address": odd, "port": 81}).to_string())])?;
    until("the odd one is an endpoint", PATIENCE, || {
        let found = endpoints(scene, "many-s0")?;
        ensure!(found.contains(&odd), "{found:?}");
        Ok(())
    })
}

fn candidate(number: usize) -> String {
    format!("/election/c{number:010}")
}

fn service(tree: &Tree<'_>, number: usize) -> Result<()> {
    let instance = json!({"name": "x", "id": "i", "address": address(number), "port": 80}).to_string();
    tree.make(&[(&format!("/many/s{number}"), ""), (&format!("/many/s{number}/i"), &instance)])
}

/// A change after which there is such a write to do.
fn change(tree: &Tree<'_>, point: &str, wanted: &mut Wanted) -> Result<()> {
    match point {
        "service" | "slice" | "status" => {
            service(tree, wanted.services)?;
            wanted.services += 1;
        }
        // A slice goes with its Service; alone it goes with the last of its ports.
        "slice-delete" => tree.delete(ODD)?,
        "service-delete" => {
            wanted.services -= 1;
            tree.delete_all(&format!("/many/s{}", wanted.services))?;
        }
        "config-map" => {
            wanted.setting.push('+');
            tree.set("/config/setting", &wanted.setting)?;
        }
        _ => {
            let next = wanted.leader + 1;
            tree.make(&[(&candidate(next), &format!("{}:80", address(next)))])?;
            tree.delete(&candidate(wanted.leader))?;
            wanted.leader = next;
        }
    }
    Ok(())
}

fn is_so(scene: &Scene, wanted: &Wanted) -> Result<()> {
    until("whoever starts next finishes", 2 * PATIENCE, || {
        for number in 0..wanted.services {
            is_endpoint(scene, &format!("many-s{number}"), &[address(number)])?;
        }
        is_endpoint(scene, &format!("many-s{}", wanted.services), &[])?;
        is_endpoint(scene, "boss", &[address(wanted.leader)])?;
        let read = |kind: &str, name: &str, path: &str| scene.kubectl(&["get", kind, name, "-o", path]);
        let services = scene.kubectl(&["get", "services", "-o", "jsonpath={.items[*].metadata.name}"])?;
        let many = services.split_whitespace().filter(|name| name.starts_with("many-")).count();
        ensure!(many == wanted.services, "{many} Services: {services}");
        let setting = read("configmap", "settings", "jsonpath={.data.setting}")?;
        ensure!(setting == wanted.setting, "the setting is {setting:?}");
        let holder = read("lease", "boss", "jsonpath={.spec.holderIdentity}")?;
        ensure!(holder == format!("{}:80", address(wanted.leader)), "the Lease names {holder:?}");
        Ok(())
    })
}

fn is_endpoint(scene: &Scene, service: &str, wanted: &[String]) -> Result<()> {
    let found = endpoints(scene, service)?;
    ensure!(found == wanted, "endpoints of {service} are {found:?}, wanted are {wanted:?}");
    Ok(())
}
