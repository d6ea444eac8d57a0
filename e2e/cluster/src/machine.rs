//! What can be done only to the cluster of this machine: power, cables, processes and disks.
//!
//! Rule: whatever is taken away comes back when the value that took it is dropped. Reason: the next scenario needs the
//! cluster whole, however this one ended.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kubectl::{json, kubectl};
use crate::scene::{PATIENCE, Scene, at, until};

/// The runner that made the cluster, which is `COORDD_E2E_RUNNER`.
#[derive(Debug, Clone)]
pub struct Machine {
    runner: PathBuf,
}

/// Something that is away until this is dropped.
#[derive(Debug)]
pub struct Away {
    machine: Machine,
    back: Vec<String>,
}

impl Drop for Away {
    fn drop(&mut self) {
        let back: Vec<&str> = self.back.iter().map(String::as_str).collect();
        if let Err(why) = self.machine.run(&back) {
            eprintln!("      {why:#}");
        }
    }
}

impl Machine {
    /// Nothing in a cluster that is not of this machine.
    pub fn here() -> Option<Self> {
        env::var_os("COORDD_E2E_RUNNER").map(|runner| Machine { runner: runner.into() })
    }

    pub fn node_without_power(&self, node: &str) -> Result<Away> {
        self.away(&["node", node, "stop"], &["node", node, "start"])
    }

    pub fn node_cut_off(&self, node: &str) -> Result<Away> {
        self.away(&["node", node, "cut"], &["node", node, "join"])
    }

    pub fn api_server_gone(&self) -> Result<Away> {
        self.away(&["apiserver", "stop"], &["apiserver", "start"])
    }

    /// It holds its connections and answers nothing.
    pub fn api_server_frozen(&self) -> Result<Away> {
        self.away(&["apiserver", "freeze"], &["apiserver", "thaw"])
    }

    fn away(&self, gone: &[&str], back: &[&str]) -> Result<Away> {
        // Made first: what fails half-way is put back as well.
        let away = Away { machine: self.clone(), back: back.iter().map(|&word| word.to_owned()).collect() };
        self.run(gone)?;
        Ok(away)
    }

    fn run(&self, words: &[&str]) -> Result<()> {
        let output = Command::new(&self.runner).arg("e2e").args(words).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}", words.join(" "), told.trim());
        Ok(())
    }

    /// `kill -9` of every process called `program` in a pod of the scene.
    pub fn kill(&self, scene: &Scene, pod: &str, program: &str) -> Result<()> {
        let uid = scene.kubectl(&["get", "pod", pod, "-o", "jsonpath={.metadata.uid}"])?;
        let pids = processes(&format!("pod{uid}"), program)?;
        ensure!(!pids.is_empty(), "{pod} has no process {program}");
        let status = Command::new("kill").arg("-9").args(&pids).status()?;
        ensure!(status.success(), "kill -9 {pids:?}: {status}");
        Ok(())
    }

    /// Empties the disk behind a claim, as a machine that comes back with a new one.
    pub fn wipe(&self, scene: &Scene, claim: &str) -> Result<()> {
        let volume = json(&["get", "pv", &volume_of(scene, claim)?])?;
        let path = at(&volume, "/spec/local/path")?.as_str().map(PathBuf::from).context("a path")?;
        for entry in fs::read_dir(&path)?.flatten() {
            fs::remove_dir_all(entry.path()).with_context(|| format!("empty {}", path.display()))?;
        }
        Ok(())
    }

    /// Takes the volume behind a claim away for good, as a storage system that has lost it: the claim is `Lost`.
    pub fn lose(&self, scene: &Scene, claim: &str) -> Result<()> {
        self.wipe(scene, claim)?;
        let volume = volume_of(scene, claim)?;
        kubectl(&["delete", "pv", &volume, "--wait=false"])?;
        kubectl(&["patch", "pv", &volume, "--type=merge", "--patch", r#"{"metadata":{"finalizers":null}}"#]).map(drop)
    }
}

fn volume_of(scene: &Scene, claim: &str) -> Result<String> {
    scene.kubectl(&["get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}"])
}

/// Processes of a pod, by the name of its control group.
fn processes(group: &str, program: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().filter(|name| name.parse::<u32>().is_ok()).map(str::to_owned) else {
            continue;
        };
        // Processes end while they are looked at.
        let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if read("comm").trim() == program && read("cgroup").contains(group) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Waits until Kubernetes holds a node to be ready, or not to be.
pub fn wait_node(node: &str, ready: bool) -> Result<()> {
    until(&format!("{node} is held to be {}", if ready { "ready" } else { "lost" }), PATIENCE, || {
        let answer = json(&["get", "node", node])?;
        let conditions = at(&answer, "/status/conditions")?.as_array().cloned().unwrap_or_default();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        ensure!(conditions.iter().any(is_ready) == ready, "its conditions are {conditions:?}");
        Ok(())
    })
}
