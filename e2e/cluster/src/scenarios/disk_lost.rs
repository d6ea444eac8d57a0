//! A follower comes back with an empty disk under its old name: it is a new member, and the lost identity goes.

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
    name: "disk-lost",
    about: "a follower's disk is emptied and its process killed: it is replaced under its own name",
    short: false,
    play: Play::Here(play),
};

const REPLACED: Promise = Promise::within("empty disk → member voting again under a new id", 30);
const PAUSE: Promise = Promise::within("disk lost: longest time without a write", 1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    let lost = ensemble.follower()?;
    let old = ensemble.id_of(&lost)?;
    load.mark("disk-lost")?;
    let begin = Instant::now();
    machine.wipe(scene, &format!("data-{lost}"))?;
    machine.kill(scene, &lost, "coordd")?;
    replaced(&ensemble, &lost, old)?;
    scene.measured(REPLACED, begin.elapsed(), Duration::from_secs(120))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}

/// Waits until the member of that name is another one, and all are well.
pub(super) fn replaced(ensemble: &Ensemble<'_>, name: &str, old: u64) -> Result<()> {
    until(&format!("{name} is replaced"), 2 * PATIENCE, || {
        ensure!(ensemble.id_of(name)? != old, "it is still the member {old}");
        Ok(())
    })?;
    ensemble.wait_ready()?;
    ensure!(ensemble.status()?["votingMembers"] == 3, "one vote is missing, or is one too many");
    Ok(())
}
