//! Rolls: one by one, the leader last, and no further when one does not come back.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::kubelet::NO_SUCH_IMAGE;
use crate::stage::{NAME, Stage, is};

async fn of_image(stage: &Stage, image: &str) -> Vec<String> {
    let pods = stage.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let runs =
        |pod: &&Pod| pod.spec.iter().flat_map(|spec| &spec.containers).any(|one| one.image.as_deref() == Some(image));
    pods.iter().filter(runs).map(ResourceExt::name_any).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_restarts_the_leader_last_and_changes_no_vote() {
    let Some(stage) = Stage::set("roll").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let ensemble = stage.ensemble(NAME);
    let (led, before) = (ensemble.leader().unwrap(), ensemble.done().len());
    stage.apply(NAME, json!({"image": "coordd:next"})).await;
    let last = async {
        loop {
            let new = of_image(&stage, "coordd:next").await;
            if new.contains(&led) {
                return new;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let new = tokio::time::timeout(Duration::from_secs(180), last).await.unwrap();
    assert_eq!(new.len(), 3, "the others came first");
    stage.until_ready(NAME, 3).await;
    let done = ensemble.done().split_off(before);
    assert_eq!(done.len(), 1, "one transfer and nothing else: {done:?}");
    assert!(done[0].starts_with("transfer to "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_to_an_image_that_is_not_there_costs_one_member_and_ends_when_the_image_is_corrected() {
    let Some(stage) = Stage::set("missing-image").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let missing = format!("coordd{NO_SUCH_IMAGE}");
    stage.apply(NAME, json!({"image": missing, "update": {"timeout": "10s"}})).await;
    stage.until(NAME, "degraded", 180, |status| is(status, "Degraded", "True")).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(of_image(&stage, &missing).await.len(), 1);
    assert!(is(&stage.status(NAME).await, "Available", "True"));
    stage.apply(NAME, json!({"image": "coordd:next", "update": {"timeout": "10s"}})).await;
    stage.until_ready(NAME, 3).await;
    assert!(of_image(&stage, &missing).await.is_empty());
}
