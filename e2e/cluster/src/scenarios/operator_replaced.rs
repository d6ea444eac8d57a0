//! The operator that acts is stopped, and its node loses power: the second one acts, and members notice nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::{Machine, wait_node};
use crate::operator;
use crate::report::{OPERATOR_KILLED, OPERATOR_STOPPED};
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "operator-replaced",
    about: "the operator that acts is stopped three times, and once its node loses power: the second one acts",
    short: false,
    play: Play::Here(play),
};

const ROUNDS: usize = 3;

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    let pods = scene.uids("pods")?;
    for round in 1..=ROUNDS {
        both_up()?;
        let old = operator::leader()?;
        load.mark(&format!("operator-stopped-{round}"))?;
        let begin = Instant::now();
        operator::in_namespace(&["delete", "pod", &old, "--wait=false"])?;
        takes_over(&ensemble, &old, &format!("stopped-{round}"))?;
        scene.measured(OPERATOR_STOPPED, begin.elapsed(), Duration::from_secs(60))?;
    }
    ensure!(scene.uids("pods")? == pods, "a member was restarted");
    load.finish(&ensemble.members()?)?;

    // A container that is killed alone is started again in its place, and is no second replica.
    both_up()?;
    let old = operator::leader()?;
    let node = operator::in_namespace(&["get", "pod", &old, "-o", "jsonpath={.spec.nodeName}"])?;
    let begin = Instant::now();
    let off = machine.node_without_power(&node)?;
    takes_over(&ensemble, &old, "killed")?;
    scene.measured(OPERATOR_KILLED, begin.elapsed(), Duration::from_secs(90))?;
    wait_node(&node, false)?;
    drop(off);
    wait_node(&node, true)?;
    ensemble.wait_ready()?;
    both_up()
}

fn both_up() -> Result<()> {
    let rollout = ["rollout", "status", "deployment/coordd-operator", "--timeout=120s"];
    operator::in_namespace(&rollout).map(drop)
}

/// Waits until another one leads and has done something.
fn takes_over(ensemble: &Ensemble<'_>, old: &str, word: &str) -> Result<()> {
    until("another operator leads", PATIENCE, || {
        ensure!(operator::leader()? != old, "{old} holds the Lease");
        Ok(())
    })?;
    ensemble.acted(word)
}
