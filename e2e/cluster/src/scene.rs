//! Where a scenario plays: a namespace of its own, what it measured, and what is kept when it fails.
//!
//! ```text
//!   Scene::enter ─► namespace e2e-NAME (restricted) ─► the scenario ─► figures        dropped: namespace deleted
//!                                                            └─ failed ─► target/e2e/scenarios/NAME/…
//!                                                                         played again: …/NAME/turn-2/…
//! ```
//!
//! Rule: a scenario waits for what must come true, never for time to pass. Reason: a sleep is too long on a fast
//! machine and too short on a slow one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::kubectl::{json, kubectl, program};
use crate::operator;
use crate::report::{Amount, Figure, Promise};

/// How long anything may take that is not measured.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A scenario's place.
#[derive(Debug)]
pub struct Scene {
    pub namespace: String,
    /// Where is kept what helps to understand a failure.
    pub kept: PathBuf,
    /// How often it was played before in this run.
    pub turn: u16,
    figures: RefCell<Vec<Figure>>,
}

impl Scene {
    /// An empty namespace in which only restricted pods may run.
    pub fn enter(name: &str, turn: u16) -> Result<Self> {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/e2e/scenarios");
        let kept = place(&all.join(name), turn)?;
        let scene = Scene { namespace: format!("e2e-{name}"), kept, turn, figures: RefCell::default() };
        // What a run that was killed left in a cluster that stayed.
        kubectl(&["delete", "namespace", &scene.namespace, "--ignore-not-found"])?;
        kubectl(&["create", "namespace", &scene.namespace])?;
        forbid_all_but_restricted_pods(&scene.namespace)?;
        Ok(scene)
    }

    /// kubectl in the namespace.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    pub fn json(&self, args: &[&str]) -> Result<Value> {
        json(&[&["--namespace", &self.namespace], args].concat())
    }

    /// Applies a manifest, with each `@NAME@` in it replaced.
    pub fn apply(&self, manifest: &str, values: &[(&str, &str)]) -> Result<()> {
        let version = ("VERSION", env!("CARGO_PKG_VERSION"));
        let filled = [values, &[version]]
            .concat()
            .iter()
            .fold(manifest.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value));
        program("kubectl", &["--namespace", &self.namespace, "apply", "-f", "-"], &filled).map(drop)
    }

    /// Waits until the object is so, as `kubectl wait --for` has it.
    pub fn wait(&self, object: &str, what: &str, limit: Duration) -> Result<()> {
        let timeout = format!("--timeout={}s", limit.as_secs().max(1));
        // kubectl waits for a condition only of what is there.
        self.kubectl(&["wait", "--for=create", object, &timeout])?;
        self.kubectl(&["wait", &format!("--for={what}"), object, &timeout]).map(drop)
    }

    /// A pod's HTTP port, through the API server; given up after this time.
    pub fn http(&self, pod: &str, port: u16, path: &str, limit: Duration) -> Result<String> {
        let url = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy/{path}", self.namespace);
        kubectl(&["get", "--raw", &url, &format!("--request-timeout={}s", limit.as_secs())])
    }

    /// The same for who takes no parameter that it does not know: kubectl's limit of time becomes one.
    pub fn plain_http(&self, pod: &str, port: u16, path: &str) -> Result<String> {
        kubectl(&["get", "--raw", &format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy/{path}", self.namespace)])
    }

    /// Deletes a pod; how long it took until its successor was ready.
    pub fn replace_pod(&self, pod: &str) -> Result<Duration> {
        let begin = Instant::now();
        self.kubectl(&["delete", "pod", pod])?;
        self.wait(&format!("pod/{pod}"), "condition=Ready", PATIENCE)?;
        Ok(begin.elapsed())
    }

    pub fn node_of(&self, pod: &str) -> Result<String> {
        let node = self.kubectl(&["get", "pod", pod, "-o", "jsonpath={.spec.nodeName}"])?;
        ensure!(!node.is_empty(), "{pod} has no node");
        Ok(node)
    }

    /// The uid of each object of a kind, by name: who was made anew has another.
    pub fn uids(&self, kind: &str) -> Result<BTreeMap<String, String>> {
        let list = self.json(&["get", kind])?;
        let items = list["items"].as_array().context("a list")?.iter();
        let text = |item: &Value, field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
        Ok(items.map(|item| (text(item, "name"), text(item, "uid"))).collect())
    }

    /// Takes down how long something took; above its goal it fails.
    pub fn promised(&self, promise: Promise, value: Duration) -> Result<()> {
        self.take_down(promise, Amount::Time(value)).held()
    }

    /// Takes down how long something took whose goal is one of a quiet machine; beyond the bound it fails.
    pub fn measured(&self, promise: Promise, value: Duration, bound: Duration) -> Result<()> {
        self.take_down(promise, Amount::Time(value));
        ensure!(value <= bound, "{}: {value:.1?}, which is beyond {bound:?}", promise.what);
        Ok(())
    }

    /// Takes down how often something happened that must not.
    pub fn counted(&self, promise: Promise, value: usize) -> Result<()> {
        self.take_down(promise, Amount::Count(value)).held()
    }

    fn take_down(&self, promise: Promise, value: Amount) -> Figure {
        println!("      {}: {}", promise.what, value.to_string().trim());
        let figure = Figure { promise, value };
        self.figures.borrow_mut().push(figure);
        figure
    }

    pub fn figures(&self) -> Vec<Figure> {
        self.figures.borrow().clone()
    }

    /// Keeps objects, events and logs.
    pub fn keep_evidence(&self) -> Result<()> {
        let keep = |file: &str, text: Result<String>| {
            fs::write(self.kept.join(file), text.unwrap_or_else(|why| format!("{why:#}\n")))
        };
        keep(
            "objects.yaml",
            self.kubectl(&["get", "all,cc,sp,pvc,endpointslices,configmaps,leases,pdb", "-o", "yaml"]),
        )?;
        keep("events.txt", self.kubectl(&["get", "events", "--sort-by=.lastTimestamp"]))?;
        keep("nodes.txt", kubectl(&["describe", "nodes"]))?;
        keep("operator.txt", operator::in_namespace(&["describe", "pods,lease"]))?;
        let logs = |more: &[&str]| {
            let all = ["logs", "--selector=app.kubernetes.io/name=coordd-operator", "--prefix", "--tail=-1"];
            operator::in_namespace(&[&all, more].concat())
        };
        keep("operator.log", logs(&[]))?;
        keep("operator.previous.log", logs(&["--previous"]))?;
        let pods = self.kubectl(&["get", "pods", "-o", "name"])?;
        for pod in pods.lines() {
            let name = pod.trim_start_matches("pod/");
            keep(&format!("{name}.log"), self.kubectl(&["logs", pod, "--all-containers"]))?;
            keep(&format!("{name}.previous.log"), self.kubectl(&["logs", pod, "--all-containers", "--previous"]))?;
        }
        Ok(())
    }
}

/// An empty folder for what this turn keeps. The first one clears what an earlier run left; no other takes away what
/// the ones before it kept.
fn place(of_scenario: &Path, turn: u16) -> Result<PathBuf> {
    let kept = if turn == 0 { of_scenario.to_owned() } else { of_scenario.join(format!("turn-{}", turn + 1)) };
    let _absent = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept)?;
    Ok(kept)
}

impl Drop for Scene {
    fn drop(&mut self) {
        // The cluster itself may be gone, and then this is, too.
        let _gone = kubectl(&["delete", "namespace", &self.namespace, "--ignore-not-found", "--wait=false"]);
    }
}

/// Pods of this namespace must be such that they can do no harm.
pub fn forbid_all_but_restricted_pods(namespace: &str) -> Result<()> {
    kubectl(&["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]).map(drop)
}

/// Tries until it succeeds.
pub fn until<T>(what: &str, limit: Duration, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(why) if begin.elapsed() > limit => return Err(why.context(format!("{what}: not within {limit:?}"))),
            Err(_) => thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// A number, text or list at a path of an answer.
pub fn at<'a>(answer: &'a Value, pointer: &str) -> Result<&'a Value> {
    answer.pointer(pointer).with_context(|| format!("{pointer} is missing")).map_err(|why| anyhow!("{why} in {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_turn_keeps_outlasts_the_turns_after_it_and_not_the_next_run() {
        let all = std::env::temp_dir().join(format!("coordd-e2e-scene-{}", std::process::id()));
        let evidence = |turn: u16| {
            let file = place(&all, turn).unwrap().join("history.json");
            fs::write(&file, "{}").unwrap();
            file
        };
        let kept = [0, 1, 2].map(evidence);
        assert!(kept.iter().all(|file| file.exists()), "{kept:?}");
        evidence(0);
        assert_eq!(kept.map(|file| file.exists()), [true, false, false]);
        fs::remove_dir_all(&all).unwrap();
    }
}
