//! The operator under exactly the rights that its installation gives it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::discovery::Registry;
use crate::projecting::{self, PATH};
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

/// A Service, its slices, a ConfigMap and a Lease come, change, and go.
async fn projected(stage: &Stage) {
    let pods = stage.api::<Pod>();
    let ensemble = stage.status(NAME).await.ensemble_id.unwrap();
    let mut registries = Vec::new();
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        registries.push(Registry::at(&pod.status.unwrap().pod_ip.unwrap(), &ensemble).await);
    }
    let everywhere = |tell: &dyn Fn(&Registry)| registries.iter().for_each(tell);
    everywhere(&|registry| registry.instances(PATH, 2));
    everywhere(&|registry| registry.config("/config/app", json!({"a": "1"})));
    everywhere(&|registry| registry.leader("/election", Some("10.7.0.9:90")));
    let guards = json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}});
    projecting::project(stage, "web", projecting::spec(projecting::to_service(), guards.clone())).await;
    let config = projecting::spec(json!({"configMap": {}}), json!({"path": "/config/app"}));
    projecting::project(stage, "app", config).await;
    let leader = projecting::spec(json!({"leader": {"ports": [{"port": 80}]}}), json!({"path": "/election"}));
    projecting::project(stage, "janitor", leader).await;
    projecting::until_endpoints(stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    projecting::until_endpoints(stage, "janitor", &["10.7.0.9:90"]).await;
    everywhere(&|registry| registry.services(PATH, Vec::new()));
    projecting::until_endpoints(stage, "web", &[]).await;
    let renamed = json!({"service": {"name": "shop", "ports": [{"name": "http", "port": 80}]}});
    projecting::project(stage, "web", projecting::spec(renamed, guards)).await;
    let began = Instant::now();
    while stage.api::<Service>().get_opt("web").await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(30), "the former Service goes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A kubeconfig of whoever has the rights that `operator manifests` prints with these arguments.
async fn entitled(stage: &Stage, arguments: &[&str]) -> PathBuf {
    let mut operator = Command::new(env!("CARGO_BIN_EXE_operator"));
    operator.args(["manifests", "--namespace", &stage.namespace]).args(arguments);
    let printed = operator.output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    install(&stage.client, &stage.namespace, &String::from_utf8(printed.stdout).unwrap()).await;

    let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let accounts = stage.api::<ServiceAccount>();
    let token = accounts.create_token_request("coordd-operator", &PostParams::default(), &request).await.unwrap();
    stage.machine.kubeconfig(&format!("{}.kubeconfig", stage.namespace), &token.status.unwrap().token)
}

/// A whole life under the rights that `operator manifests` prints with these arguments.
async fn live(stage: &Stage, arguments: &[&str]) {
    let kubeconfig = entitled(stage, arguments).await;
    let operator = stage.operator_as("coordd-operator-0", &kubeconfig, &[]);

    let spec = |more: Value| {
        let mut spec = json!({"replicas": 3, "storage": {"retention": {"whenDeleted": "Delete"}}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    stage.apply(NAME, spec(json!({}))).await;
    stage.until_ready(NAME, 3).await;
    projected(stage).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_namespace_that_is_gone_with_its_rights_hides_no_other() {
    let Some(stage) = Stage::set("rights-beside").await else { return };
    let kubeconfig = entitled(&stage, &["--watch-namespaces", &stage.namespace]).await;
    let both = format!("{},rights-gone", stage.namespace);
    let operator = stage.operator_as("coordd-operator-0", &kubeconfig, &["--namespaces", &both]);
    stage.apply(NAME, json!({})).await;
    stage.until_ready(NAME, 3).await;
    let (code, words) = operator.get("/readyz").await.unwrap();
    assert_eq!(code, 200, "{words}");
    assert!(words.contains("rights-gone: ") && words.contains("forbidden"), "{words}");
}
