//! Three members that hold a million znodes become five: the new ones are filled while clients work.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::report::SCALE_PAUSE;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "scale-full",
    about: "3 → 5 with a million znodes in the tree",
    short: false,
    play: Play::Anywhere(play),
};

const ZNODES: usize = 1_000_000;

fn play(scene: &Scene) -> Result<()> {
    let memory = json!({"memory": "2Gi"});
    let ensemble = Ensemble::ready(scene, &json!({"resources": {"requests": memory, "limits": memory}}))?;
    let load = Load::start_among(&ensemble, ZNODES)?;
    load.mark("to-5")?;
    ensemble.change(&json!({"replicas": 5}))?;
    ensemble.wait_ready()?;
    for pod in ensemble.pods()? {
        let held = znodes(scene, &pod)?;
        ensure!(held >= ZNODES, "{pod} holds {held} znodes");
    }
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(SCALE_PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}

/// As many as a member says that it holds.
fn znodes(scene: &Scene, pod: &str) -> Result<usize> {
    let metrics = scene.http(pod, 8080, "metrics", PATIENCE)?;
    let count = metrics.lines().find_map(|line| line.strip_prefix("znode_count ")).context("znode_count")?;
    count.parse().with_context(|| format!("znode_count {count}"))
}
