//! Clients at work inside the cluster, and what they saw.
//!
//! ```text
//!   pod `load` (coordd-versus clients) ◄── status, mark, finish, history ── API server ── this
//! ```
//!
//! Rule: say `mark` before a blow and `finish` once. Reason: pauses are counted from the mark, and a history without a
//! last look at each member proves little.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use coordd_versus::clients::verdict::{Progress, Verdict};

use crate::ensemble::Ensemble;
use crate::scene::{PATIENCE, Scene, until};

const LOAD: &str = include_str!("../manifests/load.yaml");
const PORT: u16 = 7000;
/// So much must have been acknowledged since the last mark for a pause to mean something.
const FLOW: usize = 200;

/// How long a long history may take to be checked.
const JUDGING: Duration = Duration::from_secs(600);
/// How long the clients may take to fill the tree before they work.
const FILLING: Duration = Duration::from_secs(900);

/// The clients.
#[derive(Debug)]
pub struct Load<'a> {
    scene: &'a Scene,
}

impl<'a> Load<'a> {
    /// Clients of the ensemble's Service and of each of its members, anywhere in the cluster.
    pub fn start(ensemble: &Ensemble<'a>) -> Result<Self> {
        Load::put(ensemble, "", 0)
    }

    /// The same, in a tree with so many more znodes.
    pub fn start_among(ensemble: &Ensemble<'a>, znodes: usize) -> Result<Self> {
        Load::put(ensemble, "", znodes)
    }

    /// The same, on this node.
    pub fn start_on(ensemble: &Ensemble<'a>, node: &str) -> Result<Self> {
        Load::put(ensemble, &format!("nodeName: {node}"), 0)
    }

    fn put(ensemble: &Ensemble<'a>, node: &str, znodes: usize) -> Result<Self> {
        let mut servers = ensemble.members()?;
        servers.push(format!("{}:2181", ensemble.name));
        let values = [("SERVERS", servers.join(",")), ("NODE", node.to_owned()), ("ZNODES", znodes.to_string())];
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ensemble.scene.kubectl(&["delete", "pod", "load", "--ignore-not-found"])?;
        ensemble.scene.apply(LOAD, &values)?;
        ensemble.scene.wait("pod/load", "condition=Ready", if znodes > 0 { FILLING } else { PATIENCE })?;
        let load = Load { scene: ensemble.scene };
        load.flows()?;
        Ok(load)
    }

    fn ask(&self, path: &str) -> Result<String> {
        self.scene.http("load", PORT, path, JUDGING).context("ask the clients")
    }

    fn progress(&self, path: &str) -> Result<Progress> {
        Ok(serde_json::from_str(&self.ask(path)?)?)
    }

    /// Says what is about to be done, while clients are served; each time another name.
    pub fn mark(&self, what: &str) -> Result<()> {
        self.flows()?;
        self.progress(&format!("mark/{what}")).map(drop)
    }

    /// Waits until clients have been served for a while from now on.
    pub fn flows(&self) -> Result<()> {
        let status = || self.progress("status");
        let before = until("the clients answer", PATIENCE, status)?.acknowledged;
        until("clients are served", PATIENCE, || {
            let now = self.progress("status")?.acknowledged;
            ensure!(now >= before + FLOW, "{} calls acknowledged", now - before);
            Ok(())
        })
    }

    /// Ends the clients, has each of these members looked at, and fails when a promise was broken.
    pub fn finish(self, members: &[String]) -> Result<Verdict> {
        self.flows()?;
        let verdict: Verdict = serde_json::from_str(&self.ask(&format!("finish/{}", members.join(",")))?)?;
        for blow in &verdict.blows {
            println!("      {}: {} ms without a write", blow.what, blow.pause_ms);
        }
        println!(
            "      clients: {} calls acknowledged in {} s, {} of unknown outcome, {} events, {} sessions lost",
            verdict.acknowledged, verdict.seconds, verdict.unknown, verdict.events, verdict.sessions_lost
        );
        if !verdict.broken.is_empty() {
            let kept = self.scene.kept.join("history.json");
            fs::write(&kept, self.ask("history")?)?;
            verdict.examples.iter().for_each(|example| println!("      {example}"));
            println!("      `coordd-versus check {}` says more", kept.display());
        }
        ensure!(verdict.broken.is_empty(), "broken promises: {:?}", verdict.broken);
        ensure!(verdict.sessions_lost == 0, "{} sessions were lost that were to be kept", verdict.sessions_lost);
        Ok(verdict)
    }
}
