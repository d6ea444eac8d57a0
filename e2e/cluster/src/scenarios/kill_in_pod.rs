//! `kill -9` of the leader's process inside its pod: the container is started again, and nothing acknowledged is lost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-in-pod",
    about: "kill -9 of the leader's process inside its pod, three times",
    short: false,
    play: Play::Here(play),
};

const ROUNDS: usize = 3;
/// The kubelet backs off when a container ends again and again: 10 s, 20 s.
const BACK: Promise = Promise::within("leader killed → member Ready again", 30);
const PAUSE: Promise = Promise::within("leader killed: longest time without a write", 1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    let pods = scene.uids("pods")?;
    for round in 1..=ROUNDS {
        let leader = ensemble.leader()?;
        let before = restarts(scene, &leader)?;
        load.mark(&format!("{leader}-killed-{round}"))?;
        let begin = Instant::now();
        machine.kill(scene, &leader, "coordd")?;
        until("the container is started again", PATIENCE, || {
            ensure!(restarts(scene, &leader)? != before, "it was not");
            Ok(())
        })?;
        scene.wait(&format!("pod/{leader}"), "condition=Ready", PATIENCE)?;
        scene.measured(BACK, begin.elapsed(), Duration::from_secs(120))?;
        ensemble.wait_ready()?;
    }
    ensure!(scene.uids("pods")? == pods, "the operator restarted what Kubernetes was about to restart");
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}

/// How often the container of a pod was started again.
pub(super) fn restarts(scene: &Scene, pod: &str) -> Result<String> {
    scene.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}"])
}
