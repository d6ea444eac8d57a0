//! The end of a member whose state is not that of the others (design D19).
//!
//! Rule: it answers no client and takes no part in consensus any more, and the process stays up to say why. Reason: a
//! wrong answer is worse than none, and an operator must find the cause in the status, not in a restart loop. What is
//! on the disk stays as it is, for whoever looks into it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::Raft;
use super::liveness::gate::Gate;
use super::proposer::Proposer;
use crate::consensus::{LocalSessions, Meter};

/// Where this member differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Divergence {
    pub index: u64,
    pub own: u64,
    pub majority: u64,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { index, own, majority } = self;
        write!(
            f,
            "this member's state is not that of the others: at log index {index} its digest is {own:016x}, that of \
             most voters is {majority:016x}; it has stopped. Keep its data directory for examination, start it with an \
             empty one, and put it in its own place with: coordd admin replace"
        )
    }
}

pub(crate) struct Diverged {
    pub found: OnceLock<Divergence>,
    pub raft: Raft,
    pub gate: Arc<Gate>,
    pub proposer: Arc<Proposer>,
    pub sessions: Arc<dyn LocalSessions>,
    pub meter: Arc<dyn Meter>,
}

impl Diverged {
    pub(crate) async fn stop(&self, divergence: Divergence) {
        if self.found.set(divergence).is_err() {
            return;
        }
        tracing::error!("{divergence}");
        self.meter.digest_differs();
        self.gate.shut();
        self.sessions.close_all("this member's state is not that of the others");
        self.proposer.give_up_waiting().iter().for_each(|sink| sink.lost());
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(%error, "consensus did not end as it should");
        }
    }
}
