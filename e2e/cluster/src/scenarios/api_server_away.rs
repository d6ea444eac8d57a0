//! The API server hangs, and then is gone: an ensemble needs none of Kubernetes to serve, and the operator comes back.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::report::Promise;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "api-server-away",
    about: "the API server hangs for half a minute, and is gone for a whole one; then the operator acts again",
    short: false,
    play: Play::Here(play),
};

/// Nothing is to be seen meanwhile, so that it is the time that counts.
const HANGS: Duration = Duration::from_secs(30);
const GONE: Duration = Duration::from_secs(60);
const PAUSE: Promise = Promise::within("API server away: longest time without a write", 1);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    let pods = scene.uids("pods")?;
    load.mark("api-server-hangs")?;
    let frozen = machine.api_server_frozen()?;
    thread::sleep(HANGS);
    drop(frozen);
    load.mark("api-server-gone")?;
    let gone = machine.api_server_gone()?;
    thread::sleep(GONE);
    drop(gone);
    load.flows()?;
    ensemble.acted("api-server-back")?;
    ensemble.wait_ready()?;
    ensure!(scene.uids("pods")? == pods, "a pod was made anew");
    let verdict = load.finish(&ensemble.members()?)?;
    scene.measured(PAUSE, verdict.longest_pause(), Duration::from_secs(10))
}
