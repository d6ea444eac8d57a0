//! The API server is away: hung, then gone.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::json;

use crate::stage::{NAME, Operator, Stage};

/// The operator as Kubernetes keeps it: started again when it has ended.
fn kept(stage: &Stage, mut operator: Operator) -> Operator {
    if operator.has_ended() { stage.operator("a", &[]) } else { operator }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_server_is_away_nothing_is_done_and_afterwards_all_goes_on() {
    let Some(stage) = Stage::alone("away").await else { return };
    let mut operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let ensemble = stage.ensemble(NAME);
    let (pods, claims) = (stage.uids::<Pod>().await, stage.uids::<PersistentVolumeClaim>().await);

    // In the midst of something.
    stage.apply(NAME, json!({"replicas": 5})).await;
    let added = || ensemble.done().iter().any(|done| done == "add orders-3");
    stage.until(NAME, "growing", 180, |_| added()).await;
    stage.machine.api_server("STOP");
    // An order that was on its way may still arrive.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let done = ensemble.done();
    assert_eq!(operator.end(60).await, Some(1), "it does not lead without the API server: {}", operator.said());
    assert!(operator.said().contains("the lease is lost"), "{}", operator.said());
    operator = stage.operator("a", &[]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let page = async |path: &str| operator.get(path).await.map(|(code, _)| code);
    assert_eq!((page("/livez").await, page("/readyz").await), (Some(200), Some(503)));
    assert_eq!(ensemble.done(), done, "nothing is done on what cannot be looked at");
    stage.machine.api_server("CONT");
    stage.until_back().await;
    operator = kept(&stage, operator);
    stage.until_ready(NAME, 5).await;

    stage.machine.api_server("KILL");
    stage.until_back().await;
    let _operator = kept(&stage, operator);
    stage.apply(NAME, json!({"replicas": 5, "service": {"labels": {"after": "that"}}})).await;
    stage.until_ready(NAME, 5).await;
    let steps: Vec<_> = ensemble.done().split_off(1);
    assert_eq!(steps, ["add orders-3", "promote orders-3", "add orders-4", "promote orders-4"]);
    let (now, volumes) = (stage.uids::<Pod>().await, stage.uids::<PersistentVolumeClaim>().await);
    assert!(pods.iter().all(|(name, uid)| now.get(name) == Some(uid)), "{pods:?} {now:?}");
    assert!(claims.iter().all(|(name, uid)| volumes.get(name) == Some(uid)), "{claims:?} {volumes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_absence_of_the_api_server_costs_nobody_the_lead() {
    let Some(stage) = Stage::alone("short").await else { return };
    let mut operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    stage.machine.api_server("STOP");
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.machine.api_server("CONT");
    let away = began.elapsed();
    stage.apply(NAME, json!({"replicas": 3})).await;
    stage.until_ready(NAME, 3).await;
    assert!(away > Duration::from_secs(5) || !operator.has_ended(), "{}", operator.said());
}
