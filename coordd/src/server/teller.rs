//! Writes what apply left in the outboxes: to a few connections at once, to the others beside the member's other work.
//!
//! ```text
//!   batch applied ─► its connections ─┬─ the first 32 ─► written to at once
//!                                     └─ the others ─┬─ one worker ─► waiting ◄─ 16 at a time ─ tellers, threads
//!                                                    └─ several ────► woken, each writes for itself
//! ```
//!
//! Rule: the thread that applies writes to no more sockets in one go. Reason: each costs it microseconds, and it also
//! takes in the followers' acknowledgements and sends them the news of the commit. A leader that told a thousand
//! watchers in one go told its followers afterwards, and so theirs were told last.
//!
//! Where there are no more cores than tellers, each keeps to a core of its own. Reason: a packet over loopback wakes
//! its receiver on the sender's core; members that share a machine wait for each other there while the other core is
//! idle.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::conn::Conn;
use super::metrics::Metrics;
use crate::consensus::Consensus;

/// Connections that apply writes to in one go.
const AT_ONCE: usize = 32;
/// Connections that a teller takes at a time.
const SHARE: usize = 16;
/// More would take the cores from the member's other work.
const TELLERS: usize = 2;

/// Who says whether clients may be answered, and where the connections go that are too many for one go.
pub(super) struct Teller {
    writer: Arc<Writer>,
    /// None where other workers share the writes.
    others: Option<Arc<Waiting>>,
}

struct Writer {
    gate: Weak<dyn Consensus>,
    metrics: Arc<Metrics>,
}

/// Whom the tellers have still to tell.
#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
}

/// Bounded: a connection waits here at most once.
#[derive(Default)]
struct Queue {
    conns: VecDeque<Arc<Conn>>,
    ended: bool,
}

impl Teller {
    /// `workers` is how many threads run tasks.
    pub(super) fn start(consensus: &Arc<dyn Consensus>, metrics: &Arc<Metrics>, workers: usize) -> Teller {
        let writer = Arc::new(Writer { gate: Arc::downgrade(consensus), metrics: metrics.clone() });
        let alone = workers == 1 && !cfg!(feature = "sim");
        let others = alone.then(|| begin(&writer)).flatten();
        Teller { writer, others }
    }

    /// Sees to it that all of them are told, leaving the vector empty.
    pub(super) fn tell(&self, listed: &mut Vec<Arc<Conn>>) {
        if listed.len() > AT_ONCE {
            let late = listed.drain(AT_ONCE..);
            match &self.others {
                Some(others) => others.add(late),
                None => late.for_each(|conn| conn.wake_to_write()),
            }
        }
        self.writer.write(listed.drain(..));
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(others) = &self.others {
            others.queue.lock().ended = true;
            others.more.notify_all();
        }
    }
}

impl Waiting {
    fn add(&self, conns: impl ExactSizeIterator<Item = Arc<Conn>>) {
        let one_is_enough = conns.len() <= SHARE;
        self.queue.lock().conns.extend(conns);
        if one_is_enough {
            self.more.notify_one();
        } else {
            self.more.notify_all();
        }
    }

    /// Waits for connections and moves a share of them into `mine`; false when there will be none.
    fn take(&self, mine: &mut Vec<Arc<Conn>>) -> bool {
        let mut queue = self.queue.lock();
        while queue.conns.is_empty() && !queue.ended {
            self.more.wait(&mut queue);
        }
        let share = queue.conns.len().min(SHARE);
        mine.extend(queue.conns.drain(..share));
        share > 0
    }
}

impl Writer {
    fn write(&self, conns: impl Iterator<Item = Arc<Conn>>) {
        let gate = self.gate.upgrade();
        let may_write = |conn: &Conn| conn.is_read_only() || gate.as_ref().is_some_and(|gate| gate.may_answer());
        let (mut writes, mut bytes) = (0, 0);
        for conn in conns {
            if let Some(taken) = conn.push(|| may_write(&conn)) {
                writes += 1;
                bytes += taken as u64;
            }
        }
        self.metrics.bytes_sent.add(bytes);
        self.metrics.socket_writes.add(writes);
    }
}

/// None where no thread can be had.
fn begin(writer: &Arc<Writer>) -> Option<Arc<Waiting>> {
    let cores = cores();
    let waiting = Arc::new(Waiting::default());
    let mut begun = 0;
    for place in 0..cores.len().clamp(1, TELLERS) {
        let (writer, waiting) = (writer.clone(), waiting.clone());
        let core = cores.get(place).copied().filter(|_| cores.len() <= TELLERS);
        let thread = thread::Builder::new().name(format!("teller-{place}"));
        begun += usize::from(thread.spawn(move || run(&writer, &waiting, core)).is_ok());
    }
    (begun > 0).then_some(waiting)
}

fn run(writer: &Writer, waiting: &Waiting, core: Option<usize>) {
    if let Some(core) = core {
        let mut only = CpuSet::new();
        only.set(core);
        // Where this is refused the kernel chooses, which is as right and a little slower.
        let _ = sched_setaffinity(None, &only);
    }
    let mut mine = Vec::with_capacity(SHARE);
    while waiting.take(&mut mine) {
        writer.write(mine.drain(..));
    }
}

/// The cores that this process may use; none if the system does not say.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::tests::support::Double;
    use super::*;

    #[test]
    fn the_tellers_end_with_the_one_that_hands_on() {
        let gate: Weak<dyn Consensus> = Weak::<Double>::new();
        let writer = Arc::new(Writer { gate, metrics: Arc::default() });
        let others = begin(&writer);
        assert!(others.is_some() && Arc::strong_count(&writer) > 1);
        drop(Teller { writer: writer.clone(), others });
        let began = Instant::now();
        while Arc::strong_count(&writer) > 1 && began.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(Arc::strong_count(&writer), 1, "a thread waits for what nobody will hand on");
    }
}
