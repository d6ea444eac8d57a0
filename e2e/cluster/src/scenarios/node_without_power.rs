//! The node of the leader loses power and gets it back: every process on it dies at once, its disks stay.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, node_is_ready};
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-without-power",
    about: "a plain StatefulSet: the leader's node loses power and gets it back",
    short: false,
    play: Play::Here(play),
};

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let leader = ensemble.leader()?;
    let follower = ensemble.pods()?.into_iter().find(|pod| *pod != leader).context("a follower")?;
    let load = Load::start_on(&ensemble, &scene.node_of(&follower)?)?;
    let node = scene.node_of(&leader)?;
    load.mark("power-off")?;
    let off = machine.node_without_power(&node)?;
    scene.until("the node is given up", PATIENCE, || {
        ensure!(!node_is_ready(&node)?, "{node} is still ready");
        Ok(())
    })?;
    load.mark("power-on")?;
    let begin = Instant::now();
    drop(off);
    scene.until("the node is back", PATIENCE, || {
        ensure!(node_is_ready(&node)?, "{node} is not ready");
        Ok(())
    })?;
    ensemble.wait_ready(3)?;
    let back = begin.elapsed();
    let verdict = load.finish(&ensemble.members()?)?;
    let second = Duration::from_secs(1);
    scene.measured("power back → member ready again", back, 20 * second, 120 * second)?;
    let pause = verdict.longest_pause();
    scene.measured("leader's node without power: longest time without a write", pause, 5 * second, 30 * second)
}
