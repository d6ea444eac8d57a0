//! The ensemble behind a projection is rolled, loses its leader, and is away as a whole for two minutes: whoever calls
//! a Service notices nothing.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::projected::WRONG;
use super::{Play, Scenario};
use crate::apps::{Apps, Library};
use crate::ensemble::{Ensemble, condition};
use crate::projection::Projection;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "source-away",
    about: "behind a projection the ensemble is rolled, loses its leader, and is away for two minutes: endpoints stay",
    short: false,
    play: Play::Anywhere(play),
};

const PATH: &str = "/services/greeters";
const SERVICE: &str = "greeters";
const ALL: [&str; 3] = ["g1", "g2", "g3"];
const AWAY: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(1);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let apps = Apps::of(&ensemble)?;
    apps.start(Library::Plain, PATH, &ALL)?;
    Projection::both_ways(scene, SERVICE, PATH, "Curator")?;
    apps.until_reached("before anything happens", SERVICE, &ALL)?;
    ensemble.change(&json!({"restartAt": "2026-01-01T00:00:00Z"}))?;
    let rolled = || ensemble.status().is_ok_and(|status| condition(&status, "MembersUpdated").0 == "True");
    reached_until(&apps, rolled)?;
    ensemble.wait_ready()?;
    scene.kubectl(&["delete", "pod", &ensemble.leader()?])?;
    apps.are_behind(SERVICE, &ALL)?;
    ensemble.wait_ready()?;
    away(&ensemble, &apps)?;
    scene.counted(WRONG, apps.wrong(SERVICE, &ALL)?)
}

/// Calls arrive all the time until it is so.
fn reached_until(apps: &Apps<'_>, is_so: impl Fn() -> bool) -> Result<()> {
    while !is_so() {
        apps.are_behind(SERVICE, &ALL)?;
        thread::sleep(LOOK);
    }
    Ok(())
}

fn away(ensemble: &Ensemble<'_>, apps: &Apps<'_>) -> Result<()> {
    let projection = Projection::named(ensemble.scene, SERVICE);
    ensemble.change(&json!({"hibernate": true}))?;
    projection.until("it says that its source is lost", &[("SourceReachable", "Lost")])?;
    let begin = Instant::now();
    reached_until(apps, || begin.elapsed() > AWAY)?;
    projection.until("it still says so", &[("SourceReachable", "Lost")])?;
    ensemble.change(&json!({"hibernate": false}))?;
    ensemble.wait_ready()?;
    projection.until("it follows again", &[("SourceReachable", "True"), ("Synced", "True")])?;
    apps.until_reached("the ensemble is back", SERVICE, &ALL)
}
