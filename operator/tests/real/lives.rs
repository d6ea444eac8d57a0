//! Pause, hibernation, a volume that is taken away, a cluster made anew, and neighbours.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use operator::crd::CoordinationCluster;
use serde_json::json;

use crate::stage::{NAME, Stage, is};

#[tokio::test(flavor = "multi_thread")]
async fn while_paused_it_is_looked_at_and_left_alone() {
    let Some(stage) = Stage::set("paused").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let ensemble = stage.ensemble(NAME);
    stage.apply(NAME, json!({"paused": true, "replicas": 5, "image": "coordd:next"})).await;
    stage.until(NAME, "paused", 180, |status| status.state.as_deref() == Some("Paused")).await;
    let (pods, done) = (stage.uids::<Pod>().await, ensemble.done());
    stage.api::<ConfigMap>().delete("orders-connection", &DeleteParams::default()).await.unwrap();
    ensemble.mute("orders-2");
    stage.until(NAME, "seen", 180, |status| is(status, "MembersReady", "Unknown")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(is(&stage.status(NAME).await, "Paused", "True"));
    assert!(stage.api::<ConfigMap>().get_opt("orders-connection").await.unwrap().is_none());
    assert_eq!((stage.uids::<Pod>().await, ensemble.done()), (pods, done));

    ensemble.let_all_speak();
    stage.apply(NAME, json!({"paused": false, "replicas": 5, "image": "coordd:next"})).await;
    stage.until_ready(NAME, 5).await;
    assert!(stage.api::<ConfigMap>().get_opt("orders-connection").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_hibernated_comes_back_as_the_same_ensemble() {
    let Some(stage) = Stage::set("hibernate").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let (claims, done) = (stage.uids::<PersistentVolumeClaim>().await, stage.ensemble(NAME).done());
    let id = stage.status(NAME).await.ensemble_id;
    stage.apply(NAME, json!({"hibernate": true})).await;
    stage.until(NAME, "hibernated", 180, |status| is(status, "Hibernated", "True")).await;
    assert!(stage.uids::<Pod>().await.is_empty());
    assert!(is(&stage.status(NAME).await, "Ready", "False"));
    stage.apply(NAME, json!({"hibernate": false})).await;
    stage.until_ready(NAME, 3).await;
    assert_eq!(stage.uids::<PersistentVolumeClaim>().await, claims);
    assert_eq!((stage.status(NAME).await.ensemble_id, stage.ensemble(NAME).done()), (id, done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_volume_is_taken_away_is_replaced_by_single_steps() {
    let Some(stage) = Stage::set("volume").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let ensemble = stage.ensemble(NAME);
    let (claims, before) = (stage.uids::<PersistentVolumeClaim>().await, ensemble.done().len());
    // It goes once its pod does, and that is the operator's to time. Kubernetes protects the claims of pods that have a
    // node, which these have not: a finalizer stands for that.
    let volumes = stage.api::<PersistentVolumeClaim>();
    let held = async |by: &[&str]| {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": by}}));
        volumes.patch("data-orders-1", &PatchParams::default(), &patch).await.unwrap();
    };
    held(&["coordd.test/in-use"]).await;
    let pod = stage.uids::<Pod>().await.remove("orders-1");
    volumes.delete("data-orders-1", &DeleteParams::default()).await.unwrap();
    while stage.uids::<Pod>().await.remove("orders-1") == pod {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    held(&[]).await;
    stage.until(NAME, "replaced", 180, |_| ensemble.done().iter().any(|done| done == "promote orders-1")).await;
    stage.until_ready(NAME, 3).await;
    assert_eq!(ensemble.done()[before..], ["add orders-1", "remove orders-1", "promote orders-1"]);
    let now = stage.uids::<PersistentVolumeClaim>().await;
    let kept: Vec<_> = now.iter().filter(|(name, uid)| claims[*name] == **uid).map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["data-orders-0", "data-orders-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_made_anew_under_its_name_begins_anew() {
    let Some(stage) = Stage::set("anew").await else { return };
    let _operator = stage.operator("a", &[]);
    let spec = json!({"replicas": 1, "storage": {"retention": {"whenDeleted": "Delete"}}});
    stage.apply(NAME, spec.clone()).await;
    stage.until_ready(NAME, 1).await;
    let (secret, first) = (stage.uids::<Secret>().await, stage.uids::<CoordinationCluster>().await);
    stage.api::<CoordinationCluster>().delete(NAME, &DeleteParams::default()).await.unwrap();
    // What the first one left is still there.
    stage.apply(NAME, spec).await;
    stage.until_ready(NAME, 1).await;
    assert_ne!(stage.uids::<CoordinationCluster>().await, first);
    assert_ne!(stage.uids::<Secret>().await, secret);
    assert_eq!(stage.ensemble(NAME).founded().len(), 2, "its volumes went with the first one");
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_beside_each_other_and_of_one_name_do_not_meet() {
    let (Some(one), Some(other)) = (Stage::set("twin-a").await, Stage::set("twin-b").await) else { return };
    let _operator = one.operator("a", &["--namespaces", "twin-a,twin-b"]);
    let alone = json!({"replicas": 1, "storage": {"retention": {"whenDeleted": "Delete"}}});
    one.apply(NAME, json!({})).await;
    one.apply("orders-eu", alone).await;
    other.apply(NAME, json!({})).await;
    one.until_ready(NAME, 3).await;
    one.until_ready("orders-eu", 1).await;
    other.until_ready(NAME, 3).await;
    let token = async |stage: &Stage| stage.api::<Secret>().get("orders-secrets").await.unwrap().data;
    assert_ne!(token(&one).await, token(&other).await);
    let (pods, set) = (other.uids::<Pod>().await, other.api::<StatefulSet>().get(NAME).await.unwrap().spec);

    one.apply(NAME, json!({"replicas": 1, "image": "coordd:next"})).await;
    one.api::<CoordinationCluster>().delete("orders-eu", &DeleteParams::default()).await.unwrap();
    one.until_ready(NAME, 1).await;
    one.until(NAME, "gone", 180, |_| true).await;
    let began = std::time::Instant::now();
    while one.uids::<PersistentVolumeClaim>().await.len() > 1 {
        assert!(began.elapsed() < Duration::from_secs(180), "{:?}", one.uids::<PersistentVolumeClaim>().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(other.uids::<Pod>().await, pods);
    assert_eq!(other.api::<StatefulSet>().get(NAME).await.unwrap().spec, set);
    assert_eq!(other.uids::<PersistentVolumeClaim>().await.len(), 3);
    assert!(is(&other.status(NAME).await, "Ready", "True"));
    assert_eq!(other.ensemble(NAME).done().len(), 1, "founded, and nothing since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statefulset_that_somebody_scales_by_hand_is_set_right_and_costs_no_vote() {
    let Some(stage) = Stage::set("by-hand-scaled").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let (claims, done) = (stage.uids::<PersistentVolumeClaim>().await, stage.ensemble(NAME).done());
    let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
    stage.api::<StatefulSet>().patch(NAME, &PatchParams::default(), &two).await.unwrap();
    let set = async || stage.api::<StatefulSet>().get(NAME).await.unwrap().spec.unwrap().replicas;
    let began = std::time::Instant::now();
    while set().await != Some(3) {
        assert!(began.elapsed() < Duration::from_secs(180));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.until_ready(NAME, 3).await;
    assert_eq!(stage.uids::<PersistentVolumeClaim>().await, claims);
    assert_eq!(stage.ensemble(NAME).done(), done);
}
