//! The node of the leader is drained: leadership and clients move first, and no second member may be evicted.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::kubectl::kubectl;
use crate::load::Load;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-drained",
    about: "the leader's node is drained; a second drain has to wait; both are uncordoned",
    short: false,
    play: Play::Anywhere(play),
};

const PAUSE: Promise = Promise::within("leader's node drained: longest time without a write", 1);

/// A node to which nothing is given until this is dropped.
struct Cordoned<'a>(&'a str);

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        if let Err(why) = kubectl(&["uncordon", self.0]) {
            eprintln!("      {why:#}");
        }
    }
}

/// Evicts the members on a node, in this time.
fn drain(node: &str, seconds: u64) -> Result<()> {
    let timeout = format!("--timeout={seconds}s");
    let members = "--pod-selector=app.kubernetes.io/name=coordd";
    kubectl(&["drain", node, members, "--ignore-daemonsets", "--delete-emptydir-data", &timeout]).map(drop)
}

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({"scheduling": {"antiAffinity": "Required"}}))?;
    let (leader, follower) = (ensemble.leader()?, ensemble.follower()?);
    let (first, second) = (scene.node_of(&leader)?, scene.node_of(&follower)?);
    let load = Load::start(&ensemble)?;
    let id = ensemble.id_of(&leader)?;
    load.mark("drained")?;
    let cordoned = [Cordoned(&first), Cordoned(&second)];
    drain(&first, 120)?;
    let refused = drain(&second, 10).err().map(|why| format!("{why:#}")).unwrap_or_default();
    ensure!(refused.contains("disruption budget"), "the second drain went through: {refused:?}");
    load.flows()?;
    drop(cordoned);
    scene.wait(&format!("pod/{leader}"), "condition=Ready", PATIENCE)?;
    ensemble.wait_ready()?;
    ensure!(ensemble.id_of(&leader)? == id, "{leader} was replaced though its node was only drained");
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
