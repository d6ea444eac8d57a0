//! The operator is upgraded: nobody is restarted.
//!
//! ```text
//!   tests/frozen/NAME.yaml, written over what stands in the API server ─► no new generation: that is what runs
//!   a later operator, with another default version ─► no new generation, the same pods
//! ```
//!
//! Rule: what the former release has applied is asked of the API server, not of our own words. Reason: what it fills in
//! and how it compares decides whether there is a new template.

use std::fs;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use operator::crd::CoordinationCluster;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::support::{IMAGE, cluster, package};

/// The parts of a StatefulSet that were frozen, as they are for a cluster of this namespace and uid.
async fn frozen(stage: &Stage, name: &str) -> Value {
    let uid = stage.cluster(name).await.uid().unwrap();
    let text = fs::read_to_string(package().join(format!("tests/frozen/{name}.yaml"))).unwrap();
    let text = text.replace("11111111-2222-3333-4444-555555555555", &uid);
    let text = text.replace(".shop.svc", &format!(".{}.svc", stage.namespace));
    let mut parts = text.split("---\n").skip(1).map(|part| serde_yaml::from_str::<Value>(part).unwrap());
    let mut next = || parts.next().unwrap();
    let (template, claims, selector, fixed) = (next(), next(), next(), next());
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "template": template, "volumeClaimTemplates": claims, "selector": selector,
            "serviceName": fixed[0], "podManagementPolicy": fixed[1]
        }
    })
}

/// What decides whether members are restarted.
async fn generation(stage: &Stage, name: &str) -> (Option<i64>, Option<String>) {
    let set = stage.api::<StatefulSet>().get(name).await.unwrap();
    (set.metadata.generation, set.status.and_then(|status| status.update_revision))
}

async fn upgrade(namespace: &str, file: &str) {
    let Some(stage) = Stage::set(namespace).await else { return };
    let wanted = cluster(file);
    let (name, members) = (wanted.name_any(), wanted.spec.replicas);
    let awake = operator::crd::CoordinationClusterSpec { paused: false, hibernate: false, ..wanted.spec };
    let mut spec = serde_json::to_value(&awake).unwrap();
    spec["image"].as_str().is_none().then(|| spec["image"] = json!(IMAGE));
    let mut former = stage.operator("former", &[]);
    stage.apply(&name, spec).await;
    stage.until_ready(&name, members).await;
    let before = (generation(&stage, &name).await, stage.uids::<Pod>().await);

    let dry = PatchParams { dry_run: true, ..PatchParams::apply("the former release").force() };
    let patch = Patch::Apply(frozen(&stage, &name).await);
    let written = stage.api::<StatefulSet>().patch(&name, &dry, &patch).await.unwrap();
    assert_eq!(written.metadata.generation, before.0.0, "{file} stands there as it was frozen");

    former.signal("TERM");
    former.end(120).await;
    let later = stage.operator("later", &["--default-version", "9.0.0", "--versions", "9.0.0=9"]);
    let began = Instant::now();
    let applied = "coordd_operator_writes_total{write=\"stateful-set\",result=\"done\"}";
    while later.figure(applied).await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", later.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.until_ready(&name, members).await;
    assert_eq!((generation(&stage, &name).await, stage.uids::<Pod>().await), before);
    assert_eq!(stage.ensemble(&name).done().len(), 1, "founded, and nothing since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_operator_restarts_nobody() {
    upgrade("upgrade", "examples/minimal.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_operator_restarts_nobody_whatever_is_set() {
    let Some(stage) = Stage::set("upgrade-needs").await else { return };
    let metadata = ObjectMeta { name: Some("coordination".to_owned()), ..ObjectMeta::default() };
    let class = PriorityClass { metadata, value: 1000, ..PriorityClass::default() };
    Api::all(stage.client.clone()).create(&PostParams::default(), &class).await.unwrap();
    upgrade("upgrade-everything", "tests/specs/everything.yaml").await;
}

/// A cluster that names no version keeps the one that it was founded with, whatever a later operator would choose.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_default_version_is_for_later_clusters() {
    let Some(stage) = Stage::set("later-default").await else { return };
    let former = stage.operator("former", &[]);
    stage.apply("orders", json!({"replicas": 1})).await;
    stage.until_ready("orders", 1).await;
    let pods = stage.uids::<Pod>().await;
    drop(former);
    let _later = stage.operator("former", &["--default-version", "9.0.0", "--versions", "9.0.0=9"]);
    stage.apply("invoices", json!({"replicas": 1})).await;
    stage.until_ready("invoices", 1).await;
    stage.annotate("orders", "somebody", "looks").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.until_ready("orders", 1).await;
    let image = |cluster: CoordinationCluster| cluster.status.and_then(|status| status.target_image);
    let tagged = |version: &str| Some(format!("coordd/coordd:{version}"));
    assert_eq!(image(stage.cluster("orders").await), tagged(env!("CARGO_PKG_VERSION")));
    assert_eq!(image(stage.cluster("invoices").await), tagged("9.0.0"));
    assert_eq!(stage.uids::<Pod>().await["orders-0"], pods["orders-0"]);
}
