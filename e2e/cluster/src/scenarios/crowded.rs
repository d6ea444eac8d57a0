//! A thousand instances behind one Service, and two hundred Services: how soon a change stands in an EndpointSlice, and
//! whether each is what was registered.
//!
//! ```text
//!   coordd-versus crowd ─► acknowledged at …      kubectl get endpointslices --watch ─► written at …      one clock
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use coordd_versus::crowd::address;
use serde_json::json;

use super::projected::WRONG;
use super::{Play, Scenario};
use crate::apps::endpoints;
use crate::ensemble::Ensemble;
use crate::projection::Projection;
use crate::report::Promise;
use crate::scene::{PATIENCE, Scene, until};
use crate::slices::{Seen, Slices};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "crowded",
    about: "a thousand instances of one service, two hundred services: how soon each change is an endpoint",
    short: false,
    play: Play::Anywhere(play),
};

const CROWD: &str = include_str!("../../manifests/crowd.yaml");
const PORT: u16 = 7000;
const SERVICE: &str = "crowd";
const THOUSAND: u32 = 1_000;
/// So many changes, one after the other.
const SINGLE: u32 = 100;
const SERVICES: u32 = 200;
const OF_EACH: u32 = 5;
const ONE: Promise = Promise::within("one change acknowledged → written to its EndpointSlice, p99", 1);
const BURST: Promise = Promise::within_ms("a thousand at once acknowledged → written to EndpointSlices, p99", 2_500);

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    scene.apply(CROWD, &[("SERVER", &format!("{}:2181", ensemble.name))])?;
    scene.wait("pod/crowd", "condition=Ready", PATIENCE)?;
    order(scene, "add", 0, 1, "services/crowd")?;
    let target = json!({"service": {"ports": [{"name": "http", "port": 80}]}});
    let guards = json!({"holdHalfEmpty": false});
    let spec = json!({"format": "Curator", "target": target, "guards": guards});
    Projection::ready(scene, SERVICE, "/services/crowd", &spec)?;
    let slices = Slices::watch(scene, SERVICE)?;
    one_by_one(scene, &slices)?;
    all_at_once(scene, &slices)?;
    drop(slices);
    many_services(scene)
}

type When = BTreeMap<String, u64>;

/// What the crowd is told; when each change was acknowledged, by address, in microseconds.
fn order(scene: &Scene, deed: &str, from: u32, to: u32, path: &str) -> Result<When> {
    Ok(serde_json::from_str(&scene.http("crowd", PORT, &format!("{deed}/{from}/{to}/{path}"), PATIENCE)?)?)
}

fn one_by_one(scene: &Scene, slices: &Slices) -> Result<()> {
    let mut delays = Vec::new();
    for (deed, seen) in [("add", Seen::Come), ("remove", Seen::Gone)] {
        for number in 1..=SINGLE {
            let acknowledged = order(scene, deed, number, number + 1, "services/crowd")?;
            delays.extend(slices.delays(&acknowledged, seen)?);
        }
    }
    scene.promised(ONE, p99(delays))
}

fn all_at_once(scene: &Scene, slices: &Slices) -> Result<()> {
    let mut delays = slices.delays(&order(scene, "add", 1, THOUSAND, "services/crowd")?, Seen::Come)?;
    let found: BTreeSet<String> = endpoints(scene, SERVICE)?.into_iter().collect();
    ensure!(found.len() == THOUSAND as usize, "{} endpoints of {THOUSAND}", found.len());
    let of_each = scene.kubectl(&[
        "get",
        "endpointslices",
        &format!("--selector=kubernetes.io/service-name={SERVICE}"),
        "-o",
        "jsonpath={range .items[*]}{.endpoints[*].addresses[0]}{\"\\n\"}{end}",
    ])?;
    let largest = of_each.lines().map(|line| line.split_whitespace().count()).max().unwrap_or(0);
    ensure!(largest <= 100, "{largest} endpoints in one slice");
    println!("      {THOUSAND} instances in {} slices", of_each.lines().count());
    delays.extend(slices.delays(&order(scene, "remove", 600, THOUSAND, "services/crowd")?, Seen::Gone)?);
    scene.promised(BURST, p99(delays))
}

fn many_services(scene: &Scene) -> Result<()> {
    for service in 0..SERVICES {
        let from = 2_000 + service * OF_EACH;
        order(scene, "add", from, from + OF_EACH, &format!("many/s{service}"))?;
    }
    let target = json!({"service": {"ports": [{"name": "http", "port": 80}], "nameTemplate": "many-{name}"}});
    let projection = Projection::ready(scene, "many", "/many", &json!({"format": "Curator", "target": target}))?;
    let all = (SERVICES * OF_EACH) as usize;
    let status = until("all Services are there", 2 * PATIENCE, || {
        let status = projection.status()?;
        ensure!(status["services"] == json!(SERVICES) && status["endpoints"] == json!(all), "{status}");
        Ok(status)
    })?;
    println!("      {} Services with {} endpoints", status["services"], status["endpoints"]);
    let wrong = (0..SERVICES).map(|service| {
        let from = 2_000 + service * OF_EACH;
        let wanted: BTreeSet<String> = (from..from + OF_EACH).map(|number| address(number).to_string()).collect();
        let found: BTreeSet<String> = endpoints(scene, &format!("many-s{service}"))?.into_iter().collect();
        Ok(found.symmetric_difference(&wanted).count())
    });
    scene.counted(WRONG, wrong.collect::<Result<Vec<usize>>>()?.into_iter().sum())
}

fn p99(mut delays: Vec<Duration>) -> Duration {
    delays.sort();
    let (middle, last) = (delays.len() / 2, delays.len().saturating_sub(1));
    let at = |index: usize| delays.get(index).copied().unwrap_or_default();
    println!("      {} changes: median {:.2?}, worst {:.2?}", delays.len(), at(middle), at(last));
    at(delays.len() * 99 / 100)
}
