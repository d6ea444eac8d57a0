//! What the admin port asks of consensus; `raft` answers it.
//!
//! Rule: every method may be called again after a lost answer, and says `Ok` to what is done already. Where
//! `planned_on` is given, the change is made only if that is still the log index of the newest membership, and the
//! answer ends in the index of the membership that came of it.

use bytes::Bytes;
use coordd_api::{Backup, Recover, Seat};
use tokio::sync::mpsc;

use crate::consensus::BoxFuture;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpsError {
    #[error("this member does not lead; {} does", .leader.as_deref().unwrap_or("nobody that it knows"))]
    NotLeader { leader: Option<String> },
    #[error("the membership has moved since this was planned: it is of log index {present} now")]
    Moved { present: u64 },
    /// It would be wrong; asking again does not help.
    #[error("{0}")]
    Refused(String),
    /// Not now; asking again may help.
    #[error("{0}")]
    Unavailable(String),
}

/// A snapshot file on its way out: checked before its first byte leaves.
pub struct SnapshotBody {
    pub bytes: u64,
    pub pieces: mpsc::Receiver<std::io::Result<Bytes>>,
}

pub type Answer<T> = BoxFuture<Result<T, OpsError>>;

/// The calls, one method each.
pub trait AdminOps: Send + Sync + 'static {
    /// Founds an ensemble of `members` (this one alone if empty); its id.
    fn bootstrap(&self, members: Vec<Seat>) -> Answer<String>;

    /// Takes the unformed member at `peer_addr` in as a learner; its id.
    fn add(&self, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)>;

    fn promote(&self, id: u64, planned_on: u64) -> Answer<u64>;

    fn remove(&self, id: u64, planned_on: u64) -> Answer<u64>;

    /// Puts the unformed member at `peer_addr` in the place of member `id`; the new one's id.
    fn replace(&self, id: u64, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)>;

    /// Moves leadership to `to`, or to the most advanced voter that is up; who leads then.
    fn transfer_leader(&self, to: Option<u64>) -> Answer<u64>;

    /// A snapshot of everything that was acknowledged before, or of what this member has of it.
    fn snapshot(&self, asked: Backup) -> Answer<SnapshotBody>;

    /// Goes on alone as a new ensemble; its id.
    fn recover(&self, order: Recover) -> Answer<String>;

    /// Not ready any more, leadership handed over, client connections closed in slices; returns when that is done.
    fn drain(&self, within: std::time::Duration) -> Answer<()>;
}
