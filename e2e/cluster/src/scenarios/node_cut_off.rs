//! The node of the leader is cut off the network and comes back: the others go on, and it finds its place again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, node_is_ready};
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-cut-off",
    about: "a plain StatefulSet: the leader's node is cut off until Kubernetes notices, and joined again",
    short: false,
    play: Play::Here(play),
};

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let leader = ensemble.leader()?;
    let follower = ensemble.pods()?.into_iter().find(|pod| *pod != leader).context("a follower")?;
    let load = Load::start_on(&ensemble, &scene.node_of(&follower)?)?;
    let node = scene.node_of(&leader)?;
    load.mark("node-cut-off")?;
    let cut = machine.node_cut_off(&node)?;
    scene.until("the node is given up", PATIENCE, || {
        ensure!(!node_is_ready(&node)?, "{node} is still ready");
        Ok(())
    })?;
    load.mark("node-joined")?;
    drop(cut);
    scene.until("the node is back", PATIENCE, || {
        ensure!(node_is_ready(&node)?, "{node} is not ready");
        Ok(())
    })?;
    ensemble.wait_ready(3)?;
    let verdict = load.finish(&ensemble.members()?)?;
    let second = Duration::from_secs(1);
    let pause = verdict.longest_pause();
    scene.measured("leader's node cut off: longest time without a write", pause, 5 * second, 30 * second)
}
