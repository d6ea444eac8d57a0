//! Rolls: one by one, the leader last, and no further when one does not come back.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
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
    let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap();
    let about =
        |event: &&Event| event.regarding.as_ref().and_then(|it| it.kind.as_deref()) == Some("CoordinationCluster");
    let warned: Vec<_> =
        events.iter().filter(about).filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    assert!(warned.is_empty(), "founding and rolling are no alarms: {warned:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_ready_after_a_change_waits_for_its_end() {
    let Some(stage) = Stage::set("wait").await else { return };
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"image": "coordd:first"})).await;
    stage.until_ready(NAME, 3).await;
    stage.apply(NAME, json!({"image": "coordd:next", "replicas": 5})).await;
    let generation = stage.cluster(NAME).await.metadata.generation;
    // As kubectl wait does: the condition, if it is about this generation.
    stage
        .until(NAME, "ready", 180, |status| {
            let ready = status.conditions.iter().find(|one| one.type_ == "Ready");
            ready.is_some_and(|ready| ready.status == "True" && ready.observed_generation == generation)
        })
        .await;
    assert_eq!(of_image(&stage, "coordd:next").await.len(), 5);
    assert_eq!(stage.ensemble(NAME).voters().len(), 5);
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

/// As somebody who guards the pods of a namespace would.
async fn forbid_restarts(stage: &Stage, why: &str) {
    let pods = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]});
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": stage.namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [pods]},
            "validations": [{"expression": "false", "message": why, "reason": "Forbidden"}]
        }
    }))
    .unwrap();
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}});
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": stage.namespace},
        "spec": {
            "policyName": stage.namespace, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here}
        }
    }))
    .unwrap();
    Api::all(stage.client.clone()).create(&PostParams::default(), &policy).await.unwrap();
    Api::all(stage.client.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_kubernetes_forbids_is_told_and_done_once_it_is_allowed() {
    let Some(stage) = Stage::set("forbidden").await else { return };
    let why = "nobody restarts anything on a Friday";
    forbid_restarts(&stage, why).await;
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let pods = stage.uids::<Pod>().await;
    stage.apply(NAME, json!({"image": "coordd:next"})).await;
    stage
        .until(NAME, "told", 180, |status| {
            let told = status.conditions.iter().find(|one| one.type_ == "Degraded");
            told.is_some_and(|told| told.reason == "Forbidden" && told.message.contains(why))
        })
        .await;
    assert!(is(&stage.status(NAME).await, "Available", "True"));
    assert_eq!(stage.uids::<Pod>().await, pods);
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(stage.client.clone());
    bindings.delete(&stage.namespace, &DeleteParams::default()).await.unwrap();
    stage.until_ready(NAME, 3).await;
    assert_eq!(of_image(&stage, "coordd:next").await.len(), 3);
}
