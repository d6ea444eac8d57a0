//! One simulation from its seed to its verdict.
//!
//! ```text
//!   forming ─► rounds of faults, workers busy ─► curtain ─► quiet ─► auditor ─► members agree ─► invariants
//! ```
//!
//! Rule: between two steps of turmoil only this loop acts, so that each fault happens at one exact moment.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use turmoil::{Builder, Sim};

use crate::client::worker::WORKERS;
use crate::client::{Stage, auditor, worker};
use crate::entropy;
use crate::faults::{FIRST_ROUND, Faults, ROUND};
use crate::history::History;
use crate::host::{self, MEMBERS, Seat};
use crate::invariants;
use crate::trace::Trace;
use crate::{Plan, Plant};

/// Writes for each round, and before the first: a run with fewer has judged nothing.
const ACKNOWLEDGED_MIN: usize = 100;
/// Members that do not agree by then never will.
const AGREEMENT_MAX: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(120);

/// What a run without a violation says of itself; two runs of a seed say the same.
pub(crate) struct Report {
    seed: u64,
    hash: String,
    lines: u64,
    acknowledged: usize,
    seen: usize,
    expired: usize,
    faults: u32,
    simulated: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, hash, lines, acknowledged, seen, expired, faults, simulated } = self;
        let seconds = simulated.as_secs();
        writeln!(f, "seed {seed}: {seconds} s simulated, {faults} faults, {acknowledged} writes acknowledged,")?;
        writeln!(f, "{seen} answers and events judged, {expired} sessions expired, no violation;")?;
        write!(f, "trace of {lines} lines: {hash}")
    }
}

/// Runs `plan`; the first words of the error are what was violated.
pub(crate) fn once(plan: &Plan) -> Result<Report, String> {
    let seed = match plan.plant {
        Some(Plant::OwnEntropy) => entropy::unseeded().map_err(|error| error.to_string())?,
        _ => plan.seed,
    };
    let _simulated_clocks = entropy::seed(seed);
    if let Ok(filter) = std::env::var("SIM_LOG") {
        let log = tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false);
        log.with_writer(std::io::stderr).init();
    }
    let trace = Trace::new(plan.trace.as_deref()).map_err(|error| format!("cannot write the trace: {error}"))?;
    let mut play = Play::new(plan, trace);
    play.perform().map_err(|error| format!("seed {}: {error}", plan.seed))?;
    let records = play.stage.history.records();
    let broken = invariants::judge(&records, &play.views());
    if let Some(first) = broken.first() {
        return Err(format!("seed {}: {} violations, the first: {first}", plan.seed, broken.len()));
    }
    let (hash, lines) = play.stage.trace.sum();
    let (acknowledged, seen, expired) =
        (play.stage.history.acknowledged(), records.len(), play.stage.history.expired());
    let (faults, simulated) = (play.faults.done(), play.sim.elapsed());
    if faults < plan.rounds || acknowledged < ACKNOWLEDGED_MIN * (1 + plan.rounds as usize) {
        return Err(format!("seed {}: too little happened: {faults} faults, {acknowledged} writes", plan.seed));
    }
    Ok(Report { seed: plan.seed, hash, lines, acknowledged, seen, expired, faults, simulated })
}

struct Play {
    sim: Sim<'static>,
    seats: Vec<Rc<Seat>>,
    faults: Faults,
    stage: Stage,
    lies_from: Option<Duration>,
    looked_at: Duration,
}

impl Play {
    fn new(plan: &Plan, trace: Trace) -> Play {
        let curtain = FIRST_ROUND + ROUND * plan.rounds;
        let mut sim = Builder::new()
            .rng_seed(plan.seed)
            .epoch(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
            .simulation_duration(curtain + LONGEST)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(8))
            .tcp_capacity(4096)
            .build();
        let seats: Vec<Rc<Seat>> =
            (1..).zip(MEMBERS).map(|(number, name)| Seat::new(name, plan.seed ^ number)).collect();
        for seat in &seats {
            let seat = seat.clone();
            sim.host(seat.name, move || host::live(seat.clone()));
        }
        let working = Rc::new(Cell::new(usize::try_from(WORKERS).unwrap_or(0)));
        let stage = Stage { seed: plan.seed, trace: trace.clone(), history: History::default(), curtain, working };
        let clients: Vec<String> = (1..=WORKERS).map(|number| format!("c{number}")).collect();
        for (number, client) in (1..).zip(&clients) {
            sim.client(client.as_str(), worker::work(number, stage.clone()));
        }
        sim.client("auditor", auditor::audit(stage.clone()));
        let faults = Faults::new(seats.clone(), clients, trace, plan.seed, plan.rounds);
        let lies = plan.plant == Some(Plant::DiskLies);
        Play { sim, seats, faults, stage, lies_from: lies.then(|| curtain - ROUND / 2), looked_at: Duration::ZERO }
    }

    fn perform(&mut self) -> turmoil::Result {
        loop {
            self.faults.step(&mut self.sim);
            self.lie();
            self.look();
            if self.sim.step()? {
                break;
            }
        }
        let until = self.sim.elapsed() + AGREEMENT_MAX;
        while !invariants::members::agree(&self.views()) && self.sim.elapsed() < until {
            self.sim.step()?;
        }
        self.look();
        Ok(())
    }

    /// The planted defect: flushes do nothing for a while, then the power fails everywhere.
    fn lie(&mut self) {
        let Some(from) = self.lies_from else { return };
        let now = self.sim.elapsed();
        if now >= from {
            self.seats.iter().for_each(|seat| seat.disk.lie());
        }
        if now >= from + ROUND / 2 {
            self.faults.power_loss_of_all(&mut self.sim);
            self.lies_from = None;
        }
    }

    fn views(&self) -> Vec<(&'static str, Option<host::View>)> {
        self.seats.iter().map(|seat| (seat.name, seat.view())).collect()
    }

    /// Each second the trace shows every member's state.
    fn look(&mut self) {
        if self.sim.elapsed() < self.looked_at {
            return;
        }
        let at_ms = u64::try_from(self.looked_at.as_millis()).unwrap_or(u64::MAX);
        self.looked_at += Duration::from_secs(1);
        for seat in &self.seats {
            let work = seat.disk.work();
            match seat.view() {
                Some(view) => self.stage.trace.say(
                    at_ms,
                    seat.name,
                    format_args!(
                        "{:?} of term {}, zxid {:#x}, digest {:016x}, disk {work:?}",
                        view.status.role, view.status.term, view.zxid, view.digest
                    ),
                ),
                None => self.stage.trace.say(at_ms, seat.name, format_args!("down, disk {work:?}")),
            }
        }
    }
}
