//! The admin port's calls, done by the member: where `admin` and `raft` meet.
//!
//! Rule: nothing is decided here that the membership must be asked about; that is `raft::membership`, and for
//! `replace`, the one call of several steps, `raft::replacement`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordd_api::{Backup, Recover, Seat};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::admin::ops::{AdminOps, Answer, OpsError, SnapshotBody};
use crate::consensus::Consensus;
use crate::http::Draining;
use crate::raft::member::Member;
use crate::raft::membership::ChangeError;
use crate::server::Server;

pub struct Ops {
    pub member: Arc<Member>,
    pub server: Arc<Server>,
    pub draining: Draining,
}

impl From<ChangeError> for OpsError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotLeader { leader } => OpsError::NotLeader { leader },
            ChangeError::Moved { present } => OpsError::Moved { present },
            ChangeError::Refused(why) => OpsError::Refused(why),
            ChangeError::Unavailable(why) => OpsError::Unavailable(why),
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> OpsError {
    OpsError::Unavailable(error.to_string())
}

impl AdminOps for Ops {
    fn bootstrap(&self, members: Vec<Seat>) -> Answer<String> {
        let member = self.member.clone();
        Box::pin(async move {
            let seats = members.into_iter().map(|seat| (seat.name, seat.peer_addr)).collect();
            Ok(member.bootstrap(seats).await?)
        })
    }

    fn add(&self, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.formed()?.add(&peer_addr, Some(planned_on)).await?) })
    }

    fn promote(&self, id: u64, planned_on: u64) -> Answer<u64> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.formed()?.promote(id, Some(planned_on)).await?) })
    }

    fn remove(&self, id: u64, planned_on: u64) -> Answer<u64> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.formed()?.remove(id, Some(planned_on)).await?) })
    }

    fn replace(&self, id: u64, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.formed()?.replace(id, &peer_addr, planned_on).await?) })
    }

    fn transfer_leader(&self, to: Option<u64>) -> Answer<u64> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.formed()?.transfer(to).await?) })
    }

    fn snapshot(&self, asked: Backup) -> Answer<SnapshotBody> {
        let member = self.member.clone();
        Box::pin(async move {
            let taken = match asked.without_quorum {
                false => member.backup().await,
                true => member.backup_without_quorum().await,
            };
            let (bytes, mut pieces) = taken.map_err(|error| unavailable(&error))?;
            let (tx, rx) = mpsc::channel::<io::Result<Bytes>>(4);
            tokio::spawn(async move {
                while let Some(piece) = pieces.next().await {
                    if tx.send(piece).await.is_err() {
                        return;
                    }
                }
            });
            Ok(SnapshotBody { bytes, pieces: rx })
        })
    }

    fn recover(&self, order: Recover) -> Answer<String> {
        let member = self.member.clone();
        Box::pin(async move { Ok(member.order_recovery(&order.survivor, &order.ensemble_id).await?) })
    }

    fn drain(&self, within: Duration) -> Answer<()> {
        let (member, server, draining) = (self.member.clone(), self.server.clone(), self.draining.clone());
        Box::pin(async move {
            drain(&member, &server, &draining, within).await;
            Ok(())
        })
    }
}

/// Not ready any more, leadership handed over, client connections closed in slices.
pub async fn drain(member: &Member, server: &Server, draining: &Draining, within: Duration) {
    draining.begin();
    let status = member.status().borrow().clone();
    let others = status.members.iter().filter(|other| other.voter && Some(other.id) != status.node_id).count();
    if status.leader == status.node_id && status.leader.is_some() && others > 0 {
        match timeout(within, member.hand_over()).await {
            Ok(Ok(leader)) => tracing::info!(leader, "leadership handed over"),
            Ok(Err(error)) => tracing::warn!(%error, "leadership could not be handed over"),
            Err(_) => tracing::warn!(?within, "leadership was not handed over in time"),
        }
    }
    server.drain(within).await;
}
