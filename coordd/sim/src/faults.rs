//! What goes wrong, when and to whom: decided by the seed, carried out between two steps of the simulation.
//!
//! ```text
//!   round 1 │ round 2 │ …        each: quiet ─► one fault ─► repaired (links) or started again (members) ─► quiet
//! ```
//!
//! Rule: a run of at least `KINDS` rounds has every kind of fault, in an order that the seed shuffles. A member whose
//! power failed loses what was not flushed, and comes back by itself after a while.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use turmoil::Sim;

use crate::entropy::Dice;
use crate::host::{MEMBERS, Seat};
use crate::trace::Trace;

/// When the first round begins: the ensemble has formed by then.
pub(crate) const FIRST_ROUND: Duration = Duration::from_secs(3);
pub(crate) const ROUND: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PowerLoss,
    PowerLossOfLeader,
    PowerLossInFlush,
    PowerLossOfAll,
    /// From the other members; its clients still reach it.
    Isolation,
    IsolationOfLeader,
    OneWay,
    /// Between two members everything is held up, and comes late.
    Delay,
    /// From its clients; the other members still reach it.
    CutOffFromClients,
    /// No room left on the disk.
    FullDisk,
    FullDiskOfLeader,
    /// Of all but one member.
    FullDisksOfMost,
}

const KINDS: [Kind; 12] = [
    Kind::PowerLoss,
    Kind::PowerLossOfLeader,
    Kind::PowerLossInFlush,
    Kind::PowerLossOfAll,
    Kind::Isolation,
    Kind::IsolationOfLeader,
    Kind::OneWay,
    Kind::Delay,
    Kind::CutOffFromClients,
    Kind::FullDisk,
    Kind::FullDiskOfLeader,
    Kind::FullDisksOfMost,
];

/// What is done when a fault ends.
type Repair = Box<dyn FnOnce(&Sim<'_>)>;

pub(crate) struct Faults {
    seats: Vec<Rc<Seat>>,
    clients: Vec<String>,
    trace: Trace,
    dice: Dice,
    /// Last one first.
    plan: Vec<Kind>,
    next_at: Duration,
    repairs: Vec<(Duration, Repair)>,
    /// Members without power, and when they start again.
    down: BTreeMap<&'static str, Duration>,
    done: u32,
}

impl Faults {
    pub(crate) fn new(seats: Vec<Rc<Seat>>, clients: Vec<String>, trace: Trace, seed: u64, rounds: u32) -> Faults {
        let mut dice = Dice::new(seed, 1);
        let mut plan = Vec::new();
        while plan.len() < rounds as usize {
            let mut kinds = KINDS;
            dice.shuffle(&mut kinds);
            plan.extend(kinds);
        }
        plan.truncate(rounds as usize);
        let (repairs, down) = (Vec::new(), BTreeMap::new());
        Faults { seats, clients, trace, dice, plan, next_at: FIRST_ROUND, repairs, down, done: 0 }
    }

    /// How many faults there were.
    pub(crate) fn done(&self) -> u32 {
        self.done
    }

    fn say(&self, now: Duration, what: std::fmt::Arguments<'_>) {
        self.trace.say(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), "fault", what);
    }

    /// Does what is due now.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        for (_, repair) in self.repairs.extract_if(.., |(at, _)| *at <= now) {
            repair(sim);
        }
        if now >= self.next_at
            && let Some(kind) = self.plan.pop()
        {
            self.next_at = now + ROUND;
            self.begin(sim, kind, now);
            self.done += 1;
        }
        self.end_lives(sim, now);
        while let Some(name) = self.down.iter().find(|(_, at)| **at <= now).map(|(name, _)| *name) {
            self.down.remove(name);
            self.say(now, format_args!("{name} starts again"));
            sim.bounce(name);
        }
    }

    /// Takes the power from all members at once, now.
    pub(crate) fn power_loss_of_all(&mut self, sim: &mut Sim<'_>) {
        self.seats.iter().for_each(|seat| seat.disk.power_loss());
        self.end_lives(sim, sim.elapsed());
    }

    /// Stops the hosts whose disks have lost power.
    fn end_lives(&mut self, sim: &mut Sim<'_>, now: Duration) {
        for seat in self.seats.clone() {
            if seat.disk.has_failed() && !self.down.contains_key(seat.name) {
                self.say(now, format_args!("{} has lost power", seat.name));
                sim.crash(seat.name);
                self.down.insert(seat.name, now + Duration::from_millis(self.dice.between(200, 2000)));
            }
        }
    }

    fn begin(&mut self, sim: &Sim<'_>, kind: Kind, now: Duration) {
        let choice = usize::try_from(self.dice.below(MEMBERS.len() as u64)).unwrap_or(0);
        let seat = match kind {
            Kind::PowerLossOfLeader | Kind::IsolationOfLeader | Kind::FullDiskOfLeader => {
                self.seats.iter().find(|seat| seat.leads())
            }
            _ => None,
        };
        let seat = seat.unwrap_or(&self.seats[choice]).clone();
        let name = seat.name;
        let others: Vec<&'static str> = MEMBERS.into_iter().filter(|member| *member != name).collect();
        self.say(now, format_args!("{kind:?} of {name}"));
        let repair: Repair = match kind {
            Kind::PowerLoss | Kind::PowerLossOfLeader => return seat.disk.power_loss(),
            Kind::PowerLossInFlush => return seat.disk.fail_in_flush(self.dice.between(1, 40)),
            Kind::PowerLossOfAll => return self.seats.iter().for_each(|seat| seat.disk.power_loss()),
            Kind::Isolation | Kind::IsolationOfLeader => {
                others.iter().for_each(|other| sim.partition(name, *other));
                Box::new(move |sim| others.iter().for_each(|other| sim.repair(name, *other)))
            }
            Kind::OneWay => {
                others.iter().for_each(|other| sim.partition_oneway(name, *other));
                Box::new(move |sim| others.iter().for_each(|other| sim.repair_oneway(name, *other)))
            }
            Kind::Delay => {
                sim.hold(name, others[0]);
                Box::new(move |sim| sim.release(name, others[0]))
            }
            Kind::FullDisk | Kind::FullDiskOfLeader => {
                seat.disk.fill();
                Box::new(move |_: &Sim<'_>| seat.disk.make_room())
            }
            Kind::FullDisksOfMost => {
                let most: Vec<_> = self.seats.iter().filter(|other| other.name != name).cloned().collect();
                most.iter().for_each(|seat| seat.disk.fill());
                Box::new(move |_: &Sim<'_>| most.iter().for_each(|seat| seat.disk.make_room()))
            }
            Kind::CutOffFromClients => {
                let clients = self.clients.clone();
                clients.iter().for_each(|client| sim.partition(name, client.as_str()));
                Box::new(move |sim| clients.iter().for_each(|client| sim.repair(name, client.as_str())))
            }
        };
        // A log that finds no room has a segment prepared to begin with; the faults behind it meet a full disk then.
        let long = matches!(kind, Kind::FullDisk | Kind::FullDiskOfLeader | Kind::FullDisksOfMost);
        let lasts_ms = if long { self.dice.between(4000, 16_000) } else { self.dice.between(500, 4000) };
        let (trace, ends) = (self.trace.clone(), now + Duration::from_millis(lasts_ms));
        let at_ms = u64::try_from(ends.as_millis()).unwrap_or(u64::MAX);
        let repair = move |sim: &Sim<'_>| {
            trace.say(at_ms, "fault", format_args!("{kind:?} of {name} is over"));
            repair(sim);
        };
        self.repairs.push((ends, Box::new(repair)));
    }
}
