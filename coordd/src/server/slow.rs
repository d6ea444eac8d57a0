//! Writes that took too long, told in the log; at most one line a second, with how many were left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coordd_proto::{OpCode, Xid};

use super::conn::Conn;
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
}

impl SlowLog {
    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit_ms.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn look(&self, conn: &Conn, op: OpCode, xid: Xid, took: Duration) {
        let limit_ms = self.limit_ms.load(Ordering::Relaxed);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if limit_ms == 0 || took_ms < limit_ms {
            return;
        }
        let Some(left_out) = self.turn(clock::monotonic_ms()) else { return };
        let session = conn.session();
        tracing::warn!(%session, peer = %conn.peer, ?op, xid = xid.0, took_ms, left_out, "slow request");
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
    fn one_line_a_second_says_how_many_were_left_out() {
        let log = SlowLog::default();
        assert_eq!(log.turn(10), Some(0));
        assert_eq!(log.turn(500), None);
        assert_eq!(log.turn(1009), None);
        assert_eq!(log.turn(1010), Some(2));
    }
}
