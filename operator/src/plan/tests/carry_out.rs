//! Carries a step out as Kubernetes and coordd do, fences and all, and judges it by what is true.
//!
//! Rule: `Err` is a refusal, as a late step meets it; a panic is a broken law. Reason: the plan may be late, and then
//! the fence has to hold; but what goes through the fence must never have cost a quorum.

use super::sim::{Disk, Ensemble, Identity, Sim, name};
use crate::step::{Doomed, Grace, Record, RemoveReason, Step, Target};

type Done = Result<(), String>;

impl Sim {
    pub(super) fn carry_out(&mut self, step: &Step) -> Done {
        match step {
            Step::Record(Record::Bootstrap(record)) => {
                let founded = self.bootstrap.as_ref().and_then(|before| before.ensemble_id.clone());
                let again = founded.is_none() || founded == record.ensemble_id;
                assert!(again, "another ensemble is recorded");
                self.bootstrap = Some(record.clone());
            }
            Step::Record(Record::Recovery(record)) => self.recovery = Some(record.clone()),
            Step::SetReplicas { from, to, resource_version, .. } => self.set_replicas(*from, *to, resource_version)?,
            Step::Bootstrap { founder, seats } => {
                let names: Vec<_> = seats.iter().map(|seat| seat.name.clone()).collect();
                self.found(founder, &names)?;
            }
            Step::AddLearner { leader, pod, membership_index, .. } => self.add(leader, pod, *membership_index)?,
            Step::Promote { leader, id, membership_index, .. } => self.promote(leader, *id, *membership_index)?,
            Step::Remove { leader, id, membership_index, why, .. } => {
                self.remove(leader, *id, *membership_index, *why)?;
            }
            Step::TransferLeader { leader, to, .. } => {
                let index = self.leading(leader)?;
                let ensemble = self.ensembles[index].clone();
                if !self.is_well(&ensemble, *to) {
                    return Err("the target is down".into());
                }
                self.ensembles[index].leader = Some(*to);
                self.ensembles[index].term += 1;
            }
            Step::DeletePod { pod, grace, .. } => self.delete_pod(pod, *grace)?,
            Step::DeleteClaim { claim, .. } => self.delete_claim(claim)?,
            Step::Recover { survivor, ensemble_id } => self.recover(survivor, ensemble_id)?,
        }
        Ok(())
    }

    fn set_replicas(&mut self, from: i32, to: i32, version: &str) -> Done {
        let (replicas, present) = self.set.ok_or("no StatefulSet")?;
        if present.to_string() != version {
            return Err("conflict".into());
        }
        assert_eq!(replicas, from);
        if to < from && !self.spec.hibernate {
            for ensemble in self.living() {
                let lost = ensemble.members.iter().filter_map(|(_, member, _)| name().ordinal_of(member));
                let lost = lost.filter(|ordinal| *ordinal >= to).count();
                assert_eq!(lost, 0, "a pod is taken from a member of {}", ensemble.id);
            }
        }
        let version = self.next();
        self.set = Some((to, version));
        Ok(())
    }

    /// Ensembles that have a member alive.
    fn living(&self) -> Vec<Ensemble> {
        let alive = |ensemble: &&Ensemble| ensemble.members.iter().any(|(id, ..)| self.is_well(ensemble, *id));
        self.ensembles.iter().filter(alive).cloned().collect()
    }

    fn found(&mut self, founder: &Target, seats: &[String]) -> Done {
        let record = self.bootstrap.clone().expect("nothing is founded before it is recorded");
        let ordinals: Vec<i32> = seats.iter().map(|seat| name().ordinal_of(seat).unwrap()).collect();
        assert_eq!(founder.pod, seats[0]);
        if !ordinals.iter().all(|ordinal| self.runs(*ordinal)) {
            return Err("a member does not answer".into());
        }
        let founder_disk = self.claims[&ordinals[0]].disk.clone();
        if founder_disk.position > 0 {
            return Ok(());
        }
        assert!(record.ensemble_id.is_none(), "an ensemble is founded twice");
        if ordinals.iter().any(|ordinal| self.claims[ordinal].disk.identity.is_some()) {
            return Err("a member belongs to an ensemble already".into());
        }
        assert!(self.ensembles.iter().all(|one| one.commit == 0), "an ensemble is founded beside another");
        let id = format!("e{}", self.next());
        self.founded += 1;
        let mut members = Vec::new();
        for (node, ordinal) in (1..).zip(&ordinals) {
            let identity = Some(Identity { ensemble: id.clone(), node });
            self.claims.get_mut(ordinal).unwrap().disk = Disk { identity, position: 1 };
            members.push((node, name().pod(*ordinal), true));
        }
        self.ensembles.push(Ensemble { id, members, index: 1, commit: 1, term: 1, leader: Some(1) });
        Ok(())
    }

    /// The ensemble that `leader` leads, if a majority is with it.
    fn leading(&self, leader: &Target) -> Result<usize, String> {
        let ordinal = name().ordinal_of(&leader.pod).unwrap();
        let own = self.identity(ordinal).ok_or("the leader does not answer")?.clone();
        let led = |one: &Ensemble| one.id == own.ensemble && one.leader == Some(own.node);
        let index = self.ensembles.iter().position(led).ok_or("not the leader")?;
        let ensemble = &self.ensembles[index];
        let voters = ensemble.members.iter().filter(|(.., votes)| *votes).count();
        if self.well_voters(ensemble, None) <= voters / 2 {
            return Err("no quorum".into());
        }
        Ok(index)
    }

    fn fenced(&self, leader: &Target, planned_on: u64) -> Result<usize, String> {
        let index = self.leading(leader)?;
        if self.ensembles[index].index != planned_on {
            return Err("moved".into());
        }
        Ok(index)
    }

    fn add(&mut self, leader: &Target, pod: &str, planned_on: u64) -> Done {
        let index = self.fenced(leader, planned_on)?;
        let ordinal = name().ordinal_of(pod).unwrap();
        if !self.runs(ordinal) {
            return Err("it does not answer".into());
        }
        let disk = &self.claims[&ordinal].disk;
        if disk.identity.is_some() || disk.position > 0 {
            return Err("its disk must be emptied".into());
        }
        let node = 100 + self.next();
        let ensemble = &mut self.ensembles[index];
        ensemble.members.push((node, pod.to_owned(), false));
        (ensemble.index, ensemble.commit) = (ensemble.index + 1, ensemble.commit + 1);
        let identity = Some(Identity { ensemble: ensemble.id.clone(), node });
        self.claims.get_mut(&ordinal).unwrap().disk = Disk { identity, position: 0 };
        Ok(())
    }

    fn promote(&mut self, leader: &Target, id: u64, planned_on: u64) -> Done {
        let index = self.fenced(leader, planned_on)?;
        if !self.is_well(&self.ensembles[index].clone(), id) {
            return Err("it has not caught up".into());
        }
        let ensemble = &mut self.ensembles[index];
        let member = ensemble.members.iter_mut().find(|(one, ..)| *one == id).ok_or("no member")?;
        member.2 = true;
        ensemble.index += 1;
        assert!(ensemble.members.iter().filter(|(.., votes)| *votes).count() <= 7);
        Ok(())
    }

    fn remove(&mut self, leader: &Target, id: u64, planned_on: u64, why: RemoveReason) -> Done {
        let index = self.fenced(leader, planned_on)?;
        let before = self.ensembles[index].clone();
        assert_ne!(before.leader, Some(id), "the leader is removed");
        let voter = before.members.iter().any(|(one, _, votes)| *one == id && *votes);
        let margin = |ensemble: &Ensemble| {
            let voters = ensemble.members.iter().filter(|(.., votes)| *votes).count();
            self.well_voters(ensemble, None) as i64 - (voters as i64 / 2 + 1)
        };
        let mut after = before.clone();
        after.members.retain(|(one, ..)| *one != id);
        after.index += 1;
        if voter {
            assert!(margin(&after) >= 0, "a removal leaves no majority");
            let restores = why == RemoveReason::Replaced;
            assert!(!restores || margin(&after) >= margin(&before), "a replacement costs margin");
        }
        self.ensembles[index] = after;
        Ok(())
    }

    /// Whether stopping the member of this ordinal costs its ensemble the majority that it has.
    fn judge_stop(&self, ordinal: i32, what: &str) {
        let Some(own) = self.identity(ordinal) else { return };
        let Some(ensemble) = self.ensembles.iter().find(|one| one.id == own.ensemble) else { return };
        let voters = ensemble.members.iter().filter(|(.., votes)| *votes).count();
        let voter = ensemble.members.iter().any(|(id, _, votes)| *id == own.node && *votes);
        let well = self.well_voters(ensemble, None);
        let others = self.well_voters(ensemble, Some(own.node));
        let had = well > voters / 2;
        let keeps = others > voters / 2 || (voters <= 2 && others + 1 == voters);
        assert!(!voter || !had || keeps, "{what} {ordinal} leaves {others} of {voters} voters");
    }

    fn delete_pod(&mut self, doomed: &Doomed, grace: Grace) -> Done {
        let ordinal = name().ordinal_of(&doomed.name).unwrap();
        let pod = self.pods.get(&ordinal).ok_or("no pod")?;
        if pod.uid.to_string() != doomed.uid || pod.version.to_string() != doomed.resource_version {
            return Err("conflict".into());
        }
        self.judge_stop(ordinal, "restarting");
        if grace == Grace::None {
            assert!(pod.node.is_none_or(|node| !self.nodes[node].up), "a pod is forced away from a node that is well");
            self.pods.remove(&ordinal);
        } else {
            let now = self.now;
            self.pods.get_mut(&ordinal).unwrap().deleting.get_or_insert(now);
        }
        Ok(())
    }

    fn delete_claim(&mut self, doomed: &Doomed) -> Done {
        let ordinal = name().ordinal_of_claim(&doomed.name).unwrap();
        let claim = self.claims.get(&ordinal).ok_or("no claim")?;
        if claim.uid.to_string() != doomed.uid || claim.version.to_string() != doomed.resource_version {
            return Err("conflict".into());
        }
        assert!(claim.ours, "a claim of somebody else is deleted");
        if let Some(own) = &claim.disk.identity
            && let Some(ensemble) = self.ensembles.iter().find(|one| one.id == own.ensemble)
            && self.current().is_some_and(|current| current.id == ensemble.id)
            && ensemble.members.iter().any(|(id, _, votes)| *id == own.node && *votes)
        {
            let voters = ensemble.members.iter().filter(|(.., votes)| *votes).count();
            let others = self.well_voters(ensemble, Some(own.node));
            assert!(others > voters / 2, "the disk of a voter is given up and {others} of {voters} are left");
        }
        self.claims.get_mut(&ordinal).unwrap().deleting = true;
        Ok(())
    }

    fn recover(&mut self, survivor: &Target, from: &str) -> Done {
        assert!(self.orders.recover.is_some(), "a quorum is given up without an order");
        assert!(self.recovery.is_some(), "a quorum is given up before that is recorded");
        let ordinal = name().ordinal_of(&survivor.pod).unwrap();
        let own = self.identity(ordinal).ok_or("it does not answer")?.clone();
        if own.ensemble != from {
            return Err("another ensemble".into());
        }
        let id = format!("e{}", self.next());
        let position = self.claims[&ordinal].disk.position;
        let identity = Some(Identity { ensemble: id.clone(), node: own.node });
        self.claims.get_mut(&ordinal).unwrap().disk.identity = identity;
        let members = vec![(own.node, survivor.pod.clone(), true)];
        self.ensembles.push(Ensemble { id, members, index: 1, commit: position, term: 1, leader: None });
        Ok(())
    }
}
