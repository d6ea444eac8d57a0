//! Two replicas, one leader.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use crate::stage::{NAME, Operator, Stage};

async fn leads(operator: &Operator) -> bool {
    operator.figure("coordd_operator_leader").await == Some(1.0)
}

async fn until_it_leads(operator: &Operator, within: Duration) -> Duration {
    let began = Instant::now();
    while !leads(operator).await {
        assert!(began.elapsed() < within, "it does not lead after {within:?}: {}", operator.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_replica_takes_over_at_once_when_told_and_soon_when_not() {
    let Some(stage) = Stage::set("take-over").await else { return };
    let mut first = stage.operator("first", &[]);
    until_it_leads(&first, Duration::from_secs(120)).await;
    let mut second = stage.operator("second", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    assert!(!leads(&second).await, "one leader");
    assert_eq!(second.get("/readyz").await.unwrap().0, 200, "it waits for its turn, ready");

    first.signal("TERM");
    let took = until_it_leads(&second, Duration::from_secs(120)).await;
    assert_eq!(first.end(120).await, Some(0), "{}", first.said());
    println!("stopped: the second leads after {:.1} s", took.as_secs_f64());

    let third = stage.operator("third", &[]);
    stage.apply(NAME, json!({"replicas": 1, "paused": true})).await;
    stage.until(NAME, "paused", 180, |status| status.state.as_deref() == Some("Paused")).await;
    second.signal("KILL");
    let took = until_it_leads(&third, Duration::from_secs(120)).await;
    assert_eq!(second.end(120).await, None);
    println!("killed: the third leads after {:.1} s", took.as_secs_f64());
    stage.apply(NAME, json!({"replicas": 1, "paused": false})).await;
    stage.until_ready(NAME, 1).await;
    let lease = stage.api::<Lease>().get("coordd-operator").await.unwrap().spec.unwrap();
    assert_eq!((lease.holder_identity.as_deref(), lease.lease_transitions), (Some("third"), Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_ends_without_a_write() {
    let Some(stage) = Stage::set("paused-leader").await else { return };
    let mut first = stage.operator("first", &[]);
    until_it_leads(&first, Duration::from_secs(120)).await;
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    let second = stage.operator("second", &[]);
    first.signal("STOP");
    until_it_leads(&second, Duration::from_secs(120)).await;
    // Something to do, for whoever thinks that it leads.
    stage.apply(NAME, json!({"replicas": 1, "service": {"labels": {"a": "b"}}})).await;
    first.signal("CONT");
    let code = first.end(120).await;
    assert_eq!(code, Some(1), "{}", first.said());
    assert!(first.said().contains("the lease is lost"), "{}", first.said());
    assert!(leads(&second).await);
}
