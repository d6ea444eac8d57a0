//! Writes what apply left in the outboxes: to a few connections at once, to the others between the member's tasks.
//!
//! ```text
//!   batch applied ─► its connections ─┬─ the first 32 ─► written to at once
//!                                     └─ the others ─┬─ one worker ──► by a task, 32 in a turn
//!                                                    └─ several ─────► woken, each writes for itself
//! ```
//!
//! Rule: nobody writes to more sockets in one go. Reason: each costs microseconds of the thread that also takes in the
//! acknowledgements of the followers and sends them the news of the commit. A leader that told a thousand watchers in
//! one go told its followers afterwards, and so theirs were told last.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;

use super::conn::Conn;
use crate::consensus::Consensus;

/// Connections that are written to in one go.
const AT_ONCE: usize = 32;

/// Who says whether clients may be answered, and where the connections go that do not fit in one go.
pub(super) struct Teller {
    gate: Weak<dyn Consensus>,
    /// None where other workers share the writes. Bounded: a connection waits here at most once.
    rest: Option<UnboundedSender<Arc<Conn>>>,
}

impl Teller {
    /// `workers` is how many threads run tasks.
    pub(super) fn start(consensus: &Arc<dyn Consensus>, workers: usize) -> Teller {
        let gate = Arc::downgrade(consensus);
        let rest = (workers == 1).then(|| {
            let (rest, waiting) = unbounded_channel();
            tokio::spawn(tell(waiting, gate.clone()));
            rest
        });
        Teller { gate, rest }
    }

    /// Sees to it that all of them are told, leaving the vector empty.
    pub(super) fn tell(&self, listed: &mut Vec<Arc<Conn>>) {
        let gate = self.gate.upgrade();
        for (i, conn) in listed.drain(..).enumerate() {
            match &self.rest {
                _ if i < AT_ONCE => conn.push(|| may_answer(&conn, gate.as_deref())),
                Some(rest) => {
                    if let Err(gone) = rest.send(conn) {
                        gone.0.push(|| false);
                    }
                }
                None => conn.push(|| false),
            }
        }
    }
}

fn may_answer(conn: &Conn, gate: Option<&dyn Consensus>) -> bool {
    conn.is_read_only() || gate.is_some_and(Consensus::may_answer)
}

/// Ends with the last teller.
async fn tell(mut waiting: UnboundedReceiver<Arc<Conn>>, gate: Weak<dyn Consensus>) {
    let mut few = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut few, AT_ONCE).await > 0 {
        let gate = gate.upgrade();
        few.drain(..).for_each(|conn| conn.push(|| may_answer(&conn, gate.as_deref())));
        yield_now().await;
    }
}
