//! Two clusters in one namespace and one of the same name in another: what befalls the first two, the third never
//! notices.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME};
use crate::load::Load;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "neighbours",
    about: "two clusters in one namespace, one name in two: rolled, scaled and deleted beside one that is left alone",
    short: false,
    play: Play::Anywhere(play),
};

const PAUSE: Promise = Promise::within("neighbours are hurt: longest time without a write", 1);
/// Begins like the other one's name.
const BESIDE: &str = "orders-eu";

fn play(scene: &Scene) -> Result<()> {
    let elsewhere = Scene::enter("neighbours-elsewhere", scene.turn)?;
    let single = json!({"replicas": 1, "storage": {"retention": {"whenDeleted": "Delete"}}});
    let first = Ensemble::ordered(scene, NAME, &json!({}))?;
    let beside = Ensemble::ordered(scene, BESIDE, &single)?;
    let namesake = Ensemble::ordered(&elsewhere, NAME, &json!({}))?;
    for ensemble in [first, beside, namesake] {
        ensemble.wait_ready()?;
    }
    let ids = [first, beside, namesake].map(|ensemble| ensemble.status().map(|status| status["ensembleId"].clone()));
    let [one, two, three] = ids;
    let (one, two, three) = (one?, two?, three?);
    ensure!(one != two && two != three && one != three, "two ensembles have one id");

    let load = Load::start(&namesake)?;
    let kinds = ["pods", "pvc", "secrets", "statefulsets"];
    let before = kinds.map(|kind| elsewhere.uids(kind).ok());
    load.mark("first-rolled")?;
    first.change(&json!({"restartAt": "2026-01-01T00:00:00Z"}))?;
    first.wait_ready()?;
    load.mark("first-scaled")?;
    first.change(&json!({"replicas": 1}))?;
    first.wait_ready()?;
    load.mark("beside-deleted")?;
    scene.kubectl(&["delete", "cc", BESIDE, "--timeout=60s"])?;
    until("only the first one's volume is left", PATIENCE, || {
        let left: Vec<String> = scene.uids("pvc")?.into_keys().collect();
        ensure!(left == ["data-orders-0"], "there are {left:?}");
        Ok(())
    })?;
    ensure!(first.status()?["ensembleId"] == one && first.wait_ready().is_ok(), "the first one went, too");
    let verdict = load.finish(&namesake.members()?)?;
    ensure!(kinds.map(|kind| elsewhere.uids(kind).ok()) == before, "something of the namesake was made anew");
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
