//! Links between members: framed TCP, three connections to each peer, identities checked at both ends.
//!
//! ```text
//!   frame  ◄─ hello (who are you?) ◄─ link (dial) ◄─ log: entries down, forwarded writes up
//!                                                 ◄─ control: votes, heartbeats, questions; broken = news (failover)
//!                                                 ◄─ snapshot
//!   server accepts all three and hands them on
//! ```
//!
//! Rule: no deadline on a single append; a link that is silent too long is cut as a whole. Reason: a slow disk is not a
//! dead peer, and tearing a stream down under load makes it slower (stack.md §1.4).

pub(crate) mod call;
pub(crate) mod control;
#[cfg(test)]
pub(crate) mod double;
pub(crate) mod frame;
pub(crate) mod hello;
pub(crate) mod link;
pub(crate) mod peers;
mod redial;
#[cfg(test)]
mod refusals_test;
pub(crate) mod roster;
pub(crate) mod server;

use std::sync::Arc;

use bytes::Bytes;
pub use hello::Identity;
use parking_lot::RwLock;
use roster::Roster;

/// The secret that members prove to each other (`--peer-secret-file`).
#[derive(Clone)]
pub struct Secret(pub Bytes);

/// This member's side of every link.
pub(crate) struct Local {
    identity: RwLock<Option<Identity>>,
    pub secret: Option<Secret>,
    pub roster: Arc<Roster>,
}

impl Local {
    pub(crate) fn new(identity: Option<Identity>, secret: Option<Secret>) -> Self {
        Local { identity: RwLock::new(identity), secret, roster: Arc::new(Roster::default()) }
    }

    /// `None` until this member belongs to an ensemble.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity.read().clone()
    }

    pub(crate) fn set_identity(&self, identity: Identity) {
        *self.identity.write() = Some(identity);
    }
}
