//! The ensemble behind a projection is rolled, its leader is killed, and all of it is away for two minutes: whoever
//! calls a Service notices nothing.
//!
//! Rule: after each of these an instance registers and another's session ends. Reason: endpoints that stay do not show
//! that the projection still follows; one that had stopped would keep them best.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::kill_in_pod::restarts;
use super::projected::WRONG;
use super::{Play, Scenario};
use crate::apps::{Apps, Library};
use crate::ensemble::{Ensemble, condition};
use crate::machine::Machine;
use crate::projection::Projection;
use crate::scene::{PATIENCE, Scene};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "source-away",
    about: "behind a projection the ensemble is rolled, its leader killed, all away for a while: it stays, and follows",
    short: false,
    play: Play::Here(play),
};

const PATH: &str = "/services/greeters";
const SERVICE: &str = "greeters";
/// Who is there at first, and after each trouble.
const THEN: [[&str; 3]; 4] = [["g1", "g2", "g3"], ["g2", "g3", "g4"], ["g3", "g4", "g5"], ["g4", "g5", "g6"]];
const AWAY: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let [first, rolled, killed, back] = THEN;
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let apps = Apps::of(&ensemble)?;
    apps.start(Library::Plain, PATH, &first)?;
    Projection::both_ways(scene, SERVICE, PATH, "Curator")?;
    apps.until_reached("before anything happens", SERVICE, &first)?;
    ensemble.change(&json!({"restartAt": "2026-01-01T00:00:00Z"}))?;
    let is_rolled = || ensemble.status().is_ok_and(|status| condition(&status, "MembersUpdated").0 == "True");
    reached_until(&apps, &first, is_rolled)?;
    ensemble.wait_ready()?;
    one_comes_and_one_goes(&apps, "rolled", &first, &rolled)?;
    let leader = ensemble.leader()?;
    let before = restarts(scene, &leader)?;
    machine.kill(scene, &leader, "coordd")?;
    reached_until(&apps, &rolled, || restarts(scene, &leader).is_ok_and(|now| now != before))?;
    one_comes_and_one_goes(&apps, "its leader killed", &rolled, &killed)?;
    scene.wait(&format!("pod/{leader}"), "condition=Ready", PATIENCE)?;
    ensemble.wait_ready()?;
    away(&ensemble, &apps, &killed)?;
    one_comes_and_one_goes(&apps, "back", &killed, &back)?;
    scene.counted(WRONG, apps.wrong(SERVICE, &back)?)
}

/// Who is only among those after registers, and the session of who is only among those before ends.
fn one_comes_and_one_goes(apps: &Apps<'_>, what: &str, before: &[&str], after: &[&str]) -> Result<()> {
    let [gone, stay @ ..] = before else { bail!("nobody is there") };
    let come = after.strip_prefix(stay).context("the others stay")?;
    apps.start(Library::Plain, PATH, come)?;
    apps.until_reached(&format!("{what}: one more"), SERVICE, &[before, come].concat())?;
    apps.tell(gone, "leave")?;
    apps.until_reached(&format!("{what}: one has left"), SERVICE, after)
}

/// Calls arrive all the time until it is so.
fn reached_until(apps: &Apps<'_>, names: &[&str], is_so: impl Fn() -> bool) -> Result<()> {
    while !is_so() {
        apps.are_behind(SERVICE, names)?;
        thread::sleep(LOOK);
    }
    Ok(())
}

fn away(ensemble: &Ensemble<'_>, apps: &Apps<'_>, names: &[&str]) -> Result<()> {
    let projection = Projection::named(ensemble.scene, SERVICE);
    ensemble.change(&json!({"hibernate": true}))?;
    projection.until("it says that its source is lost", &[("SourceReachable", "Lost")])?;
    let begin = Instant::now();
    reached_until(apps, names, || begin.elapsed() > AWAY)?;
    projection.until("it still says so", &[("SourceReachable", "Lost")])?;
    ensemble.change(&json!({"hibernate": false}))?;
    ensemble.wait_ready()?;
    projection.until("it follows again", &[("SourceReachable", "True"), ("Synced", "True")])?;
    apps.until_reached("the ensemble is back", SERVICE, names)
}
