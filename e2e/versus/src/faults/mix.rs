//! What the clients under faults do: registers, a changing tree, queues, locks, each with watches.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use crate::history::{Answer, Op, Value};

/// The znodes that are there before the workload begins.
pub const ROOTS: &[&str] = &["/r", "/t", "/t/0", "/t/1", "/t/2", "/q", "/e", "/lock"];
pub const REGISTERS: usize = 16;
const LOCKS: usize = 4;

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

    pub fn next(&mut self, rng: &mut SmallRng) -> Op {
        let watch = rng.random_bool(0.15);
        match rng.random_range(0..100) {
            0..25 => self.set(rng),
            25..55 => Op::Get { path: register(rng.random_range(0..REGISTERS)), watch },
            55..62 => self.in_tree(rng),
            62..67 => Op::Exists { path: tree_path(rng), watch },
            67..70 => Op::Children { path: format!("/t/{}", rng.random_range(0..3)), watch },
            70..76 => self.queue(rng),
            76..86 => self.lock(rng),
            86..91 => self.ephemeral(rng),
            91..94 => Op::Children { path: "/lock".to_owned(), watch },
            94..97 => Op::Exists { path: format!("/lock/{}", rng.random_range(0..LOCKS)), watch },
            _ => Op::Sync { path: "/".to_owned() },
        }
    }

    /// Takes note of what is needed to undo it later.
    pub fn learn(&mut self, op: &Op, answer: &Answer) {
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

fn tree_path(rng: &mut SmallRng) -> String {
    format!("/t/{}/{}", rng.random_range(0..3), rng.random_range(0..6))
}
