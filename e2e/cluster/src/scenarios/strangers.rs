//! Strangers at the members' inner ports: a wrong token is refused by each, and a member with another peer secret is
//! not let in, while one with the right one is.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::ensemble::Ensemble;
use crate::load::Load;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "strangers",
    about: "no token, a wrong one, and a member with another peer secret",
    short: false,
    play: Play::Anywhere(play),
};

const STRANGER: &str = include_str!("../../manifests/stranger.yaml");
/// The Secret of the cluster holds a second word, which is no token.
const WRONG: &str = "/etc/coordd/secrets/peer-secret";
const REFUSED: &str = "token";

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let load = Load::start(&ensemble)?;
    // So that the operator does not show a stranger to the door.
    ensemble.change(&json!({"paused": true}))?;
    ensemble.until("paused", PATIENCE, |status| status["state"] == "Paused")?;
    load.mark("strangers")?;
    tokens(&ensemble)?;
    secrets(&ensemble)?;
    ensemble.change(&json!({"paused": false}))?;
    ensemble.wait_ready()?;
    load.finish(&ensemble.members()?).map(drop)
}

fn tokens(ensemble: &Ensemble<'_>) -> Result<()> {
    for pod in ensemble.pods()? {
        ensemble.coordd(&pod, &["admin", "status"])?;
        let wrong = ensemble.coordd(&pod, &["admin", "--token-file", WRONG, "status"]);
        let wrong = wrong.err().map(|why| format!("{why:#}")).unwrap_or_default();
        ensure!(wrong.contains(REFUSED), "{pod} answered a wrong token with {wrong:?}");
        // The API server passes no credentials on.
        let none = ensemble.scene.http(&pod, 9080, "admin/v1/status", PATIENCE);
        let none = none.err().map(|why| format!("{why:#}").to_lowercase()).unwrap_or_default();
        ensure!(none.contains("unauthorized") || none.contains("logged in"), "{pod} answered without one: {none:?}");
    }
    Ok(())
}

fn secrets(ensemble: &Ensemble<'_>) -> Result<()> {
    let scene = ensemble.scene;
    scene.kubectl(&["create", "secret", "generic", "stranger", "--from-literal=peer-secret=another-word-of-no-use"])?;
    let members = ensemble.view(&ensemble.leader()?)?.members.len();
    let refused = add(ensemble, "stranger", "stranger")?;
    println!("      another peer secret: {}", refused.lines().last().unwrap_or_default());
    ensure!(!refused.is_empty(), "a member with another peer secret was let in");
    ensure!(ensemble.view(&ensemble.leader()?)?.members.len() == members, "it is a member though it was refused");

    // The same with the right one, so that it is the secret that made the difference.
    let refused = add(ensemble, "guest", &format!("{}-secrets", ensemble.name))?;
    ensure!(refused.is_empty(), "the right peer secret was refused: {refused}");
    until("the guest is taken out again", PATIENCE, || {
        ensemble.coordd(&ensemble.leader()?, &["admin", "remove", "guest"])
    })?;
    scene.kubectl(&["delete", "pod", "stranger", "guest"]).map(drop)
}

/// Starts a member with the peer secret of that Secret and asks the leader to take it in; why that was refused, if so.
fn add(ensemble: &Ensemble<'_>, name: &str, secret: &str) -> Result<String> {
    let scene = ensemble.scene;
    scene.apply(STRANGER, &[("NAME", name), ("SECRET", secret)])?;
    scene.wait(&format!("pod/{name}"), "condition=Ready", PATIENCE)?;
    let ip = scene.kubectl(&["get", "pod", name, "-o", "jsonpath={.status.podIP}"])?;
    let added = ensemble.coordd(&ensemble.leader()?, &["admin", "add", "--peer-addr", &format!("{ip}:2888")]);
    Ok(added.err().map(|why| format!("{why:#}")).unwrap_or_default())
}
