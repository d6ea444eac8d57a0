//! The operator is upgraded while clients work: both its pods are made anew, and no member is.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::operator;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "operator-upgraded",
    about: "`helm upgrade` to a chart whose operator has another pod template: no member restarts",
    short: false,
    play: Play::Anywhere(play),
};

const RESTARTS: Promise = Promise::none("operator upgraded: members restarted");
const PAUSE: Promise = Promise::within("operator upgraded: longest time without a write", 1);

fn play(scene: &Scene) -> Result<()> {
    // Until there has been a release, the chart before is this one with another pod template.
    operator::install(&["podAnnotations.release=before"])?;
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    let before = seen(scene)?;
    load.mark("upgraded")?;
    let old = operator::leader()?;
    operator::install(&[])?;
    // The new one has looked at the cluster, and done what it held to be needed.
    ensemble.acted("upgraded")?;
    ensemble.wait_ready()?;
    ensure!(operator::leader()? != old, "the operator is the one of before");
    let now = seen(scene)?;
    let restarted = now.iter().filter(|one| !before.contains(one)).count();
    scene.counted(RESTARTS, restarted)?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}

/// Each pod, with how often its container was started.
fn seen(scene: &Scene) -> Result<Vec<String>> {
    let each = "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{\"\\n\"}{end}";
    Ok(scene.kubectl(&["get", "pods", "-o", each])?.lines().map(str::to_owned).collect())
}
