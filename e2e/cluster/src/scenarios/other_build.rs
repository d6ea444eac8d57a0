//! All members are rolled to a build of before, and back: what one writes the other reads.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::rolled::roll;
use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::former::Former;
use crate::load::Load;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "other-build",
    about: "rolled to the image of `--former REV`, and back",
    short: false,
    play: Play::WithFormer(play),
};

const PAUSE: Promise = Promise::within("rolled to another build and back: longest time without a write", 1);

fn play(scene: &Scene, former: &Former) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    load.mark("to-the-other")?;
    roll(&ensemble, &json!({"image": former.coordd()}))?;
    load.mark("back")?;
    roll(&ensemble, &json!({"image": Value::Null}))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
