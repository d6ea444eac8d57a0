//! A subtree of configuration is a ConfigMap, and a pod that has it mounted reads what somebody has just set.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Play, Scenario};
use crate::apps::Apps;
use crate::ensemble::Ensemble;
use crate::projection::Projection;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};
use crate::tree::Tree;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "configured",
    about: "a subtree is a ConfigMap; a running pod reads what is set, and keeps what was when all is deleted",
    short: false,
    play: Play::Anywhere(play),
};

const WRITTEN: Promise = Promise::within("a value is set → it stands in the ConfigMap", 2);
/// The kubelet looks at its ConfigMaps once a minute.
const READ: Promise = Promise::within("a value is set → a running pod reads it from its volume", 120);
const READER: &str = "reader";

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let tree = Tree::of(&ensemble)?;
    tree.make(&[("/config", ""), ("/config/app", ""), ("/config/app/greeting", "Hello")])?;
    tree.make(&[("/config/app/db", ""), ("/config/app/db/url", "db.example:5432")])?;
    let target = json!({"configMap": {"name": "settings"}});
    let projection = Projection::ready(scene, "app", "/config/app", &json!({"target": target}))?;
    let apps = Apps::of(&ensemble)?;
    apps.program(READER, "settings", &["python", "-m", "http.server", "--directory", "/programs", "7000"])?;
    apps.ready(&[READER])?;
    reads(&apps, "db.url", "db.example:5432")?;
    reads(&apps, "greeting", "Hello")?;
    let begin = Instant::now();
    tree.set("/config/app/greeting", "Good morning")?;
    until("the ConfigMap has the value", PATIENCE, || {
        let found = scene.kubectl(&["get", "configmap", "settings", "-o", "jsonpath={.data.greeting}"])?;
        ensure!(found == "Good morning", "it has {found:?}");
        Ok(())
    })?;
    scene.promised(WRITTEN, begin.elapsed())?;
    reads(&apps, "greeting", "Good morning")?;
    scene.promised(READ, begin.elapsed())?;
    tree.delete_all("/config/app")?;
    projection.until("what was is kept", &[("Synced", "EmptyHeld")])?;
    reads(&apps, "greeting", "Good morning")
}

/// Waits until the file in the pod's volume says so.
fn reads(apps: &Apps<'_>, key: &str, value: &str) -> Result<()> {
    until("the pod reads it", 2 * PATIENCE, || {
        let found = apps.tell(READER, key)?;
        ensure!(found == value, "it reads {found:?}");
        Ok(())
    })
}
