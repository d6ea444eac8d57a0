//! The pod of the leader is deleted, again and again: leadership moves first, so that writes hardly pause.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::report::{LEADER_DELETED, POD_BACK};
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-pod-deleted",
    about: "the leader's pod is deleted while clients work, ten times",
    short: false,
    play: Play::Anywhere(play),
};

const ROUNDS: usize = 10;

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    for round in 1..=ROUNDS {
        let leader = ensemble.leader()?;
        load.mark(&format!("{leader}-deleted-{round}"))?;
        scene.measured(POD_BACK, scene.replace_pod(&leader)?, Duration::from_secs(90))?;
        ensemble.wait_ready()?;
    }
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(LEADER_DELETED, verdict.longest_pause(), Duration::from_secs(10))
}
