//! A ServiceProjection in a scene: what is ordered of it, and what its status says.
//!
//! Rule: as with a cluster, a scenario orders by the spec alone and waits for the status alone.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::ensemble::{NAME, condition};
use crate::scene::{PATIENCE, Scene, at, until};

#[derive(Debug, Clone)]
pub struct Projection<'a> {
    scene: &'a Scene,
    pub name: String,
}

impl<'a> Projection<'a> {
    /// A projection of the ensemble `NAME`: the other fields of its spec are these.
    pub fn ordered(scene: &'a Scene, name: &str, path: &str, more: &Value) -> Result<Self> {
        let mut spec = json!({"clusterRef": {"name": NAME}, "path": path});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let metadata = json!({"name": name});
        let object = json!({
            "apiVersion": "coordd.dev/v1alpha1", "kind": "ServiceProjection", "metadata": metadata, "spec": spec
        });
        scene.apply(&object.to_string(), &[])?;
        Ok(Projection { scene, name: name.to_owned() })
    }

    /// The same, and all that it writes is written.
    pub fn ready(scene: &'a Scene, name: &str, path: &str, more: &Value) -> Result<Self> {
        let projection = Projection::ordered(scene, name, path, more)?;
        projection.until("Ready", &[("Ready", "True"), ("Synced", "True")])?;
        Ok(projection)
    }

    /// Services `name` and, without an address of its own, `name-each`; what went is gone at once.
    pub fn both_ways(scene: &'a Scene, name: &str, path: &str, format: &str) -> Result<()> {
        for (service, headless) in [(name.to_owned(), false), (format!("{name}-each"), true)] {
            let target = json!({"service": {"ports": [{"name": "http", "port": 80}], "headless": headless}});
            let guards = json!({"emptyPolicy": "Drain"});
            let spec = json!({"format": format, "target": target, "guards": guards});
            Projection::ready(scene, &service, path, &spec)?;
        }
        Ok(())
    }

    pub fn named(scene: &'a Scene, name: &str) -> Self {
        Projection { scene, name: name.to_owned() }
    }

    /// What the operator says of it, once that answers the newest spec.
    pub fn status(&self) -> Result<Value> {
        let object = self.scene.json(&["get", "sp", &self.name])?;
        let generation = at(&object, "/metadata/generation")?;
        ensure!(object.pointer("/status/observedGeneration") == Some(generation), "the spec was not looked at yet");
        Ok(at(&object, "/status")?.clone())
    }

    /// Waits until each of these conditions has that status, or that reason.
    pub fn until(&self, what: &str, conditions: &[(&str, &str)]) -> Result<Value> {
        until(&format!("{}: {what}", self.name), 2 * PATIENCE, || {
            let status = self.status()?;
            for (name, wanted) in conditions {
                let (state, reason) = condition(&status, name);
                ensure!(state == *wanted || reason == *wanted, "{name} is to be {wanted}: {status}");
            }
            Ok(status)
        })
    }

    /// Changes these fields of the spec.
    pub fn change(&self, spec: &Value) -> Result<()> {
        let patch = json!({"spec": spec}).to_string();
        self.scene.kubectl(&["patch", "sp", &self.name, "--type=merge", "--patch", &patch]).map(drop)
    }
}
