//! Three members become five, three, one and three again, while clients work.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME};
use crate::load::Load;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "scale",
    about: "3 → 5 → 3 → 1 → 3 by `kubectl scale`; volumes go after their members",
    short: true,
    play: Play::Anywhere(play),
};

const PAUSE: Promise = Promise::within("scale 3 → 5 → 3 → 1 → 3: longest time without a write", 1);
const STEP: Promise = Promise::within("scale: slowest of them", 60);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    for members in [5, 3, 1, 3] {
        load.mark(&format!("to-{members}"))?;
        scene.kubectl(&["scale", "cc", NAME, &format!("--replicas={members}")])?;
        let took = ensemble.wait_ready()?;
        scene.measured(STEP, took, Duration::from_secs(240))?;
        let voters = ensemble.status()?["votingMembers"].clone();
        ensure!(voters == members, "{voters} voters");
        until("volumes go after their members", PATIENCE, || {
            let claims = scene.uids("pvc")?.len();
            ensure!(claims == members, "{claims} claims");
            Ok(())
        })?;
    }
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
