//! Specs that cannot be: some are refused when they are applied, two are taken and cost one member each, until they are
//! set right.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, condition};
use crate::load::Load;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "bad-specs",
    about: "an image that is not there, memory that no node has, and specs that are refused at once",
    short: false,
    play: Play::Anywhere(play),
};

const PAUSE: Promise = Promise::within("bad specs: longest time without a write", 1);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({"update": {"timeout": "10s"}}))?;
    let load = Load::start(&ensemble)?;
    for (change, words) in [
        (json!({"replicas": 9}), "best 3 or 5"),
        (json!({"storage": {"size": "20Gi"}}), "cannot be changed yet"),
        (json!({"healing": {"replaceAfter": "1s"}}), "a shorter absence is no loss"),
    ] {
        let why = ensemble.change(&change).err().map(|why| format!("{why:#}")).unwrap_or_default();
        ensure!(why.contains(words), "{change} is answered with {why:?}");
    }
    ensemble.change(&json!({"version": "9.9.9"}))?;
    ensemble.until("the version is unknown", PATIENCE, |status| {
        condition(status, "MembersUpdated") == ("False", "UnknownVersion")
    })?;
    ensemble.change(&json!({"version": null}))?;
    ensemble.wait_ready()?;

    load.mark("no-image")?;
    let image = json!({"image": "coordd/coordd:absent"});
    costs_one(&ensemble, &image, &json!({"image": null}))?;
    load.mark("no-memory")?;
    let memory = |amount: &str| json!({"resources": {"requests": {"memory": amount}, "limits": {"memory": amount}}});
    costs_one(&ensemble, &memory("4000Gi"), &memory("512Mi"))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}

/// The roll stops at the first member, and says so; the right spec makes all well.
fn costs_one(ensemble: &Ensemble<'_>, bad: &Value, good: &Value) -> Result<()> {
    let before = ensemble.scene.uids("pods")?;
    ensemble.change(bad)?;
    let status = ensemble.until("the roll stops", PATIENCE, |status| {
        condition(status, "Degraded").0 == "True" && condition(status, "Progressing").1 == "RollTimedOut"
    })?;
    ensure!(condition(&status, "Available").0 == "True", "the others do not serve: {status}");
    let now = ensemble.scene.uids("pods")?;
    let lost = before.iter().filter(|(name, uid)| now.get(*name) != Some(*uid)).count();
    ensure!(lost == 1, "{lost} members were restarted");
    ensemble.change(good)?;
    ensemble.wait_ready().map(drop)
}
