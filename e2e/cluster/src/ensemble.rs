//! An ensemble in a scene: what is ordered of it, what its cluster's status says, and where clients go.
//!
//! ```text
//!   apply, change ─► CoordinationCluster NAME ─► operator ─► pods NAME-0 …      wait_ready ◄── status
//! ```
//!
//! Rule: a scenario orders by the cluster's spec alone and waits for its status alone. Reason: that is what users have.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use coordd_api::EnsembleView;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene, at, until};

/// What most scenarios call theirs.
pub const NAME: &str = "orders";
/// A member that takes longer to answer is on a node that is away, or hangs.
const ANSWER: Duration = Duration::from_secs(3);

/// The members of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Ensemble<'a> {
    pub scene: &'a Scene,
    pub name: &'a str,
}

impl<'a> Ensemble<'a> {
    /// The ensemble `NAME` of this spec, ready.
    pub fn ready(scene: &'a Scene, spec: &Value) -> Result<Self> {
        let ensemble = Ensemble::ordered(scene, NAME, spec)?;
        ensemble.wait_ready()?;
        Ok(ensemble)
    }

    /// An ensemble that is only ordered.
    pub fn ordered(scene: &'a Scene, name: &'a str, spec: &Value) -> Result<Self> {
        let cluster = json!({
            "apiVersion": "coordd.dev/v1alpha1", "kind": "CoordinationCluster", "metadata": {"name": name}, "spec": spec
        });
        scene.apply(&cluster.to_string(), &[])?;
        Ok(Ensemble { scene, name })
    }

    /// Changes these fields of the spec.
    pub fn change(&self, spec: &Value) -> Result<()> {
        let patch = json!({"spec": spec}).to_string();
        self.scene.kubectl(&["patch", "cc", self.name, "--type=merge", "--patch", &patch]).map(drop)
    }

    pub fn cluster(&self) -> Result<Value> {
        self.scene.json(&["get", "cc", self.name])
    }

    /// What the operator says of it, once that answers the newest spec.
    pub fn status(&self) -> Result<Value> {
        let cluster = self.cluster()?;
        let generation = at(&cluster, "/metadata/generation")?;
        ensure!(cluster.pointer("/status/observedGeneration") == Some(generation), "the spec was not looked at yet");
        Ok(at(&cluster, "/status")?.clone())
    }

    /// Waits until the status is so.
    pub fn until(&self, what: &str, limit: Duration, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        until(&format!("{}: {what}", self.name), limit, || {
            let status = self.status()?;
            ensure!(is_so(&status), "it is {status}");
            Ok(status)
        })
    }

    /// Waits until all that the spec asks for is so, and nothing is left to do; how long that took.
    pub fn wait_ready(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.until("Ready", 2 * PATIENCE, |status| {
            condition(status, "Ready").0 == "True"
                && condition(status, "MembersUpdated").0 == "True"
                && condition(status, "Progressing").1 == "Settled"
        })?;
        Ok(begin.elapsed())
    }

    pub fn pods(&self) -> Result<Vec<String>> {
        let answer = self.scene.json(&["get", "statefulset", self.name])?;
        let replicas = at(&answer, "/spec/replicas")?.as_u64().context("replicas")?;
        Ok((0..replicas).map(|ordinal| format!("{}-{ordinal}", self.name)).collect())
    }

    /// Where clients reach each member.
    pub fn members(&self) -> Result<Vec<String>> {
        Ok(self.pods()?.iter().map(|pod| format!("{pod}.{}-peers:2181", self.name)).collect())
    }

    /// What a member says of the ensemble.
    pub fn view(&self, pod: &str) -> Result<EnsembleView> {
        Ok(serde_json::from_str(&self.scene.http(pod, 8080, "v1/ensemble", ANSWER)?)?)
    }

    /// The pod that leads, as the newest of its members knows.
    pub fn leader(&self) -> Result<String> {
        let pods = self.pods()?;
        until("a leader", PATIENCE, || {
            let views: Vec<EnsembleView> = pods.iter().filter_map(|pod| self.view(pod).ok()).collect();
            let view = views.iter().max_by_key(|view| view.term).context("no member answers")?;
            let name = view.leading().map(|member| member.name.clone()).context("nobody leads")?;
            ensure!(pods.contains(&name), "{name} leads and is no pod");
            Ok(name)
        })
    }

    /// A pod that does not lead.
    pub fn follower(&self) -> Result<String> {
        let leader = self.leader()?;
        self.pods()?.into_iter().find(|pod| *pod != leader).context("a follower")
    }

    /// Under which id the member of that name is known, as the leader sees it.
    pub fn id_of(&self, name: &str) -> Result<u64> {
        let view = self.view(&self.leader()?)?;
        view.members.iter().find(|member| member.name == name).map(|member| member.id).context("no such member")
    }

    /// Waits until the operator has done something: it labels the Service that clients use.
    pub fn acted(&self, word: &str) -> Result<()> {
        self.change(&json!({"service": {"labels": {"e2e": word}}}))?;
        until("the operator acts", 2 * PATIENCE, || {
            let label = self.scene.kubectl(&["get", "service", self.name, "-o", "jsonpath={.metadata.labels.e2e}"])?;
            ensure!(label == word, "the Service is labelled {label:?}");
            Ok(())
        })
    }

    /// One command of `coordd` in the pod of a member.
    pub fn coordd(&self, pod: &str, words: &[&str]) -> Result<String> {
        self.scene.kubectl(&[&["exec", pod, "--", "/coordd"], words].concat())
    }
}

/// Status and reason of a condition; empty while it is absent.
pub fn condition<'v>(status: &'v Value, name: &str) -> (&'v str, &'v str) {
    let all = status["conditions"].as_array().into_iter().flatten();
    let found = all.into_iter().find(|condition| condition["type"] == name);
    let text = |field: &str| found.and_then(|condition| condition[field].as_str()).unwrap_or_default();
    (text("status"), text("reason"))
}
