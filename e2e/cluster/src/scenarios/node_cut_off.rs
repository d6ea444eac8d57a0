//! The node of the leader is cut off the network and comes back: the others go on, and it finds its place again.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, wait_node};
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-cut-off",
    about: "the leader's node is cut off until Kubernetes notices, and joined again; nobody is replaced",
    short: false,
    play: Play::Here(play),
};

const PAUSE: Promise = Promise::within("leader's node cut off: longest time without a write", 5);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let (leader, follower) = (ensemble.leader()?, ensemble.follower()?);
    let id = ensemble.id_of(&leader)?;
    let load = Load::start_on(&ensemble, &scene.node_of(&follower)?)?;
    let node = scene.node_of(&leader)?;
    load.mark("node-cut-off")?;
    let cut = machine.node_cut_off(&node)?;
    wait_node(&node, false)?;
    load.mark("node-joined")?;
    drop(cut);
    wait_node(&node, true)?;
    ensemble.wait_ready()?;
    ensure!(ensemble.id_of(&leader)? == id, "{leader} was replaced though it came back in time");
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(30))
}
