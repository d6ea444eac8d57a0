//! `versus faults`: clients work while members are killed, stopped and parted; then the checker reads what they wrote.
//!
//! ```text
//!   workers (threads) ─► ensemble of processes ◄─ injector (signals, proxy.rs between peers)
//!        └─► histories ─► checker ─► every broken promise, or the proof that the history was heavy enough to count
//! ```
//!
//! Rule: a run without violations passes only when it has enough acknowledged calls, enough faults, and calls in flight
//! at each. Reason: a quiet history is no evidence.

mod answers;
pub mod injector;
pub mod mix;
pub mod proxy;
pub mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use injector::{Injector, Weight};
use mix::{Mix, REGISTERS, ROOTS, register};
use proxy::Links;
use worker::{Shared, Worker};

use crate::checker;
use crate::client::Client;
use crate::history::{Answer, Call, ClientHistory, Entry, History, Op, Reply, What, parent};
use crate::servers::{Ensemble, Kind, Plan};

#[derive(Debug, Clone, Args)]
pub struct Options {
    #[arg(long, default_value = "coordd")]
    pub server: Kind,
    /// Faults to inject
    #[arg(long, default_value_t = 24)]
    pub faults: usize,
    /// Kinds of faults; all that fit when none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<injector::Kind>,
    /// Clients at work
    #[arg(long, default_value_t = 12)]
    pub clients: usize,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Acknowledged calls that a history needs to count
    #[arg(long, default_value_t = 100_000)]
    pub calls: usize,
    /// A tenth of the calls and a few faults: shows that it works
    #[arg(long)]
    pub short: bool,
    /// Where the servers keep their data
    #[arg(long, default_value = "target/versus/faults")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 24000)]
    pub base_port: u16,
}

/// Runs, checks, and fails with what was broken.
pub fn run(options: &Options) -> Result<()> {
    let weight = if options.short {
        Weight { acknowledged: options.calls / 10, faults: options.faults.min(6) }
    } else {
        Weight { acknowledged: options.calls, faults: options.faults }
    };
    let history = record(options, weight)?;
    let (acknowledged, faults) = (history.acknowledged(), &history.faults);
    let unknown = history.calls().filter(|c| c.reply.is_none()).count();
    println!("{acknowledged} acknowledged calls, {unknown} of unknown outcome, {} faults", faults.len());
    let violations = checker::check(&history);
    let mut count: BTreeMap<_, usize> = BTreeMap::new();
    for violation in &violations {
        let seen = count.entry(violation.promise).or_default();
        *seen += 1;
        if *seen <= 5 {
            println!("  {violation}");
        }
    }
    weight.check(acknowledged, faults)?;
    if !violations.is_empty() {
        bail!("broken promises: {count:?} (seed {})", options.seed);
    }
    println!("every promise was kept");
    Ok(())
}

fn record(options: &Options, weight: Weight) -> Result<History> {
    std::fs::create_dir_all(&options.dir)?;
    let mut plan = Plan::new(options.server, 3, &options.dir.canonicalize()?, options.base_port);
    plan.proxied = options.server == Kind::Coordd;
    plan.tick_ms = 500;
    let links = Links::start(&plan)?;
    let mut ensemble = Ensemble::start(plan)?;
    (0..3).for_each(|member| links.set_pid(member, ensemble.pid(member)));
    let shared = Shared::new(ensemble.clients());
    let prepared = prepare(&shared)?;
    let workers: Vec<_> = (0..options.clients)
        .map(|number| {
            let worker = Worker::new(shared.clone(), number, options.seed);
            thread::spawn(move || worker.run())
        })
        .collect();
    let injected = hurt(options, weight, &mut ensemble, &links, &shared);
    shared.stop.store(true, Ordering::Relaxed);
    let mut history = History { clients: vec![prepared], faults: Vec::new() };
    for worker in workers {
        history.clients.push(worker.join().map_err(|_| anyhow!("a worker panicked"))?);
    }
    history.faults = injected?;
    history.clients.push(last_look(&shared, &history, options));
    links.end();
    Ok(history)
}

fn hurt(
    options: &Options,
    weight: Weight,
    ensemble: &mut Ensemble,
    links: &Links,
    shared: &Shared,
) -> Result<Vec<crate::history::Fault>> {
    let rng = SmallRng::seed_from_u64(options.seed);
    let mut injector = Injector { ensemble, links, shared, rng, faults: Vec::new() };
    let kinds = injector.kinds(&options.only);
    ensure!(!kinds.is_empty(), "none of the faults fits");
    injector.work_goes_on()?;
    for kind in kinds.iter().cycle() {
        if injector.faults.len() >= weight.faults {
            break;
        }
        injector.inject(*kind)?;
    }
    while shared.acknowledged.load(Ordering::Relaxed) < weight.acknowledged {
        injector.work_goes_on()?;
    }
    // What was abandoned last has its session's time to end.
    thread::sleep(Duration::from_millis(500));
    Ok(injector.faults)
}

/// The znodes that the workload expects, recorded like everything else.
fn prepare(shared: &Arc<Shared>) -> Result<ClientHistory> {
    let mut history = ClientHistory::default();
    let asked = shared.now();
    let mut client = Client::open(shared.servers[0], 30_000)?;
    let (session, conn) = (client.attach.session, 1);
    history.entries.push(Entry {
        at: shared.now(),
        session,
        conn,
        what: What::Attached { asked, timeout_ms: client.attach.timeout_ms },
    });
    let mut mix = Mix::new(1000);
    let paths = ROOTS.iter().map(|root| (*root).to_owned()).chain((0..REGISTERS).map(register));
    for path in paths {
        let value = mix.value();
        let sent = shared.now();
        let answer = client.call(crate::wire::op::CREATE, |w| {
            w.string(&path);
            w.buffer(Some(&value.to_be_bytes()));
            coordd_proto::Acl::encode_list(&[coordd_proto::Acl::world(coordd_proto::Perms::ALL)], w);
            w.i32(0);
        })?;
        ensure!(answer.err == 0, "create {path} was answered with {}", answer.err);
        let op = Op::Create { path: path.clone(), value, flags: 0 };
        let reply = Some(Reply { at: shared.now(), zxid: answer.zxid, answer: Answer::Created { path } });
        history.calls.push(Call { session, conn, sent, op, reply });
        let what = What::Answered(history.calls.len() - 1);
        history.entries.push(Entry { at: shared.now(), session, conn, what });
    }
    for server in &shared.servers {
        Client::open(*server, 30_000)?.call(crate::wire::op::SYNC, |w| w.string("/")).context("sync")?;
    }
    Ok(history)
}

/// Every znode that ever was, read on every member after a sync.
fn last_look(shared: &Arc<Shared>, history: &History, options: &Options) -> ClientHistory {
    let created = history.calls().filter_map(|call| match call.reply.as_ref().map(|r| &r.answer) {
        Some(Answer::Created { path }) => Some(path.clone()),
        _ => None,
    });
    let paths: BTreeSet<String> = created.collect();
    let parents: BTreeSet<&str> = paths.iter().map(|path| parent(path)).filter(|p| *p != "/").collect();
    let mut ops = vec![Op::Sync { path: "/".to_owned() }];
    ops.extend(parents.iter().map(|path| Op::Children { path: (*path).to_owned(), watch: false }));
    ops.extend(paths.iter().map(|path| Op::Get { path: path.clone(), watch: false }));
    Worker::new(shared.clone(), options.clients + 1, options.seed).read_all(&ops)
}
