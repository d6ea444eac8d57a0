//! An ensemble in a scene: its members' names, who leads, and where clients go.

use anyhow::{Context, Result, ensure};
use coordd_api::EnsembleView;

use crate::scene::{PATIENCE, Scene};

const STATIC: &str = include_str!("../manifests/static.yaml");

/// Members of a StatefulSet.
#[derive(Debug)]
pub struct Ensemble<'a> {
    pub scene: &'a Scene,
    /// Of the StatefulSet.
    name: String,
    /// The headless Service.
    peers: String,
    /// What clients are told.
    pub service: String,
}

impl<'a> Ensemble<'a> {
    /// Three members of a plain StatefulSet, all ready.
    pub fn plain(scene: &'a Scene) -> Result<Self> {
        scene.apply(STATIC, &[])?;
        let [name, peers, service] = ["coordd", "coordd-peers", "coordd"].map(str::to_owned);
        let ensemble = Ensemble { scene, name, peers, service };
        ensemble.wait_ready(3)?;
        Ok(ensemble)
    }

    pub fn wait_ready(&self, members: usize) -> Result<()> {
        let statefulset = format!("statefulset/{}", self.name);
        self.scene.wait(&statefulset, &format!("jsonpath={{.status.readyReplicas}}={members}"), PATIENCE)
    }

    pub fn pods(&self) -> Result<Vec<String>> {
        let answer = self.scene.json(&["get", "statefulset", &self.name])?;
        let replicas = answer.pointer("/spec/replicas").and_then(serde_json::Value::as_u64).context("replicas")?;
        Ok((0..replicas).map(|ordinal| format!("{}-{ordinal}", self.name)).collect())
    }

    /// Where clients reach each member.
    pub fn members(&self) -> Result<Vec<String>> {
        Ok(self.pods()?.iter().map(|pod| format!("{pod}.{}:2181", self.peers)).collect())
    }

    /// What a member says of the ensemble.
    pub fn view(&self, pod: &str) -> Result<EnsembleView> {
        Ok(serde_json::from_str(&self.scene.http(pod, 8080, "v1/ensemble")?)?)
    }

    /// The pod that leads.
    pub fn leader(&self) -> Result<String> {
        let pods = self.pods()?;
        self.scene.until("a leader", PATIENCE, || {
            let views: Vec<EnsembleView> = pods.iter().filter_map(|pod| self.view(pod).ok()).collect();
            let view = views.iter().max_by_key(|view| view.term).context("no member answers")?;
            let leader = view.members.iter().find(|member| Some(member.id) == view.leader);
            let name = leader.map(|member| member.name.clone()).context("nobody leads")?;
            ensure!(pods.contains(&name), "{name} leads and is no pod");
            Ok(name)
        })
    }
}
