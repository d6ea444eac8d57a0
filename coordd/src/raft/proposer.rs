//! The undecided writes of this member, in the order in which it proposes them.
//!
//! ```text
//!   propose ──► [ 41 42 43 │ 44 45 46 47 ] ◄── new ones          front: oldest undecided, its number is `base`
//!                   sent   ▲   unsent
//!   apply decides the front (or a snapshot tells that it is decided) ──► popped, its sink is told
//!   the stream to the leader broke ──► the bar moves to the front: all of it is sent again
//! ```
//!
//! Rule: a write leaves the queue only when this member's own state has accepted its number. Reason: the replicated
//! table "last number of each member" (design D7, raft-notes.md §4.3) refuses whatever arrives twice or out of order,
//! so sending again is always safe, and a lost leader costs a client of this member a pause and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use coordd_tree::{Command, Op, Origin};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::consensus::{Write, WriteSink};

/// Undecided writes of one member: at most so many, of at most so many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub entries_max: usize,
    pub bytes_max: usize,
}

impl Default for Window {
    fn default() -> Self {
        Window { entries_max: 8192, bytes_max: 16 << 20 }
    }
}

struct Pending {
    command: Bytes,
    /// Ends a session by the word of the leader of this term; void in a later one (liveness).
    expiry_of: Option<u64>,
    /// `None` once its client was told that the outcome is unknown.
    sink: Option<Arc<dyn WriteSink>>,
    proposed: Instant,
}

/// A write whose outcome is known here now.
pub(crate) struct Decided {
    pub sink: Option<Arc<dyn WriteSink>>,
    pub proposed: Instant,
}

/// Keeps its number and has no effect: no session has this attach number.
const VOID_EXPIRY: Op = Op::ExpireSession { attach: u32::MAX };

impl Pending {
    fn void_expiry_before(&mut self, term: u64) {
        if self.expiry_of.is_some_and(|decided_in| decided_in < term)
            && let Ok(command) = Command::decode(&self.command)
        {
            self.command = encode(&Command { op: VOID_EXPIRY, ..command }, &mut BytesMut::new());
            self.expiry_of = None;
        }
    }
}

fn encode(command: &Command, buffer: &mut BytesMut) -> Bytes {
    buffer.reserve(command.encoded_len());
    command.encode(buffer);
    buffer.split().freeze()
}

struct Queue {
    base: u64,
    pending: VecDeque<Pending>,
    bytes: usize,
    sent: usize,
    /// Of the leader that the present stream goes to.
    term: u64,
    /// A hole was seen at apply: the present stream is of no use any more.
    broken: bool,
}

pub(crate) struct Proposer {
    member: u64,
    boot: u32,
    window: Window,
    queue: Mutex<Queue>,
    work: Notify,
    room: Notify,
}

/// A run of writes to hand over: the first one's number, and their commands in order.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub first: u64,
    pub commands: Vec<Bytes>,
}

impl Proposer {
    pub(crate) fn new(member: u64, boot: u32, window: Window) -> Proposer {
        let queue = Queue { base: 1, pending: VecDeque::new(), bytes: 0, sent: 0, term: 0, broken: false };
        let (work, room) = (Notify::new(), Notify::new());
        Proposer { member, boot, window, queue: Mutex::new(queue), work, room }
    }

    pub(crate) fn member(&self) -> u64 {
        self.member
    }

    pub(crate) fn boot(&self) -> u32 {
        self.boot
    }

    /// Takes all of `writes` in order. They are encoded here, once, into one buffer.
    pub(crate) fn propose(&self, writes: &mut Vec<Write>) {
        self.take(writes, None);
    }

    /// Takes expiries that this member decided as leader of `term`. That may be over by now, and the stream may go to
    /// a leader who gave every session its full timeout: then they are void.
    pub(crate) fn expire(&self, term: u64, expiries: &mut Vec<Write>) {
        self.take(expiries, Some(term));
    }

    fn take(&self, writes: &mut Vec<Write>, expiry_of: Option<u64>) {
        let mut buffer = BytesMut::new();
        let proposed = Instant::now();
        let mut queue = self.queue.lock();
        for Write { session, attach, auth, op, sink } in writes.drain(..) {
            let seq = queue.base + queue.pending.len() as u64;
            let origin = Origin { member: self.member, boot: self.boot, seq };
            let op = if expiry_of.is_some_and(|decided_in| decided_in < queue.term) { VOID_EXPIRY } else { op };
            let command = encode(&Command { origin, time_ms: 0, session, attach, auth, op }, &mut buffer);
            queue.bytes += command.len();
            queue.pending.push_back(Pending { command, expiry_of, sink: Some(sink), proposed });
        }
        drop(queue);
        self.work.notify_one();
    }

    pub(crate) fn has_room(&self) -> bool {
        let queue = self.queue.lock();
        queue.pending.len() < self.window.entries_max && queue.bytes < self.window.bytes_max
    }

    pub(crate) async fn room(&self) {
        loop {
            let freed = self.room.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// How many writes wait for their outcome, and their bytes.
    pub(crate) fn undecided(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.pending.len(), queue.bytes)
    }

    /// Apply accepted this member's write `seq`: who waits for it. Called in order, under the state's write guard.
    pub(crate) fn decided(&self, seq: u64) -> Option<Decided> {
        let mut queue = self.queue.lock();
        if queue.base != seq {
            return None;
        }
        let decided = queue.pending.pop_front()?;
        queue.base += 1;
        queue.sent = queue.sent.saturating_sub(1);
        queue.bytes -= decided.command.len();
        let half = queue.pending.len() <= self.window.entries_max / 2 && queue.bytes <= self.window.bytes_max / 2;
        drop(queue);
        if half {
            self.room.notify_waiters();
        }
        Some(Decided { sink: decided.sink, proposed: decided.proposed })
    }

    /// A snapshot says that everything up to `seq` is decided, with outcomes that are unknown here: those sinks.
    pub(crate) fn decided_unseen(&self, seq: u64) -> Vec<Arc<dyn WriteSink>> {
        let mut sinks = Vec::new();
        loop {
            let base = self.queue.lock().base;
            if base > seq || self.queue.lock().pending.is_empty() {
                return sinks;
            }
            sinks.extend(self.decided(base).and_then(|decided| decided.sink));
        }
    }

    /// Nobody leads for too long: everyone who waits is to be told. The writes stay: their numbers are taken.
    pub(crate) fn give_up_waiting(&self) -> Vec<Arc<dyn WriteSink>> {
        self.queue.lock().pending.iter_mut().filter_map(|pending| pending.sink.take()).collect()
    }

    /// Apply refused a later write of this member: the numbers before it never arrived in this stream.
    pub(crate) fn hole_seen(&self) {
        self.queue.lock().broken = true;
        self.work.notify_one();
    }

    /// A new stream to the leader of `term` starts: everything undecided is to be sent. Returns the number it starts
    /// with. In a new term all of older terms that will ever be applied is applied here, and expiries decided in them
    /// become void.
    pub(crate) fn rewind(&self, term: u64) -> u64 {
        let mut queue = self.queue.lock();
        queue.pending.iter_mut().for_each(|pending| pending.void_expiry_before(term));
        queue.term = term;
        queue.sent = 0;
        queue.broken = false;
        queue.base
    }

    /// The number of the oldest write that is sent and undecided.
    pub(crate) fn oldest_sent(&self) -> Option<u64> {
        let queue = self.queue.lock();
        (queue.sent > 0).then_some(queue.base)
    }

    /// The next run of unsent writes, at most `bytes_max` bytes of them; `None` when the stream broke.
    pub(crate) fn take_unsent(&self, bytes_max: usize) -> Option<Run> {
        let mut queue = self.queue.lock();
        if queue.broken {
            return None;
        }
        let mut bytes = 0;
        let unsent = queue.pending.range(queue.sent..);
        let commands: Vec<Bytes> = unsent
            .take_while(|pending| {
                let fits = bytes < bytes_max;
                bytes += pending.command.len();
                fits
            })
            .map(|pending| pending.command.clone())
            .collect();
        let first = queue.base + queue.sent as u64;
        queue.sent += commands.len();
        Some(Run { first, commands })
    }

    /// Resolves when there may be something to send or to stop for.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use coordd_proto::{SessionId, Zxid};
    use coordd_tree::{AuthList, Outcome, State};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl WriteSink for Count {
        fn applied(&self, _: &State, _: Zxid, _: Outcome) {}

        fn lost(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(op: Op, sink: &Arc<Count>) -> Write {
        Write { session: SessionId(1), attach: 1, auth: AuthList::default(), op, sink: sink.clone() }
    }

    fn proposer_with(ops: Vec<Op>) -> (Proposer, Arc<Count>) {
        let proposer = Proposer::new(1, 1, Window { entries_max: 4, bytes_max: 1 << 20 });
        let sink = Arc::new(Count::default());
        proposer.propose(&mut ops.into_iter().map(|op| write(op, &sink)).collect());
        (proposer, sink)
    }

    fn seqs(run: &Run) -> Vec<u64> {
        run.commands.iter().map(|bytes| Command::decode(bytes).unwrap().origin.seq).collect()
    }

    #[test]
    fn a_new_stream_sends_exactly_what_is_undecided_in_order() {
        let (proposer, _) = proposer_with(vec![Op::CloseSession, Op::CloseSession, Op::CloseSession]);
        assert_eq!(seqs(&proposer.take_unsent(1 << 20).unwrap()), [1, 2, 3]);
        assert!(proposer.take_unsent(1 << 20).unwrap().commands.is_empty());
        assert!(proposer.decided(1).is_some());
        assert!(proposer.decided(3).is_none(), "not the oldest");
        assert_eq!(proposer.rewind(1), 2);
        assert_eq!(seqs(&proposer.take_unsent(1 << 20).unwrap()), [2, 3]);
    }

    #[test]
    fn a_hole_ends_the_stream_until_it_is_rewound() {
        let (proposer, _) = proposer_with(vec![Op::CloseSession]);
        proposer.hole_seen();
        assert!(proposer.take_unsent(1 << 20).is_none());
        proposer.rewind(1);
        assert_eq!(seqs(&proposer.take_unsent(1 << 20).unwrap()), [1]);
    }

    /// What the expiries that are to be sent say.
    fn expiries(proposer: &Proposer) -> Vec<Op> {
        let run = proposer.take_unsent(1 << 20).unwrap();
        let ops = run.commands.iter().map(|bytes| Command::decode(bytes).unwrap().op);
        ops.filter(|op| matches!(op, Op::ExpireSession { .. })).collect()
    }

    const EXPIRY: Op = Op::ExpireSession { attach: 1 };

    #[test]
    fn an_expiry_of_an_older_term_keeps_its_number_and_loses_its_effect() {
        let (proposer, sink) = proposer_with(Vec::new());
        proposer.rewind(1);
        proposer.expire(1, &mut vec![write(EXPIRY, &sink)]);
        proposer.propose(&mut vec![write(Op::CloseSession, &sink)]);
        proposer.rewind(1);
        assert_eq!(expiries(&proposer), [EXPIRY]);
        proposer.rewind(2);
        assert_eq!(expiries(&proposer), [VOID_EXPIRY]);
        proposer.rewind(2);
        assert_eq!(seqs(&proposer.take_unsent(1 << 20).unwrap()), [1, 2]);
    }

    #[test]
    fn an_expiry_that_comes_after_the_stream_to_the_next_leader_began_has_no_effect_either() {
        let (proposer, sink) = proposer_with(Vec::new());
        proposer.rewind(2);
        proposer.expire(1, &mut vec![write(EXPIRY, &sink)]);
        assert_eq!(expiries(&proposer), [VOID_EXPIRY]);
        proposer.expire(3, &mut vec![write(EXPIRY, &sink)]);
        proposer.rewind(3);
        assert_eq!(expiries(&proposer), [VOID_EXPIRY, EXPIRY], "one that is ahead of the stream stays");
    }

    #[test]
    fn those_whose_outcome_is_unknown_are_told_once_and_the_numbers_stay() {
        let (proposer, sink) = proposer_with(vec![Op::CloseSession, Op::CloseSession]);
        proposer.give_up_waiting().iter().for_each(|sink| sink.lost());
        proposer.decided_unseen(2).iter().for_each(|sink| sink.lost());
        assert_eq!(sink.0.load(Ordering::Relaxed), 2);
        assert_eq!(proposer.undecided(), (0, 0));
    }

    #[tokio::test]
    async fn the_window_closes_when_it_is_full_and_opens_when_half_is_decided() {
        let (proposer, _) = proposer_with(vec![Op::CloseSession; 4]);
        assert!(!proposer.has_room());
        proposer.decided(1);
        proposer.decided(2);
        proposer.room().await;
        assert!(proposer.has_room());
    }
}
