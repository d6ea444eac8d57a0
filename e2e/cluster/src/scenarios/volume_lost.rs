//! The storage has lost a member's volume: its pod finds no node, and after `replaceAfter` it gets a new volume.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::disk_lost::replaced;
use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::report::{Promise, VOLUME_REPLACED};
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "heal",
    about: "a follower's volume is gone for good: a new volume, a new identity, the same name",
    short: true,
    play: Play::Here(play),
};

const REPLACE_AFTER: Duration = Duration::from_secs(10);
const PAUSE: Promise = Promise::within("lost volume: longest time without a write", 1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let healing = json!({"replaceAfter": format!("{}s", REPLACE_AFTER.as_secs())});
    let ensemble = Ensemble::ready(scene, &json!({"healing": healing}))?;
    let load = Load::start(&ensemble)?;
    let lost = ensemble.follower()?;
    let (old, claims) = (ensemble.id_of(&lost)?, scene.uids("pvc")?);
    load.mark("volume-lost")?;
    let begin = Instant::now();
    machine.lose(scene, &format!("data-{lost}"))?;
    scene.kubectl(&["delete", "pod", &lost])?;
    replaced(&ensemble, &lost, old)?;
    let took = begin.elapsed().saturating_sub(REPLACE_AFTER);
    scene.measured(VOLUME_REPLACED, took, Duration::from_secs(150))?;
    let now = scene.uids("pvc")?;
    let kept = now.iter().filter(|(name, uid)| claims.get(*name) == Some(*uid)).count();
    ensure!(now.len() == 3 && kept == 2, "{kept} of the {} claims are those of before", now.len());
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
