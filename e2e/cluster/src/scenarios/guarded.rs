//! What may go wrong with registrations and names does no harm: a foreign Service is left alone, forbidden addresses
//! are refused, and what vanishes all at once is held.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::apps::endpoints;
use crate::ensemble::Ensemble;
use crate::kubectl::kubectl;
use crate::projection::Projection;
use crate::scene::{PATIENCE, Scene, until};
use crate::tree::Tree;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "guarded",
    about: "a foreign Service of the name, forbidden addresses, half of the instances gone at once, and all",
    short: false,
    play: Play::Anywhere(play),
};

const PATH: &str = "/services/shop";
const SERVICE: &str = "shop";
/// Nobody may register these.
const FORBIDDEN: [&str; 5] = ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "224.0.0.1", "8.8.8.8"];

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let tree = Tree::of(&ensemble)?;
    tree.make(&[("/services", ""), (PATH, "")])?;
    (1..=4).try_for_each(|number| register(&tree, number, &address(number)))?;
    foreign(scene)?;
    forbidden(scene, &tree)?;
    half(scene, &tree)?;
    empty(scene, &tree)
}

fn register(tree: &Tree<'_>, number: usize, address: &str) -> Result<()> {
    let instance = json!({"name": SERVICE, "id": format!("i{number}"), "address": address, "port": 8080});
    tree.make(&[(&znode(number), &instance.to_string())])
}

fn znode(number: usize) -> String {
    format!("{PATH}/i{number}")
}

fn address(number: usize) -> String {
    format!("100.64.0.{number}")
}

fn project(scene: &Scene) -> Result<Projection<'_>> {
    let target = json!({"service": {"ports": [{"name": "http", "port": 80}]}});
    let guards = json!({"emptyPolicy": "Drain", "emptyGrace": "20s"});
    Projection::ordered(scene, SERVICE, PATH, &json!({"format": "Curator", "target": target, "guards": guards}))
}

/// Somebody's Service has the name: it stays as it is, and the status says so until it has gone.
fn foreign(scene: &Scene) -> Result<()> {
    scene.kubectl(&["create", "service", "clusterip", SERVICE, "--tcp=80:9999"])?;
    let uid = || scene.kubectl(&["get", "service", SERVICE, "-o", "jsonpath={.metadata.uid} {.spec.ports}"]);
    let before = uid()?;
    let projection = project(scene)?;
    projection.until("the name is taken", &[("NameConflict", "True"), ("Ready", "False")])?;
    ensure!(uid()? == before, "the foreign Service is another one now: {}", uid()?);
    let slices = endpoints(scene, SERVICE)?;
    ensure!(slices.is_empty(), "a foreign Service was given the endpoints {slices:?}");
    scene.kubectl(&["delete", "service", SERVICE])?;
    projection.until("the name is free", &[("NameConflict", "False"), ("Ready", "True"), ("Synced", "True")])?;
    are(scene, &[1, 2, 3, 4])
}

/// Waits until exactly these are the endpoints.
fn are(scene: &Scene, numbers: &[usize]) -> Result<()> {
    let mut wanted: Vec<String> = numbers.iter().map(|&number| address(number)).collect();
    wanted.sort();
    until("the endpoints", PATIENCE, || {
        let mut found = endpoints(scene, SERVICE)?;
        found.sort();
        ensure!(found == wanted, "they are {found:?}, wanted are {wanted:?}");
        Ok(())
    })
}

/// Addresses that no registration may name, and that of the API server.
fn forbidden(scene: &Scene, tree: &Tree<'_>) -> Result<()> {
    let api_server = kubectl(&["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"])?;
    let all = FORBIDDEN.into_iter().chain([api_server.as_str()]);
    for (number, address) in (10..).zip(all) {
        register(tree, number, address)?;
    }
    tree.make(&[(&znode(20), "this is no registration")])?;
    let projection = Projection::named(scene, SERVICE);
    let count = FORBIDDEN.len() + 2;
    until("all of them are refused", PATIENCE, || {
        let status = projection.status()?;
        ensure!(status["rejected"] == json!(count), "{count} are to be rejected: {status}");
        Ok(())
    })?;
    are(scene, &[1, 2, 3, 4])
}

/// More than half of them go at once: they stay for a while, and then go.
fn half(scene: &Scene, tree: &Tree<'_>) -> Result<()> {
    let projection = Projection::named(scene, SERVICE);
    [2, 3, 4].into_iter().try_for_each(|number| tree.delete(&znode(number)))?;
    let status = projection.until("half are held", &[("Synced", "HalfEmptyHeld")])?;
    println!("      {}", reason(&status));
    are(scene, &[1])?;
    [2, 3, 4].into_iter().try_for_each(|number| register(tree, number, &address(number)))?;
    are(scene, &[1, 2, 3, 4])
}

/// Nothing is registered any more: with Keep they stay, with Drain they go after their grace.
fn empty(scene: &Scene, tree: &Tree<'_>) -> Result<()> {
    let projection = Projection::named(scene, SERVICE);
    projection.change(&json!({"guards": {"emptyPolicy": "Keep"}}))?;
    projection.until("it keeps", &[("Synced", "True")])?;
    (1..=4).try_for_each(|number| tree.delete(&znode(number)))?;
    let status = projection.until("they are held", &[("Synced", "EmptyHeld")])?;
    println!("      {}", reason(&status));
    ensure!(!endpoints(scene, SERVICE)?.is_empty(), "kept endpoints are gone");
    projection.change(&json!({"guards": {"emptyPolicy": "Drain"}}))?;
    are(scene, &[])?;
    projection.until("nothing is left to do", &[("Synced", "True")]).map(drop)
}

fn reason(status: &Value) -> String {
    let all = status["conditions"].as_array().into_iter().flatten();
    let synced = all.into_iter().find(|condition| condition["type"] == "Synced");
    synced.map(|condition| condition["message"].to_string()).unwrap_or_default()
}
