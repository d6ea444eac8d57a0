//! Random worlds, faults and specs: the laws that hold in all of them.
//!
//! ```text
//!   [fault, passes in some manner]*  ─►  faults end  ─►  it comes to rest as the spec wants it
//! ```
//!
//! Rule: the laws themselves (never below a majority, nothing founded twice, nothing of others touched, no leader
//! removed, fences) are judged in `carry_out`, at every step of every life; that nothing is shown as ready which is
//! not, and all that is in the end, is judged here at every look. Reason: a law that is asserted in one place holds in
//! every test.

use proptest::prelude::*;

use super::super::Plan;
use super::sim::{Ensemble, Sim, SimNode, name};
use crate::crd::{ClusterStatus, RetentionPolicy, condition};
use crate::status::{Scene, status};
use crate::step::Step;
use crate::world::{Moment, Orders};

#[derive(Clone, Debug)]
enum Fault {
    PodDeleted(i32),
    NodeDown(usize),
    NodeUp(usize),
    DiskLost(i32),
    ClaimUnlinked(i32),
    Silent(i32, bool),
    Template { bad: bool },
    Replicas(i32),
    SetByHand(i32),
    Hibernate(bool),
    Paused(bool),
    Retain(bool),
    Blind(bool),
    Replace(u64),
    LongTime,
}

/// How the operator fares while it works on.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Well,
    /// Dies before each step, every other time.
    DiesBefore,
    /// Loses the answer and asks again.
    Twice,
    /// A second operator carries out, late, what it had planned before the first one worked.
    Doubled,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => (0..7).prop_map(Fault::PodDeleted),
        3 => (0..8usize).prop_map(Fault::NodeDown),
        3 => (0..8usize).prop_map(Fault::NodeUp),
        4 => (0..7).prop_map(Fault::DiskLost),
        1 => (0..7).prop_map(Fault::ClaimUnlinked),
        2 => (0..7, any::<bool>()).prop_map(|(ordinal, silent)| Fault::Silent(ordinal, silent)),
        3 => prop::bool::weighted(0.3).prop_map(|bad| Fault::Template { bad }),
        4 => (1..=7).prop_map(Fault::Replicas),
        1 => (0..=7).prop_map(Fault::SetByHand),
        1 => any::<bool>().prop_map(Fault::Hibernate),
        1 => any::<bool>().prop_map(Fault::Paused),
        1 => any::<bool>().prop_map(Fault::Retain),
        1 => any::<bool>().prop_map(Fault::Blind),
        1 => (1..7u64).prop_map(Fault::Replace),
        2 => Just(Fault::LongTime),
    ]
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::Well), Just(Manner::DiesBefore), Just(Manner::Twice), Just(Manner::Doubled)]
}

impl Sim {
    /// Whether every ensemble can bear the loss of the disk of `ordinal`.
    fn can_lose(&self, ordinal: i32) -> bool {
        let Some(own) = self.claims.get(&ordinal).and_then(|claim| claim.disk.identity.clone()) else { return true };
        let Some(ensemble) = self.ensembles.iter().find(|one| one.id == own.ensemble) else { return true };
        let votes = |id: u64| ensemble.members.iter().any(|(one, _, votes)| *one == id && *votes);
        let whole = |ensemble: &Ensemble| {
            let disks =
                self.claims.iter().filter(|(other, claim)| **other != ordinal && !claim.deleting && !claim.unlinked);
            let disks = disks.filter_map(|(_, claim)| Some((claim.disk.identity.as_ref()?, claim.disk.position)));
            disks.filter(|(id, at)| id.ensemble == ensemble.id && votes(id.node) && *at == ensemble.commit).count()
        };
        let voters = ensemble.members.iter().filter(|(.., votes)| *votes).count();
        whole(ensemble) > voters / 2
    }

    fn strike(&mut self, fault: &Fault) {
        let now = self.now;
        match *fault {
            Fault::PodDeleted(ordinal) => {
                if let Some(pod) = self.pods.get_mut(&ordinal) {
                    pod.deleting.get_or_insert(now);
                }
            }
            Fault::NodeDown(node) if self.nodes[node].up => self.nodes[node] = SimNode { up: false, since: now },
            Fault::NodeUp(node) if !self.nodes[node].up => self.nodes[node] = SimNode { up: true, since: now },
            Fault::NodeDown(_) | Fault::NodeUp(_) => {}
            Fault::DiskLost(ordinal) => {
                let up = self.pods.get(&ordinal).and_then(|pod| pod.node).is_none_or(|node| self.nodes[node].up);
                if self.can_lose(ordinal) && up {
                    self.claims.remove(&ordinal);
                    self.pods.remove(&ordinal);
                }
            }
            Fault::ClaimUnlinked(ordinal) if self.can_lose(ordinal) && self.pods.contains_key(&ordinal) => {
                if let Some(claim) = self.claims.get_mut(&ordinal) {
                    claim.unlinked = true;
                }
            }
            Fault::ClaimUnlinked(_) => {}
            Fault::Silent(ordinal, silent) => {
                if let Some(pod) = self.pods.get_mut(&ordinal) {
                    pod.silent = silent;
                }
            }
            Fault::Template { bad } => {
                self.revision += 1;
                if bad {
                    self.bad.push(self.revision);
                }
            }
            Fault::Replicas(replicas) => self.spec.replicas = replicas,
            Fault::SetByHand(replicas) => {
                let version = self.next();
                self.set = self.set.map(|_| (replicas, version));
            }
            Fault::Hibernate(on) => self.spec.hibernate = on,
            Fault::Paused(on) => self.spec.paused = on,
            Fault::Retain(on) => {
                let policy = if on { RetentionPolicy::Retain } else { RetentionPolicy::Delete };
                self.spec.storage.retention.when_scaled = policy;
            }
            Fault::Blind(on) => self.nodes_visible = !on,
            Fault::Replace(id) => self.orders.replace = Some(Ok(id)),
            Fault::LongTime => self.now += 700_000,
        }
    }

    /// What is shown at the end.
    fn work(&mut self, manner: Manner, passes: usize) -> ClusterStatus {
        let mut late: Option<Step> = None;
        let mut shown = ClusterStatus::default();
        for pass in 0..passes {
            let plan = self.plan();
            assert_eq!(plan, self.plan(), "a plan is of the world alone");
            shown = self.show(&plan, &shown);
            assert!(!is_ready(&shown) || self.spec.paused || self.is_whole(), "shown as ready: {plan:#?}\n{self:#?}");
            self.apply(&plan);
            match (manner, &plan.step) {
                (_, None) => {}
                (Manner::Well, Some(step)) => drop(self.carry_out(step)),
                (Manner::DiesBefore, Some(step)) => {
                    if pass % 2 == 1 {
                        drop(self.carry_out(step));
                    }
                }
                (Manner::Twice, Some(step)) => {
                    drop(self.carry_out(step));
                    drop(self.carry_out(step));
                }
                (Manner::Doubled, Some(step)) => {
                    drop(self.carry_out(step));
                    if let Some(late) = late.replace(step.clone()).filter(is_fenced_by_the_ensemble) {
                        drop(self.carry_out(&late));
                    }
                }
            }
            self.tick(2_000);
        }
        shown
    }

    fn show(&self, plan: &Plan, before: &ClusterStatus) -> ClusterStatus {
        let (world, now) = (self.world(), Moment(self.now));
        status(&Scene { spec: &self.spec, generation: 1, before, world: &world, plan, now })
    }

    /// Whether there are as many voters as the spec wants, all of them well and made from the newest template.
    fn is_whole(&self) -> bool {
        let Some(ensemble) = self.current() else { return false };
        let wanted = usize::try_from(self.spec.replicas).unwrap();
        let newest = |(_, pod, votes): &(u64, String, bool)| {
            let pod = name().ordinal_of(pod).and_then(|ordinal| self.pods.get(&ordinal));
            *votes && pod.is_some_and(|pod| pod.revision == self.revision)
        };
        self.well_voters(ensemble, None) == wanted
            && ensemble.members.len() == wanted
            && ensemble.members.iter().all(newest)
    }

    /// Everything that was broken is well again, and the user wants a plain ensemble.
    fn calm(&mut self) {
        for node in &mut self.nodes {
            *node = SimNode { up: true, since: self.now };
        }
        for pod in self.pods.values_mut() {
            pod.silent = false;
        }
        self.nodes_visible = true;
        self.orders = Orders::default();
        (self.spec.hibernate, self.spec.paused) = (false, false);
        self.revision += 1;
    }
}

fn is_ready(shown: &ClusterStatus) -> bool {
    shown.conditions.iter().any(|one| one.type_ == condition::READY && one.status == "True")
}

/// Restarts and volumes are fenced by the lease alone: two operators that both believe to lead could stop two members.
fn is_fenced_by_the_ensemble(step: &Step) -> bool {
    matches!(
        step,
        Step::AddLearner { .. }
            | Step::Promote { .. }
            | Step::Remove { .. }
            | Step::SetReplicas { .. }
            | Step::Bootstrap { .. }
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_keeps_the_laws_and_comes_to_rest(
        first in 1..=7i32,
        life in prop::collection::vec((fault(), manner(), 0..40usize), 0..25),
    ) {
        let mut sim = Sim::new(first);
        for (fault, manner, passes) in &life {
            sim.work(*manner, *passes);
            sim.strike(fault);
            sim.tick(500);
        }
        sim.calm();
        let shown = sim.work(Manner::Well, 600);
        prop_assert!(sim.is_settled(), "{:#?}\n{:#?}", sim.plan(), sim);
        prop_assert!(is_ready(&shown), "{:#?}", shown);
        prop_assert_eq!(sim.founded, 1);
    }
}
