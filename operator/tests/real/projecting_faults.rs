//! ServiceProjections while a member is somebody else by now, is behind, or Kubernetes does not take a write.

use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use operator::crd::ServiceProjection;
use serde_json::json;

use crate::discovery::{Registry, instance};
use crate::projecting::{PATH, endpoints, is, project, set, spec, to_service, two, until_endpoints, until_status};
use crate::stage::{NAME, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_address_of_a_member_by_now_is_not_believed_and_told_no_credentials() {
    let Some((stage, _operator, mut registry)) = set("projection-stranger").await else { return };
    registry.services(PATH, two());
    credentials(&stage, "p").await;
    let guards = json!({"emptyPolicy": "Drain", "emptyGrace": "0s", "holdHalfEmpty": false});
    let more = json!({"authSecretRef": {"name": "reader"}, "guards": guards});
    project(&stage, "web", spec(to_service(), more)).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    registry.go_away();
    registry.is_of("another");
    registry.services(PATH, vec![instance(PATH, "10.7.0.66", 8080)]);
    registry.come_back().await;
    until_status(&stage, "web", "lost", |status| is(status, "SourceReachable", "Lost")).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    assert_eq!(registry.asked_as(), [], "it was asked who it is, and nothing else");
    let ensemble = stage.status(NAME).await.ensemble_id.unwrap();
    registry.is_of(&ensemble);
    until_endpoints(&stage, "web", &["10.7.0.66:8080"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_change_count_within_a_minute_and_at_once_where_the_projection_changes_too() {
    let Some((stage, _operator, registry)) = set("projection-rotated").await else { return };
    registry.services(PATH, two());
    credentials(&stage, "p").await;
    project(&stage, "web", spec(to_service(), json!({"authSecretRef": {"name": "reader"}}))).await;
    until_asked_as(&registry, "Basic dTpw", 30).await;
    credentials(&stage, "q").await;
    until_asked_as(&registry, "Basic dTpx", 60).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    // What that look and its answers brought about is over.
    tokio::time::sleep(Duration::from_secs(2)).await;
    credentials(&stage, "r").await;
    let touched = json!({"metadata": {"annotations": {"credentials": "r"}}});
    let projections = stage.api::<ServiceProjection>();
    projections.patch("web", &PatchParams::default(), &Patch::Merge(touched)).await.unwrap();
    until_asked_as(&registry, "Basic dTpy", 10).await;
}

/// Writes the Secret of the user u.
async fn credentials(stage: &Stage, password: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "reader"},
        "data": {"username": ByteString(b"u".to_vec()), "password": ByteString(password.into())}
    });
    let params = PatchParams::apply("user").force();
    stage.api::<Secret>().patch("reader", &params, &Patch::Apply(secret)).await.unwrap();
}

async fn until_asked_as(registry: &Registry, header: &str, seconds: u64) {
    let began = Instant::now();
    while registry.asked_as().last().and_then(Option::as_deref) != Some(header) {
        let asked = registry.asked_as();
        assert!(began.elapsed() < Duration::from_secs(seconds), "not {header}: {asked:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_behind_takes_nothing_away_from_a_new_operator() {
    let Some((stage, operator, registry)) = set("projection-behind").await else { return };
    let three = [two(), vec![instance(PATH, "10.7.0.3", 8080)]].concat();
    registry.is_behind(PATH, 50, three);
    project(&stage, "web", spec(to_service(), json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}}))).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080", "10.7.0.3:8080"]).await;
    drop(operator);
    registry.is_behind(PATH, 40, two());
    let _operator = stage.operator("b", &[]);
    let began = Instant::now();
    for followers in [0, 1] {
        while registry.followers() != followers {
            assert!(began.elapsed() < Duration::from_secs(60), "the new operator does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(endpoints(&stage, "web").await.len(), 3);
    registry.is_behind(PATH, 51, two());
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_is_in_the_network_of_services_and_what_is_forbidden_later_goes_though_it_is_held() {
    let Some((stage, operator, registry)) = set("projection-networks").await else { return };
    // The API server's network of Services is 10.0.0.0/16.
    registry.services(PATH, [two(), vec![instance(PATH, "10.0.77.7", 8080)]].concat());
    project(&stage, "web", spec(to_service(), json!({}))).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    until_status(&stage, "web", "rejected", |status| {
        status.rejected == 1 && status.rejections[0].reason.contains("the address of a Service")
    })
    .await;
    registry.gone(PATH);
    until_status(&stage, "web", "held", |status| is(status, "Synced", "False")).await;
    drop(operator);
    let _operator = stage.operator("b", &["--projection-denied-cidrs", "10.7.0.2/32"]);
    until_endpoints(&stage, "web", &["10.7.0.1:8080"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubernetes_refuses_for_one_child_stops_no_other() {
    let Some((stage, _operator, registry)) = set("projection-refused").await else { return };
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-bad-service"},
        "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]}
            ]},
            "validations": [{"expression": "object.metadata.name != 'a-bad-one'", "message": "no bad one"}]
        }
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-bad-service"},
        "spec": {"policyName": "no-bad-service", "validationActions": ["Deny"]}
    });
    let params = PatchParams::apply("user").force();
    Api::<ValidatingAdmissionPolicy>::all(stage.client.clone())
        .patch("no-bad-service", &params, &Patch::Apply(policy))
        .await
        .unwrap();
    Api::<ValidatingAdmissionPolicyBinding>::all(stage.client.clone())
        .patch("no-bad-service", &params, &Patch::Apply(binding))
        .await
        .unwrap();
    until_forbidden(&stage).await;
    let child = |name: &str, address: &str| {
        registry.services(&format!("{PATH}/{name}"), vec![instance(PATH, address, 8080)]);
    };
    child("a-bad-one", "10.7.0.1");
    child("cart", "10.7.0.2");
    registry.list(PATH, &["a-bad-one".to_owned(), "cart".to_owned()]);
    let each = json!({"service": {"nameTemplate": "{name}", "ports": [{"name": "http", "port": 80}]}});
    project(&stage, "each", spec(each, json!({}))).await;
    until_endpoints(&stage, "cart", &["10.7.0.2:8080"]).await;
    until_status(&stage, "each", "told", |status| is(status, "Synced", "WriteRefused")).await;
    child("cart", "10.7.0.3");
    until_endpoints(&stage, "cart", &["10.7.0.3:8080"]).await;
}

/// A policy counts some seconds after it was made.
async fn until_forbidden(stage: &Stage) {
    let bad: Service =
        serde_json::from_value(json!({"metadata": {"name": "a-bad-one"}, "spec": {"ports": [{"port": 1}]}})).unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let began = Instant::now();
    while stage.api::<Service>().create(&dry, &bad).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(60), "the policy does not count");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
