//! Writes what apply left in the outboxes: to a few connections at once, to the others beside the member's other work.
//!
//! ```text
//!   batch applied ─► its connections ─┬─ the first 32 ─► written to at once
//!                                     └─ the others ─┬─ one worker ─► by the teller, a thread of its own
//!                                                    └─ several ────► woken, each writes for itself
//! ```
//!
//! Rule: the thread that applies writes to no more sockets in one go. Reason: each costs it microseconds, and it also
//! takes in the followers' acknowledgements and sends them the news of the commit. A leader that told a thousand
//! watchers in one go told its followers afterwards, and so theirs were told last.

use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;

use super::conn::Conn;
use crate::consensus::Consensus;

/// Connections that apply writes to in one go.
const AT_ONCE: usize = 32;

/// Who says whether clients may be answered, and where the connections go that are too many for one go.
pub(super) struct Teller {
    gate: Weak<dyn Consensus>,
    /// None where other workers share the writes. Bounded: a connection waits here at most once.
    others: Option<Sender<Vec<Arc<Conn>>>>,
}

impl Teller {
    /// `workers` is how many threads run tasks.
    pub(super) fn start(consensus: &Arc<dyn Consensus>, workers: usize) -> Teller {
        let gate = Arc::downgrade(consensus);
        let alone = workers == 1 && !cfg!(feature = "sim");
        let others = alone.then(|| begin(gate.clone())).flatten();
        Teller { gate, others }
    }

    /// Sees to it that all of them are told, leaving the vector empty.
    pub(super) fn tell(&self, listed: &mut Vec<Arc<Conn>>) {
        if listed.len() > AT_ONCE {
            self.hand_on(listed.split_off(AT_ONCE));
        }
        write(listed.drain(..), &self.gate);
    }

    fn hand_on(&self, conns: Vec<Arc<Conn>>) {
        let left = match &self.others {
            Some(others) => others.send(conns).map_or_else(|SendError(conns)| conns, |()| Vec::new()),
            None => conns,
        };
        left.iter().for_each(|conn| conn.push(|| false));
    }
}

/// None where no thread can be had.
fn begin(gate: Weak<dyn Consensus>) -> Option<Sender<Vec<Arc<Conn>>>> {
    let (others, waiting) = channel();
    let thread = thread::Builder::new().name("teller".to_owned());
    thread.spawn(move || tell(&waiting, &gate)).is_ok().then_some(others)
}

/// Ends with the teller that hands on.
fn tell(waiting: &Receiver<Vec<Arc<Conn>>>, gate: &Weak<dyn Consensus>) {
    while let Ok(conns) = waiting.recv() {
        write(conns.into_iter(), gate);
    }
}

fn write(conns: impl Iterator<Item = Arc<Conn>>, gate: &Weak<dyn Consensus>) {
    let gate = gate.upgrade();
    for conn in conns {
        conn.push(|| conn.is_read_only() || gate.as_ref().is_some_and(|gate| gate.may_answer()));
    }
}
