//! All members are restarted, by another image and by a time to restart at: one by one, the leader last, no vote moves.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::report::{Promise, ROLL_PAUSE, ROLL_SESSIONS, ROLL_WRITES};
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "roll",
    about: "every member restarted by another image, and again by restartAt; identities and volumes stay",
    short: true,
    play: Play::Anywhere(play),
};

const TOOK: Promise = Promise::within("roll of three members: how long it takes", 60);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    // The same image under its full name, which is another text in the template.
    let image = format!("docker.io/coordd/coordd:{}", env!("CARGO_PKG_VERSION"));
    load.mark("image")?;
    roll(&ensemble, &json!({"image": image}))?;
    load.mark("restart-at")?;
    roll(&ensemble, &json!({"restartAt": "2026-01-01T00:00:00Z"}))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(ROLL_PAUSE, verdict.longest_pause(), Duration::from_secs(10))?;
    scene.counted(ROLL_WRITES, verdict.broken.get("WriteKept").copied().unwrap_or(0))?;
    scene.counted(ROLL_SESSIONS, verdict.sessions_lost)
}

/// Changes the spec and follows the roll; fails when any but the pods was made anew.
pub(super) fn roll(ensemble: &Ensemble<'_>, change: &Value) -> Result<()> {
    let scene = ensemble.scene;
    let (pods, claims, ids) = (members(ensemble)?, scene.uids("pvc")?, ids(ensemble)?);
    let led = ensemble.leader()?;
    ensemble.change(change)?;
    let took = ensemble.wait_ready()?;
    scene.measured(TOOK, took, Duration::from_secs(240))?;
    let now = members(ensemble)?;
    ensure!(now.len() == 3 && pods.iter().all(|pod| !now.contains(pod)), "not every pod was made anew: {now:?}");
    ensure!(scene.uids("pvc")? == claims, "a volume was made anew");
    ensure!(self::ids(ensemble)? == ids, "a member has another id");
    let order = scene.json(&["get", "pods", "--selector=app.kubernetes.io/name=coordd"])?;
    let made = |pod: &Value| pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    let mut order: Vec<Value> = order["items"].as_array().cloned().unwrap_or_default();
    order.sort_by_key(made);
    let last = order.last().map(|pod| pod["metadata"]["name"].clone()).unwrap_or_default();
    ensure!(last == led.as_str(), "{last} was restarted last, and {led} led");
    Ok(())
}

/// The members' pods, by uid.
fn members(ensemble: &Ensemble<'_>) -> Result<Vec<String>> {
    let pods = ensemble.pods()?;
    Ok(ensemble.scene.uids("pods")?.into_iter().filter(|(name, _)| pods.contains(name)).map(|(_, uid)| uid).collect())
}

fn ids(ensemble: &Ensemble<'_>) -> Result<Vec<u64>> {
    ensemble.pods()?.iter().map(|pod| ensemble.id_of(pod)).collect()
}
