//! The node of the leader loses power and gets it back: every process on it dies at once, its disks stay.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, wait_node};
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-without-power",
    about: "the leader's node loses power and gets it back; the same member comes back",
    short: false,
    play: Play::Here(play),
};

const BACK: Promise = Promise::within("power back → member Ready again", 30);
const PAUSE: Promise = Promise::within("leader's node without power: longest time without a write", 5);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let (leader, follower) = (ensemble.leader()?, ensemble.follower()?);
    let id = ensemble.id_of(&leader)?;
    let load = Load::start_on(&ensemble, &scene.node_of(&follower)?)?;
    let node = scene.node_of(&leader)?;
    load.mark("power-off")?;
    let off = machine.node_without_power(&node)?;
    wait_node(&node, false)?;
    load.mark("power-on")?;
    let begin = Instant::now();
    drop(off);
    wait_node(&node, true)?;
    scene.wait(&format!("pod/{leader}"), "condition=Ready", PATIENCE)?;
    scene.measured(BACK, begin.elapsed(), Duration::from_secs(120))?;
    ensemble.wait_ready()?;
    ensure!(ensemble.id_of(&leader)? == id, "{leader} was replaced though it came back in time");
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
