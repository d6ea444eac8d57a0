//! The operator under exactly the rights that its installation gives it.

use std::process::Command;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::stage::{NAME, Stage};

/// Applies what of the printed manifests is about rights.
async fn install(client: &Client, namespace: &str, manifests: &str) {
    let params = PatchParams::apply("installer").force();
    for text in manifests.split("\n---\n").map(|text| text.trim_start_matches("---\n")) {
        let object: Value = serde_yaml::from_str(text).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let inside = object["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
        let patch = Patch::Apply(object.clone());
        let (all, one) = (client.clone(), client.clone());
        match object["kind"].as_str().unwrap() {
            "ServiceAccount" => {
                Api::<ServiceAccount>::namespaced(one, &inside).patch(&name, &params, &patch).await.map(drop).unwrap();
            }
            "Role" => Api::<Role>::namespaced(one, &inside).patch(&name, &params, &patch).await.map(drop).unwrap(),
            "RoleBinding" => {
                Api::<RoleBinding>::namespaced(one, &inside).patch(&name, &params, &patch).await.map(drop).unwrap();
            }
            "ClusterRole" => Api::<ClusterRole>::all(all).patch(&name, &params, &patch).await.map(drop).unwrap(),
            "ClusterRoleBinding" => {
                Api::<ClusterRoleBinding>::all(all).patch(&name, &params, &patch).await.map(drop).unwrap();
            }
            _ => {}
        }
    }
}

/// A whole life under the rights that `operator manifests` prints with these arguments.
async fn live(stage: &Stage, arguments: &[&str]) {
    let mut operator = Command::new(env!("CARGO_BIN_EXE_operator"));
    operator.args(["manifests", "--namespace", &stage.namespace]).args(arguments);
    let printed = operator.output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    install(&stage.client, &stage.namespace, &String::from_utf8(printed.stdout).unwrap()).await;

    let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let accounts = stage.api::<ServiceAccount>();
    let token = accounts.create_token_request("coordd-operator", &PostParams::default(), &request).await.unwrap();
    let kubeconfig = stage.machine.kubeconfig(&format!("{}.kubeconfig", stage.namespace), &token.status.unwrap().token);
    let operator = stage.operator_as("coordd-operator-0", &kubeconfig, &[]);

    let spec = |more: Value| {
        let mut spec = json!({"replicas": 3, "storage": {"retention": {"whenDeleted": "Delete"}}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    stage.apply(NAME, spec(json!({}))).await;
    stage.until_ready(NAME, 3).await;
    stage.apply(NAME, spec(json!({"image": "coordd:next"}))).await;
    stage.until_ready(NAME, 3).await;
    stage.apply(NAME, spec(json!({"replicas": 1, "image": "coordd:next"}))).await;
    stage.until_ready(NAME, 1).await;
    let said = operator.said();
    let forbidden: Vec<_> = said.lines().filter(|line| line.to_lowercase().contains("forbidden")).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let claim = stage.api::<k8s_openapi::api::core::v1::PersistentVolumeClaim>().get("data-orders-0").await.unwrap();
    assert_eq!(claim.owner_references().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_one_namespace_are_enough_for_a_whole_life() {
    let Some(stage) = Stage::set("rights").await else { return };
    live(&stage, &["--watch-namespaces", &stage.namespace]).await;
}

/// The operator is told to keep to its namespace here only because other tests have clusters in theirs.
#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_all_namespaces_are_enough_for_a_whole_life() {
    let Some(stage) = Stage::set("rights-everywhere").await else { return };
    live(&stage, &[]).await;
}
