//! Who leads, as openraft sees it here; a thin view over its metrics for those who wait for a change.

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::Instant;

use super::types::NodeId;
use crate::consensus::Meter;

/// A leader that a quorum elected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leader {
    pub id: NodeId,
    pub term: u64,
}

/// The newest view; published by `status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View {
    pub leader: Option<Leader>,
    pub term: u64,
    pub state: ServerState,
}

#[derive(Clone, Debug)]
pub(crate) struct Leadership(pub watch::Receiver<View>);

impl Leadership {
    pub(crate) fn view(&self) -> View {
        *self.0.borrow()
    }

    pub(crate) fn leader(&self) -> Option<Leader> {
        self.view().leader
    }

    pub(crate) async fn wait_for_leader(&mut self) -> Leader {
        loop {
            if let Some(leader) = self.view().leader {
                return leader;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Resolves once somebody else leads, or nobody, or in another term.
    pub(crate) async fn changed_from(&mut self, leader: Leader) {
        if self.0.wait_for(|view| view.leader != Some(leader)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Counts how long each time without a leader was.
pub(crate) async fn measure(me: NodeId, mut leadership: Leadership, meter: std::sync::Arc<dyn Meter>) {
    loop {
        let leader = leadership.wait_for_leader().await;
        leadership.changed_from(leader).await;
        let lost = Instant::now();
        let leads = leadership.wait_for_leader().await.id == me;
        meter.leaderless(lost.elapsed(), leads);
    }
}
