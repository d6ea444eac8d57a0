//! This member cannot serve its clients for too long: they are better off with another (raft-notes.md §4.3 rule 13).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::door::Door;
use super::leadership::Leadership;
use super::liveness::gate::Gate;
use super::proposer::Proposer;
use crate::consensus::LocalSessions;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The clients of this member, and what they wait for.
#[derive(Clone)]
pub(crate) struct Clients {
    pub proposer: Arc<Proposer>,
    pub sessions: Arc<dyn LocalSessions>,
}

impl Clients {
    fn close(&self, why: &str) {
        self.sessions.close_all(why);
        self.proposer.give_up_waiting().iter().for_each(|sink| sink.lost());
    }

    /// Closes every client connection once there was no leader for `patience`, and again each time it happens.
    pub(crate) async fn close_when_leaderless(self, mut leadership: Leadership, patience: Duration) {
        loop {
            if let Ok(leader) = timeout(patience, leadership.wait_for_leader()).await {
                leadership.changed_from(leader).await;
                continue;
            }
            self.close("no leader for too long");
            sleep(patience).await;
        }
    }

    /// The same once the log took nothing for `patience` while the others went on: clients of a member that does not
    /// know what was committed may not be answered. While nobody goes on they are answered, and stay.
    pub(crate) async fn close_when_full(self, door: Arc<Door>, gate: Arc<Gate>, patience: Duration) {
        let mut since = None;
        loop {
            sleep(LOOK_EVERY).await;
            if !door.is_shut() || gate.is_open() {
                since = None;
            } else if since.get_or_insert_with(Instant::now).elapsed() > patience {
                self.close("the log finds no room on the disk");
                since = None;
            }
        }
    }
}
