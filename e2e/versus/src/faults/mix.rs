//! What the clients under faults do: registers, a changing tree, queues, locks, each with watches.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use crate::history::{Answer, Op, Value};

/// The znodes that are there before the workload begins.
pub const ROOTS: &[&str] = &["/r", "/t", "/t/0", "/t/1", "/t/2", "/q", "/e", "/lock", "/pair", "/pair/0", "/pair/1"];
pub const REGISTERS: usize = 16;
const LOCKS: usize = 4;
const PAIRS: usize = 2;
/// Where watches that stay are left, and whether they are recursive.
const LASTING: &[(&str, bool)] =
    &[("/t", true), ("/t/0", false), ("/t/1", false), ("/lock", false), ("/e", true), ("/pair", true), ("/q", false)];

/// The choices of one client.
#[derive(Debug)]
pub struct Mix {
    client: usize,
    written: Value,
    /// Sequential znodes of this client that are there.
    queued: Vec<String>,
    /// Locks that this client holds.
    held: Vec<String>,
}

/// The halves of the pairs, which are only ever set together.
pub fn halves() -> impl Iterator<Item = String> {
    (0..PAIRS).flat_map(|pair| ["left", "right"].map(|half| format!("/pair/{pair}/{half}")))
}

pub fn register(number: usize) -> String {
    format!("/r/{number:02}")
}

impl Mix {
    pub fn new(client: usize) -> Self {
        Mix { client, written: 0, queued: Vec::new(), held: Vec::new() }
    }

    /// A value that nobody else writes.
    pub fn value(&mut self) -> Value {
        self.written += 1;
        (self.client as u64 + 1) << 40 | self.written
    }

    pub fn set(&mut self, rng: &mut SmallRng) -> Op {
        let path = register(rng.random_range(0..REGISTERS));
        let version = if rng.random_bool(0.1) { rng.random_range(0..500) } else { -1 };
        Op::Set { path, value: self.value(), version }
    }

    pub fn read(&self, rng: &mut SmallRng) -> Op {
        Op::Get { path: register(rng.random_range(0..REGISTERS)), watch: false }
    }

    pub fn next(&mut self, rng: &mut SmallRng) -> Op {
        let watch = rng.random_bool(0.15);
        match rng.random_range(0..100) {
            0..20 => self.set(rng),
            20..26 => self.multi(rng),
            26..28 => Op::Get { path: half(rng), watch },
            28..55 => Op::Get { path: register(rng.random_range(0..REGISTERS)), watch },
            55..62 => self.in_tree(rng),
            62..67 => Op::Exists { path: tree_path(rng), watch },
            67..70 => Op::Children { path: format!("/t/{}", rng.random_range(0..3)), watch },
            70..76 => self.queue(rng),
            76..86 => self.lock(rng),
            86..91 => self.ephemeral(rng),
            91..94 => Op::Children { path: "/lock".to_owned(), watch },
            94 if rng.random_bool(0.4) => {
                let &(path, recursive) = LASTING.choose(rng).unwrap_or(&("/t", true));
                Op::AddWatch { path: path.to_owned(), recursive }
            }
            94..97 => Op::Exists { path: format!("/lock/{}", rng.random_range(0..LOCKS)), watch },
            _ => Op::Sync { path: "/".to_owned() },
        }
    }

    /// Takes note of what is needed to undo it later.
    pub fn learn(&mut self, op: &Op, answer: &Answer) {
        if let (Op::Multi { parts }, Answer::Multi(answers)) = (op, answer) {
            parts.iter().zip(answers).for_each(|(part, answer)| self.learn(part, answer));
        }
        match (op, answer) {
            (Op::Create { flags: 2 | 3, .. }, Answer::Created { path }) => self.queued.push(path.clone()),
            (Op::Create { path, flags: 1, .. }, Answer::Created { .. }) if path.starts_with("/lock/") => {
                self.held.push(path.clone());
            }
            _ => {}
        }
    }

    /// Locks end with their session.
    pub fn new_session(&mut self) {
        self.held.clear();
    }

    fn in_tree(&mut self, rng: &mut SmallRng) -> Op {
        let path = tree_path(rng);
        match rng.random_range(0..5) {
            0..2 => Op::Create { path, value: self.value(), flags: 0 },
            2 => Op::Set { path, value: self.value(), version: -1 },
            3 => Op::Get { path, watch: false },
            _ => Op::Delete { path, version: -1 },
        }
    }

    /// A pair set at once, a znode moved, a register set if it is of a version, a lock taken with a mark.
    fn multi(&mut self, rng: &mut SmallRng) -> Op {
        let parts = match rng.random_range(0..10) {
            0..5 => {
                let pair = rng.random_range(0..PAIRS);
                let half = |half: &str, value| Op::Set { path: format!("/pair/{pair}/{half}"), value, version: -1 };
                vec![half("left", self.value()), half("right", self.value())]
            }
            5..7 => {
                let (from, to) = (tree_path(rng), tree_path(rng));
                let delete = Op::Delete { path: from.clone(), version: -1 };
                let create = Op::Create { path: to.clone(), value: self.value(), flags: 0 };
                if from == to { vec![delete] } else { vec![delete, create] }
            }
            7..9 => {
                let path = register(rng.random_range(0..REGISTERS));
                let version = if rng.random_bool(0.5) { -1 } else { rng.random_range(0..500) };
                let check = Op::Check { path: path.clone(), version };
                vec![check, Op::Set { path, value: self.value(), version: -1 }]
            }
            _ => {
                let path = format!("/lock/{}", rng.random_range(0..LOCKS));
                let lock = Op::Create { path, value: self.value(), flags: 1 };
                vec![lock, Op::Create { path: "/q/n-".to_owned(), value: self.value(), flags: 2 }]
            }
        };
        Op::Multi { parts }
    }

    fn queue(&mut self, rng: &mut SmallRng) -> Op {
        if self.queued.len() > 3 {
            return Op::Delete { path: self.queued.remove(0), version: -1 };
        }
        let flags = *[2, 3].choose(rng).unwrap_or(&2);
        Op::Create { path: "/q/n-".to_owned(), value: self.value(), flags }
    }

    fn lock(&mut self, rng: &mut SmallRng) -> Op {
        if let Some(path) = self.held.pop_if(|_| rng.random_bool(0.4)) {
            return Op::Delete { path, version: -1 };
        }
        let path = format!("/lock/{}", rng.random_range(0..LOCKS));
        Op::Create { path, value: self.value(), flags: 1 }
    }

    fn ephemeral(&mut self, rng: &mut SmallRng) -> Op {
        let path = format!("/e/{}-{}", self.client, rng.random_range(0..3));
        match rng.random_range(0..4) {
            0..2 => Op::Create { path, value: self.value(), flags: 1 },
            2 => Op::Get { path, watch: false },
            _ => Op::Delete { path, version: -1 },
        }
    }
}

fn half(rng: &mut SmallRng) -> String {
    let half = if rng.random_bool(0.5) { "left" } else { "right" };
    format!("/pair/{}/{half}", rng.random_range(0..PAIRS))
}

fn tree_path(rng: &mut SmallRng) -> String {
    format!("/t/{}/{}", rng.random_range(0..3), rng.random_range(0..6))
}
