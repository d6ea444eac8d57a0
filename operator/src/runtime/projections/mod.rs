//! Projections: follows what the discovery API says of each, and writes what the plan says.
//!
//! ```text
//!   Feed (one for each projection): followers ─► views ─ 200 ms quiet, 2 s at most ─► call ─┐
//!   Room (one for each namespace): watches of pods, Services, slices … ─ changed? ────────┼─► look ─► observe ─► plan
//!   Hosts: names that are resolved again and again  ─ changed? ─────────────────────────────┘      └► writes ─► status
//! ```
//!
//! Rule: only where the lease is; every write through the gate; no session in ZooKeeper and no znode of its own.
//! Reason: what the operator is told over HTTP any application can be told, so there is one way to be right.

mod answer;
mod budget;
mod cluster;
mod feed;
mod figures;
mod hosts;
mod look;
mod networks;
mod room;
mod source;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use figures::Projections;
use tokio::time::sleep;

use super::Context;
use super::shelves::Calls;
use crate::names::ClusterName;
use crate::projection::{Cidr, Memory};
use budget::Budget;
use feed::Feed;
use hosts::Hosts;
use networks::Networks;
use room::Room;

/// How soon a member that is elsewhere is found.
const TICK: Duration = Duration::from_secs(1);

/// What the operator's options say to all projections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub allowed: Vec<Cidr>,
    pub denied: Vec<Cidr>,
    pub api_server: Option<IpAddr>,
    /// Whether endpoints may be at nodes.
    pub at_nodes: bool,
}

/// What goes on beside the looks, in the replica that leads. `everywhere`: all namespaces are kept.
pub(crate) async fn keep_up(context: Arc<Context>, everywhere: bool) {
    let desk = &context.desk;
    let networks = desk.networks.keep_up(&context.client, &context.shelves.nodes, everywhere);
    tokio::join!(networks, follow_members(&context));
}

/// Whoever has lost the way finds the members where their pods are now.
async fn follow_members(context: &Context) {
    loop {
        for feed in context.desk.all_feeds() {
            feed.follow_members(|key| cluster::members(&context.shelves.pods, &key.cluster, &key.cluster_uid));
        }
        sleep(TICK).await;
    }
}

/// What is kept of all projections between two looks.
#[derive(Default)]
pub(crate) struct Desk {
    pub bounds: Bounds,
    pub calls: Arc<Calls>,
    pub hosts: Arc<Hosts>,
    budget: Arc<Budget>,
    networks: Networks,
    rooms: Mutex<BTreeMap<String, Arc<Room>>>,
    feeds: Mutex<HashMap<ClusterName, Arc<Feed>>>,
    memories: Mutex<HashMap<ClusterName, Memory>>,
}

impl Desk {
    pub(crate) fn new(bounds: Bounds) -> Desk {
        let calls = Arc::<Calls>::default();
        Desk { bounds, hosts: Arc::new(Hosts::new(Arc::clone(&calls))), calls, ..Desk::default() }
    }

    fn memory(&self, projection: &ClusterName) -> Memory {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(projection).cloned().unwrap_or_default()
    }

    fn remember(&self, projection: &ClusterName, memory: Memory) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).insert(projection.clone(), memory);
    }

    fn feed(&self, projection: &ClusterName) -> Option<Arc<Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).get(projection).cloned()
    }

    fn all_feeds(&self) -> Vec<Arc<Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many bytes its answers take.
    fn held(&self, projection: &ClusterName) -> usize {
        self.feed(projection).map_or(0, |feed| feed.held())
    }

    fn set_feed(&self, projection: &ClusterName, feed: Option<Arc<Feed>>) {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        match feed {
            Some(feed) => feeds.insert(projection.clone(), feed),
            None => feeds.remove(projection),
        };
    }

    /// The room of a namespace; opened by the first projection there.
    fn room(&self, namespace: &str, open: impl FnOnce() -> Room) -> Arc<Room> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(namespace.to_owned()).or_insert_with(|| Arc::new(open()));
        Arc::clone(room)
    }

    /// The Services that projections have made, as (namespace, name), and the addresses of all Services that are seen.
    fn services(&self) -> (BTreeSet<(String, String)>, BTreeSet<IpAddr>) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut projected, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for room in rooms.values() {
            for (key, service) in room.shelves.services.select(|_, _| true) {
                projected.insert((key.namespace, key.name));
                addresses.extend(&service.value.shape.addresses);
            }
            addresses
                .extend(room.shelves.addresses.select(|_, _| true).iter().flat_map(|(_, all)| all.iter().copied()));
        }
        (projected, addresses)
    }

    /// Nothing of a projection stays. The last one of a namespace closes its room.
    fn forget(&self, projection: &ClusterName) {
        self.set_feed(projection, None);
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(projection);
        self.hosts.forget(projection);
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        if !memories.keys().any(|other| other.namespace == projection.namespace) {
            self.rooms.lock().unwrap_or_else(PoisonError::into_inner).remove(&projection.namespace);
        }
    }

    /// Calls all projections of a namespace that have been looked at.
    fn call_all(&self, namespace: &str) {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.keys().filter(|name| name.namespace == namespace).for_each(|name| self.calls.call(name.clone()));
    }

    /// Calls the projections of a namespace whose answers name any of these words.
    fn call_those_that_name(&self, namespace: &str, words: &[String]) {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = feeds.iter().filter(|(name, feed)| name.namespace == namespace && feed.names_any(words));
        concerned.for_each(|(name, _)| self.calls.call(name.clone()));
    }
}
