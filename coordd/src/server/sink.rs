//! Outcomes come back: apply puts the reply into the connection's outbox, and executes the reads that waited behind it.
//!
//! ```text
//!   apply(zxid) ─► events of the entry ─► reply{zxid} ─► reads queued behind it ─► … until the next undecided write
//! ```
//!
//! Rule: everything of one entry that one client sees is appended under the write guard of that entry. Reason: a read
//! that waited for a write sees exactly that write and nothing later than the events that lie before it in the outbox.

use coordd_proto::{ConnectResponse, ErrorCode, OpCode, Reply, SessionId, Xid, Zxid, encode_reply};
use coordd_tree::{Outcome, SessionOutcome, State};
use tokio::time::Instant;

use super::conn::{Conn, Fate, Pending, Queue};
use super::metrics::millis;
use super::slow::Asked;
use super::turn::Turn;
use crate::clock;
use crate::consensus::{BarrierSink, WriteSink};

impl WriteSink for Conn {
    fn applied(&self, state: &State, zxid: Zxid, outcome: Outcome) {
        let Some(me) = self.shared() else { return };
        // Nobody contends for the table here: whoever else takes it holds a read guard of the state.
        let mut watches = self.hub.watches();
        let mut queue = self.queue();
        if queue.fate == Fate::Cut {
            self.hub.metrics.stale_replies.add(1);
            return;
        }
        if queue.fate == Fate::Flush {
            // The last answer was given to what stood before these.
            while queue.is_ready() {
                queue.pending.pop_front();
            }
        }
        match queue.pending.pop_front() {
            Some(Pending::Write { xid, op, since }) => self.reply(&mut queue, zxid, xid, op, since, outcome),
            Some(Pending::Handshake { timeout_ms, password, read_only, since }) => {
                watches.watcher(&me);
                self.greet(&mut queue, timeout_ms, password, read_only, &outcome);
                let asked = Asked { op: Some(OpCode::CreateSession), xid: Xid::default(), took: since.elapsed() };
                self.hub.slow.written(self, asked, queue.out.len());
            }
            other => {
                tracing::error!(connection = self.id, "an outcome came for a request that is no write");
                drop(other);
                queue.fate = Fate::Cut;
            }
        }
        if queue.is_ready() {
            let mut turn = Turn::new(&me, state, Some(&mut watches), Instant::now());
            turn.run_ready(&mut queue);
        }
        me.list(&mut queue);
    }

    fn lost(&self) {
        self.cut();
    }
}

impl BarrierSink for Conn {
    fn passed(&self, _: &State) {
        // Its task executes it, with the watch table at hand for what is queued before it.
        if let Some(Pending::Sync { passed, .. }) = self.queue().pending.back_mut() {
            *passed = Some(Instant::now());
        }
        self.wake();
    }

    fn lost(&self) {
        self.cut();
    }
}

impl Conn {
    fn reply(&self, queue: &mut Queue, zxid: Zxid, xid: Xid, op: OpCode, since: Instant, outcome: Outcome) {
        let result = match outcome {
            Outcome::Done(result) => result,
            Outcome::Session(SessionOutcome::Ended(_)) => Ok(Reply::Empty),
            Outcome::Session(_) | Outcome::Refused(_) => Err(ErrorCode::SessionExpired),
        };
        if result == Err(ErrorCode::SessionMoved) {
            // The client is elsewhere already: no reply (FinalRequestProcessor).
            queue.fate = Fate::Cut;
            return;
        }
        encode_reply(&mut queue.out, xid, zxid, result.as_ref().map_err(|code| *code));
        let latency = since.elapsed();
        queue.tally.answered(op, xid, zxid, clock::monotonic_ms(), millis(latency));
        self.hub.metrics.write_answered(op, latency);
        self.hub.slow.written(self, Asked { op: Some(op), xid, took: latency }, queue.out.len());
        if op == OpCode::CloseSession {
            queue.close_after_flush();
        }
    }

    /// Answers the handshake: with the session, or with zeros and the end of the connection.
    fn greet(
        &self,
        queue: &mut Queue,
        timeout_ms: i32,
        password: [u8; 16],
        read_only: Option<bool>,
        outcome: &Outcome,
    ) {
        let read_only = read_only.map(|_| false);
        match outcome {
            Outcome::Session(SessionOutcome::Opened(info) | SessionOutcome::Attached(info)) => {
                let timeout = u64::try_from(info.timeout_ms).unwrap_or(0);
                self.establish(info.id, info.attach, timeout, false);
                if let Some(me) = self.shared() {
                    self.hub.established(&me);
                }
                let response = ConnectResponse::new(timeout_ms, info.id, password, read_only);
                response.encode_frame(&mut queue.out);
                queue.tally.last_op = Some(OpCode::CreateSession);
            }
            Outcome::Session(_) | Outcome::Done(_) | Outcome::Refused(_) => {
                ConnectResponse::new(0, SessionId::NONE, [0; 16], read_only).encode_frame(&mut queue.out);
                queue.close_after_flush();
            }
        }
        queue.tally.sent += 1;
        self.hub.metrics.answered(1);
    }
}
