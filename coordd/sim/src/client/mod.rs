//! The clients: sessions that speak ZooKeeper's wire over the simulated network.
//!
//! ```text
//!   link     one connection: handshake, frames          worker   a session's life under faults
//!   session  what a client keeps between connections    auditor  the last reads, from every member
//! ```

pub(crate) mod auditor;
mod link;
mod session;
pub(crate) mod worker;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::history::History;
use crate::trace::Trace;

/// What clients and driver share.
#[derive(Clone)]
pub(crate) struct Stage {
    pub seed: u64,
    pub trace: Trace,
    pub history: History,
    /// When the workers stop.
    pub curtain: Duration,
    /// Workers that are not done.
    pub working: Rc<Cell<usize>>,
}

/// Simulated milliseconds since the start.
fn now_ms() -> u64 {
    u64::try_from(turmoil::sim_elapsed().unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
