//! One life of a cluster in which the operator dies at every write, before it and after it.
//!
//! Rule: whoever starts next knows nothing but what it sees, and comes to the same end. Reason: "it should be
//! idempotent" is a hope until each place has been hit.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use operator::runtime::FAIL_POINT_EXIT_CODE;
use serde_json::json;

use crate::stage::{NAME, Stage};

/// Has the operator die at each of these in turn, on both sides, and then lets one finish.
async fn survive(stage: &Stage, points: &[&str], members: i32) {
    for point in points {
        for side in ["before", "after"] {
            let point = format!("{point}:{side}");
            let mut operator = stage.operator("a", &["--fail-at", &point]);
            let code = operator.end(60).await;
            assert_eq!(code, Some(FAIL_POINT_EXIT_CODE), "at {point}: {}", operator.said());
        }
    }
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
    survive(&stage, &founding, 3).await;
    assert_eq!(ensemble.founded().len(), 1);

    stage.apply(NAME, json!({"replicas": 5, "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["set-replicas", "event", "add-learner", "promote"], 5).await;
    assert_eq!(ensemble.voters().len(), 5);

    ensemble.lead_from_now_on("orders-4");
    stage.apply(NAME, json!({"replicas": 3, "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["transfer-leader", "remove", "set-replicas", "delete-claim"], 3).await;
    assert_eq!(ensemble.voters(), ["orders-0", "orders-1", "orders-2"]);

    stage.apply(NAME, json!({"replicas": 3, "image": "coordd:next", "healing": {"replaceAfter": "10s"}})).await;
    survive(&stage, &["delete-pod", "transfer-leader"], 3).await;
    assert_eq!(stage.status(NAME).await.version.as_deref(), Some("next"));
    assert_eq!(ensemble.founded().len(), 1);
    assert_each_once(&ensemble.done());

    recover(&stage).await;
}

/// Two of three are lost at once, and a person gives them up.
async fn recover(stage: &Stage) {
    let ensemble = stage.ensemble(NAME);
    let pods = stage.api::<Pod>();
    for lost in ["orders-1", "orders-2"] {
        ensemble.keep_down(lost);
        pods.delete(lost, &DeleteParams::default()).await.unwrap();
    }
    {
        let _operator = stage.operator("a", &[]);
        stage.until(NAME, "lost", 60, |status| status.quorum.as_deref() != Some("tolerates 1")).await;
    }
    let id = stage.status(NAME).await.ensemble_id.unwrap();
    let order = format!("survivor=orders-0 ensemble={id} confirm=data-loss");
    stage.annotate(NAME, "coordd.dev/recover-quorum", &order).await;
    for point in ["record-recovery:before", "record-recovery:after", "recover:before", "recover:after"] {
        let mut operator = stage.operator("a", &["--fail-at", point]);
        assert_eq!(operator.end(60).await, Some(FAIL_POINT_EXIT_CODE), "at {point}: {}", operator.said());
    }
    ensemble.let_all_up();
    survive(stage, &["record-recovery", "delete-claim", "add-learner"], 3).await;
    let recovered = ensemble.done().iter().filter(|done| done.starts_with("recover ")).count();
    assert_eq!(recovered, 1, "{:?}", ensemble.done());
    assert_ne!(stage.status(NAME).await.ensemble_id.as_deref(), Some(id.as_str()));
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 3);
}
