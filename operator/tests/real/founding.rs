//! From an empty spec to an ensemble that serves, and back to nothing.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::{ClusterStatus, CoordinationCluster};
use serde_json::json;

use crate::stage::{NAME, Stage, is};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_spec_becomes_three_members_and_then_nothing_is_written() {
    let Some(stage) = Stage::set("founding").await else { return };
    let operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    assert_eq!(stage.ensemble(NAME).founded().len(), 1);
    let status = stage.status(NAME).await;
    assert_eq!(status.members_ready.as_deref(), Some("3/3"));
    assert_eq!(status.quorum.as_deref(), Some("tolerates 1"));
    assert_eq!(operator.get("/readyz").await.unwrap().0, 200);
    assert_eq!(operator.figure("coordd_operator_leader").await, Some(1.0));
    // Whatever the last changes have called for is over after a moment; on a machine that is busy, after a few.
    let mut quiet = false;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (version, writes) = (stage.cluster(NAME).await.resource_version(), operator.writes().await);
        stage.annotate(NAME, "somebody", &format!("was here after {version:?}")).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        quiet = operator.writes().await == writes;
        if quiet {
            break;
        }
    }
    assert!(quiet, "it is looked at, and each time something is written: {}", operator.said());
    let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap();
    let founded = events.iter().filter(|event| event.reason.as_deref() == Some("Bootstrapped")).count();
    assert_eq!(founded, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_by_hand_comes_back_and_secrets_stay() {
    let Some(stage) = Stage::set("by-hand").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    let secret = stage.api::<Secret>().get("orders-secrets").await.unwrap().data.unwrap();
    assert_eq!(secret["admin-token"].0.len(), 64);
    stage.api::<ConfigMap>().delete("orders-connection", &DeleteParams::default()).await.unwrap();
    let selector = Patch::Merge(json!({"spec": {"selector": {"somebody": "else"}}}));
    stage.api::<Service>().patch("orders", &PatchParams::default(), &selector).await.unwrap();
    let began = std::time::Instant::now();
    loop {
        let map = stage.api::<ConfigMap>().get_opt("orders-connection").await.unwrap();
        let service = stage.api::<Service>().get("orders").await.unwrap();
        let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
        if map.is_some() && selector.contains_key("app.kubernetes.io/instance") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(180));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.api::<Secret>().get("orders-secrets").await.unwrap().data.unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_under_a_needed_name_stops_everything() {
    let Some(stage) = Stage::set("foreign").await else { return };
    let theirs: Service = serde_json::from_value(json!({
        "metadata": {"name": "orders"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}}
    }))
    .unwrap();
    stage.api::<Service>().create(&PostParams::default(), &theirs).await.unwrap();
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until(NAME, "held", 180, |status| status.state.as_deref() == Some("ForeignObject")).await;
    assert!(stage.api::<StatefulSet>().list(&ListParams::default()).await.unwrap().items.is_empty());
    let service = stage.api::<Service>().get("orders").await.unwrap();
    assert_eq!(service.spec.unwrap().selector.unwrap()["app"], "theirs");
    stage.api::<Service>().delete("orders", &DeleteParams::default()).await.unwrap();
    stage.until_ready(NAME, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_hangs_on_nothing_and_keeps_or_removes_volumes_as_asked() {
    let Some(stage) = Stage::set("deletion").await else { return };
    let operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.apply("temporary", json!({"replicas": 1, "storage": {"retention": {"whenDeleted": "Delete"}}})).await;
    stage.until_ready(NAME, 1).await;
    stage.until_ready("temporary", 1).await;
    let claims = stage.api::<PersistentVolumeClaim>();
    let began = std::time::Instant::now();
    let founded = stage.ensemble(NAME).founded();
    while claims.get("data-orders-0").await.unwrap().annotations().get("coordd.dev/ensemble-id") != founded.first() {
        assert!(began.elapsed() < Duration::from_secs(180));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody is there to help.
    drop(operator);
    for name in [NAME, "temporary"] {
        stage.api::<CoordinationCluster>().delete(name, &DeleteParams::default()).await.unwrap();
    }
    let began = std::time::Instant::now();
    loop {
        let clusters = stage.api::<CoordinationCluster>().list(&ListParams::default()).await.unwrap().items.len();
        let pods = stage.api::<Pod>().list(&ListParams::default()).await.unwrap().items.len();
        let left: Vec<_> =
            claims.list(&ListParams::default()).await.unwrap().iter().map(|claim| claim.name_any()).collect();
        if clusters == 0 && pods == 0 && left == ["data-orders-0"] {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(180), "{clusters} clusters, {pods} pods, claims {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The same name again: the volume that was kept is not taken for an empty one.
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until(NAME, "held", 180, |status| status.state.as_deref() == Some("StaleVolumes")).await;
    stage.annotate(NAME, "coordd.dev/adopt-ensemble", &founded[0]).await;
    stage.until_ready(NAME, 1).await;
    assert_eq!(stage.ensemble(NAME).founded(), founded, "nothing was founded anew");
    assert!(is(&stage.status(NAME).await, "Available", "True"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_that_is_added_is_told_by_its_own_name() {
    let Some(stage) = Stage::set("told").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    stage.apply(NAME, json!({"replicas": 3})).await;
    stage.until_ready(NAME, 3).await;
    let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap();
    let added = events.iter().filter(|event| event.reason.as_deref() == Some("MemberAdded"));
    let mut notes: Vec<_> = added.filter_map(|event| event.note.as_deref()).collect();
    notes.sort_unstable();
    assert_eq!(notes, ["adding orders-1 as a learner", "adding orders-2 as a learner"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_was_changed_on_a_living_cluster_is_what_its_deletion_follows() {
    let Some(stage) = Stage::set("policy").await else { return };
    let operator = stage.operator("a", &[]);
    let spec = |policy: &str| json!({"replicas": 1, "storage": {"retention": {"whenDeleted": policy}}});
    let clusters = [("kept", "Delete", "Retain"), ("dropped", "Retain", "Delete")];
    for (cluster, policy, _) in clusters {
        stage.apply(cluster, spec(policy)).await;
    }
    for (cluster, _, changed) in clusters {
        stage.until_ready(cluster, 1).await;
        stage.until(cluster, "marked", 180, |status| is(status, "DataVolumesReady", "True")).await;
        stage.apply(cluster, spec(changed)).await;
        let generation = stage.cluster(cluster).await.metadata.generation;
        let in_force =
            |status: &ClusterStatus| status.observed_generation == generation && is(status, "DataVolumesReady", "True");
        stage.until(cluster, "in force", 180, in_force).await;
    }
    // From here on nobody is there to help.
    drop(operator);
    for (cluster, ..) in clusters {
        stage.api::<CoordinationCluster>().delete(cluster, &DeleteParams::default()).await.unwrap();
    }
    let began = std::time::Instant::now();
    loop {
        let pods = stage.uids::<Pod>().await.len();
        let left: Vec<_> = stage.uids::<PersistentVolumeClaim>().await.into_keys().collect();
        assert!(left.contains(&"data-kept-0".to_owned()), "{left:?}");
        if pods == 0 && left.len() == 1 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(180), "{pods} pods, claims {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_were_adopted_once_are_adopted_again_with_those_that_came_since() {
    let Some(stage) = Stage::set("adopted-twice").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    let founded = stage.ensemble(NAME).founded();
    for _ in 0..2 {
        stage.api::<CoordinationCluster>().delete(NAME, &DeleteParams::default()).await.unwrap();
        let began = std::time::Instant::now();
        while !stage.uids::<Pod>().await.is_empty() {
            assert!(began.elapsed() < Duration::from_secs(180));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The second time with the volumes of two that came to the first adopter.
        stage.apply(NAME, json!({"replicas": 3})).await;
        stage.until(NAME, "held", 180, |status| status.state.as_deref() == Some("StaleVolumes")).await;
        stage.annotate(NAME, "coordd.dev/adopt-ensemble", &founded[0]).await;
        stage.until_ready(NAME, 3).await;
        stage.until(NAME, "whole", 180, |status| is(status, "DataVolumesReady", "True")).await;
        let uid = stage.cluster(NAME).await.uid();
        let claims = stage.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap();
        let theirs = claims.iter().map(|claim| claim.labels().get("coordd.dev/cluster-uid").cloned());
        assert_eq!(theirs.collect::<Vec<_>>(), vec![uid; 3], "all are this cluster's, whoever made them");
    }
    assert_eq!(stage.ensemble(NAME).founded(), founded);
}
