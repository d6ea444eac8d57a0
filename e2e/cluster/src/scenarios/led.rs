//! A Service follows an election: whoever calls it reaches the leader, and a Lease says who that is.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::apps::{Apps, Library};
use crate::ensemble::Ensemble;
use crate::projection::Projection;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "led",
    about: "a Service and a Lease follow the elections of kazoo and Curator while leaders die",
    short: false,
    play: Play::Anywhere(play),
};

const FOLLOWED: Promise = Promise::within("a leader's session has ended → the next is the endpoint", 1);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let apps = Apps::of(&ensemble)?.with_programs()?;
    elections(&apps, "boss", Library::Kazoo)?;
    elections(&apps, "latch", Library::Curator)
}

fn elections(apps: &Apps<'_>, service: &str, library: Library) -> Result<()> {
    let names = [1, 2, 3].map(|number| format!("{service}-{number}"));
    let [a, b, c] = names.each_ref().map(String::as_str);
    let path = format!("/election/{service}");
    apps.stand(library, &path, &[a, b, c])?;
    let target = json!({"leader": {"ports": [{"port": 80}]}});
    Projection::ready(apps.scene, service, &path, &json!({"target": target}))?;
    apps.until_behind("who stood first leads", service, &[a])?;
    holds(apps, service, a)?;
    for (dead, next) in [(a, b), (b, c)] {
        apps.kill_for_good(dead, &format!("leader{path}"))?;
        let begin = Instant::now();
        apps.until_endpoints("who stood next leads", service, &[next])?;
        apps.scene.promised(FOLLOWED, begin.elapsed())?;
        apps.until_behind("who stood next leads", service, &[next])?;
        holds(apps, service, next)?;
    }
    Ok(())
}

/// The Lease names the leader as it stood: by its address.
fn holds(apps: &Apps<'_>, service: &str, name: &str) -> Result<()> {
    let address = apps.addresses_of(&[name])?.into_iter().next().unwrap_or_default();
    until("the Lease names the leader", PATIENCE, || {
        let holder = apps.scene.kubectl(&["get", "lease", service, "-o", "jsonpath={.spec.holderIdentity}"])?;
        ensure!(holder == format!("{address}:7000"), "it names {holder:?}, not {name} at {address}");
        Ok(())
    })
}
