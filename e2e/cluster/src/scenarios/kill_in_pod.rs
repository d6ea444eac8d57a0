//! `kill -9` of the leader's process inside its pod: the container is started again, and nothing acknowledged is lost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-in-pod",
    about: "a plain StatefulSet: kill -9 of the leader's process inside its pod",
    short: false,
    play: Play::Here(play),
};

const ROUNDS: usize = 3;

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let load = Load::start(&ensemble)?;
    let mut slowest = Duration::ZERO;
    for round in 1..=ROUNDS {
        let leader = ensemble.leader()?;
        let before = restarts(scene, &leader)?;
        load.mark(&format!("{leader}-killed-{round}"))?;
        let begin = Instant::now();
        machine.kill(scene, &leader, "coordd")?;
        scene.until("the container is started again", PATIENCE, || {
            ensure!(restarts(scene, &leader)? != before, "it was not");
            Ok(())
        })?;
        scene.wait(&format!("pod/{leader}"), "condition=Ready", PATIENCE)?;
        slowest = slowest.max(begin.elapsed());
    }
    let verdict = load.finish(&ensemble.members()?)?;
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    // The kubelet backs off when a container ends again and again: 10 s, 20 s.
    scene.measured("leader killed → member ready again", slowest, 30 * second, 2 * minute)?;
    scene.measured("leader killed: longest time without a write", verdict.longest_pause(), second, 10 * second)
}

fn restarts(scene: &Scene, pod: &str) -> Result<String> {
    scene.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}"])
}
