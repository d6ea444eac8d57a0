//! What a test stands on: a namespace of its own, nodes that play in it, and operators that it starts and kills.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use operator::crd::{ClusterStatus, CoordinationCluster, ServiceProjection};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::ensemble::Ensemble;
use crate::kubelet::{Ensembles, Kubelet};
use crate::machine::{Machine, free_port, is_ready, machine, own_machine};

/// The cluster of most tests.
pub(crate) const NAME: &str = "orders";

pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) machine: &'static Machine,
    ensembles: Ensembles,
    _kubelet: Kubelet,
}

static CRD: OnceCell<()> = OnceCell::const_new();

impl Stage {
    /// `None`, with a line that says so, where there is no API server to be had.
    pub(crate) async fn set(namespace: &str) -> Option<Stage> {
        let machine = machine().await?;
        let client = machine.client().await;
        CRD.get_or_init(|| install(&client)).await;
        Some(Stage::on(machine, client, namespace).await)
    }

    /// On a machine of its own.
    pub(crate) async fn alone(namespace: &str) -> Option<Stage> {
        let machine = own_machine().await?;
        let client = machine.client().await;
        install(&client).await;
        Some(Stage::on(machine, client, namespace).await)
    }

    async fn on(machine: &'static Machine, client: Client, namespace: &str) -> Stage {
        let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
        let object = k8s_openapi::api::core::v1::Namespace { metadata, ..Default::default() };
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        let ensembles = Ensembles::default();
        let kubelet = Kubelet::start(client.clone(), namespace, Arc::clone(&ensembles));
        Stage { client, namespace: namespace.to_owned(), machine, ensembles, _kubelet: kubelet }
    }

    /// Waits until the API server answers.
    pub(crate) async fn until_back(&self) {
        let began = Instant::now();
        while !is_ready(&self.client).await {
            assert!(began.elapsed() < Duration::from_secs(120), "the API server does not come back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn ensemble(&self, cluster: &str) -> Arc<Ensemble> {
        Arc::clone(self.ensembles.lock().unwrap().entry(cluster.to_owned()).or_default())
    }

    /// As `kubectl apply` does, by the user.
    pub(crate) async fn apply(&self, cluster: &str, spec: Value) {
        let object = json!({
            "apiVersion": "coordd.dev/v1alpha1", "kind": "CoordinationCluster",
            "metadata": {"name": cluster}, "spec": spec
        });
        let params = PatchParams::apply("user").force();
        self.api::<CoordinationCluster>().patch(cluster, &params, &Patch::Apply(object)).await.unwrap();
    }

    pub(crate) async fn annotate(&self, cluster: &str, key: &str, value: &str) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        self.api::<CoordinationCluster>().patch(cluster, &PatchParams::default(), &patch).await.unwrap();
    }

    pub(crate) async fn cluster(&self, cluster: &str) -> CoordinationCluster {
        self.api::<CoordinationCluster>().get(cluster).await.unwrap()
    }

    pub(crate) async fn status(&self, cluster: &str) -> ClusterStatus {
        self.cluster(cluster).await.status.unwrap_or_default()
    }

    /// The uids of all objects of a kind, by name.
    pub(crate) async fn uids<K>(&self) -> BTreeMap<String, String>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let all = self.api::<K>().list(&ListParams::default()).await.unwrap();
        all.iter().map(|object| (object.name_any(), object.uid().unwrap_or_default())).collect()
    }

    /// Waits until the status is as wanted.
    pub(crate) async fn until(&self, cluster: &str, what: &str, seconds: u64, wanted: impl Fn(&ClusterStatus) -> bool) {
        let began = Instant::now();
        loop {
            let status = self.status(cluster).await;
            if wanted(&status) {
                return;
            }
            if began.elapsed() > Duration::from_secs(seconds) {
                let done = self.ensemble(cluster).done();
                panic!("{}: not {what} after {seconds} s: {status:#?}\ndone: {done:?}", self.namespace);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the cluster serves with so many voters, and nothing is under way.
    pub(crate) async fn until_ready(&self, cluster: &str, members: i32) {
        let what = format!("ready with {members} members");
        let generation = self.cluster(cluster).await.metadata.generation;
        self.until(cluster, &what, 180, |status| {
            is(status, "Ready", "True")
                && is(status, "MembersUpdated", "True")
                && status.voting_members == Some(members)
                && status.replicas == members
                && status.operation.is_none()
                && status.observed_generation == generation
        })
        .await;
    }

    /// Starts the operator, as replica `identity`.
    pub(crate) fn operator(&self, identity: &str, more: &[&str]) -> Operator {
        self.operator_as(identity, &self.machine.dir.join("kubeconfig"), more)
    }

    /// The same, as whoever `kubeconfig` says.
    pub(crate) fn operator_as(&self, identity: &str, kubeconfig: &Path, more: &[&str]) -> Operator {
        let port = free_port();
        let log = self.machine.dir.join(format!("{}-{identity}-{port}.log", self.namespace));
        let mut operator = Command::new(env!("CARGO_BIN_EXE_operator"));
        operator.args(["run", "--operator-namespace", &self.namespace]);
        operator.args(["--identity", identity, "--listen", &format!("127.0.0.1:{port}")]).args(more);
        operator.env("KUBECONFIG", kubeconfig).env("COORDD_OPERATOR_LOG_LEVEL", "debug");
        operator.env("COORDD_OPERATOR_NAMESPACES", &self.namespace);
        operator.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Operator { child: operator.spawn().unwrap(), port, log }
    }
}

async fn install(client: &Client) {
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    for crd in [CoordinationCluster::crd(), ServiceProjection::crd()] {
        let name = crd.metadata.name.clone().unwrap();
        crds.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(crd)).await.unwrap();
        let established = kube::runtime::wait::conditions::is_crd_established();
        kube::runtime::wait::await_condition(crds.clone(), &name, established).await.unwrap();
    }
}

/// Whether the condition has this status.
pub(crate) fn is(status: &ClusterStatus, condition: &str, wanted: &str) -> bool {
    status.conditions.iter().any(|found| found.type_ == condition && found.status == wanted)
}

/// A running operator; killed when it is dropped.
pub(crate) struct Operator {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.said());
        }
    }
}

impl Operator {
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; its exit code, or `None` when a signal ended it.
    pub(crate) async fn end(&mut self, seconds: u64) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(seconds), "still running after {seconds} s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it serves at `path`, and how.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let code = answer.split_whitespace().nth(1)?.parse().ok()?;
        Some((code, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// One figure of /metrics.
    pub(crate) async fn figure(&self, line: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").await?;
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }

    /// All writes so far.
    pub(crate) async fn writes(&self) -> f64 {
        let (_, text) = self.get("/metrics").await.unwrap();
        let values = text.lines().filter(|line| line.starts_with("coordd_operator_writes_total"));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}
