//! The operator is upgraded while clients work: both its pods are made anew, and no member is.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::former::Former;
use crate::load::Load;
use crate::operator::{self, Before};
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "operator-upgraded",
    about: "`helm upgrade` from the chart of `--former REV`, else from its own: no member restarts",
    short: false,
    play: Play::BetterWithFormer(play),
};

const RESTARTS: Promise = Promise::none("operator upgraded: members restarted");
const PAUSE: Promise = Promise::within("operator upgraded: longest time without a write", 1);

fn play(scene: &Scene, former: Option<&Former>) -> Result<()> {
    let upgrade = Before::installed(former)?;
    // As it was with that chart: members of its own build, which the operator of now finds.
    let spec = former.map_or_else(|| json!({}), |former| json!({"image": former.coordd()}));
    let ensemble = Ensemble::ready(scene, &spec)?;
    let load = Load::start(&ensemble)?;
    let before = seen(scene)?;
    load.mark("upgraded")?;
    let old = operator::leader()?;
    upgrade.done()?;
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
