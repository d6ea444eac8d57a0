//! When a client was last heard of, and the moment from which it is too late to answer it.
//!
//! ```text
//!   request read ──► stamp(now) ─┬─ in time ─► answered
//!                                └─ too late, or given up ─► closed without an answer
//!   heartbeat   ──► look(now)  ─┬─ spoke since the last look ─► reported
//!                                └─ silent for its timeout, and up to the next tick ─► given up
//! ```
//!
//! Rule: a stamp and a look decide by one compare-and-swap, so a client that was reported silent for its timeout is
//! never answered afterwards. Reason: on that report the leader expires the session at once (liveness rule 4a); a late
//! answer would make the client believe in a session that is gone. Whoever decides counts up to the next tick, as
//! ZooKeeper does: the member tells the leader what the rounding adds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Set in the stamp once the client is given up; the time below it stays readable.
const GIVEN_UP: u64 = 1 << 63;

/// How long a client may be silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    pub timeout_ms: u64,
    pub tick_ms: u64,
}

impl Patience {
    /// When a client that was last heard of at `last_ms` is late: behind its timeout, at the next tick
    /// (ExpiryQueue.java). A tick counts for half a timeout at most, which the leader relies on.
    pub fn late_ms(self, last_ms: u64) -> u64 {
        let due_ms = last_ms + self.timeout_ms;
        match self.tick_ms.min(self.timeout_ms / 2) {
            0 => due_ms,
            tick_ms => (due_ms / tick_ms + 1) * tick_ms,
        }
    }

    /// What the tick adds to the timeout.
    pub fn grace_ms(self, last_ms: u64) -> u64 {
        self.late_ms(last_ms) - last_ms - self.timeout_ms
    }

    fn is_over(self, last_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(last_ms) >= self.timeout_ms && now_ms >= self.late_ms(last_ms)
    }
}

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
    /// Silent for too long: it must not be answered any more.
    GivenUp,
}

impl Heard {
    /// Begins at `now_ms`, as if a request had just been read.
    pub fn begin(&self, now_ms: u64) {
        self.reported_ms.store(u64::MAX, Ordering::Release);
        self.last_ms.store(now_ms, Ordering::Release);
    }

    /// A request was read at `now_ms`. `false` when it came too late: the connection must close without an answer.
    pub fn stamp(&self, now_ms: u64, patience: Patience) -> bool {
        let accept = |last: u64| {
            let in_time = last & GIVEN_UP == 0 && !patience.is_over(last, now_ms);
            in_time.then_some(now_ms.max(last))
        };
        self.last_ms.fetch_update(Ordering::AcqRel, Ordering::Acquire, accept).is_ok()
    }

    /// Looks for the heartbeat at `now_ms`.
    pub fn look(&self, now_ms: u64, patience: Patience) -> Look {
        let give_up = |last: u64| {
            let silent = last & GIVEN_UP == 0 && patience.is_over(last, now_ms);
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

    const SECOND: Patience = Patience { timeout_ms: 1000, tick_ms: 100 };

    #[test]
    fn a_client_is_late_at_the_tick_that_follows_its_timeout() {
        let late = |last, timeout_ms, tick_ms| Patience { timeout_ms, tick_ms }.late_ms(last);
        assert_eq!((late(100, 4000, 2000), late(1999, 4000, 2000), late(2000, 4000, 2000)), (6000, 6000, 8000));
        assert_eq!((late(0, 1000, 60_000), late(0, 1000, 0)), (1500, 1000), "never more than half a timeout");
        assert_eq!(Patience { timeout_ms: 4000, tick_ms: 2000 }.grace_ms(100), 1900);
    }

    #[test]
    fn a_look_reports_each_contact_once() {
        let heard = Heard::default();
        heard.begin(100);
        assert_eq!(heard.look(150, SECOND), Look::Spoke { silent_ms: 50 });
        assert_eq!(heard.look(250, SECOND), Look::Quiet);
        assert!(heard.stamp(300, SECOND));
        assert_eq!(heard.look(350, SECOND), Look::Spoke { silent_ms: 50 });
    }

    #[test]
    fn a_client_that_was_looked_at_as_silent_is_not_answered_afterwards() {
        let heard = Heard::default();
        heard.begin(0);
        assert_eq!(heard.look(1100, SECOND), Look::GivenUp);
        assert!(!heard.stamp(1099, SECOND), "read before the look, stamped after it");
        assert_eq!(heard.look(1200, SECOND), Look::Spoke { silent_ms: 1200 }, "its last contact stays reportable");
    }

    #[test]
    fn a_request_that_comes_before_the_tick_is_answered_and_one_behind_it_is_too_late() {
        let heard = Heard::default();
        heard.begin(0);
        assert!(heard.stamp(1099, SECOND));
        assert!(!heard.stamp(2100, SECOND));
    }
}
