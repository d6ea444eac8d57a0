//! The node of the leader is lost with its disk: after `replaceAfter` its member is replaced on another node.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::disk_lost::replaced;
use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, wait_node};
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "node-lost",
    about: "the leader's node loses power for longer than replaceAfter: its member moves, with a new identity",
    short: false,
    play: Play::Here(play),
};

const REPLACE_AFTER: Duration = Duration::from_secs(10);
const REPLACED: Promise = Promise::within("lost node: member voting elsewhere, after replaceAfter", 30);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let healing = json!({"replaceAfter": format!("{}s", REPLACE_AFTER.as_secs())});
    let ensemble = Ensemble::ready(scene, &json!({"healing": healing}))?;
    let (leader, follower) = (ensemble.leader()?, ensemble.follower()?);
    let old = ensemble.id_of(&leader)?;
    let load = Load::start_on(&ensemble, &scene.node_of(&follower)?)?;
    let node = scene.node_of(&leader)?;
    load.mark("power-off")?;
    let off = machine.node_without_power(&node)?;
    wait_node(&node, false)?;
    let begin = Instant::now();
    replaced(&ensemble, &leader, old)?;
    let took = begin.elapsed().saturating_sub(REPLACE_AFTER);
    scene.measured(REPLACED, took, Duration::from_secs(150))?;
    ensure!(scene.node_of(&leader)? != node, "{leader} is on the lost node");
    load.mark("power-on")?;
    drop(off);
    wait_node(&node, true)?;
    ensemble.wait_ready()?;
    load.finish(&ensemble.members()?).map(drop)
}
