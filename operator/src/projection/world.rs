//! What a plan is made from.
//!
//! Rule: an answer that has not come is `Waiting`, one that says that there is no znode is `Gone`; the two are never
//! the same. Reason: the one is no reason to write anything, the other is a fact like any.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use coordd_api::discovery::{ConfigTree, LeaderView, ServiceList, ServiceView};

use super::config_map::MapShape;
use super::leader::LeaseShape;
use super::mark::Kind;
use super::service::Shape;
use super::slices::Slice;
use crate::world::Moment;

/// One answer of the discovery API.
#[derive(Clone, Debug, PartialEq)]
pub enum View<T> {
    /// None has come yet.
    Waiting,
    /// There is no such znode.
    Gone { zxid: i64 },
    There {
        zxid: i64,
        /// Shared: each look has it, and none copies it.
        value: Arc<T>,
    },
    /// It may not be asked for; why. What was there before is not known any more.
    Refused(String),
}

impl<T> View<T> {
    pub fn value(&self) -> Option<&T> {
        match self {
            View::There { value, .. } => Some(value),
            View::Waiting | View::Gone { .. } | View::Refused(_) => None,
        }
    }

    pub fn zxid(&self) -> Option<i64> {
        match self {
            View::There { zxid, .. } | View::Gone { zxid } => Some(*zxid),
            View::Waiting | View::Refused(_) => None,
        }
    }

    /// Whether it says how things are.
    pub fn is_known(&self) -> bool {
        self.zxid().is_some()
    }
}

/// The answers that a projection follows, by its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Views {
    Service(View<ServiceView>),
    /// The list of services, and of each its instances by path.
    Children {
        list: View<ServiceList>,
        services: BTreeMap<String, View<ServiceView>>,
    },
    ConfigMap(View<ConfigTree>),
    Leader(View<LeaderView>),
}

/// How the way to the ensemble is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is not asked: why, in a word and in words.
    Closed {
        reason: &'static str,
        why: String,
    },
    Reachable,
    Lost {
        since: Moment,
        why: String,
    },
}

impl Source {
    pub fn is_reachable(&self) -> bool {
        matches!(self, Source::Reachable)
    }
}

/// An object, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    /// Uid of what controls it.
    pub owner: Option<String>,
    pub deleting: bool,
}

/// An object that bears the label of projections, reduced to what is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Present<T> {
    pub owned: Owned,
    pub shape: T,
}

/// A pod of the namespace that has its address for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub node: Option<String>,
    pub zone: Option<String>,
}

/// What a host name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// It is being asked for.
    Waiting,
    /// The last addresses that it was found to have.
    Found(Vec<IpAddr>),
    /// It was never found; why.
    Unknown(String),
}

/// Everything but the spec, the memory and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub source: Source,
    /// While that is lost for some answer: the paths of children that are followed as before, and "" for the list.
    pub reached: BTreeSet<String>,
    pub views: Views,
    /// Whether the list of children is surely no older than what was written from before: whoever is missing in it has
    /// gone, and is not one that the member has not heard of.
    pub settled: bool,
    /// Of the projection's namespace, whosever they are, by name.
    pub services: BTreeMap<String, Present<Shape>>,
    pub config_maps: BTreeMap<String, Present<MapShape>>,
    pub leases: BTreeMap<String, Present<LeaseShape>>,
    pub slices: Vec<Arc<Slice>>,
    /// Names that were found to be somebody else's, without the label of projections.
    pub foreign: BTreeSet<(Kind, String)>,
    pub pods: BTreeMap<IpAddr, Pod>,
    /// The Services that projections of any namespace have made, as (namespace, name).
    pub projected: BTreeSet<(String, String)>,
    pub hosts: BTreeMap<String, Host>,
    /// Id of the ensemble that answers.
    pub ensemble: String,
    /// How often the operator's Lease has changed hands.
    pub term: i32,
}
