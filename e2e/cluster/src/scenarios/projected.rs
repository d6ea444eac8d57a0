//! Applications that register themselves are called through Services that nobody wrote: by kube-proxy and by headless
//! DNS each of them is reached and nobody else.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::apps::{Apps, Library};
use crate::ensemble::Ensemble;
use crate::projection::Projection;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "projected",
    about: "what Curator, kazoo and others registered is called: disabled, drained, killed, back, gone",
    short: false,
    play: Play::Anywhere(play),
};

const DRAINED: Promise = Promise::within("an instance says that it is out of service → nobody calls it", 3);
const KILLED: Promise = Promise::within("the session of an instance has ended → it is no endpoint", 1);
pub(super) const WRONG: Promise = Promise::none("endpoints that are wrong or missing at rest");

/// One Service each, what its instances register with, and in which format.
const SERVICES: [(&str, Library, &str, &str); 3] = [
    ("greeters", Library::Plain, "/services/greeters", "Auto"),
    ("curated", Library::Curator, "/discovery/curated", "Curator"),
    ("sets", Library::Kazoo, "/aurora/jobs/sets", "ServerSet"),
];

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let apps = Apps::of(&ensemble)?.with_programs()?;
    for (service, library, path, format) in SERVICES {
        println!("      {service}: registered with {library:?}");
        comings_and_goings(&apps, service, library, path, format)?;
    }
    Ok(())
}

/// One that stops is called no more by anyone new, while it ends what it has: it still serves, and terminates.
fn drained(apps: &Apps<'_>, service: &str, [a, b, c, d]: [&str; 4]) -> Result<()> {
    apps.until_reached("before one stops", service, &[a, b, c, d])?;
    apps.tell(d, "drain")?;
    apps.until_reached("one stops", service, &[a, b, c])?;
    let address = apps.addresses_of(&[d])?;
    let slices =
        apps.scene.json(&["get", "endpointslices", &format!("--selector=kubernetes.io/service-name={service}")])?;
    let all = slices["items"].as_array().into_iter().flatten().filter_map(|slice| slice["endpoints"].as_array());
    let is_his = |endpoint: &&Value| endpoint["addresses"][0].as_str().is_some_and(|found| address.contains(found));
    let his = all.flatten().find(is_his).context("it is an endpoint until it leaves")?;
    let wanted = json!({"ready": false, "serving": true, "terminating": true});
    ensure!(his["conditions"] == wanted, "its conditions are {}", his["conditions"]);
    apps.tell(d, "enable")?;
    Ok(())
}

fn comings_and_goings(apps: &Apps<'_>, service: &str, library: Library, path: &str, format: &str) -> Result<()> {
    let names = [1, 2, 3, 4].map(|number| format!("{service}-{number}"));
    let [a, b, c, d] = names.each_ref().map(String::as_str);
    apps.start(library, path, &[a, b, c])?;
    Projection::both_ways(apps.scene, service, path, format)?;
    apps.until_reached("through kube-proxy and DNS", service, &[a, b, c])?;
    apps.start(library, path, &[d])?;
    apps.until_reached("one that came", service, &[a, b, c, d])?;
    let begin = Instant::now();
    apps.tell(b, "disable")?;
    apps.until_reached("one is out of service", service, &[a, c, d])?;
    apps.scene.promised(DRAINED, begin.elapsed())?;
    apps.tell(b, "enable")?;
    if library == Library::Kazoo {
        drained(apps, service, [a, b, c, d])?;
    }
    apps.until_reached("it is in service again", service, &[a, b, c, d])?;
    apps.kill_for_good(c, &format!("services{path}"))?;
    let begin = Instant::now();
    apps.until_endpoints("one was killed", service, &[a, b, d])?;
    apps.scene.promised(KILLED, begin.elapsed())?;
    apps.until_reached("one was killed", service, &[a, b, d])?;
    apps.start(library, path, &[c])?;
    apps.until_reached("it is back under its name, elsewhere", service, &[a, b, c, d])?;
    apps.tell(a, "leave")?;
    apps.until_reached("one has left", service, &[b, c, d])?;
    apps.scene.counted(WRONG, apps.wrong(service, &[b, c, d])?)
}
