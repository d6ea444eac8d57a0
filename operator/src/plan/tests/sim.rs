//! A small Kubernetes with a small ensemble, for whole lives of a cluster in microseconds.
//!
//! ```text
//!   plan ─► step ─► Sim::carry_out (fenced as the real ones are, and judged) ─► Sim::tick ─► Sim::world ─► plan …
//! ```
//!
//! Rule: what is true (disks, votes, who runs) is kept apart from what the operator sees (answers, node conditions).
//! Reason: the laws are about the truth; a plan that is right only about what it sees may be wrong about that.

use std::collections::BTreeMap;

use super::super::*;
use crate::crd::{Bootstrap, Recovery};
use crate::names::ClusterName;
use crate::world::*;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    pub ensemble: String,
    pub node: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub identity: Option<Identity>,
    /// How much of the log it holds.
    pub position: u64,
}

#[derive(Clone, Debug)]
pub(super) struct SimPod {
    pub uid: u64,
    pub version: u64,
    pub revision: u64,
    pub created: i64,
    pub deleting: Option<i64>,
    pub node: Option<usize>,
    pub ready_since: Option<i64>,
    pub unready_since: Option<i64>,
    pub waiting_since: i64,
    /// The operator cannot reach it.
    pub silent: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SimClaim {
    pub uid: u64,
    pub version: u64,
    pub disk: Disk,
    pub node: Option<usize>,
    pub deleting: bool,
    /// Gone from Kubernetes; the pod that runs has the disk as long as it lives.
    pub unlinked: bool,
    pub ours: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SimNode {
    pub up: bool,
    pub since: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Ensemble {
    pub id: String,
    /// (id, pod name, votes).
    pub members: Vec<(u64, String, bool)>,
    pub index: u64,
    pub commit: u64,
    pub term: u64,
    pub leader: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Sim {
    pub spec: CoordinationClusterSpec,
    pub orders: Orders,
    pub deleting: bool,
    pub bootstrap: Option<Bootstrap>,
    pub recovery: Option<Recovery>,
    pub feature_level: Option<u32>,
    pub set: Option<(i32, u64)>,
    /// Revision of the newest template; those in `bad` cannot run.
    pub revision: u64,
    pub bad: Vec<u64>,
    pub pods: BTreeMap<i32, SimPod>,
    pub claims: BTreeMap<i32, SimClaim>,
    pub nodes: Vec<SimNode>,
    pub nodes_visible: bool,
    pub ensembles: Vec<Ensemble>,
    pub now: i64,
    pub serial: u64,
    pub founded: u32,
}

pub(super) fn name() -> ClusterName {
    ClusterName::new("shop", "orders")
}

pub(super) fn operator() -> Operator {
    Operator {
        default_version: "0.1.0".into(),
        image_repository: "coordd/coordd".into(),
        versions: vec![("0.1.0".into(), 1), ("0.2.0".into(), 2)],
    }
}

impl Sim {
    pub(super) fn new(replicas: i32) -> Sim {
        let spec = CoordinationClusterSpec { replicas, ..CoordinationClusterSpec::default() };
        Sim {
            spec,
            orders: Orders::default(),
            deleting: false,
            bootstrap: None,
            recovery: None,
            feature_level: None,
            set: None,
            revision: 1,
            bad: Vec::new(),
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            nodes: vec![SimNode { up: true, since: 0 }; 8],
            nodes_visible: true,
            ensembles: Vec::new(),
            now: 1_000_000,
            serial: 1,
            founded: 0,
        }
    }

    /// One that has come to rest.
    pub(super) fn settled(replicas: i32) -> Sim {
        let mut sim = Sim::new(replicas);
        sim.run(100);
        assert!(sim.is_settled(), "{:?}", sim.plan());
        sim
    }

    pub(super) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.spec, &self.world(), &operator(), Moment(self.now))
    }

    /// Looks, decides, has it done and lets time pass, so many times; the names of the steps.
    pub(super) fn run(&mut self, passes: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..passes {
            let plan = self.plan();
            self.apply(&plan);
            if let Some(step) = plan.step {
                self.carry_out(&step).unwrap_or_else(|why| panic!("{step}: {why}"));
                steps.push(step);
            }
            self.tick(2_000);
        }
        steps
    }

    /// Whether all is as the spec wants it, in truth and in the operator's eyes.
    pub(super) fn is_settled(&self) -> bool {
        let plan = self.plan();
        let Some(ensemble) = self.current() else { return false };
        let voters = ensemble.members.iter().filter(|(_, _, votes)| *votes).count();
        plan.step.is_none()
            && plan.operation.is_none()
            && plan.holds.iter().all(|hold| hold.reason == Reason::EvenReplicas)
            && voters == usize::try_from(self.spec.replicas).unwrap()
            && ensemble.members.len() == voters
            && self.pods.len() == voters
            && self.pods.values().all(|pod| pod.revision == self.revision)
    }

    pub(super) fn current(&self) -> Option<&Ensemble> {
        let founded = self.bootstrap.as_ref()?.ensemble_id.clone()?;
        let id = self.recovery.clone().map_or(founded, |recovery| recovery.to.unwrap_or(recovery.from));
        self.ensembles.iter().find(|ensemble| ensemble.id == id)
    }

    /// What is written besides the step: the StatefulSet comes to be with its first number of pods, and the level that
    /// the ensemble uses is recorded.
    pub(super) fn apply(&mut self, plan: &Plan) {
        self.feature_level = used(&self.world());
        if let Children::All { replicas, .. } = &plan.children
            && self.set.is_none()
        {
            assert!(self.bootstrap.is_some(), "no pod before the bootstrap is recorded");
            let version = self.next();
            self.set = Some((*replicas, version));
        }
    }

    /// Whether a pod's process runs.
    pub(super) fn runs(&self, ordinal: i32) -> bool {
        let Some(pod) = self.pods.get(&ordinal) else { return false };
        let node_up = pod.node.is_some_and(|node| self.nodes[node].up);
        node_up && !self.bad.contains(&pod.revision) && self.now - pod.created >= 1_000 && pod.deleting.is_none()
    }

    /// The member that runs on a pod, if its disk has an identity.
    pub(super) fn identity(&self, ordinal: i32) -> Option<&Identity> {
        self.claims.get(&ordinal).filter(|_| self.runs(ordinal))?.disk.identity.as_ref()
    }

    /// Whether this member of an ensemble runs and has all that was acknowledged.
    pub(super) fn is_well(&self, ensemble: &Ensemble, id: u64) -> bool {
        self.claims.iter().any(|(ordinal, claim)| {
            let same = claim.disk.identity.as_ref().is_some_and(|own| own.ensemble == ensemble.id && own.node == id);
            same && self.runs(*ordinal) && claim.disk.position == ensemble.commit
        })
    }

    pub(super) fn well_voters(&self, ensemble: &Ensemble, except: Option<u64>) -> usize {
        let voters = ensemble.members.iter().filter(|(id, _, votes)| *votes && Some(*id) != except);
        voters.filter(|(id, ..)| self.is_well(ensemble, *id)).count()
    }

    /// Lets Kubernetes and the ensemble do their part for a while.
    pub(super) fn tick(&mut self, millis: i64) {
        self.now += millis;
        self.controller();
        self.elect();
        let now = self.now;
        let ordinals: Vec<i32> = self.pods.keys().copied().collect();
        for ordinal in ordinals {
            let ready = self.runs(ordinal) && self.follows(ordinal);
            let Some(pod) = self.pods.get_mut(&ordinal) else { continue };
            match (ready, pod.ready_since) {
                (true, None) => (pod.ready_since, pod.unready_since) = (Some(now), None),
                (false, Some(_)) => (pod.ready_since, pod.unready_since) = (None, Some(now)),
                _ => {}
            }
        }
    }

    fn follows(&self, ordinal: i32) -> bool {
        let Some(identity) = self.identity(ordinal) else { return false };
        self.ensembles.iter().any(|one| {
            one.id == identity.ensemble
                && one.leader.is_some()
                && one.members.iter().any(|(id, ..)| *id == identity.node)
        })
    }

    /// The StatefulSet's controller, the kubelets and the provisioner.
    fn controller(&mut self) {
        let gone: Vec<i32> = (self.pods.iter())
            .filter(|(_, pod)| pod.deleting.is_some() && pod.node.is_none_or(|node| self.nodes[node].up))
            .map(|(ordinal, _)| *ordinal)
            .collect();
        for ordinal in gone {
            self.pods.remove(&ordinal);
        }
        let pods = self.pods.clone();
        self.claims.retain(|ordinal, claim| !(claim.deleting || claim.unlinked) || pods.contains_key(ordinal));
        let Some((replicas, _)) = self.set else { return };
        let now = self.now;
        for (_, pod) in self.pods.range_mut(replicas..) {
            pod.deleting.get_or_insert(now);
        }
        for ordinal in 0..replicas {
            if !self.claims.contains_key(&ordinal) {
                let (uid, version) = (self.next(), self.next());
                let (disk, node) = (Disk::default(), None);
                let claim = SimClaim { uid, version, disk, node, deleting: false, unlinked: false, ours: true };
                self.claims.insert(ordinal, claim);
            }
            if !self.pods.contains_key(&ordinal) && !self.claims[&ordinal].deleting {
                let pod = self.new_pod();
                self.pods.insert(ordinal, pod);
            }
            self.schedule(ordinal);
        }
    }

    fn new_pod(&mut self) -> SimPod {
        SimPod {
            uid: self.next(),
            version: self.next(),
            revision: self.revision,
            created: self.now,
            deleting: None,
            node: None,
            ready_since: None,
            unready_since: None,
            waiting_since: self.now,
            silent: false,
        }
    }

    /// Finds a node: that of the volume, or one that is up and has no member yet.
    fn schedule(&mut self, ordinal: i32) {
        let Some(pod) = self.pods.get(&ordinal).filter(|pod| pod.node.is_none()) else { return };
        let taken: Vec<usize> = self.pods.values().filter_map(|pod| pod.node).collect();
        let node = match self.claims.get(&ordinal).and_then(|claim| claim.node) {
            Some(node) => Some(node).filter(|node| self.nodes[*node].up),
            None => (0..self.nodes.len()).find(|node| self.nodes[*node].up && !taken.contains(node)),
        };
        let _ = pod;
        if let (Some(pod), Some(node)) = (self.pods.get_mut(&ordinal), node) {
            pod.node = Some(node);
            pod.created = self.now;
            if let Some(claim) = self.claims.get_mut(&ordinal) {
                claim.node = Some(node);
            }
        }
    }

    /// Elects, commits and replicates in every ensemble that has a majority.
    fn elect(&mut self) {
        for index in 0..self.ensembles.len() {
            let ensemble = self.ensembles[index].clone();
            let alive: Vec<(u64, i32)> = (self.claims.keys())
                .filter_map(|ordinal| Some((self.identity(*ordinal)?, *ordinal)))
                .filter(|(own, _)| own.ensemble == ensemble.id)
                .map(|(own, ordinal)| (own.node, ordinal))
                .collect();
            let votes = |id: u64| ensemble.members.iter().any(|(one, _, votes)| *one == id && *votes);
            let voters: Vec<_> = alive.iter().filter(|(id, _)| votes(*id)).collect();
            let all = ensemble.members.iter().filter(|(.., votes)| *votes).count();
            let best = voters.iter().max_by_key(|(_, ordinal)| self.claims[ordinal].disk.position);
            let (Some(best), true) = (best, voters.len() > all / 2) else {
                self.ensembles[index].leader = None;
                continue;
            };
            let leads = ensemble.leader.filter(|id| voters.iter().any(|(one, _)| one == id));
            if leads.is_none() {
                let best = best.0;
                self.ensembles[index].leader = Some(best);
                self.ensembles[index].term += 1;
            }
            let commit = ensemble.commit + 1;
            self.ensembles[index].commit = commit;
            for (id, ordinal) in alive {
                if ensemble.members.iter().any(|(one, ..)| *one == id) {
                    self.claims.get_mut(&ordinal).unwrap().disk.position = commit;
                }
            }
        }
    }
}
