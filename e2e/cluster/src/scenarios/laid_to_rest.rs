//! An ensemble is paused, hibernated and deleted: nothing is done, all comes back, and volumes stay or go as ordered.
//!
//! ```text
//!   paused, hurt ─► hibernated, woken ─► deleted, adopted under its name ─► histories judged ─► deleted for good
//!   └──────────────── one Load: a pod of the scene's, no part of the cluster ────────────────┘
//! ```
//!
//! Rule: the clients of one history work through every stop, and no steady one may lose its session. Reason: only a
//! leader ends sessions, and its book begins anew with it: a stop takes less than their 15 s, while all members are
//! away no session's time runs, and afterwards each has its whole timeout to come back. So whatever was acknowledged
//! before a stop (writes, ephemerals, sessions) must be there after it, though Secrets and Services were made anew.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME, condition};
use crate::load::Load;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "pause-hibernate-delete",
    about: "paused, hibernated, deleted with volumes kept, adopted: one history; deleted with its volumes",
    short: false,
    play: Play::Anywhere(play),
};

const BACK: Promise = Promise::within("hibernated → Ready again", 30);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    load.mark("paused")?;
    paused(&ensemble)?;
    load.mark("hibernated")?;
    hibernated(&ensemble)?;
    load.mark("deleted")?;
    deleted_and_adopted(&ensemble)?;
    load.finish(&ensemble.members()?)?;
    deleted_for_good(&ensemble)
}

/// A paused cluster is looked at and left alone, whatever is asked of it and whatever befalls it.
fn paused(ensemble: &Ensemble<'_>) -> Result<()> {
    let scene = ensemble.scene;
    ensemble.change(&json!({"paused": true, "replicas": 5}))?;
    ensemble.until("paused", PATIENCE, |status| status["state"] == "Paused")?;
    scene.kubectl(&["delete", "configmap", "orders-connection"])?;
    // Kubernetes itself brings pods back, and the status follows.
    let follower = ensemble.follower()?;
    scene.kubectl(&["delete", "pod", &follower, "--wait=false"])?;
    ensemble.until("a member is away", PATIENCE, |status| condition(status, "MembersReady").0 != "True")?;
    scene.wait(&format!("pod/{follower}"), "condition=Ready", PATIENCE)?;
    ensure!(ensemble.pods()?.len() == 3, "it was scaled");
    ensure!(scene.kubectl(&["get", "configmap", "orders-connection"]).is_err(), "the ConfigMap was made anew");
    ensemble.change(&json!({"paused": false, "replicas": 3}))?;
    ensemble.wait_ready()?;
    scene.kubectl(&["get", "configmap", "orders-connection"]).map(drop)
}

fn hibernated(ensemble: &Ensemble<'_>) -> Result<()> {
    let scene = ensemble.scene;
    let (claims, id) = (scene.uids("pvc")?, ensemble.status()?["ensembleId"].clone());
    ensemble.change(&json!({"hibernate": true}))?;
    ensemble.until("hibernated", PATIENCE, |status| condition(status, "Hibernated").0 == "True")?;
    ensure!(ensemble.pods()?.is_empty(), "there are pods");
    ensemble.change(&json!({"hibernate": false}))?;
    let took = ensemble.wait_ready()?;
    scene.measured(BACK, took, Duration::from_secs(120))?;
    ensure!(scene.uids("pvc")? == claims, "a volume was made anew");
    ensure!(ensemble.status()?["ensembleId"] == id, "another ensemble came back");
    Ok(())
}

/// Nothing is founded over what was kept, until that is ordered.
fn deleted_and_adopted(ensemble: &Ensemble<'_>) -> Result<()> {
    let scene = ensemble.scene;
    let (claims, id) = (scene.uids("pvc")?, ensemble.status()?["ensembleId"].clone());
    let id = id.as_str().context("an ensemble")?;
    delete(scene)?;
    ensure!(scene.uids("pvc")? == claims, "the volumes were to be kept");
    Ensemble::ordered(scene, NAME, &json!({"storage": {"retention": {"whenDeleted": "Delete"}}}))?;
    ensemble.until("stale volumes", PATIENCE, |status| condition(status, "Degraded").1 == "StaleVolumes")?;
    scene.kubectl(&["annotate", "cc", NAME, &format!("coordd.dev/adopt-ensemble={id}")])?;
    ensemble.wait_ready()?;
    ensure!(scene.uids("pvc")? == claims, "a volume was made anew");
    ensure!(ensemble.status()?["ensembleId"] == id, "another ensemble was founded");
    Ok(())
}

fn deleted_for_good(ensemble: &Ensemble<'_>) -> Result<()> {
    let scene = ensemble.scene;
    delete(scene)?;
    until("the volumes go", PATIENCE, || {
        let left = scene.uids("pvc")?;
        ensure!(left.is_empty(), "{left:?} are left");
        Ok(())
    })
}

/// Deletes the cluster and waits for the end of all that it consisted of, but for its volumes.
fn delete(scene: &Scene) -> Result<()> {
    scene.kubectl(&["delete", "cc", NAME, "--timeout=60s"])?;
    until("what it consisted of goes", PATIENCE, || {
        let kinds = "statefulsets,services,configmaps,secrets,networkpolicies,poddisruptionbudgets,pods";
        let ours = "--selector=app.kubernetes.io/instance=orders";
        let left = scene.kubectl(&["get", kinds, ours, "-o", "name"])?;
        ensure!(left.is_empty(), "left: {}", left.replace('\n', " "));
        Ok(())
    })
}
