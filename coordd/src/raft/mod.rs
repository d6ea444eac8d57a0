//! Consensus: the only folder that names openraft (design D2).
//!
//! ```text
//!   member (implements `Consensus`; unformed → formed)
//!     core ─ openraft ─ log_store ─► coordd-wal           state_machine ─► coordd-tree, snapshot_store
//!      ├ proposer, dispatch, intake   writes: order and fate (D7)          applied: the state as clients read it
//!      ├ failover, leadership, status who leads, and how fast that is found out (D17)
//!      ├ door, relief                 what finds no room on the disk waits; a leader with none hands over (D21)
//!      ├ liveness                     which sessions live (D8)             barrier: sync
//!      ├ roll_call, digests, diverged  is everyone's state the same, what does everyone understand (D19)
//!      └ peer                         links between members (D11)          membership, formation: who is in (D9, D10)
//! ```
//!
//! Rule: the rest of the member sees `crate::consensus` and nothing of this. Reason: openraft's alphas break; one
//! folder has to change then.

mod append_stream;
pub(crate) mod applied;
pub(crate) mod backup;
mod barrier;
mod bootstrap;
pub(crate) mod codec;
pub(crate) mod core;
pub(crate) mod digests;
pub mod disks;
pub(crate) mod dispatch;
pub(crate) mod diverged;
pub(crate) mod door;
pub(crate) mod failover;
pub mod flush;
pub mod formation;
pub(crate) mod handler;
pub(crate) mod heard;
pub mod identity;
pub mod inspect;
pub(crate) mod intake;
pub(crate) mod leadership;
pub(crate) mod levels;
pub(crate) mod liveness;
pub(crate) mod log_store;
pub mod member;
pub(crate) mod members;
pub mod membership;
pub(crate) mod network;
pub(crate) mod patience;
pub mod peer;
pub(crate) mod proposer;
pub(crate) mod relief;
pub(crate) mod removal;
pub(crate) mod replacement;
pub mod reseed;
pub(crate) mod roll_call;
pub mod snapshot_io;
pub mod snapshot_store;
pub(crate) mod state_machine;
pub(crate) mod status;
#[cfg(test)]
mod store_suite_test;
pub mod types;
pub(crate) mod zxid;

use std::time::Duration;

pub(crate) type Raft = openraft::Raft<types::TypeConfig, state_machine::StateMachine>;

/// No member answers clients for longer after a report, whatever session timeouts it grants.
pub(crate) const ANSWER_BOUND_MAX_MS: u64 = 1000;

/// The times that consensus runs by.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub heartbeat: Duration,
    pub election_min: Duration,
    pub election_max: Duration,
    /// The shortest session timeout that this ensemble grants.
    pub session_min: Duration,
    /// How long clients are kept waiting for a leader before they are sent to other members.
    pub patience: Duration,
    /// Entries that stay in the log after a snapshot, so that a member that was away catches up from the log.
    pub log_keep_entries: u64,
}

impl Timing {
    /// How long a member may answer clients after it sent a report that was acknowledged (raft-notes.md §7: w).
    pub fn answer_bound(&self) -> Duration {
        (self.session_min / 4).min(Duration::from_millis(ANSWER_BOUND_MAX_MS))
    }
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(500),
            election_max: Duration::from_millis(1000),
            session_min: Duration::from_secs(4),
            patience: Duration::from_secs(2),
            log_keep_entries: 50_000,
        }
    }
}
