//! The resource as the API server sees it: what it takes, what it refuses and in which words, what it fills in, and
//! what it shows.

use kube::api::{Patch, PatchParams, ValidationDirective};
use kube::{Api, ResourceExt};
use operator::crd::CoordinationCluster;
use serde_json::{Value, json};

use crate::stage::{NAME, Stage};

async fn try_apply(api: &Api<CoordinationCluster>, name: &str, spec: Value) -> Result<CoordinationCluster, String> {
    let object = json!({
        "apiVersion": "coordd.dev/v1alpha1", "kind": "CoordinationCluster", "metadata": {"name": name}, "spec": spec
    });
    let strict = Some(ValidationDirective::Strict);
    let params = PatchParams { dry_run: true, field_validation: strict, ..PatchParams::apply("user").force() };
    match api.patch(name, &params, &Patch::Apply(object)).await {
        Ok(cluster) => Ok(cluster),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_specs_are_taken() {
    let Some(stage) = Stage::set("accept").await else { return };
    let api = stage.api();
    for spec in [
        json!({}),
        json!({"replicas": 1}),
        json!({"replicas": 2}),
        json!({"replicas": 7, "disruption": {"maxUnavailable": 3}}),
        json!({"version": "0.1.0"}),
        json!({"image": "registry.example.com/coordd:0.1.0"}),
        json!({"config": {"tickMs": 1000, "minSessionTimeoutMs": 2000, "maxTreeBytes": "1GiB", "logLevel": "warn"}}),
        json!({"config": {"maxFrameBytes": "31MiB", "maxOutboxBytes": "4GiB", "maxTreeBytes": "1MiB"}}),
        json!({"config": {"maxFrameBytes": "1024", "minFreeBytes": "0", "snapshotLogBytes": "1024GiB"}}),
        json!({"config": {"maxFrameBytes": null}}),
        json!({"storage": {"size": "20Gi", "storageClassName": "fast", "retention": {"whenDeleted": "Delete"}}}),
        json!({"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}}),
        json!({"scheduling": {"antiAffinity": "Required", "tolerations": [{"key": "a", "operator": "Exists"}]}}),
        json!({"service": {"labels": {"team": "a", "app.kubernetes.io/version": "1"}}}),
        json!({"podTemplate": {"labels": {"team": "a"}, "env": [{"name": "TZ", "value": "UTC"}]}}),
        json!({"healing": {"replaceAfter": "1h30m"}, "update": {"pauseBetween": "30s", "timeout": "5m"}}),
        json!({"restartAt": "2026-01-01T00:00:00Z"}),
    ] {
        if let Err(why) = try_apply(&api, NAME, spec.clone()).await {
            panic!("{spec} is refused: {why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_specs_are_refused_with_what_to_do() {
    let Some(stage) = Stage::set("refuse").await else { return };
    let api = stage.api();
    for (name, spec, words) in [
        (NAME, json!({"replicas": 0}), "hibernate: true"),
        (NAME, json!({"replicas": 8}), "best 3 or 5"),
        (NAME, json!({"disruption": {"maxUnavailable": 2}}), "must leave a majority"),
        (NAME, json!({"storage": {"size": "100Mi"}}), "at least 1Gi"),
        (NAME, json!({"storage": {"size": "much"}}), "storage.size"),
        (NAME, json!({"config": {"minSessionTimeoutMs": 50_000}}), "lower the first or raise the second"),
        (NAME, json!({"config": {"tickMs": 1}}), "tickMs"),
        (NAME, json!({"config": {"maxTreeBytes": "1GB"}}), "maxTreeBytes"),
        (NAME, json!({"config": {"maxTreeBytes": "512KiB"}}), "config.maxTreeBytes must be 1MiB to 1024GiB"),
        (NAME, json!({"config": {"maxTreeBytes": "99999999999999999GiB"}}), "config.maxTreeBytes must be 1MiB"),
        (NAME, json!({"config": {"maxFrameBytes": "12"}}), "config.maxFrameBytes must be 1KiB to 31MiB"),
        (NAME, json!({"config": {"maxFrameBytes": "32MiB"}}), "config.maxFrameBytes must be 1KiB to 31MiB"),
        (NAME, json!({"config": {"maxOutboxBytes": "5GiB"}}), "config.maxOutboxBytes must be 64KiB to 4GiB"),
        (NAME, json!({"config": {"minFreeBytes": "1025GiB"}}), "config.minFreeBytes must be 0 to 1024GiB"),
        (NAME, json!({"config": {"snapshotLogBytes": "1048575"}}), "config.snapshotLogBytes must be 1MiB"),
        (NAME, json!({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}), "raise the limit"),
        (NAME, json!({"podTemplate": {"labels": {"coordd.dev/x": "y"}}}), "choose another label"),
        (NAME, json!({"podTemplate": {"annotations": {"coordd.dev/x": "y"}}}), "choose another annotation"),
        (
            NAME,
            json!({"podTemplate": {"env": [{"name": "COORDD_TICK_MS", "value": "1"}]}}),
            "under spec.config instead",
        ),
        (NAME, json!({"podTemplate": {"env": [{"name": "POD_NAME", "value": "x"}]}}), "must not set POD_NAME"),
        (NAME, json!({"service": {"labels": {"app.kubernetes.io/name": "x"}}}), "choose another label"),
        (NAME, json!({"service": {"labels": {"coordd.dev/x": "y"}}}), "choose another label"),
        (NAME, json!({"healing": {"replaceAfter": "1s"}}), "at least 10s"),
        (NAME, json!({"healing": {"replaceAfter": "soon"}}), "replaceAfter"),
        (NAME, json!({"update": {"timeout": "10s", "pauseBetween": "1m"}}), "longer than update.pauseBetween"),
        (NAME, json!({"version": "newest"}), "version"),
        (NAME, json!({"replica": 3}), ".spec.replica: field not declared"),
        ("orders-peers", json!({}), "must not end in"),
        ("orders-1", json!({}), "must not end in"),
        ("0orders", json!({}), "must begin with a letter"),
        ("a-name-that-is-much-too-long-for-what-is-named-after-it", json!({}), "choose a"),
    ] {
        let why = try_apply(&api, name, spec.clone()).await.err();
        assert!(why.as_ref().is_some_and(|why| why.contains(words)), "{name} {spec}: {why:?} does not say {words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_09_what_cannot_be_changed_says_so_and_what_is_left_out_is_filled_in() {
    let Some(stage) = Stage::set("update").await else { return };
    let api = stage.api::<CoordinationCluster>();
    stage.apply(NAME, json!({})).await;
    let spec = serde_json::to_value(&stage.cluster(NAME).await.spec).unwrap();
    assert_eq!(spec["replicas"], 3);
    assert_eq!(spec["storage"]["size"], "10Gi");
    assert_eq!(spec["storage"]["retention"], json!({"whenDeleted": "Retain", "whenScaled": "Delete"}));
    assert_eq!(spec["healing"], json!({"enabled": true, "replaceAfter": "10m"}));
    let stored: Value = {
        let raw = api.get(NAME).await.unwrap();
        let path =
            format!("/apis/coordd.dev/v1alpha1/namespaces/{}/coordinationclusters/{}", stage.namespace, raw.name_any());
        stage.client.request(axum::http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
    };
    assert_eq!(
        stored["spec"]["update"],
        json!({"pauseBetween": "0s", "timeout": "10m"}),
        "filled in by the API server"
    );
    for (change, words) in [
        (json!({"storage": {"size": "20Gi"}}), "storage.size cannot be changed yet"),
        (json!({"storage": {"storageClassName": "fast"}}), "storage.storageClassName cannot be changed yet"),
    ] {
        let why = try_apply(&api, NAME, change.clone()).await.err();
        assert!(why.as_ref().is_some_and(|why| why.contains(words)), "{change}: {why:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_the_volumes_cannot_be_changed_while_nobody_may_write_it_on_them() {
    let Some(stage) = Stage::set("policy-paused").await else { return };
    let api = stage.api::<CoordinationCluster>();
    let spec =
        |paused: bool, policy: &str| json!({"paused": paused, "storage": {"retention": {"whenDeleted": policy}}});
    stage.apply(NAME, spec(false, "Delete")).await;
    let refused = async |paused: bool, policy: &str| try_apply(&api, NAME, spec(paused, policy)).await.err();
    let says = |why: Option<String>| why.is_some_and(|why| why.contains("set paused to false with it or before it"));
    assert!(says(refused(true, "Retain").await), "both at once");
    assert_eq!(refused(true, "Delete").await, None);
    stage.apply(NAME, spec(true, "Delete")).await;
    assert!(says(refused(true, "Retain").await));
    assert_eq!(refused(false, "Retain").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_scaled_and_read_by_kubectl() {
    let Some(stage) = Stage::set("kubectl").await else { return };
    let api = stage.api::<CoordinationCluster>();
    let _operator = stage.operator("a", &[]);
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    let scale = api.get_scale(NAME).await.unwrap();
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(1));
    let status = scale.status.unwrap();
    assert_eq!(status.replicas, 1);
    assert!(status.selector.unwrap().contains("app.kubernetes.io/instance=orders"));
    let two = Patch::Merge(json!({"spec": {"replicas": 3}}));
    api.patch_scale(NAME, &PatchParams::default(), &two).await.unwrap();
    stage.until_ready(NAME, 3).await;
    let too_many = Patch::Merge(json!({"spec": {"replicas": 9}}));
    let refused = api.patch_scale(NAME, &PatchParams::default(), &too_many).await.unwrap_err();
    assert!(refused.to_string().contains("best 3 or 5"), "{refused}");

    let path = format!("/apis/coordd.dev/v1alpha1/namespaces/{}/coordinationclusters", stage.namespace);
    let request = axum::http::Request::get(path).header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let table: Value = stage.client.request(request.body(Vec::new()).unwrap()).await.unwrap();
    let columns = table["columnDefinitions"].as_array().unwrap();
    let shown: Vec<_> = columns.iter().filter(|column| column["priority"] == 0).map(|column| &column["name"]).collect();
    assert_eq!(shown, ["Name", "Ready", "Status", "Members", "Leader", "Quorum", "Version", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    let value = |name: &str| &cells[columns.iter().position(|column| column["name"] == name).unwrap()];
    assert_eq!((value("Ready"), value("Status"), value("Members")), (&json!("True"), &json!("Running"), &json!("3/3")));
    assert_eq!((value("Quorum"), value("Desired")), (&json!("tolerates 1"), &json!(3)));
}
