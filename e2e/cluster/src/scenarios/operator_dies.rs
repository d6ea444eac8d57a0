//! One life of an ensemble in which the operator dies at every write that changes membership, pods or volumes.
//!
//! Rule: before the write and after it, and whoever starts next knows nothing but what it sees. Reason: "it should be
//! idempotent" is a hope until each place has been hit, with members that are real.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME};
use crate::load::Load;
use crate::machine::Machine;
use crate::operator::Stopped;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "operator-dies",
    about: "it dies before and after each write that deletes something or changes the membership",
    short: false,
    play: Play::Here(play),
};

const PAUSE: Promise = Promise::within("operator dies at every write: longest time without a write", 1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let stopped = Stopped::all()?;
    let ensemble = Ensemble::ordered(scene, NAME, &json!({}))?;
    die(stopped, &["record-bootstrap", "bootstrap"])?;
    ensemble.wait_ready()?;
    let load = Load::start(&ensemble)?;
    let survive = |change: Value, points: &[&str]| -> Result<()> {
        load.mark(points.first().copied().unwrap_or_default())?;
        let stopped = Stopped::all()?;
        ensemble.change(&change)?;
        die(stopped, points)?;
        ensemble.wait_ready()?;
        Ok(())
    };
    survive(json!({"replicas": 5}), &["set-replicas", "add-learner", "promote"])?;
    survive(json!({"replicas": 3}), &["remove", "set-replicas", "delete-claim"])?;
    survive(json!({"restartAt": "2026-01-01T00:00:00Z"}), &["delete-pod", "transfer-leader"])?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))?;
    give_up(&ensemble, machine)
}

/// Dies at each of these, on both sides, and then one may finish.
fn die(stopped: Stopped, points: &[&str]) -> Result<()> {
    for point in points {
        for side in ["before", "after"] {
            stopped.dies_at(&format!("{point}:{side}"))?;
        }
        println!("      died before and after {point}");
    }
    stopped.start()
}

/// Two of three disks are lost at once, and a person gives the quorum up: the one that led goes on, and knows all.
fn give_up(ensemble: &Ensemble<'_>, machine: &Machine) -> Result<()> {
    let scene = ensemble.scene;
    let survivor = ensemble.leader()?;
    ensemble.coordd(&survivor, &["cli", "-s", "127.0.0.1:2181", "create", "/kept", "by-all"])?;
    let stopped = Stopped::all()?;
    for lost in ensemble.pods()?.iter().filter(|pod| **pod != survivor) {
        machine.wipe(scene, &format!("data-{lost}"))?;
        machine.kill(scene, lost, "coordd")?;
    }
    // What operator/docs/quorum-loss.md says to keep first.
    ensemble.coordd(&survivor, &["admin", "snapshot", "--without-quorum", "/data/kept.snapshot"])?;
    let cluster = ensemble.cluster()?;
    let id = cluster["status"]["ensembleId"].as_str().context("an ensemble")?;
    let order = format!("coordd.dev/recover-quorum=survivor={survivor} ensemble={id} confirm=data-loss");
    scene.kubectl(&["annotate", "cc", NAME, &order])?;
    die(stopped, &["record-recovery", "recover"])?;
    ensemble.wait_ready()?;
    let status = ensemble.status()?;
    ensure!(status["ensembleId"] != id, "it is the ensemble of before");
    ensure!(status["votingMembers"] == 3, "{} voters", status["votingMembers"]);
    let kept = ensemble.coordd(&survivor, &["cli", "-s", "127.0.0.1:2181", "get", "/kept"])?;
    ensure!(kept.contains("by-all"), "the survivor knows {kept:?}");
    Ok(())
}
