//! The API server hangs, and then is gone: an ensemble needs none of Kubernetes to serve.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::machine::Machine;
use crate::scene::Scene;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "api-server-away",
    about: "a plain StatefulSet: the API server hangs for a while, and is gone for another",
    short: false,
    play: Play::Here(play),
};

/// Nothing is to be seen meanwhile, so that it is the time that counts.
const AWAY: Duration = Duration::from_secs(30);

fn play(scene: &Scene, machine: &Machine) -> Result<()> {
    let ensemble = Ensemble::plain(scene)?;
    let load = Load::start(&ensemble)?;
    load.mark("api-server-hangs")?;
    let frozen = machine.api_server_frozen()?;
    thread::sleep(AWAY);
    drop(frozen);
    load.mark("api-server-gone")?;
    let gone = machine.api_server_gone()?;
    thread::sleep(AWAY);
    drop(gone);
    load.flows()?;
    ensemble.wait_ready(3)?;
    let verdict = load.finish(&ensemble.members()?)?;
    let second = Duration::from_secs(1);
    scene.measured("API server away: longest time without a write", verdict.longest_pause(), second, 5 * second)
}
