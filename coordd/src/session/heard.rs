//! When a client was last heard of, and the moment from which it is too late to answer it.
//!
//! ```text
//!   request read ──► stamp(now) ─┬─ within the timeout ─► answered
//!                                └─ too late, or given up ─► closed without an answer
//!   heartbeat   ──► look(now)  ─┬─ spoke since the last look ─► reported
//!                                └─ silent for its timeout ─► given up
//! ```
//!
//! Rule: a stamp and a look decide by one compare-and-swap, so a client that was reported silent for its timeout is
//! never answered afterwards. Reason: on that report the leader expires the session at once (liveness rule 4a); a late
//! answer would make the client believe in a session that is gone.

use std::sync::atomic::{AtomicU64, Ordering};

/// Set in the stamp once the client is given up; the time below it stays readable.
const GIVEN_UP: u64 = 1 << 63;

/// The last request of one connection, in milliseconds of this member's monotonic clock.
#[derive(Debug, Default)]
pub struct Heard {
    last_ms: AtomicU64,
    reported_ms: AtomicU64,
}

/// What a look found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing new.
    Quiet,
    /// It spoke since the last look, this long ago.
    Spoke { silent_ms: u64 },
    /// Silent for its timeout: it must not be answered any more.
    GivenUp,
}

impl Heard {
    /// Begins at `now_ms`, as if a request had just been read.
    pub fn begin(&self, now_ms: u64) {
        self.reported_ms.store(u64::MAX, Ordering::Release);
        self.last_ms.store(now_ms, Ordering::Release);
    }

    /// A request was read at `now_ms`. `false` when it came too late: the connection must close without an answer.
    pub fn stamp(&self, now_ms: u64, timeout_ms: u64) -> bool {
        let accept = |last: u64| {
            let in_time = last & GIVEN_UP == 0 && now_ms.saturating_sub(last) < timeout_ms;
            in_time.then_some(now_ms.max(last))
        };
        self.last_ms.fetch_update(Ordering::AcqRel, Ordering::Acquire, accept).is_ok()
    }

    /// Looks for the heartbeat at `now_ms`.
    pub fn look(&self, now_ms: u64, timeout_ms: u64) -> Look {
        let give_up = |last: u64| {
            let silent = last & GIVEN_UP == 0 && now_ms.saturating_sub(last) >= timeout_ms;
            silent.then_some(last | GIVEN_UP)
        };
        if self.last_ms.fetch_update(Ordering::AcqRel, Ordering::Acquire, give_up).is_ok() {
            return Look::GivenUp;
        }
        let last = self.last_ms();
        if self.reported_ms.swap(last, Ordering::AcqRel) == last {
            Look::Quiet
        } else {
            Look::Spoke { silent_ms: now_ms.saturating_sub(last) }
        }
    }

    pub fn last_ms(&self) -> u64 {
        self.last_ms.load(Ordering::Acquire) & !GIVEN_UP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_reports_each_contact_once() {
        let heard = Heard::default();
        heard.begin(100);
        assert_eq!(heard.look(150, 1000), Look::Spoke { silent_ms: 50 });
        assert_eq!(heard.look(250, 1000), Look::Quiet);
        assert!(heard.stamp(300, 1000));
        assert_eq!(heard.look(350, 1000), Look::Spoke { silent_ms: 50 });
    }

    #[test]
    fn a_client_that_was_looked_at_as_silent_is_not_answered_afterwards() {
        let heard = Heard::default();
        heard.begin(0);
        assert_eq!(heard.look(1000, 1000), Look::GivenUp);
        assert!(!heard.stamp(999, 1000), "read before the look, stamped after it");
        assert_eq!(heard.look(1100, 1000), Look::Spoke { silent_ms: 1100 }, "its last contact stays reportable");
    }

    #[test]
    fn a_request_that_comes_after_the_timeout_is_too_late() {
        let heard = Heard::default();
        heard.begin(0);
        assert!(heard.stamp(999, 1000));
        assert!(!heard.stamp(1999, 1000));
    }
}
