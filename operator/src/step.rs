//! The one thing that a plan has done: one write, with all that is needed to make it and to refuse it when late.
//!
//! ```text
//!   plan ─► Step ─► runtime ─► one call of Kubernetes or of one member ─► observe again ─► plan …
//! ```
//!
//! Rule: a step is one write, and each carries its fence: the membership index for the ensemble, uid and resource
//! version for Kubernetes. Reason: the operator may be late, dead or doubled between looking and writing; then the
//! write has to fail, and looking again tells what is to be done.

use std::fmt;

use crate::crd::{Bootstrap, Recovery};

/// A member that is asked to do something, by its pod's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub pod: String,
    pub ip: String,
}

/// A first member of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub name: String,
    pub peer_addr: String,
}

/// An object that is deleted only if it still is the one that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write a record into the status, fenced by the cluster's resource version, before anything that depends on it.
    Record(Record),
    /// Set the number of pods. Raising is always safe; lowering comes after the removal from the ensemble.
    SetReplicas { from: i32, to: i32, uid: String, resource_version: String },
    /// Found the ensemble. Asked again of the same members it answers with what was founded.
    Bootstrap { founder: Target, seats: Vec<Seat> },
    /// Take the empty member in as a learner.
    AddLearner { leader: Target, pod: String, peer_addr: String, membership_index: u64 },
    /// Give a learner that has caught up its vote.
    Promote { leader: Target, pod: String, id: u64, membership_index: u64 },
    /// Take a voter or a learner out.
    Remove { leader: Target, pod: String, id: u64, membership_index: u64, why: RemoveReason },
    /// Move leadership away from a member that is to be restarted or removed.
    TransferLeader { leader: Target, from: String, to: u64, to_pod: String },
    /// Delete a pod, so that Kubernetes makes it anew from the newest template. Never an eviction: the operator's own
    /// gate is the stricter one.
    DeletePod { pod: Doomed, why: RestartReason, grace: Grace },
    /// Delete a claim whose volume holds nothing that the ensemble lacks.
    DeleteClaim { claim: Doomed, pod: String, why: ClaimReason },
    /// Give the lost quorum up: the survivor goes on alone.
    Recover { survivor: Target, ensemble_id: String },
}

/// A record in the status.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// How the ensemble is to come to be, or that it has.
    Bootstrap(Bootstrap),
    /// That a recovery is ordered, or that it is done.
    Recovery(Recovery),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveReason {
    /// The spec wants fewer members.
    ScaledDown,
    /// Its disk is lost; the one that takes its place has caught up.
    Replaced,
    /// A learner whose disk is lost before it had a vote.
    LearnerLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartReason {
    /// It runs an older template.
    Outdated,
    /// It runs an older template and does not work, so nothing is risked.
    OutdatedAndBroken,
    /// Its disk was given up; the pod holds on to the claim.
    VolumeGivenUp,
    /// It has not come up for longer than `update.timeout`, on a node that is well; another try, perhaps elsewhere.
    Stuck,
    /// Its node is lost, and Kubernetes waits for that node before it makes another pod.
    NodeLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// As long as the pod asks for.
    Full,
    /// None: the node that would tell of its end is lost.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimReason {
    /// The member was removed by scaling down, and `whenScaled` says Delete.
    ScaledDown,
    /// The disk belongs to a member that was removed, or to an ensemble that was given up.
    Removed,
    /// Node or volume are lost for longer than `replaceAfter`.
    Lost,
    /// The user ordered it.
    Ordered,
    /// A founding was cut off, and the founder's disk is lost: this disk belongs to an ensemble that never was.
    NeverFounded,
}

impl Step {
    /// A stable name, for metrics, logs and fail points.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Record(Record::Bootstrap(_)) => "record-bootstrap",
            Step::Record(Record::Recovery(_)) => "record-recovery",
            Step::SetReplicas { .. } => "set-replicas",
            Step::Bootstrap { .. } => "bootstrap",
            Step::AddLearner { .. } => "add-learner",
            Step::Promote { .. } => "promote",
            Step::Remove { .. } => "remove",
            Step::TransferLeader { .. } => "transfer-leader",
            Step::DeletePod { .. } => "delete-pod",
            Step::DeleteClaim { .. } => "delete-claim",
            Step::Recover { .. } => "recover",
        }
    }

    /// Whether a pod, a volume or a vote goes: what may be done only on certain knowledge.
    pub fn takes_away(&self) -> bool {
        match self {
            Step::SetReplicas { from, to, .. } => to < from,
            Step::Remove { .. } | Step::DeletePod { .. } | Step::DeleteClaim { .. } | Step::Recover { .. } => true,
            Step::Record(_)
            | Step::Bootstrap { .. }
            | Step::AddLearner { .. }
            | Step::Promote { .. }
            | Step::TransferLeader { .. } => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Record(Record::Bootstrap(record)) => match &record.ensemble_id {
                Some(id) => write!(f, "recording that ensemble {id} was founded"),
                None => write!(f, "recording that {} members are to found the ensemble", record.members),
            },
            Step::Record(Record::Recovery(record)) => match &record.to {
                Some(id) => write!(f, "recording that {} goes on as ensemble {id}", record.survivor),
                None => write!(f, "recording the order to go on with {} alone", record.survivor),
            },
            Step::SetReplicas { from, to, .. } => write!(f, "setting the number of pods from {from} to {to}"),
            Step::Bootstrap { founder, seats } => {
                write!(f, "asking {} to found the ensemble of {} members", founder.pod, seats.len())
            }
            Step::AddLearner { pod, .. } => write!(f, "adding {pod} as a learner"),
            Step::Promote { pod, id, .. } => write!(f, "giving {pod} (id {id}) its vote"),
            Step::Remove { pod, id, .. } => write!(f, "removing {pod} (id {id}) from the ensemble"),
            Step::TransferLeader { from, to_pod, .. } => write!(f, "moving leadership from {from} to {to_pod}"),
            Step::DeletePod { pod, .. } => write!(f, "restarting {}", pod.name),
            Step::DeleteClaim { claim, .. } => write!(f, "deleting the volume claim {}", claim.name),
            Step::Recover { survivor, .. } => write!(f, "recovering: {} goes on alone", survivor.pod),
        }
    }
}
