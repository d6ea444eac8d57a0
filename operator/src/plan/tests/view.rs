//! What the operator sees of the simulated world.

use super::sim::{Sim, name};
use crate::world::*;

impl Sim {
    pub(super) fn world(&self) -> World {
        let moment = Moment;
        let linked = self.claims.iter().filter(|(_, claim)| !claim.unlinked);
        let claims = linked.map(|(ordinal, claim)| Claim {
            name: name().claim(*ordinal),
            ordinal: *ordinal,
            uid: claim.uid.to_string(),
            resource_version: claim.version.to_string(),
            ours: claim.ours,
            made_for: Some(if claim.ours { "uid" } else { "former" }.to_owned()),
            ensemble: None,
            state: if claim.node.is_some() { ClaimState::Bound } else { ClaimState::Pending },
            deleting: claim.deleting,
            owned: false,
            only_on: Seen::There(claim.node.iter().map(|node| format!("node-{node}")).collect()),
        });
        let nodes = self.nodes.iter().enumerate().map(|(number, node)| Node {
            name: format!("node-{number}"),
            zone: None,
            addresses: Vec::new(),
            state: if node.up { NodeState::Ready } else { NodeState::NotReady { since: moment(node.since) } },
        });
        World {
            name: name(),
            uid: "uid".into(),
            deleting: self.deleting,
            orders: self.orders.clone(),
            bootstrap: self.bootstrap.clone(),
            recovery: self.recovery.clone(),
            feature_level: self.feature_level,
            stateful_set: self.set.map_or(Seen::Gone, |(replicas, version)| {
                Seen::There(StatefulSet {
                    uid: "set".into(),
                    resource_version: version.to_string(),
                    replicas,
                    update_revision: Some(self.revision.to_string()),
                    deleting: false,
                })
            }),
            pods: self.pods.keys().map(|ordinal| self.pod_view(*ordinal)).collect(),
            claims: claims.collect(),
            nodes: if self.nodes_visible { Seen::There(nodes.collect()) } else { Seen::Unknown("forbidden".into()) },
            secret: Seen::There(SecretState { complete: true }),
            foreign: Vec::new(),
        }
    }

    fn pod_view(&self, ordinal: i32) -> Pod {
        let pod = &self.pods[&ordinal];
        let bad = self.bad.contains(&pod.revision);
        let started = self.now - pod.created >= 1_000;
        let state = match pod.node {
            None => PodState::Unschedulable { why: "no node".into(), since: Moment(pod.waiting_since) },
            Some(_) if !started => PodState::Starting,
            Some(_) if bad => PodState::Broken { why: "CrashLoopBackOff".into(), exit: Some(1) },
            Some(_) => PodState::Running,
        };
        Pod {
            name: name().pod(ordinal),
            ordinal,
            uid: pod.uid.to_string(),
            resource_version: pod.version.to_string(),
            revision: pod.revision.to_string(),
            created: Moment(pod.created),
            deleting: pod.deleting.map(Moment),
            state,
            ready_since: pod.ready_since.map(Moment),
            unready_since: pod.unready_since.map(Moment),
            ip: pod.node.map(|_| format!("10.0.0.{ordinal}")),
            node: pod.node.map(|node| format!("node-{node}")),
            asked: self.asked(ordinal),
        }
    }

    fn asked(&self, ordinal: i32) -> Asked {
        let pod = &self.pods[&ordinal];
        if pod.node.is_none() {
            return Asked::NotYet;
        }
        if pod.silent || !self.runs(ordinal) {
            return Asked::Silent("no connection within 5 s".into());
        }
        Asked::Answered(Box::new(self.answer(ordinal)))
    }

    fn answer(&self, ordinal: i32) -> Answer {
        let mut answer = Answer {
            name: name().pod(ordinal),
            version: "0.1.0".into(),
            node_id: None,
            ensemble_id: None,
            has_log: self.claims[&ordinal].disk.position > 0,
            last_log: Some((1, self.claims[&ordinal].disk.position)),
            part: Part::Unformed,
            term: 0,
            leader: None,
            membership_index: 0,
            peers: Vec::new(),
            feature_level: 1,
            not_serving: None,
        };
        let Some(own) = self.identity(ordinal) else { return answer };
        answer.node_id = Some(own.node);
        answer.ensemble_id = Some(own.ensemble.clone());
        answer.part = Part::Learner;
        let Some(ensemble) = self.ensembles.iter().find(|one| one.id == own.ensemble) else { return answer };
        let Some((.., votes)) = ensemble.members.iter().find(|(id, ..)| *id == own.node) else {
            answer.not_serving = Some("this member was removed".into());
            return answer;
        };
        let leads = ensemble.leader == Some(own.node);
        answer.part = match (leads, *votes, ensemble.leader) {
            (true, ..) => Part::Leader,
            (false, true, None) => Part::Candidate,
            (false, true, Some(_)) => Part::Follower,
            (false, false, _) => Part::Learner,
        };
        (answer.term, answer.leader) = (ensemble.term, ensemble.leader);
        answer.membership_index = ensemble.index;
        answer.peers = (ensemble.members.iter())
            .map(|(id, name, voter)| Peer {
                id: *id,
                name: name.clone(),
                voter: *voter,
                lag: leads.then(|| self.lag(ensemble, *id)).flatten(),
            })
            .collect();
        answer
    }

    fn lag(&self, ensemble: &super::sim::Ensemble, id: u64) -> Option<u64> {
        let disk = self
            .claims
            .values()
            .map(|claim| &claim.disk)
            .find(|disk| disk.identity.as_ref().is_some_and(|own| own.ensemble == ensemble.id && own.node == id))?;
        // A million entries for each one that is missing, so that behind is behind.
        Some((ensemble.commit - disk.position) * 1_000_000)
    }
}
