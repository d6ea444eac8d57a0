//! The checker: whether a history can have come from an ensemble that keeps its promises.
//!
//! ```text
//!   history ─► timeline (what each znode was at each zxid) ─► reads, acknowledged writes   timeline.rs
//!           ├► sessions (order, real time, early expiry, stale connections)               sessions.rs
//!           ├► watches  (missed, doubled, late)      needs the timeline         watches.rs, lasting.rs
//!           ├► holders  (two believers in one ephemeral)                                  holders.rs
//!           ├► multis   (wholly or not at all)                                            multis.rs
//!           └► ephemerals (of sessions that are gone)                                     ephemerals.rs
//! ```
//!
//! Rule: it accepts whatever a correct ensemble may do (an unknown outcome happened once or not at all) and nothing
//! more, and each promise has a test with a corrupted history that it must refuse. Reason: a checker that cannot fail
//! proves nothing.

pub mod holders;
pub mod sessions;
pub mod timeline;
pub mod watches;

mod ephemerals;
mod evidence;
mod lasting;
mod multis;
mod pool;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::history::History;

/// A promise that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// An acknowledged write is there.
    WriteKept,
    /// A read equals the state at the zxid that its reply names.
    ReadAtZxid,
    /// A write happens once.
    AppliedOnce,
    /// A zxid names one change.
    ZxidUnique,
    /// What is sent after an acknowledgement comes after it: a write, and what a sync shows.
    RealTime,
    /// zxids never fall on a session, replies come in request order.
    SessionOrder,
    /// A session lives at least for its timeout after its last answered request was sent.
    SessionKept,
    /// A connection that was left behind writes nothing.
    StaleConnection,
    /// An ephemeral ends with its session and not before.
    EphemeralKept,
    /// No two clients believe to hold one ephemeral at one instant.
    OneHolder,
    /// A change that a watch waits for is told.
    EventTold,
    /// A multi happens wholly or not at all.
    AllOrNothing,
    /// An event is told once, and only to who asked.
    EventOnce,
    /// An event comes before any reply that shows the new state.
    EventInTime,
}

/// Where a history breaks a promise.
#[derive(Debug, Clone)]
pub struct Violation {
    pub promise: Promise,
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.text)
    }
}

/// Collects what is found.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Violation>);

impl Findings {
    fn add(&mut self, promise: Promise, text: String) {
        self.0.push(Violation { promise, text });
    }
}

/// Every broken promise.
pub fn check(history: &History) -> Vec<Violation> {
    let mut findings = Findings::default();
    sessions::check(history, &mut findings);
    let ends = ephemerals::ends(history);
    ephemerals::check(history, &ends, &mut findings);
    let timeline = timeline::build(history, &ends, &mut findings);
    watches::check(history, &timeline, &mut findings);
    holders::check(history, &mut findings);
    multis::check(history, &mut findings);
    findings.0
}
