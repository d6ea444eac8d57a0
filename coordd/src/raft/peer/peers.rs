//! The control links to all other members, kept in step with the membership.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::mpsc;

use super::Local;
use super::call::{Answer, Call};
use super::control::{Control, News};
use crate::raft::types::{Node, NodeId};

pub(crate) struct Peers {
    pub local: Arc<Local>,
    news: mpsc::UnboundedSender<News>,
    links: RwLock<BTreeMap<NodeId, (Node, Arc<Control>)>>,
}

impl Peers {
    pub(crate) fn new(local: Arc<Local>, news: mpsc::UnboundedSender<News>) -> Peers {
        Peers { local, news, links: RwLock::default() }
    }

    /// Starts links to new members, ends those to gone ones, restarts those whose address or disk changed.
    pub(crate) fn follow(&self, nodes: &BTreeMap<NodeId, Node>) {
        let me = self.local.identity().map(|identity| identity.node_id);
        let mut links = self.links.write();
        links.retain(|id, (node, _)| nodes.get(id).is_some_and(|now| now.peer_addr == node.peer_addr));
        for (&id, node) in nodes.iter().filter(|(id, _)| Some(**id) != me) {
            links.entry(id).or_insert_with(|| {
                let control = Control::start(id, node.clone(), self.local.clone(), self.news.clone());
                (node.clone(), Arc::new(control))
            });
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<Arc<Control>> {
        self.links.read().get(&id).map(|(_, control)| control.clone())
    }

    pub(crate) fn all(&self) -> Vec<(NodeId, Arc<Control>)> {
        self.links.read().iter().map(|(id, (_, control))| (*id, control.clone())).collect()
    }

    pub(crate) fn is_up(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|control| control.is_up())
    }

    /// # Errors
    /// `NotConnected` when there is no link to the peer now; otherwise what went wrong on it.
    pub(crate) async fn call(&self, id: NodeId, call: &Call) -> io::Result<Answer> {
        let link = self.get(id).ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "not a member"))?;
        link.call(call).await
    }
}
