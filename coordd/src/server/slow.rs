//! Writes that took too long, told in the log; at most one line a second, with how many were left out.
//!
//! ```text
//!   taken ─ queued ─► proposed ─ committed ─► apply begins ─ applied ─► reply in the outbox, behind outbox_bytes
//! ```
//!
//! Rule: the hops are put together only for a line that is written. Reason: what they are made of (when this batch
//! began, how long the newest write took) costs two stores; apply is one task and tells the sink right after the meter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coordd_proto::{OpCode, Xid};

use super::conn::Conn;
use super::metrics::millis;
use crate::clock;
use crate::session::registry::Holder;

const ONE_LINE_MS: u64 = 1000;

/// The rate limit of one member.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    /// Milliseconds; zero = nothing is logged.
    limit_ms: AtomicU64,
    next_ms: AtomicU64,
    left_out: AtomicU64,
    /// When the batch that is being applied began.
    applying_since_ms: AtomicU64,
    /// From proposal to outcome of the write whose sink is told next.
    decided_after_ms: AtomicU64,
}

/// Where a write's time went, milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Hops {
    /// From the socket to the proposal: behind other requests, or for lack of room.
    queued: u64,
    /// Log, peers, quorum.
    committed: u64,
    /// Since its batch began to be applied.
    applied: u64,
}

fn hops(took_ms: u64, decided_after_ms: u64, applying_ms: u64) -> Hops {
    let decided = decided_after_ms.min(took_ms);
    let applied = applying_ms.min(decided);
    Hops { queued: took_ms - decided, committed: decided - applied, applied }
}

impl SlowLog {
    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit_ms.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn applying(&self, now_ms: u64) {
        self.applying_since_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn decided(&self, after: Duration) {
        self.decided_after_ms.store(millis(after), Ordering::Relaxed);
    }

    pub(crate) fn look(&self, conn: &Conn, op: OpCode, xid: Xid, took: Duration, outbox_bytes: usize) {
        let limit_ms = self.limit_ms.load(Ordering::Relaxed);
        let took_ms = millis(took);
        if limit_ms == 0 || took_ms < limit_ms {
            return;
        }
        let now_ms = clock::monotonic_ms();
        let Some(left_out) = self.turn(now_ms) else { return };
        let applying_ms = now_ms.saturating_sub(self.applying_since_ms.load(Ordering::Relaxed));
        let Hops { queued, committed, applied } =
            hops(took_ms, self.decided_after_ms.load(Ordering::Relaxed), applying_ms);
        let session = conn.session();
        tracing::warn!(
            %session,
            peer = %conn.peer,
            ?op,
            xid = xid.0,
            took_ms,
            queued_ms = queued,
            committed_ms = committed,
            applied_ms = applied,
            outbox_bytes,
            left_out,
            "slow request"
        );
    }

    /// Whether a line may be written now, and how many were not since the last.
    fn turn(&self, now_ms: u64) -> Option<u64> {
        let next = self.next_ms.load(Ordering::Relaxed);
        if now_ms < next {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.next_ms.store(now_ms + ONE_LINE_MS, Ordering::Relaxed);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hops_add_up_to_the_whole_and_none_is_negative() {
        assert_eq!(hops(100, 90, 20), Hops { queued: 10, committed: 70, applied: 20 });
        assert_eq!(hops(100, 101, 0), Hops { queued: 0, committed: 100, applied: 0 }, "rounded the other way");
        assert_eq!(hops(100, 5, 7), Hops { queued: 95, committed: 0, applied: 5 });
    }

    #[test]
    fn one_line_a_second_says_how_many_were_left_out() {
        let log = SlowLog::default();
        assert_eq!(log.turn(10), Some(0));
        assert_eq!(log.turn(500), None);
        assert_eq!(log.turn(1009), None);
        assert_eq!(log.turn(1010), Some(2));
    }
}
