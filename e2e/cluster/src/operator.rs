//! The operator of the cluster, installed as a user does: the chart of this repository, with Helm.
//!
//! ```text
//!   install ─► namespace coordd-e2e (restricted): two replicas, one of which holds the Lease
//!   Before  ─► the chart of before ─► done: upgraded to this one … dropped: as installed again
//!   Stopped ─► no replica ─► dies_at(WRITE:SIDE): one that ends there ─► … dropped: as installed again
//! ```
//!
//! Rule: whatever a scenario takes from it comes back when the value that took it is dropped. Reason: the next scenario
//! needs an operator, however this one ended.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::former::Former;
use crate::kubectl::{json, kubectl, program};
use crate::scene::{PATIENCE, at, forbid_all_but_restricted_pods, until};

/// Not where users install it, so that theirs is never taken for this one.
pub const NAMESPACE: &str = "coordd-e2e";
pub const PROGRAM: &str = "operator";
const RELEASE: &str = "coordd-operator";
const DEPLOYMENT: &str = "deployment/coordd-operator";
const SELECTOR: &str = "app.kubernetes.io/name=coordd-operator";
/// The pod that dies.
const MORTAL: &str = "coordd-operator-mortal";
const FAIL_AT: &str = "COORDD_OPERATOR_FAIL_AT";
/// What it ends with at a fail point, and never otherwise.
const FAIL_POINT_EXIT_CODE: u64 = 86;
const REPLICAS: usize = 2;

/// Installs the chart, or upgrades to it, with these values (`--set-string`), and waits until it is up.
pub fn install(values: &[&str]) -> Result<()> {
    install_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/coordd-operator"), values)
}

fn install_from(chart: &Path, values: &[&str]) -> Result<()> {
    let chart = chart.display().to_string();
    if kubectl(&["get", "namespace", NAMESPACE]).is_err() {
        kubectl(&["create", "namespace", NAMESPACE])?;
        forbid_all_but_restricted_pods(NAMESPACE)?;
    }
    // Uninstalled with the definitions: a cluster that is not ours is left as it was found.
    let mut args = vec!["upgrade", "--install", RELEASE, &chart, "--namespace", NAMESPACE, "--set", "crds.keep=false"];
    values.iter().for_each(|value| args.extend(["--set-string", value]));
    args.extend(["--wait", "--timeout", "120s"]);
    program("helm", &args, "").map(drop)
}

/// Removes it and what it was installed with.
pub fn uninstall() -> Result<()> {
    let removed = program("helm", &["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "120s"], "");
    kubectl(&["delete", "namespace", NAMESPACE])?;
    removed.map(drop)
}

/// What there is to see of it, for whoever looks for the reason of a failure.
pub fn seen() -> String {
    let look = |args: &[&str]| in_namespace(args).unwrap_or_else(|why| format!("{why:#}\n"));
    let pods = look(&["describe", "pods"]);
    let logs = look(&["logs", "--selector", SELECTOR, "--prefix", "--tail=50"]);
    let events = look(&["get", "events", "--sort-by=.lastTimestamp"]);
    [pods, logs, events].join("\n")
}

/// kubectl in its namespace.
pub fn in_namespace(args: &[&str]) -> Result<String> {
    kubectl(&[&["--namespace", NAMESPACE], args].concat())
}

/// The pod that holds the Lease.
pub fn leader() -> Result<String> {
    let holder = in_namespace(&["get", "lease", RELEASE, "-o", "jsonpath={.spec.holderIdentity}"])?;
    ensure!(!holder.is_empty(), "nobody holds the Lease");
    Ok(holder)
}

fn pods() -> Result<Vec<Value>> {
    let answer = json(&["--namespace", NAMESPACE, "get", "pods", "--selector", SELECTOR])?;
    answer["items"].as_array().cloned().context("a list of pods")
}

/// The operator is one of before until this is dropped.
#[derive(Debug)]
pub struct Before(());

impl Before {
    /// That of a former build, installed as then: with nothing there of what it is upgraded to. Without one it is this
    /// chart with another pod template.
    pub fn installed(former: Option<&Former>) -> Result<Self> {
        // Made first: what fails half-way is put back as well.
        let before = Before(());
        match former {
            Some(former) => {
                uninstall()?;
                install_from(&former.chart(), &[&format!("image.tag={}", former.0)])?;
            }
            None => install(&["podAnnotations.release=before"])?,
        }
        Ok(before)
    }

    /// `helm upgrade` to the chart of now; what goes wrong is said.
    pub fn done(self) -> Result<()> {
        std::mem::forget(self);
        install(&[])
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Err(why) = install(&[]) {
            eprintln!("      {why:#}");
        }
    }
}

/// No operator runs until this is dropped, but those that are to die.
#[derive(Debug)]
pub struct Stopped(());

impl Stopped {
    pub fn all() -> Result<Self> {
        // Made first: what fails half-way is put back as well.
        let stopped = Stopped(());
        scale(0)?;
        Ok(stopped)
    }

    /// Has one run until it has died there: `WRITE:before` or `WRITE:after`. It has one life: a second one would go on
    /// with what the next is to die at.
    pub fn dies_at(&self, point: &str) -> Result<()> {
        // Who died gives nothing back; how long that is waited for is another scenario's matter.
        in_namespace(&["delete", "lease", RELEASE, "--ignore-not-found"])?;
        program("kubectl", &["--namespace", NAMESPACE, "apply", "-f", "-"], &mortal(point)?.to_string())?;
        until(&format!("the operator dies at {point}"), PATIENCE, || {
            let pod = json(&["--namespace", NAMESPACE, "get", "pod", MORTAL])?;
            let code = pod.pointer("/status/containerStatuses/0/state/terminated/exitCode").and_then(Value::as_u64);
            ensure!(code == Some(FAIL_POINT_EXIT_CODE), "it has ended with {code:?}");
            Ok(())
        })?;
        in_namespace(&["delete", "pod", MORTAL]).map(drop)
    }

    /// As installed; what goes wrong is said.
    pub fn start(self) -> Result<()> {
        std::mem::forget(self);
        start()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Err(why) = start() {
            eprintln!("      {why:#}");
        }
    }
}

/// A pod as those of the Deployment, but for its end.
fn mortal(point: &str) -> Result<Value> {
    let deployment = json(&["--namespace", NAMESPACE, "get", DEPLOYMENT])?;
    let mut pod = at(&deployment, "/spec/template")?.clone();
    let env = pod.pointer_mut("/spec/containers/0/env").and_then(Value::as_array_mut).context("an environment")?;
    env.push(json!({"name": FAIL_AT, "value": point}));
    pod["spec"]["restartPolicy"] = "Never".into();
    pod["metadata"]["name"] = MORTAL.into();
    (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
    Ok(pod)
}

fn start() -> Result<()> {
    in_namespace(&["delete", "pod", MORTAL, "--ignore-not-found"])?;
    scale(REPLICAS)?;
    in_namespace(&["rollout", "status", DEPLOYMENT, "--timeout=120s"]).map(drop)
}

/// Sets how many there are to be; none is waited for.
fn scale(replicas: usize) -> Result<()> {
    in_namespace(&["scale", DEPLOYMENT, &format!("--replicas={replicas}")])?;
    if replicas > 0 {
        return Ok(());
    }
    until("the operators stop", PATIENCE, || match pods()?.len() {
        0 => Ok(()),
        left => bail!("{left} are left"),
    })
}
