//! The pod of the leader is deleted, again and again: leadership moves first, so that writes hardly pause.

use std::time::Duration;

use anyhow::Result;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-pod-deleted",
    about: "a plain StatefulSet: the leader's pod is deleted while clients work",
    short: true,
    play: Play::Anywhere(play),
};

const ROUNDS: usize = 5;

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let load = Load::start(&ensemble)?;
    let mut slowest = Duration::ZERO;
    for round in 1..=ROUNDS {
        let leader = ensemble.leader()?;
        load.mark(&format!("{leader}-deleted-{round}"))?;
        slowest = slowest.max(scene.replace_pod(&leader)?);
        ensemble.wait_ready(3)?;
    }
    let verdict = load.finish(&ensemble.members()?)?;
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    scene.measured("pod deleted → member ready again", slowest, 15 * second, minute)?;
    let pause = verdict.longest_pause();
    scene.measured("leader pod deleted: longest time without a write", pause, second, 10 * second)
}
