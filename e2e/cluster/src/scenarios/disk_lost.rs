//! A follower loses its disk: it comes back under its old name and has no vote until somebody replaces the old member.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use coordd_api::MemberRole;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "disk-lost",
    about: "a plain StatefulSet: a follower's disk is emptied, and the member replaced by hand",
    short: false,
    play: Play::Here(play),
};

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let load = Load::start(&ensemble)?;
    let leader = ensemble.leader()?;
    let lost = ensemble.pods()?.into_iter().find(|pod| *pod != leader).context("a follower")?;
    let old = id(&ensemble, &leader, &lost)?;
    load.mark("disk-lost")?;
    machine.wipe(scene, &format!("data-{lost}"))?;
    machine.kill(scene, &lost, "coordd")?;
    scene.wait(&format!("pod/{lost}"), "condition=Ready=false", PATIENCE)?;
    load.mark("replaced")?;
    let begin = Instant::now();
    let address = format!("{lost}.coordd-peers:2888");
    scene.until("the member is replaced", PATIENCE, || {
        let leader = ensemble.leader()?;
        scene.kubectl(&["exec", &leader, "--", "/coordd", "admin", "replace", &lost, "--peer-addr", &address])
    })?;
    scene.wait(&format!("pod/{lost}"), "condition=Ready", PATIENCE)?;
    let replaced = begin.elapsed();
    ensure!(id(&ensemble, &leader, &lost)? != old, "an empty disk came back under the old id");
    let view = ensemble.view(&ensemble.leader()?)?;
    let voters = view.members.iter().filter(|m| matches!(m.role, MemberRole::Leader | MemberRole::Follower)).count();
    ensure!(voters == 3, "{voters} voters");
    let verdict = load.finish(&ensemble.members()?)?;
    let second = Duration::from_secs(1);
    scene.measured("replaced by hand → member ready again", replaced, 30 * second, 120 * second)?;
    scene.measured("disk lost: longest time without a write", verdict.longest_pause(), second, 10 * second)
}

/// Under which id a member is known.
fn id(ensemble: &Ensemble<'_>, asked: &str, name: &str) -> Result<u64> {
    let view = ensemble.view(asked)?;
    view.members.iter().find(|member| member.name == name).map(|member| member.id).context("no such member")
}
