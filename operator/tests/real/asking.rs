//! Members that run and cannot be asked: neither well nor gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::json;

use crate::stage::{NAME, Stage, is};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_asked_is_neither_well_nor_gone() {
    let Some(stage) = Stage::set("mute").await else { return };
    let _operator = stage.operator("a", &[]);
    let spec = |image: &str| json!({"image": image, "healing": {"replaceAfter": "10s"}});
    stage.apply(NAME, spec("coordd:first")).await;
    stage.until_ready(NAME, 3).await;
    let ensemble = stage.ensemble(NAME);
    let (pods, claims, done) =
        (stage.uids::<Pod>().await, stage.uids::<PersistentVolumeClaim>().await, ensemble.done());

    ensemble.mute("orders-1");
    stage.until(NAME, "unknown", 180, |status| is(status, "MembersReady", "Unknown")).await;
    stage.apply(NAME, spec("coordd:next")).await;
    // Longer than replaceAfter.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let status = stage.status(NAME).await;
    assert!(is(&status, "Available", "True") && is(&status, "Ready", "False"), "not rolled: {status:#?}");
    // The other two are a majority without it, so the roll may begin with it, and goes no further.
    let now = stage.uids::<Pod>().await;
    assert_eq!((&now["orders-0"], &now["orders-2"]), (&pods["orders-0"], &pods["orders-2"]));

    ensemble.mute("orders-2");
    stage.until(NAME, "unknown", 180, |status| is(status, "Available", "Unknown")).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(stage.status(NAME).await.quorum.as_deref(), Some("unknown"));
    assert_eq!(stage.uids::<Pod>().await, now);
    assert_eq!(ensemble.done(), done);

    ensemble.let_all_speak();
    stage.until_ready(NAME, 3).await;
    assert_eq!(stage.uids::<PersistentVolumeClaim>().await, claims);
    assert!(stage.uids::<Pod>().await.values().all(|uid| !pods.values().any(|old| old == uid)), "now it rolled");
}
