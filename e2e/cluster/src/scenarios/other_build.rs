//! All members are rolled to another build of coordd, and back: what one writes the other reads.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::rolled::roll;
use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "other-build",
    about: "rolled to the image of COORDD_E2E_OTHER_IMAGE, which each node has, and back",
    short: false,
    // An older build is made of its sources and loaded by hand.
    play: Play::With("COORDD_E2E_OTHER_IMAGE", play),
};

const PAUSE: Promise = Promise::within("rolled to another build and back: longest time without a write", 1);

fn play(scene: &Scene, image: &str) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    load.mark("to-the-other")?;
    roll(&ensemble, &json!({"image": image}))?;
    load.mark("back")?;
    roll(&ensemble, &json!({"image": Value::Null}))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
