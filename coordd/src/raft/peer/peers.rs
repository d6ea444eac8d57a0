//! The control links to all other members, kept in step with the membership.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio::time::timeout;

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

    /// Asks everyone at once; who does not answer `within` that time holds up nobody.
    pub(crate) async fn ask_all(&self, call: &Call, within: Duration) {
        let asks = self.all().into_iter().map(|(id, link)| async move {
            match timeout(within, link.call(call)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!(peer = id, ?call, %error, "cannot ask the peer"),
                Err(_) => tracing::debug!(peer = id, ?call, "the peer does not answer"),
            }
        });
        join_all(asks).await;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::time::Instant;

    use super::super::double::{Double, local};
    use super::*;

    #[tokio::test]
    async fn a_peer_that_never_answers_does_not_keep_the_others_from_being_asked() {
        let (hangs, answers) =
            (Double { elect_takes: Duration::from_secs(60), ..Double::default() }, Double::default());
        let (hangs, answers) = (Arc::new(hangs), Arc::new(answers));
        let (tell, mut news) = mpsc::unbounded_channel();
        let peers = Peers::new(local(1), tell);
        peers.follow(&[(2, hangs.clone().serve(2).await), (3, answers.clone().serve(3).await)].into());
        for _ in 0..2 {
            assert!(matches!(news.recv().await, Some(News::Up(_))));
        }
        let began = Instant::now();
        peers.ask_all(&Call::Elect, Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(30), "it waited for the one that hangs");
        assert_eq!((hangs.elected.load(Ordering::Relaxed), answers.elected.load(Ordering::Relaxed)), (1, 1));
    }
}
