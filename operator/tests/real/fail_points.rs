//! One life of a cluster in which the operator dies at every write, before it and after it.
//!
//! Rule: whoever starts next knows nothing but what it sees, and comes to the same end. Reason: "it should be
//! idempotent" is a hope until each place has been hit.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use operator::runtime::{FAIL_POINT_EXIT_CODE, WRITES};
use serde_json::json;

use crate::stage::{NAME, Stage};

/// The writes at which it has died so far.
type Died = BTreeSet<String>;

/// Has the operator die at each of these in turn, on both sides.
async fn die(stage: &Stage, points: &[&str], died: &mut Died) {
    for point in points {
        for side in ["before", "after"] {
            let at = format!("{point}:{side}");
            let mut operator = stage.operator("a", &["--fail-at", &at]);
            let code = operator.end(180).await;
            assert_eq!(code, Some(FAIL_POINT_EXIT_CODE), "at {at}: {}", operator.said());
        }
        died.insert((*point).to_owned());
    }
}

/// The same, and then one may finish.
async fn survive(stage: &Stage, points: &[&str], members: i32, died: &mut Died) {
    die(stage, points, died).await;
    let _operator = stage.operator("a", &[]);
    stage.until_ready(NAME, members).await;
}

/// No membership change was made twice.
fn assert_each_once(done: &[String]) {
    let twice = done.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_die_at_any_write() {
    let Some(stage) = Stage::set("fail-points").await else { return };
    let ensemble = stage.ensemble(NAME);
    let died = &mut Died::new();
    stage.apply(NAME, json!({"replicas": 3, "healing": {"replaceAfter": "10s"}})).await;
    let founding = [
        "lease",
        "secret",
        "peer-service",
        "client-service",
        "connection-map",
        "network-policy",
        "disruption-budget",
        "record-bootstrap",
        "stateful-set",
        "bootstrap",
        "claim",
        "record-bootstrap",
        "status",
    ];
    survive(&stage, &founding, 3, died).await;
    assert_eq!(ensemble.founded().len(), 1);

    stage.apply(NAME, json!({"replicas": 5, "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["set-replicas", "event", "add-learner", "promote"], 5, died).await;
    assert_eq!(ensemble.voters().len(), 5);

    ensemble.lead_from_now_on("orders-4");
    stage.apply(NAME, json!({"replicas": 3, "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["transfer-leader", "remove", "set-replicas", "delete-claim"], 3, died).await;
    assert_eq!(ensemble.voters(), ["orders-0", "orders-1", "orders-2"]);

    stage.apply(NAME, json!({"replicas": 3, "image": "coordd:next", "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["delete-pod", "transfer-leader"], 3, died).await;
    assert_eq!(stage.status(NAME).await.version.as_deref(), Some("next"));
    assert_eq!(ensemble.founded().len(), 1);
    assert_each_once(&ensemble.done());

    recover(&stage, died).await;
    assert_eq!(*died, WRITES.iter().map(|write| (*write).to_owned()).collect(), "every write");
}

/// Two of three are lost at once, and a person gives them up.
async fn recover(stage: &Stage, died: &mut Died) {
    let ensemble = stage.ensemble(NAME);
    let pods = stage.api::<Pod>();
    for lost in ["orders-1", "orders-2"] {
        ensemble.keep_down(lost);
        pods.delete(lost, &DeleteParams::default()).await.unwrap();
    }
    {
        let _operator = stage.operator("a", &[]);
        stage.until(NAME, "lost", 180, |status| status.quorum.as_deref() != Some("tolerates 1")).await;
    }
    let id = stage.status(NAME).await.ensemble_id.unwrap();
    let order = format!("survivor=orders-0 ensemble={id} confirm=data-loss");
    stage.annotate(NAME, "coordd.dev/recover-quorum", &order).await;
    die(stage, &["record-recovery", "recover"], died).await;
    ensemble.let_all_up();
    survive(stage, &["record-recovery", "delete-claim", "add-learner"], 3, died).await;
    let recovered = ensemble.done().iter().filter(|done| done.starts_with("recover ")).count();
    assert_eq!(recovered, 1, "{:?}", ensemble.done());
    assert_ne!(stage.status(NAME).await.ensemble_id.as_deref(), Some(id.as_str()));
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 3);
}
