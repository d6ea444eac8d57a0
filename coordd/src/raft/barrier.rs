//! Read barriers: `sync`, and linearizable reads over HTTP.
//!
//! ```text
//!   sinks gather ─► one ReadIndex round of the leader ─► wait until that index is applied here ─► all sinks pass
//! ```
//!
//! Rule: a round serves only the barriers that were asked for before it began. ReadIndex only: the failover lets
//! members drop a leader's lease, so no lease proves anything (design D8, D17).

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Raft;
use super::applied::Applied;
use super::leadership::Leadership;
use super::peer::call::{Answer, Call};
use super::peer::peers::Peers;
use super::types::NodeId;
use crate::consensus::BarrierSink;

const RETRY_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(crate) struct Barriers {
    waiting: Mutex<Vec<Arc<dyn BarrierSink>>>,
    work: Notify,
}

impl Barriers {
    pub(crate) fn ask(&self, sink: Arc<dyn BarrierSink>) {
        self.waiting.lock().push(sink);
        self.work.notify_one();
    }
}

pub(crate) struct BarrierTask {
    pub me: NodeId,
    pub raft: Raft,
    pub peers: Arc<Peers>,
    pub applied: Arc<Applied>,
    pub leadership: Leadership,
    pub barriers: Arc<Barriers>,
    /// How long a barrier may look for a leader before its connection is closed.
    pub patience: Duration,
}

impl BarrierTask {
    pub(crate) async fn run(self) {
        loop {
            self.barriers.work.notified().await;
            let sinks = std::mem::take(&mut *self.barriers.waiting.lock());
            if sinks.is_empty() {
                continue;
            }
            let passed = timeout(self.patience, async {
                let index = self.read_index().await;
                self.applied.reached(index).await;
            });
            if passed.await.is_ok() {
                let state = self.applied.state.read();
                sinks.iter().for_each(|sink| sink.passed(&state));
            } else {
                sinks.iter().for_each(|sink| sink.lost());
            }
        }
    }

    async fn read_index(&self) -> u64 {
        loop {
            let began = Instant::now();
            if let Some(index) = self.ask_leader().await {
                return index;
            }
            sleep(RETRY_PAUSE.saturating_sub(began.elapsed())).await;
        }
    }

    async fn ask_leader(&self) -> Option<u64> {
        let leader = self.leadership.leader()?;
        if leader.id == self.me {
            return read_index(&self.raft).await;
        }
        match self.peers.call(leader.id, &Call::ReadIndex).await {
            Ok(Answer::ReadIndex(index)) => index,
            Ok(_) | Err(_) => None,
        }
    }
}

/// The leader's answer; `None` elsewhere.
pub(crate) async fn read_index(raft: &Raft) -> Option<u64> {
    let linearizer = raft.get_read_linearizer(ReadPolicy::ReadIndex).await.ok()?;
    Some(linearizer.read_log_id().index())
}
