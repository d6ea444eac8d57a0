//! `versus clients`: the clients of `versus faults` alone, at an ensemble that somebody else starts and hurts.
//!
//! ```text
//!   workers (threads) ─► the ensemble, by names        control (HTTP) ◄── whoever hurts it
//!        └─► histories ─► checker ─► Verdict ─────────────────────┘
//! ```
//!
//! Rule: all clients of a history run in one process, and who hurts the ensemble says so before. Reason: times are of
//! one clock, and a pause is counted from the blow, not from when somebody noticed it.

mod control;
pub mod verdict;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Args;

use crate::bench::bulk;
use crate::client::resolve;
use crate::faults::ends;
use crate::faults::worker::{Manner, Shared, Worker};
use crate::history::{ClientHistory, Fault, History};
use verdict::Verdict;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the clients connect, `host:port,…`; each dial takes one at random and resolves its name anew
    #[arg(long, value_delimiter = ',', required = true)]
    pub servers: Vec<String>,
    /// Clients that keep their sessions
    #[arg(long, default_value_t = 9)]
    pub steady: usize,
    /// Clients that abandon and end theirs
    #[arg(long, default_value_t = 3)]
    pub rough: usize,
    /// Between two batches of one client
    #[arg(long, default_value_t = 10)]
    pub pause_ms: u64,
    #[arg(long, default_value_t = 15_000)]
    pub session_ms: i32,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// So many znodes are made first, which nobody touches
    #[arg(long, default_value_t = 0)]
    pub znodes: usize,
    /// Where it is told what happens
    #[arg(long, default_value = "[::]:7000")]
    pub listen: SocketAddr,
}

/// The clients at work.
struct Work {
    shared: Arc<Shared>,
    prepared: ClientHistory,
    steady: Vec<JoinHandle<ClientHistory>>,
    rough: Vec<JoinHandle<ClientHistory>>,
    faults: Vec<Fault>,
}

/// Works until it is told to finish, and answers until it is killed.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.steady + options.rough > 0, "there must be a client");
    let shared = Shared::new(options.servers.clone());
    let prepared = prepare(&shared)?;
    if options.znodes > 0 {
        let servers = options.servers.iter().map(|server| resolve(server)).collect::<Result<Vec<_>>>()?;
        bulk::fill(&servers, options.znodes)?;
    }
    let pause = Duration::from_millis(options.pause_ms);
    let steady = Manner { session_ms: options.session_ms, steady: true, pause };
    let rough = Manner { pause, ..Manner::ROUGH };
    let start = |numbers: std::ops::Range<usize>, manner: Manner| {
        let workers = numbers.map(|number| Worker::new(shared.clone(), number, options.seed, manner));
        workers.map(|worker| thread::spawn(move || worker.run())).collect::<Vec<_>>()
    };
    let all = options.steady + options.rough;
    let (steady, rough) = (start(0..options.steady, steady), start(options.steady..all, rough));
    let work = Work { shared, prepared, steady, rough, faults: Vec::new() };
    let listener = TcpListener::bind(options.listen)?;
    println!("{all} clients work at {}; told at {}", options.servers.join(","), listener.local_addr()?);
    control::serve(&listener, work)
}

/// The ensemble may still be on its way.
fn prepare(shared: &Arc<Shared>) -> Result<ClientHistory> {
    let begin = Instant::now();
    loop {
        match ends::prepare(shared) {
            Err(why) if begin.elapsed() < Duration::from_secs(60) => {
                eprintln!("not yet: {why:#}");
                thread::sleep(Duration::from_millis(200));
            }
            done => return done,
        }
    }
}

impl Work {
    /// Somebody is about to hurt the ensemble; who says it twice means one blow.
    fn mark(&mut self, what: &str) {
        if self.faults.last().is_some_and(|last| last.what == what) {
            return;
        }
        let in_flight = self.shared.in_flight_soon();
        self.faults.push(Fault { at: self.shared.now(), what: what.to_owned(), in_flight });
    }

    /// Ends the clients, looks at each member, and judges.
    fn finish(self, members: &[String]) -> Result<(History, Verdict)> {
        let end = self.shared.now();
        self.shared.stop.store(true, Ordering::Relaxed);
        let join = |workers: Vec<JoinHandle<ClientHistory>>| {
            let ended = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a client panicked")));
            ended.collect::<Result<Vec<_>>>()
        };
        let (steady, rough) = (join(self.steady)?, join(self.rough)?);
        let (kept, clients) = (steady.len(), steady.len() + rough.len());
        let mut history = History { clients: steady, faults: self.faults };
        history.clients.extend(rough);
        history.clients.push(self.prepared);
        let looked = ends::last_look(&self.shared, &history, members, clients + 1);
        history.clients.push(looked);
        let verdict = Verdict::of(&history, kept, end);
        Ok((history, verdict))
    }
}
