//! Nobody leads for too long: clients are better off with another member (raft-notes.md §4.3 rule 13).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::leadership::Leadership;
use super::proposer::Proposer;
use crate::consensus::LocalSessions;

/// Closes every client connection once there was no leader for `patience`, and again each time it happens.
pub(crate) async fn close_when_leaderless(
    mut leadership: Leadership,
    patience: Duration,
    proposer: Arc<Proposer>,
    sessions: Arc<dyn LocalSessions>,
) {
    loop {
        if let Ok(leader) = timeout(patience, leadership.wait_for_leader()).await {
            leadership.changed_from(leader).await;
            continue;
        }
        sessions.close_all("no leader for too long");
        proposer.give_up_waiting().iter().for_each(|sink| sink.lost());
        sleep(patience).await;
    }
}
