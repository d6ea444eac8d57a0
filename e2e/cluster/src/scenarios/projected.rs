//! Applications that register themselves are called through Services that nobody wrote: by kube-proxy and by headless
//! DNS each of them is reached and nobody else, whatever befalls them and the ensemble.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME, condition};
use crate::operator::Stopped;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "projected",
    about: "registered instances behind Services: reached, drained, killed, kept while the ensemble is away",
    short: false,
    play: Play::Anywhere(play),
};

const INSTANCE: &str = include_str!("../../manifests/instance.yaml");
const PATH: &str = "/services/greeters";
const PORT: u16 = 7000;
const DRAINED: Promise = Promise::within("an instance says that it is out of service → nobody calls it", 3);
const KILLED: Promise = Promise::within("an instance is killed → nobody calls it, less its session's 5 s", 3);
const WRONG: Promise = Promise::none("endpoints that are wrong or missing at rest");

/// The applications of a scene, and the one that calls them.
struct Greeters<'a> {
    scene: &'a Scene,
    servers: String,
}

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let greeters = Greeters { scene, servers: format!("{}:2181", ensemble.name) };
    greeters.start("caller", "")?;
    for name in ["g1", "g2", "g3"] {
        greeters.start(name, "$(POD_IP)")?;
    }
    project(scene, "greet", &json!({}))?;
    project(scene, "greet-each", &json!({"headless": true}))?;
    greeters.until_reached("through kube-proxy and DNS", &["g1", "g2", "g3"])?;
    comings_and_goings(&greeters)?;
    ensemble_away(&ensemble, &greeters)?;
    operator_dies(&greeters)?;
    scene.counted(WRONG, greeters.wrong(&["g1", "g2", "g4"])?)
}

fn project(scene: &Scene, name: &str, more: &Value) -> Result<()> {
    let mut service = json!({"ports": [{"name": "http", "port": 80}]});
    for (field, value) in more.as_object().into_iter().flatten() {
        service[field] = value.clone();
    }
    let spec = json!({
        "clusterRef": {"name": NAME}, "path": PATH, "format": "Curator", "target": {"service": service},
        "guards": {"emptyPolicy": "Drain"}
    });
    let kind = json!({"apiVersion": "coordd.dev/v1alpha1", "kind": "ServiceProjection"});
    let object =
        json!({"apiVersion": kind["apiVersion"], "kind": kind["kind"], "metadata": {"name": name}, "spec": spec});
    scene.apply(&object.to_string(), &[])?;
    scene.wait(&format!("sp/{name}"), "condition=Ready", PATIENCE)
}

fn status(scene: &Scene) -> Result<Value> {
    Ok(scene.json(&["get", "sp", "greet"])?["status"].clone())
}

fn comings_and_goings(greeters: &Greeters<'_>) -> Result<()> {
    let scene = greeters.scene;
    greeters.start("g4", "$(POD_IP)")?;
    greeters.until_reached("one that came", &["g1", "g2", "g3", "g4"])?;
    let begin = Instant::now();
    scene.http("g2", PORT, "disable", PATIENCE)?;
    greeters.until_reached("one is out of service", &["g1", "g3", "g4"])?;
    scene.measured(DRAINED, begin.elapsed(), PATIENCE)?;
    scene.http("g2", PORT, "enable", PATIENCE)?;
    greeters.until_reached("it is in service again", &["g1", "g2", "g3", "g4"])?;
    let begin = Instant::now();
    scene.kubectl(&["delete", "pod", "g3", "--grace-period=0", "--force"])?;
    greeters.until_reached("one was killed", &["g1", "g2", "g4"])?;
    scene.measured(KILLED, begin.elapsed().saturating_sub(Duration::from_secs(5)), PATIENCE)
}

/// All members are away, and come back: the endpoints stay, and the status says why.
fn ensemble_away(ensemble: &Ensemble<'_>, greeters: &Greeters<'_>) -> Result<()> {
    let scene = greeters.scene;
    ensemble.change(&json!({"hibernate": true}))?;
    until("the projection says that its source is lost", 2 * PATIENCE, || {
        let status = status(scene)?;
        ensure!(condition(&status, "SourceReachable") == ("False", "Lost"), "{status}");
        Ok(())
    })?;
    greeters.until_reached("while the ensemble is away", &["g1", "g2", "g4"])?;
    ensemble.change(&json!({"hibernate": false}))?;
    ensemble.wait_ready()?;
    until("the projection follows again", PATIENCE, || {
        let status = status(scene)?;
        ensure!(condition(&status, "SourceReachable").0 == "True", "{status}");
        ensure!(condition(&status, "Synced").0 == "True", "{status}");
        Ok(())
    })?;
    greeters.until_reached("the ensemble is back", &["g1", "g2", "g4"])
}

/// It dies at each write of slices and Services while instances come.
fn operator_dies(greeters: &Greeters<'_>) -> Result<()> {
    let scene = greeters.scene;
    for (at, point) in ["projection-slice", "projection-status"].into_iter().enumerate() {
        for side in ["before", "after"] {
            let stopped = Stopped::all()?;
            let name = format!("h{at}{side}");
            greeters.start(&name, "$(POD_IP)")?;
            stopped.dies_at(&format!("{point}:{side}"))?;
            stopped.start()?;
            greeters.until_reached("whoever starts next finishes", &["g1", "g2", "g4", &name])?;
            scene.http(&name, PORT, "leave", PATIENCE)?;
            greeters.until_reached("it has left", &["g1", "g2", "g4"])?;
        }
        println!("      died before and after {point}");
    }
    Ok(())
}

impl Greeters<'_> {
    fn start(&self, name: &str, address: &str) -> Result<()> {
        let values = [("NAME", name), ("ADDRESS", address), ("SERVERS", self.servers.as_str()), ("PATH", PATH)];
        self.scene.apply(INSTANCE, &values)?;
        self.scene.wait(&format!("pod/{name}"), "condition=Ready", PATIENCE)
    }

    /// Who answers through the Service, by name.
    fn callees(&self) -> Result<BTreeSet<String>> {
        let text = self.scene.http("caller", PORT, "fetch/greet:80/40", PATIENCE)?;
        let bodies: BTreeMap<String, usize> = serde_json::from_str(&text)?;
        Ok(bodies.into_keys().collect())
    }

    /// Which addresses the headless name has.
    fn addresses(&self) -> Result<BTreeSet<String>> {
        Ok(serde_json::from_str(&self.scene.http("caller", PORT, "names/greet-each", PATIENCE)?)?)
    }

    fn addresses_of(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        names.iter().map(|name| self.scene.kubectl(&["get", "pod", name, "-o", "jsonpath={.status.podIP}"])).collect()
    }

    /// Waits until these are reached both ways, and nobody else.
    fn until_reached(&self, what: &str, names: &[&str]) -> Result<()> {
        let wanted: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
        let addresses = self.addresses_of(names)?;
        until(what, PATIENCE, || {
            let found = self.callees()?;
            ensure!(found == wanted, "{found:?} answer, wanted are {wanted:?}");
            let found = self.addresses()?;
            ensure!(found == addresses, "the name stands for {found:?}, wanted are {addresses:?}");
            Ok(())
        })
    }

    /// How many endpoints differ from those that there are to be.
    fn wrong(&self, names: &[&str]) -> Result<usize> {
        let slices = self.scene.json(&["get", "endpointslices", "--selector=kubernetes.io/service-name=greet"])?;
        let endpoints =
            slices["items"].as_array().into_iter().flatten().flat_map(|slice| slice["endpoints"].as_array());
        let found: BTreeSet<String> =
            endpoints.flatten().filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned)).collect();
        Ok(found.symmetric_difference(&self.addresses_of(names)?).count())
    }
}
