//! What Kubernetes knows, reduced to what decides.
//!
//! Rule: whatever may be deleted carries uid and resource version, as fences of the deletion. Reason: a cache may be
//! late, and what bears the name now may be another one.

use std::net::IpAddr;

use super::member::Asked;
use super::{Moment, Seen};

/// The StatefulSet of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefulSet {
    pub uid: String,
    pub resource_version: String,
    pub replicas: i32,
    /// Revision that new pods are made from; `None` until its controller has seen the newest template.
    pub update_revision: Option<String>,
    pub deleting: bool,
}

/// One pod of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    pub ordinal: i32,
    pub uid: String,
    pub resource_version: String,
    pub revision: String,
    pub created: Moment,
    /// Since when it is being deleted.
    pub deleting: Option<Moment>,
    pub state: PodState,
    /// Since when its readiness probe passes.
    pub ready_since: Option<Moment>,
    /// Since when it does not, after it did.
    pub unready_since: Option<Moment>,
    /// Where its member is asked.
    pub ip: Option<String>,
    /// Name of the node that it was given to.
    pub node: Option<String>,
    pub asked: Asked,
}

impl Pod {
    /// Since when its member does not serve: since it stopped to, or since it was made. `None` while it does.
    pub fn away_since(&self) -> Option<Moment> {
        match self.ready_since {
            Some(_) => None,
            None => Some(self.unready_since.unwrap_or(self.created)),
        }
    }
}

/// How far a pod has come, from its phase and its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// Kubernetes finds no node for it; why. Since when.
    Unschedulable {
        why: String,
        since: Moment,
    },
    /// On its way: image, volume, start.
    Starting,
    Running,
    /// Its container cannot start or does not stay up: CrashLoopBackOff, ImagePullBackOff, CreateContainerConfigError
    /// and the like. `exit` is the code of the last life, if there was one.
    Broken {
        why: String,
        exit: Option<i32>,
    },
    /// It has ended for good; Kubernetes makes another.
    Ended,
}

/// A node of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub zone: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub state: NodeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    Ready,
    /// Kubernetes has not heard of it, or hears that it is not well, since then.
    NotReady {
        since: Moment,
    },
}

/// The volume claim of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub name: String,
    pub ordinal: i32,
    pub uid: String,
    pub resource_version: String,
    /// It was made for this very cluster, or adopted by it.
    pub ours: bool,
    /// Uid of the cluster that it was made for, if it says so.
    pub made_for: Option<String>,
    /// Ensemble whose member was last seen on it, as the operator noted there.
    pub ensemble: Option<String>,
    pub state: ClaimState,
    pub deleting: bool,
    /// It goes with this cluster when that is deleted.
    pub owned: bool,
    /// Its bound volume can be used on nodes of these names alone; none: on any.
    pub only_on: Seen<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimState {
    Pending,
    Bound,
    /// Its volume is gone.
    Lost,
}

/// The Secret with the admin token and the peer secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretState {
    /// Both keys are there.
    pub complete: bool,
}
