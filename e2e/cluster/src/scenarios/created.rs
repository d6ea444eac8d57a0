//! An ensemble is created, again and again: one manifest, and clients are served.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME};
use crate::load::Load;
use crate::report::CREATED;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "create",
    about: "an ensemble of three from an empty spec, three times; what kubectl shows of it",
    short: true,
    play: Play::Anywhere(play),
};

const ROUNDS: usize = 3;

fn play(scene: &Scene) -> Result<()> {
    for round in 1..=ROUNDS {
        let begin = Instant::now();
        let ensemble = Ensemble::ordered(scene, NAME, &json!({}))?;
        scene.wait(&format!("cc/{NAME}"), "condition=Ready", PATIENCE)?;
        scene.measured(CREATED, begin.elapsed(), Duration::from_secs(90))?;
        ensemble.wait_ready()?;
        let shown = scene.kubectl(&["get", "cc", NAME])?;
        shown.lines().for_each(|line| println!("      {line}"));
        for word in ["True", "Running", "3/3", "tolerates 1", ensemble.leader()?.as_str()] {
            ensure!(shown.contains(word), "kubectl does not show {word:?}");
        }
        if round == ROUNDS {
            let load = Load::start(&ensemble)?;
            load.flows()?;
            return load.finish(&ensemble.members()?).map(drop);
        }
        scene.kubectl(&["delete", "cc", NAME])?;
        // Kept by default, and nothing is founded over what is on them.
        scene.kubectl(&["wait", "--for=delete", &format!("statefulset/{NAME}"), "--timeout=120s"])?;
        scene.kubectl(&["delete", "pvc", "--all"])?;
    }
    Ok(())
}
