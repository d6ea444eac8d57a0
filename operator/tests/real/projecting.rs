//! ServiceProjections, from what a member says to what stands in the API server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::{ProjectionStatus, ServiceProjection};
use operator::runtime::{FAIL_POINT_EXIT_CODE, PROJECTION_WRITES};
use serde_json::{Value, json};

use crate::discovery::{Registry, instance};
use crate::stage::{NAME, Operator, Stage};

pub(crate) const PATH: &str = "/services/orders";

pub(crate) fn to_service() -> Value {
    json!({"service": {"ports": [{"name": "http", "port": 80}]}})
}

pub(crate) fn spec(target: Value, more: Value) -> Value {
    let mut spec = json!({"clusterRef": {"name": NAME}, "path": PATH, "target": target});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

async fn try_project(stage: &Stage, name: &str, spec: Value) -> Result<ServiceProjection, String> {
    let (api_version, kind) = ("coordd.dev/v1alpha1", "ServiceProjection");
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let params = PatchParams::apply("user").force();
    let done = stage.api::<ServiceProjection>().patch(name, &params, &Patch::Apply(object)).await;
    done.map_err(|error| error.to_string())
}

pub(crate) async fn project(stage: &Stage, name: &str, spec: Value) {
    try_project(stage, name, spec).await.unwrap();
}

async fn status(stage: &Stage, name: &str) -> ProjectionStatus {
    stage.api::<ServiceProjection>().get(name).await.unwrap().status.unwrap_or_default()
}

pub(crate) fn is(status: &ProjectionStatus, condition: &str, wanted: &str) -> bool {
    let found = |one: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| one.type_ == condition;
    status.conditions.iter().find(found).is_some_and(|one| one.status == wanted || one.reason == wanted)
}

pub(crate) async fn until_status(stage: &Stage, name: &str, what: &str, wanted: impl Fn(&ProjectionStatus) -> bool) {
    let began = Instant::now();
    loop {
        let status = status(stage, name).await;
        if wanted(&status) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}: not {what}: {status:#?}", stage.namespace);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// `address:port` of each endpoint of a Service.
pub(crate) async fn endpoints(stage: &Stage, service: &str) -> BTreeSet<String> {
    let of = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = stage.api::<EndpointSlice>().list(&of).await.unwrap();
    let mut found = BTreeSet::new();
    for slice in slices {
        let port = slice.ports.iter().flatten().filter_map(|port| port.port).next().unwrap_or(0);
        found.extend(slice.endpoints.iter().map(|endpoint| format!("{}:{port}", endpoint.addresses[0])));
    }
    found
}

pub(crate) async fn until_endpoints(stage: &Stage, service: &str, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
    let began = Instant::now();
    loop {
        let found = endpoints(stage, service).await;
        if found == wanted {
            return;
        }
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(30), "{}: {found:?} is not {wanted:?}", stage.namespace);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until all of these are told of a projection, each an event's reason.
async fn until_told(stage: &Stage, name: &str, wanted: &[&str]) {
    let began = Instant::now();
    loop {
        let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap();
        let about = |event: &&Event| {
            let it = event.regarding.as_ref();
            it.is_some_and(|it| it.kind.as_deref() == Some("ServiceProjection") && it.name.as_deref() == Some(name))
        };
        let told: BTreeSet<&str> = events.iter().filter(about).filter_map(|event| event.reason.as_deref()).collect();
        if wanted.iter().all(|reason| told.contains(reason)) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{}: told are {told:?}", stage.namespace);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A cluster of one member, whose discovery API is the registry.
pub(crate) async fn set(namespace: &str) -> Option<(Stage, Operator, Registry)> {
    let stage = Stage::set(namespace).await?;
    let operator = stage.operator("a", &[]);
    let registry = member(&stage).await;
    Some((stage, operator, registry))
}

async fn member(stage: &Stage) -> Registry {
    stage.apply(NAME, json!({"replicas": 1})).await;
    stage.until_ready(NAME, 1).await;
    let pod = stage.api::<Pod>().get("orders-0").await.unwrap();
    let ensemble = stage.status(NAME).await.ensemble_id.unwrap();
    Registry::at(&pod.status.unwrap().pod_ip.unwrap(), &ensemble).await
}

pub(crate) fn two() -> Vec<Value> {
    vec![instance(PATH, "10.7.0.1", 8080), instance(PATH, "10.7.0.2", 8080)]
}

#[tokio::test(flavor = "multi_thread")]
async fn good_projections_are_accepted_and_bad_ones_refused_with_what_to_do() {
    let Some(stage) = Stage::set("projection-specs").await else { return };
    for (at, good) in [
        spec(to_service(), json!({})),
        spec(json!({"service": {"nameTemplate": "{projection}-{name}", "ports": [{"port": 80}]}}), json!({})),
        spec(json!({"configMap": {}}), json!({"authSecretRef": {"name": "reader"}})),
        spec(json!({"leader": {"ports": [{"port": 80, "targetPort": 8080}]}}), json!({})),
        spec(to_service(), json!({"format": "Json", "json": {"address": "$.host"}, "selector": {"team": "a"}})),
        spec(to_service(), json!({"guards": {"allowedCIDRs": ["0.0.0.0/0", "::/0"], "emptyPolicy": "Drain"}})),
        spec(to_service(), json!({"path": "/", "clusterRef": {"name": NAME, "namespace": "other"}})),
    ]
    .into_iter()
    .enumerate()
    {
        let done = try_project(&stage, &format!("good-{at}"), good.clone()).await;
        assert!(done.is_ok(), "{good}: {done:?}");
    }
    let ports = |ports: Value| json!({"service": {"ports": ports}});
    let long = "x".repeat(64);
    for (name, bad, words) in [
        ("a", spec(json!({}), json!({})), "exactly one of"),
        ("a", spec(json!({"service": {"ports": [{"port": 80}]}, "configMap": {}}), json!({})), "exactly one of"),
        ("a", spec(to_service(), json!({"path": "services"})), "path must be that of a znode"),
        ("a", spec(to_service(), json!({"path": "/services/"})), "path must be that of a znode"),
        ("a", spec(to_service(), json!({"path": "/a//b"})), "path must be that of a znode"),
        ("a", spec(to_service(), json!({"format": "Json"})), "json.address"),
        ("a", spec(to_service(), json!({"json": {"address": "$.a"}})), "json is for format: Json"),
        ("a", spec(json!({"configMap": {}}), json!({"format": "Curator"})), "are for target.service"),
        ("a", spec(ports(json!([])), json!({})), "ports"),
        ("a", spec(ports(json!([{"port": 80}, {"port": 81}])), json!({})), "needs a name"),
        (
            "a",
            spec(ports(json!([{"name": "a", "port": 80}, {"name": "a", "port": 81}])), json!({})),
            "a name of its own",
        ),
        (
            "a",
            spec(ports(json!([{"name": "a", "port": 80}, {"name": "b", "port": 80}])), json!({})),
            "a number of its own",
        ),
        ("a", spec(ports(json!([{"name": "Http", "port": 80}])), json!({})), "name"),
        ("a", spec(ports(json!([{"port": 0}])), json!({})), "port"),
        (
            "a",
            spec(json!({"service": {"name": "a", "nameTemplate": "{name}", "ports": [{"port": 1}]}}), json!({})),
            "either",
        ),
        ("a", spec(json!({"service": {"nameTemplate": "x", "ports": [{"port": 1}]}}), json!({})), "nameTemplate"),
        ("a", spec(to_service(), json!({"guards": {"allowedCIDRs": ["10.0.0.0"]}})), "must be networks"),
        ("a", spec(to_service(), json!({"guards": {"allowedCIDRs": []}})), "allowedCIDRs"),
        ("a", spec(to_service(), json!({"guards": {"emptyGrace": "2h"}})), "at most 1h"),
        ("a", spec(to_service(), json!({"guards": {"staleAfter": "1s"}})), "at least 10s"),
        ("a", spec(to_service(), json!({"guards": {"maxServices": 0}})), "maxServices"),
        ("0a", spec(to_service(), json!({})), "begin with a letter"),
        (long.as_str(), spec(to_service(), json!({})), "at most 63 characters"),
    ] {
        let why = try_project(&stage, name, bad.clone()).await.err();
        assert!(why.as_ref().is_some_and(|why| why.contains(words)), "{name} {bad}: {why:?} does not say {words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_leave_something_behind_cannot_be_changed() {
    let Some(stage) = Stage::set("projection-changes").await else { return };
    let leader = |more: Value| {
        let mut leader = json!({"ports": [{"port": 80, "targetPort": 8080}]});
        leader.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"leader": leader})
    };
    for (name, target) in [("service", to_service()), ("map", json!({"configMap": {}})), ("leader", leader(json!({})))]
    {
        project(&stage, name, spec(target, json!({}))).await;
    }
    for (name, change, words) in [
        ("service", json!({"configMap": {}}), "cannot be changed into another kind"),
        ("service", json!({"service": {"headless": true, "ports": [{"port": 80}]}}), "headless cannot be changed"),
        ("map", json!({"configMap": {"name": "other"}}), "name cannot be changed"),
        ("leader", leader(json!({"name": "other"})), "cannot be changed"),
        ("leader", leader(json!({"lease": false})), "cannot be changed"),
    ] {
        let why = try_project(&stage, name, spec(change.clone(), json!({}))).await.err();
        assert!(why.as_ref().is_some_and(|why| why.contains(words)), "{change}: {why:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_becomes_endpoints_and_a_lost_source_keeps_them() {
    let Some((stage, operator, mut registry)) = set("projection").await else { return };
    registry.services(PATH, two());
    project(&stage, "web", spec(to_service(), json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "3s"}}))).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    let service = stage.api::<Service>().get("web").await.unwrap();
    assert_eq!(service.owner_references()[0].kind, "ServiceProjection");
    assert!(service.spec.unwrap().selector.unwrap_or_default().is_empty());
    until_status(&stage, "web", "synced", |status| is(status, "Synced", "True") && status.endpoints == 2).await;

    let began = Instant::now();
    let mut three = two();
    three.push(instance(PATH, "10.7.0.3", 8080));
    registry.services(PATH, three);
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080", "10.7.0.3:8080"]).await;
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    until_status(&stage, "web", "counted", |status| status.endpoints == 3).await;

    registry.go_away();
    until_status(&stage, "web", "lost", |status| is(status, "SourceReachable", "Lost")).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(endpoints(&stage, "web").await.len(), 3);
    registry.services(PATH, vec![]);
    registry.come_back().await;
    until_status(&stage, "web", "held", |status| is(status, "Synced", "EmptyHeld")).await;
    assert_eq!(endpoints(&stage, "web").await.len(), 3);
    until_endpoints(&stage, "web", &[]).await;
    until_status(&stage, "web", "drained", |status| is(status, "Synced", "True") && status.endpoints == 0).await;
    registry.gone(PATH);
    registry.services(PATH, two());
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    let told = ["ProjectionSynced", "ProjectionSourceLost", "ProjectionSourceBack", "ProjectionEmptyHeld"];
    until_told(&stage, "web", &told).await;

    until_status(&stage, "web", "at rest", |status| is(status, "Synced", "True") && status.endpoints == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = operator.writes().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let leases = operator.writes().await - before;
    assert_eq!(leases, 0.0, "at rest nothing is written");
    assert_eq!(
        operator
            .figure("coordd_operator_projection_endpoints{namespace=\"projection\",projection=\"web\",ready=\"true\"}")
            .await,
        Some(2.0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_while_the_source_is_away_takes_nothing_away() {
    let Some((stage, operator, mut registry)) = set("projection-start").await else { return };
    registry.services(PATH, two());
    project(&stage, "web", spec(to_service(), json!({"guards": {"emptyPolicy": "Drain", "emptyGrace": "0s"}}))).await;
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    drop(operator);
    registry.go_away();
    let _operator = stage.operator("a", &[]);
    until_status(&stage, "web", "lost", |status| is(status, "SourceReachable", "Lost")).await;
    assert_eq!(endpoints(&stage, "web").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_told_and_not_touched() {
    let Some((stage, _operator, registry)) = set("projection-foreign").await else { return };
    registry.services(PATH, two());
    let services = stage.api::<Service>();
    let foreign: Service = serde_json::from_value(json!({
        "metadata": {"name": "web", "labels": {"app": "mine"}},
        "spec": {"selector": {"app": "mine"}, "ports": [{"port": 81}]}
    }))
    .unwrap();
    services.create(&PostParams::default(), &foreign).await.unwrap();
    let before = services.get("web").await.unwrap();
    project(&stage, "web", spec(to_service(), json!({}))).await;
    until_status(&stage, "web", "conflict", |status| {
        is(status, "NameConflict", "True") && is(status, "Ready", "False")
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(services.get("web").await.unwrap(), before);
    assert!(endpoints(&stage, "web").await.is_empty());
    services.delete("web", &DeleteParams::default()).await.unwrap();
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    until_status(&stage, "web", "no conflict", |status| is(status, "NameConflict", "False")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_configuration_and_leaders_are_projected() {
    let Some((stage, _operator, registry)) = set("projection-kinds").await else { return };
    registry.list(PATH, &["cart".to_owned(), "Pay.v1".to_owned()]);
    registry.services(&format!("{PATH}/cart"), vec![instance(PATH, "10.7.0.1", 1)]);
    registry.services(&format!("{PATH}/Pay.v1"), vec![instance(PATH, "10.7.0.2", 2), instance(PATH, "localhost", 2)]);
    registry.config("/config/app", json!({"db/url": "jdbc"}));
    registry.leader("/election", Some("10.7.0.9:90"));
    let each = json!({"service": {"nameTemplate": "{name}", "ports": [{"name": "http", "port": 80}]}});
    project(&stage, "each", spec(each, json!({}))).await;
    project(&stage, "app", spec(json!({"configMap": {}}), json!({"path": "/config/app"}))).await;
    let leader = json!({"leader": {"ports": [{"port": 80}], "headless": true}});
    project(&stage, "janitor", spec(leader, json!({"path": "/election"}))).await;
    until_endpoints(&stage, "cart", &["10.7.0.1:1"]).await;
    until_endpoints(&stage, "pay-v1", &["10.7.0.2:2"]).await;
    until_endpoints(&stage, "janitor", &["10.7.0.9:90"]).await;
    until_status(&stage, "each", "rejected", |status| status.rejected == 1 && status.services == 2).await;
    until_status(&stage, "app", "a key", |status| status.endpoints == 1).await;
    let data = |map: ConfigMap| map.data.unwrap_or_default();
    assert_eq!(data(stage.api::<ConfigMap>().get("app").await.unwrap())["db.url"], "jdbc");
    registry.config("/config/app", json!({"db/url": "other", "size": "3"}));
    until_status(&stage, "app", "two keys", |status| status.endpoints == 2).await;
    registry.leader("/election", Some("10.7.0.8:90"));
    until_endpoints(&stage, "janitor", &["10.7.0.8:90"]).await;
    let lease = stage.api::<Lease>().get("janitor").await.unwrap();
    assert_eq!(lease.spec.unwrap().holder_identity.as_deref(), Some("10.7.0.8:90"));

    stage.api::<ServiceProjection>().delete("each", &DeleteParams::default()).await.unwrap();
    let began = Instant::now();
    while stage.api::<Service>().get_opt("cart").await.unwrap().is_some() || !endpoints(&stage, "cart").await.is_empty()
    {
        // The collector of garbage looks for new kinds every half minute.
        assert!(began.elapsed() < Duration::from_secs(120), "what a projection made goes with it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_written_in_few_writes_and_soon_after_its_end() {
    let Some((stage, operator, registry)) = set("projection-burst").await else { return };
    registry.instances(PATH, 500);
    project(&stage, "web", spec(to_service(), json!({}))).await;
    until_status(&stage, "web", "whole", |status| status.endpoints == 500).await;
    let slices = "coordd_operator_writes_total{write=\"projection-slice\",result=\"done\"}";
    let before = operator.figure(slices).await.unwrap();
    let began = Instant::now();
    for count in 501..=1000 {
        registry.instances(PATH, count);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    let burst = began.elapsed();
    let began = Instant::now();
    while endpoints(&stage, "web").await.len() < 1000 {
        assert!(began.elapsed() < Duration::from_secs(10), "the burst is not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("a burst of 500 in {burst:?}: written {:?} after its end", began.elapsed());
    let writes = operator.figure(slices).await.unwrap() - before;
    // Two seconds, where the machine has nothing else to do.
    let most = 25.0 * (burst.as_secs_f64() / 2.0).max(1.0);
    assert!(writes <= most, "{writes} writes of slices for 500 changes within {burst:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_another_namespace_is_read_where_it_says_so() {
    let Some(stage) = Stage::set("projection-far").await else { return };
    let Some(near) = Stage::set("projection-near").await else { return };
    let _operator = stage.operator("a", &["--namespaces", "projection-far,projection-near"]);
    let registry = member(&stage).await;
    registry.services(PATH, two());
    let elsewhere = json!({"clusterRef": {"name": NAME, "namespace": "projection-far"}});
    project(&near, "web", spec(to_service(), elsewhere)).await;
    until_status(&near, "web", "refused", |status| is(status, "Ready", "ClusterNotAllowed")).await;
    let allowed = json!({"replicas": 1, "projections": {"allowedNamespaces": ["projection-near"]}});
    stage.apply(NAME, allowed).await;
    until_status(&near, "web", "allowed", |status| is(status, "Synced", "True") && status.endpoints == 2).await;
    stage.apply(NAME, json!({"replicas": 1})).await;
    until_status(&near, "web", "not allowed any more", |status| is(status, "Ready", "ClusterNotAllowed")).await;
    assert_eq!(endpoints(&near, "web").await.len(), 2, "what is there stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_those_of_the_secret() {
    let Some((stage, _operator, registry)) = set("projection-access").await else { return };
    registry.services(PATH, two());
    project(&stage, "web", spec(to_service(), json!({"authSecretRef": {"name": "reader"}}))).await;
    until_status(&stage, "web", "without its Secret", |status| is(status, "Ready", "SecretNotFound")).await;
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "reader"}, "stringData": {"username": "u", "password": "p"}
    }))
    .unwrap();
    stage.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
    until_endpoints(&stage, "web", &["10.7.0.1:8080", "10.7.0.2:8080"]).await;
    assert!(
        registry.asked_as().iter().all(|header| header.as_deref() == Some("Basic dTpw")),
        "{:?}",
        registry.asked_as()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_die_at_any_write_of_a_projection() {
    let Some((stage, operator, registry)) = set("projection-deaths").await else { return };
    drop(operator);
    let mut died = BTreeSet::new();
    let die = async |points: &[&str], died: &mut BTreeSet<String>| {
        for point in points {
            for side in ["before", "after"] {
                let at = format!("{point}:{side}");
                let mut operator = stage.operator("a", &["--fail-at", &at]);
                assert_eq!(operator.end(60).await, Some(FAIL_POINT_EXIT_CODE), "at {at}: {}", operator.said());
            }
            died.insert((*point).to_owned());
        }
    };
    registry.instances(PATH, 150);
    registry.config("/config/app", json!({"a": "1"}));
    registry.leader("/election", Some("10.7.0.9:90"));
    let guards = json!({"emptyPolicy": "Drain", "emptyGrace": "0s", "holdHalfEmpty": false});
    project(&stage, "web", spec(to_service(), json!({"guards": guards}))).await;
    die(&["projection-service"], &mut died).await;
    // One slice is written, the other not; then each again.
    die(&["projection-slice"], &mut died).await;
    die(&["projection-status"], &mut died).await;
    project(&stage, "app", spec(json!({"configMap": {}}), json!({"path": "/config/app"}))).await;
    die(&["projection-config-map"], &mut died).await;
    project(&stage, "janitor", spec(json!({"leader": {"ports": [{"port": 80}]}}), json!({"path": "/election"}))).await;
    die(&["projection-lease"], &mut died).await;
    {
        let _operator = stage.operator("a", &[]);
        until_status(&stage, "web", "whole", |status| is(status, "Synced", "True") && status.endpoints == 150).await;
    }
    registry.instances(PATH, 3);
    die(&["projection-slice-delete"], &mut died).await;
    let renamed = json!({"service": {"name": "shop", "ports": [{"name": "http", "port": 80}]}});
    project(&stage, "web", spec(renamed, json!({"guards": guards}))).await;
    die(&["projection-service-delete"], &mut died).await;
    assert_eq!(died, PROJECTION_WRITES.iter().map(|write| (*write).to_owned()).collect(), "every write");
    let _operator = stage.operator("a", &[]);
    until_endpoints(&stage, "shop", &["10.7.0.1:8080", "10.7.0.2:8080", "10.7.0.3:8080"]).await;
    until_endpoints(&stage, "janitor", &["10.7.0.9:90"]).await;
    assert!(stage.api::<Service>().get_opt("web").await.unwrap().is_none());
}

/// A measurement with a bound: two hundred services of fifty instances.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_services_of_fifty_cost_little_memory_and_nothing_at_rest() {
    let Some((stage, operator, registry)) = set("projection-many").await else { return };
    let names: Vec<String> = (0..200).map(|at| format!("s{at}")).collect();
    for name in &names {
        registry.instances(&format!("{PATH}/{name}"), 50);
    }
    registry.list(PATH, &names);
    let each = json!({"service": {"nameTemplate": "{name}", "ports": [{"name": "http", "port": 80}]}});
    let began = Instant::now();
    project(&stage, "each", spec(each, json!({}))).await;
    let began_status = Instant::now();
    loop {
        let status = status(&stage, "each").await;
        if is(&status, "Synced", "True") && status.endpoints == 10_000 && status.services == 200 {
            break;
        }
        assert!(began_status.elapsed() < Duration::from_secs(180), "{status:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = began.elapsed();
    assert_eq!(registry.followers(), 201);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = operator.writes().await;
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(operator.writes().await - before, 0.0, "at rest");
    let memory = crate::many::memory_kib(&operator);
    println!("200 services of 50 instances: written after {took:?}, memory at its highest {} MiB", memory >> 10);
    assert!(memory <= 120 << 10, "{memory} KiB");
    let slices = stage.api::<EndpointSlice>().list(&ListParams::default()).await.unwrap();
    let by_service: BTreeMap<_, _> = slices
        .iter()
        .map(|slice| (slice.labels()["kubernetes.io/service-name"].clone(), slice.endpoints.len()))
        .collect();
    assert!(by_service.len() == 200 && by_service.values().all(|count| *count == 50));
}
