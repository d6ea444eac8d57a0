//! Requests that took too long, told in the log; at most one line a second, with how many were left out.
//!
//! ```text
//!   write      taken ─ queued ─► proposed ─ committed ─► apply begins ─ applied ─► reply in the outbox
//!   read       taken ─ queued ─► its turn ─ executed ─► answer in the outbox
//!   sync       taken ─ barrier ─► passed ─ queued ─► its turn ─ executed ─► answer in the outbox
//!   any                           outbox ─ held ─► this member may answer
//! ```
//!
//! Rule: the hops are put together only for a line that is written, and reads that were answered at once are looked at
//! a batch at a time. Reason: what a write's are made of (when this batch began, how long the newest write took) costs
//! two stores; apply is one task and tells the sink right after the meter. A read must cost no look at the clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coordd_proto::{OpCode, Xid};

use super::conn::Conn;
use super::metrics::millis;
use super::rarely::Rarely;
use crate::clock;
use crate::session::registry::Holder;

/// What counts as slow at one member, and what is known of the write that apply is at.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    /// Milliseconds; zero = nothing is logged.
    limit_ms: AtomicU64,
    lines: Rarely,
    /// When the batch that is being applied began.
    applying_since_ms: AtomicU64,
    /// From proposal to outcome of the write whose sink is told next.
    decided_after_ms: AtomicU64,
}

/// A request and how long it took so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub op: Option<OpCode>,
    pub xid: Xid,
    pub took: Duration,
}

/// Where a request's time went, milliseconds; `None` for a hop that its kind does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Hops {
    /// From the socket to the proposal or to its turn: behind other requests, or for lack of room.
    queued: Option<u64>,
    /// Until a quorum confirmed the leader.
    barrier: Option<u64>,
    /// Log, peers, quorum.
    committed: Option<u64>,
    /// Since its batch began to be applied.
    applied: Option<u64>,
    executed: Option<u64>,
    /// From the socket to the outbox, whatever it waited for.
    answered: Option<u64>,
    /// In the outbox, while this member might not answer.
    held: Option<u64>,
}

fn of_write(took_ms: u64, decided_after_ms: u64, applying_ms: u64) -> Hops {
    let decided = decided_after_ms.min(took_ms);
    let applied = applying_ms.min(decided);
    let (queued, committed) = (Some(took_ms - decided), Some(decided - applied));
    Hops { queued, committed, applied: Some(applied), ..Hops::default() }
}

fn of_read(took_ms: u64, executed_ms: u64, barrier_ms: Option<u64>) -> Hops {
    let executed = executed_ms.min(took_ms);
    let barrier = barrier_ms.map(|ms| ms.min(took_ms - executed));
    let queued = Some(took_ms - executed - barrier.unwrap_or(0));
    Hops { queued, barrier, executed: Some(executed), ..Hops::default() }
}

/// Whether frames are no watch events alone. Those have an xid of their own.
fn has_answers(mut frames: &[u8]) -> bool {
    while let Some((len, rest)) = frames.split_first_chunk::<4>() {
        match rest.split_at_checked(u32::from_be_bytes(*len) as usize) {
            Some((frame, next)) if frame.starts_with(&Xid::NOTIFICATION.0.to_be_bytes()) => frames = next,
            // Of a frame that is written in part, too, nobody knows better.
            _ => return true,
        }
    }
    false
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

    /// A write or a handshake, while its sink is told.
    pub(crate) fn written(&self, conn: &Conn, asked: Asked, outbox_bytes: usize) {
        let hops = |took_ms| {
            let applying_ms = clock::monotonic_ms().saturating_sub(self.applying_since_ms.load(Ordering::Relaxed));
            of_write(took_ms, self.decided_after_ms.load(Ordering::Relaxed), applying_ms)
        };
        self.look(conn, asked, hops, 1, outbox_bytes, "slow request");
    }

    /// A read or a `sync`, which waited for a `barrier`; or the newest of so many `requests` of one batch.
    pub(crate) fn read(
        &self,
        conn: &Conn,
        asked: Asked,
        executed: Duration,
        barrier: Option<Duration>,
        requests: u64,
        outbox_bytes: usize,
    ) {
        let hops = |took_ms| of_read(took_ms, millis(executed), barrier.map(millis));
        self.look(conn, asked, hops, requests, outbox_bytes, "slow request");
    }

    /// What was `held` back in the outbox, if answers are among it; what is known of the newest stands in the
    /// connection's tally.
    pub(crate) fn held(&self, conn: &Conn, held: Duration, outbox: &[u8]) {
        if !has_answers(outbox) {
            return;
        }
        let (op, xid, answered) = {
            let tally = &conn.queue().tally;
            (tally.last_op, tally.last_xid, Duration::from_millis(tally.last_latency_ms))
        };
        let hops = |_| Hops { answered: Some(millis(answered)), held: Some(millis(held)), ..Hops::default() };
        self.look(conn, Asked { op, xid, took: answered + held }, hops, 1, outbox.len(), "slow request");
    }

    /// The oldest of so many `requests` that stay without an answer: their connection is closed.
    pub(crate) fn unanswered(&self, conn: &Conn, asked: Asked, requests: u64) {
        self.look(conn, asked, |_| Hops::default(), requests, 0, "slow request, never answered: its connection closed");
    }

    fn look(
        &self,
        conn: &Conn,
        asked: Asked,
        hops: impl FnOnce(u64) -> Hops,
        requests: u64,
        outbox_bytes: usize,
        what: &str,
    ) {
        let limit_ms = self.limit_ms.load(Ordering::Relaxed);
        let took_ms = millis(asked.took);
        if limit_ms == 0 || took_ms < limit_ms {
            return;
        }
        let Some(left_out) = self.lines.turn(clock::monotonic_ms()) else { return };
        let hops = hops(took_ms);
        tracing::warn!(
            session = %conn.session(),
            peer = %conn.peer,
            op = asked.op.map(tracing::field::debug),
            xid = asked.xid.0,
            requests,
            took_ms,
            queued_ms = hops.queued,
            barrier_ms = hops.barrier,
            committed_ms = hops.committed,
            applied_ms = hops.applied,
            executed_ms = hops.executed,
            answered_ms = hops.answered,
            held_ms = hops.held,
            outbox_bytes,
            left_out,
            "{what}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hops_add_up_to_the_whole_and_none_is_negative() {
        let write = |took_ms, decided_after_ms, applying_ms| {
            let hops = of_write(took_ms, decided_after_ms, applying_ms);
            [hops.queued, hops.committed, hops.applied].map(Option::unwrap)
        };
        assert_eq!(write(100, 90, 20), [10, 70, 20]);
        assert_eq!(write(100, 101, 0), [0, 100, 0], "rounded the other way");
        assert_eq!(write(100, 5, 7), [95, 0, 5]);
        let read = |took_ms, executed_ms, barrier_ms| {
            let hops = of_read(took_ms, executed_ms, Some(barrier_ms));
            [hops.barrier, hops.queued, hops.executed].map(Option::unwrap)
        };
        assert_eq!(read(100, 20, 70), [70, 10, 20]);
        assert_eq!(read(100, 101, 1), [0, 0, 100], "rounded the other way");
        assert_eq!(of_read(100, 20, None).barrier, None);
    }
}
