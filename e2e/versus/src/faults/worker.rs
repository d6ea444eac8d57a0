//! A client under faults: it works, loses its connection, comes back, and writes down all that it does and sees.
//!
//! Rule: what is written down is what a program could know: the time before a request is handed to the kernel, the time
//! after a reply was read. Reason: only then is a broken promise the server's.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::answers;
use super::mix::Mix;
use super::requests::encode;
use crate::client::{self, Client, Incoming};
use crate::history::{Call, ClientHistory, Entry, Op, Reply, What};
use crate::wire::Attach;

/// How long a blow waits for a call to be in flight.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// What all workers and the injector share.
#[derive(Debug)]
pub struct Shared {
    /// Names or addresses with a port; a name is resolved at each dial.
    pub servers: Vec<String>,
    pub epoch: Instant,
    pub stop: AtomicBool,
    pub in_flight: AtomicUsize,
    pub acknowledged: AtomicUsize,
}

impl Shared {
    pub fn new(servers: Vec<String>) -> Arc<Self> {
        Arc::new(Shared {
            servers,
            epoch: Instant::now(),
            stop: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
        })
    }

    pub fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many calls are in flight, as soon as there are some: a blow between two calls would show nothing. None when
    /// there were none for so long.
    pub fn in_flight_soon(&self) -> usize {
        let begin = Instant::now();
        loop {
            let count = self.in_flight.load(Ordering::Relaxed);
            if count > 0 || begin.elapsed() > IDLE_MAX {
                return count;
            }
            thread::sleep(Duration::from_micros(20));
        }
    }
}

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub session_ms: i32,
    /// It keeps its session and never gives a connection up by itself.
    pub steady: bool,
    /// Between two batches.
    pub pause: Duration,
}

impl Manner {
    /// Abandons and ends sessions, which are short, so that many end within a run.
    pub const ROUGH: Manner = Manner { session_ms: 3000, steady: false, pause: Duration::ZERO };
}

/// A connection that is silent for so long is given up.
const SILENCE: Duration = Duration::from_millis(2000);

/// One connection and the calls that wait on it, by xid.
#[derive(Debug)]
struct Line {
    client: Client,
    conn: u32,
    waiting: HashMap<i32, usize>,
}

/// A client of the workload.
pub struct Worker {
    shared: Arc<Shared>,
    rng: SmallRng,
    manner: Manner,
    mix: Mix,
    attach: Attach,
    line: Option<Line>,
    conns: u32,
    history: ClientHistory,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, number: usize, seed: u64, manner: Manner) -> Self {
        Worker {
            shared,
            rng: SmallRng::seed_from_u64(seed ^ (number as u64) << 32),
            manner,
            mix: Mix::new(number),
            attach: Attach::new_session(manner.session_ms),
            line: None,
            conns: 0,
            history: ClientHistory::default(),
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self) -> ClientHistory {
        while !self.shared.stop.load(Ordering::Relaxed) {
            if self.line.is_none() && !self.connect_somewhere() {
                thread::sleep(Duration::from_millis(10));
                continue;
            }
            thread::sleep(self.manner.pause);
            match self.rng.random_range(0..1000) {
                0..5 if self.manner.steady => self.listen(Duration::from_millis(5)),
                0..2 => self.leave_behind(),
                2 => self.abandon(),
                3..5 => self.batch(&[Op::CloseSession]),
                5..60 => self.listen(Duration::from_millis(5)),
                _ => {
                    let count = self.rng.random_range(1..12);
                    let ops: Vec<_> = (0..count).map(|_| self.mix.next(&mut self.rng)).collect();
                    self.batch(&ops);
                }
            }
        }
        self.history
    }

    /// These calls on one connection after the other, for the last look at every member.
    pub fn read_all(&mut self, members: &[String], ops: &[Op]) {
        for server in members {
            self.line = None;
            for _ in 0..100 {
                if self.line.is_some() || self.connect(server) {
                    break;
                }
                thread::sleep(Duration::from_millis(50));
            }
            for chunk in ops.chunks(200) {
                self.batch(chunk);
            }
        }
    }

    /// What was written down so far.
    pub fn history(&self) -> &ClientHistory {
        &self.history
    }

    pub fn end(self) -> ClientHistory {
        self.history
    }

    fn entry(&mut self, conn: u32, what: What) {
        let at = self.shared.now();
        self.history.entries.push(Entry { at, session: self.attach.session, conn, what });
    }

    fn connect_somewhere(&mut self) -> bool {
        let servers = self.shared.servers.clone();
        servers.choose(&mut self.rng).is_some_and(|server| self.connect(server))
    }

    fn connect(&mut self, server: &str) -> bool {
        let Ok(address) = client::resolve(server) else { return false };
        let asked = self.shared.now();
        match Client::connect_within(address, self.attach, Duration::from_millis(700)) {
            Ok(Some(client)) => {
                self.attach = client.attach;
                self.conns += 1;
                self.entry(self.conns, What::Attached { asked, timeout_ms: self.attach.timeout_ms });
                self.line = Some(Line { client, conn: self.conns, waiting: HashMap::new() });
                true
            }
            Ok(None) => {
                self.entry(self.conns, What::Refused { asked });
                self.attach = Attach::new_session(self.manner.session_ms);
                self.mix.new_session();
                false
            }
            Err(_) => false,
        }
    }

    fn batch(&mut self, ops: &[Op]) {
        let Some(mut line) = self.line.take() else { return };
        for op in ops {
            self.send(&mut line, op);
        }
        // What could not be sent shows as a lost connection below.
        let _ = line.client.flush();
        let alive = self.collect(&mut line);
        if alive && !ops.contains(&Op::CloseSession) {
            self.attach = line.client.attach;
            self.line = Some(line);
        } else {
            self.lose(line);
            if ops.contains(&Op::CloseSession) && alive {
                self.attach = Attach::new_session(self.manner.session_ms);
                self.mix.new_session();
            }
        }
    }

    fn send(&mut self, line: &mut Line, op: &Op) {
        let index = self.history.calls.len();
        let sent = self.shared.now();
        let (session, conn) = (self.attach.session, line.conn);
        self.history.calls.push(Call { session, conn, sent, op: op.clone(), reply: None });
        let xid = encode(&mut line.client, op);
        // Pings share one xid; they are answered in turn like all others, and one batch has at most one.
        line.waiting.insert(xid, index);
        self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads until nothing is outstanding; whether the connection lives.
    fn collect(&mut self, line: &mut Line) -> bool {
        while line.client.outstanding() > 0 {
            if !self.take(line, SILENCE) {
                return false;
            }
        }
        true
    }

    /// Takes what comes within the time; `false` when the connection is lost or silent.
    fn take(&mut self, line: &mut Line, limit: Duration) -> bool {
        match line.client.receive(limit) {
            Ok(Some(Incoming::Event(event))) => {
                self.entry(line.conn, What::Event { kind: event.kind, path: event.path, zxid: event.zxid });
                true
            }
            Ok(Some(Incoming::Answer(raw))) => {
                let at = self.shared.now();
                let Some(index) = line.waiting.remove(&raw.xid) else { return false };
                self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
                match answers::decode(&self.history.calls[index].op, &raw) {
                    Ok(answer) => {
                        if !answer.refused() {
                            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        self.mix.learn(&self.history.calls[index].op, &answer);
                        self.history.calls[index].reply = Some(Reply { at, zxid: raw.zxid, answer });
                        self.entry(line.conn, What::Answered(index));
                    }
                    Err(e) => self.entry(line.conn, What::Broken(format!("op {}: {e}", raw.op))),
                }
                true
            }
            Ok(None) => false,
            Err(e) => {
                if e.downcast_ref::<io::Error>().is_none() {
                    self.entry(line.conn, What::Broken(e.to_string()));
                }
                false
            }
        }
    }

    fn lose(&mut self, line: Line) {
        self.shared.in_flight.fetch_sub(line.waiting.len(), Ordering::Relaxed);
        self.entry(line.conn, What::Lost);
    }

    /// Waits for events only.
    fn listen(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let Some(mut line) = self.line.take() else { return };
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            match line.client.receive(left) {
                Ok(Some(Incoming::Event(event))) => {
                    self.entry(line.conn, What::Event { kind: event.kind, path: event.path, zxid: event.zxid });
                }
                Ok(Some(Incoming::Answer(_))) => self.entry(line.conn, What::Broken("a reply to nothing".to_owned())),
                Ok(None) => {}
                Err(_) => return self.lose(line),
            }
        }
        self.line = Some(line);
    }

    /// Attaches the session elsewhere and then writes on the connection that was left behind.
    fn leave_behind(&mut self) {
        let Some(mut old) = self.line.take() else { return };
        if !self.connect_somewhere() {
            return self.lose(old);
        }
        // An answer on the new connection: from its zxid on the old one must be silent.
        let seen = self.mix.read(&mut self.rng);
        self.batch(&[seen]);
        let stale = self.mix.set(&mut self.rng);
        self.send(&mut old, &stale);
        let _ = old.client.flush();
        while old.client.outstanding() > 0 && self.take(&mut old, Duration::from_millis(300)) {}
        self.lose(old);
    }

    /// Drops the connection without a word and comes back when the session may be gone.
    fn abandon(&mut self) {
        if let Some(line) = self.line.take() {
            self.lose(line);
        }
        let silent = self.rng.random_range(500..4500);
        let end = Instant::now() + Duration::from_millis(silent);
        while Instant::now() < end && !self.shared.stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}
