//! Versions that cannot be run.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::stage::{NAME, Stage, is};

/// This release, and one that does not understand what its members use.
const KNOWN: &str = env!("CARGO_PKG_VERSION");
const TOO_OLD: &str = "0.0.9";

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_unknown_or_too_old_is_a_condition_and_restarts_nobody() {
    let Some(stage) = Stage::set("versions").await else { return };
    let _operator = stage.operator("a", &["--versions", &format!("{TOO_OLD}=0")]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let set = async || stage.api::<StatefulSet>().get(NAME).await.unwrap().spec;
    let before = (stage.uids::<Pod>().await, set().await, stage.ensemble(NAME).done());
    for (version, reason, words) in [
        ("9.9.9", "UnknownVersion", format!("set spec.version to one of {KNOWN}, {TOO_OLD}, or spec.image")),
        (TOO_OLD, "DowngradeRefused", format!("coordd {TOO_OLD} understands 0 only")),
    ] {
        stage.apply(NAME, json!({"version": version})).await;
        stage
            .until(NAME, reason, 180, |status| {
                let told = status.conditions.iter().find(|one| one.type_ == "MembersUpdated");
                told.is_some_and(|told| told.reason == reason && told.message.contains(&words))
            })
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let status = stage.status(NAME).await;
        assert!(is(&status, "Ready", "False") && is(&status, "Available", "True"), "{status:#?}");
        assert_eq!((stage.uids::<Pod>().await, set().await, stage.ensemble(NAME).done()), before);
    }
    stage.apply(NAME, json!({"version": KNOWN})).await;
    stage.until_ready(NAME, 3).await;
    assert_eq!(stage.uids::<Pod>().await, before.0, "they have been running it all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_too_old_is_refused_also_while_all_are_asleep() {
    let Some(stage) = Stage::set("versions-asleep").await else { return };
    let _operator = stage.operator("a", &["--versions", &format!("{TOO_OLD}=0")]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let template = async || stage.api::<StatefulSet>().get(NAME).await.unwrap().spec.unwrap().template;
    let before = template().await;
    stage.apply(NAME, json!({"hibernate": true})).await;
    stage.until(NAME, "asleep", 180, |status| is(status, "Hibernated", "True")).await;
    let refused = |status: &operator::crd::ClusterStatus| {
        status.conditions.iter().any(|one| one.type_ == "MembersUpdated" && one.reason == "DowngradeRefused")
    };
    stage.apply(NAME, json!({"hibernate": true, "version": TOO_OLD})).await;
    stage.until(NAME, "refused", 180, refused).await;
    stage.apply(NAME, json!({"version": TOO_OLD})).await;
    stage.until(NAME, "awake", 180, |status| is(status, "Available", "True") && refused(status)).await;
    assert_eq!(template().await, before, "they come back as what they were");
}
