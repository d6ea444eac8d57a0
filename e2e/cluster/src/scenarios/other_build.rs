//! All members are rolled to another build of coordd, and back: what one writes the other reads.

use std::env;
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
    play: Play::Anywhere(play),
};

const OTHER: &str = "COORDD_E2E_OTHER_IMAGE";
const PAUSE: Promise = Promise::within("rolled to another build and back: longest time without a write", 1);

fn play(scene: &Scene) -> Result<()> {
    let Ok(image) = env::var(OTHER) else {
        println!("      left out: {OTHER} names no image; an older build is made of its sources and loaded by hand");
        return Ok(());
    };
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    load.mark("to-the-other")?;
    roll(&ensemble, &json!({"image": image}))?;
    load.mark("back")?;
    roll(&ensemble, &json!({"image": Value::Null}))?;
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
