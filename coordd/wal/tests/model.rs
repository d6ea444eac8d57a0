//! The log against a naive list: after any operations and reopens, and after a crash at every single disk operation.
//!
//! Rule: after a crash the log is what was acknowledged, or that and the one operation that was under way; nothing
//! else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of #[test]")]

mod common;

use common::*;
use coordd_wal::testing::{Loss, SimDisk};
use coordd_wal::{EntryId, Mode, Options, Wal, WalError};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u64,
        bytes: usize,
        new_term: bool,
    },
    Vote(u8),
    /// So many of the held entries go at the end.
    Truncate(u64),
    /// So many of the held entries go in front, or the log jumps ahead.
    Purge {
        count: u64,
        beyond: bool,
    },
    Reopen,
}

type Action = Box<dyn Fn(&Wal) -> Result<(), WalError>>;

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    entries: Vec<(EntryId, usize)>,
    purged: Option<EntryId>,
    vote: Option<Vec<u8>>,
    term: u64,
}

impl Model {
    fn last(&self) -> Option<EntryId> {
        self.entries.last().map(|entry| entry.0).or(self.purged)
    }

    /// Does the step to the list, and says what to do to the log.
    fn step(&mut self, step: &Step) -> Action {
        match *step {
            Step::Append { count, bytes, new_term } => {
                self.term += u64::from(new_term);
                let (term, first) = (self.term, self.last().map_or(0, |last| last.index + 1));
                let indexes = first..=first + count - 1;
                self.entries.extend(indexes.clone().map(|index| (id(index, term), bytes)));
                Box::new(move |wal| append(wal, indexes.clone(), term, bytes))
            }
            Step::Vote(byte) => {
                self.vote = Some(vec![byte; 20]);
                Box::new(move |wal| vote(wal, &[byte; 20]))
            }
            Step::Truncate(count) => {
                self.entries.truncate(self.entries.len().saturating_sub(count as usize));
                let to = self.last().map(|last| last.index);
                Box::new(move |wal| truncate(wal, to))
            }
            Step::Purge { count, beyond } => {
                let gone = self.entries.len().min(count as usize);
                let upto = if beyond {
                    Some(id(self.last().map_or(0, |last| last.index) + count + 1, self.term))
                } else {
                    gone.checked_sub(1).map(|at| self.entries[at].0)
                };
                let Some(upto) = upto else { return Box::new(|_| Ok(())) };
                self.entries.retain(|entry| entry.0.index > upto.index);
                self.purged = Some(upto);
                Box::new(move |wal| purge(wal, upto.index, upto.term))
            }
            Step::Reopen => Box::new(|_| Ok(())),
        }
    }

    fn matches(&self, wal: &Wal, vote: Option<&[u8]>) -> bool {
        let state = wal.state();
        let same = (state.last, state.purged, vote) == (self.last(), self.purged, self.vote.as_deref());
        same && {
            let entries = all(wal);
            let expected = self.entries.iter().map(|(id, bytes)| (*id, payload(id.index, id.term, *bytes)));
            entries.len() == self.entries.len()
                && entries.iter().zip(expected).all(|(entry, (id, payload))| entry.id == id && entry.payload == payload)
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..12_u64, 0..400_usize, any::<bool>())
            .prop_map(|(count, bytes, new_term)| Step::Append { count, bytes, new_term }),
        1 => any::<u8>().prop_map(Step::Vote),
        2 => (0..20_u64).prop_map(Step::Truncate),
        2 => (0..40_u64, prop::bool::weighted(0.1)).prop_map(|(count, beyond)| Step::Purge { count, beyond }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_the_list(steps in steps(), threaded in any::<bool>()) {
        let mode = if threaded { Mode::Threads } else { Mode::Inline };
        let options = Options { mode, ..inline() };
        let disk = SimDisk::new();
        let mut model = Model::default();
        let (mut wal, _) = open_with(&disk, options.clone()).unwrap();
        for step in steps {
            model.step(&step)(&wal).unwrap();
            let mut vote = model.vote.clone();
            if matches!(step, Step::Reopen) {
                drop(wal);
                let (again, recovered) = open_with(&disk, options.clone()).unwrap();
                (wal, vote) = (again, recovered.vote.map(Vec::from));
            }
            prop_assert!(model.matches(&wal, vote.as_deref()), "after {step:?}: {:?}", wal.state());
        }
    }
}

/// Runs the steps until one fails; what was acknowledged, and that with the step under way.
fn run(disk: &SimDisk, steps: &[Step]) -> (Model, Model) {
    let mut acknowledged = Model::default();
    let Ok((mut wal, _)) = open_with(disk, inline()) else { return (acknowledged.clone(), acknowledged) };
    for step in steps {
        let mut attempted = acknowledged.clone();
        let mut done = attempted.step(step)(&wal).is_ok();
        if done && matches!(step, Step::Reopen) {
            drop(wal);
            match open_with(disk, inline()) {
                Ok((again, _)) => wal = again,
                Err(_) => return (acknowledged, attempted),
            }
        }
        // A purge may have made the list shorter and found nothing to do.
        done &= wal.state().failure.is_none();
        if !done {
            return (acknowledged, attempted);
        }
        acknowledged = attempted;
    }
    (acknowledged.clone(), acknowledged)
}

fn workload(seed: u64) -> Vec<Step> {
    let mut state = seed;
    let mut random = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let step = |_| match random(10) {
        0 => Step::Vote(random(256) as u8),
        1 => Step::Truncate(random(15)),
        2 | 3 => Step::Purge { count: random(30), beyond: random(10) == 0 },
        4 if random(2) == 0 => Step::Reopen,
        _ => Step::Append { count: 1 + random(9), bytes: random(400) as usize, new_term: random(4) == 0 },
    };
    (0..40).map(step).collect()
}

#[test]
fn a_crash_at_any_disk_operation_loses_nothing_acknowledged_and_invents_nothing() {
    for seed in 0..3 {
        let steps = workload(seed);
        let disk = SimDisk::new();
        run(&disk, &steps);
        let operations = disk.operations();
        assert!(operations > 90, "a workload of {operations} disk operations");
        for operation in 0..operations {
            for performed in [false, true] {
                let loss = match operation % 5 {
                    0 => Loss::Everything,
                    1 => Loss::Nothing,
                    _ => Loss::Torn { seed: operation * 7 + seed },
                };
                let what = format!("seed {seed}, operation {operation}, performed {performed}, {loss:?}");
                crash_once(&steps, operation, performed, loss, &what);
            }
        }
    }
}

fn crash_once(steps: &[Step], operation: u64, performed: bool, loss: Loss, what: &str) {
    let disk = SimDisk::new();
    disk.die_at(operation, performed);
    let (acknowledged, attempted) = run(&disk, steps);
    let disk = disk.crash(loss);
    // Recovery itself is interrupted too.
    disk.die_at(operation % 4, performed);
    let _ = open_with(&disk, inline());
    let disk = disk.crash(loss);
    let (wal, recovered) = open_with(&disk, inline()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let vote = recovered.vote.as_deref();
    let sound = acknowledged.matches(&wal, vote) || attempted.matches(&wal, vote);
    assert!(sound, "{what}: {:?}, acknowledged {:?}", wal.state(), acknowledged.last());
    // What was shown once stays, and the log goes on.
    let before = all(&wal);
    let next = wal.state().last.map_or(0, |last| last.index + 1);
    append(&wal, next..=next, 99, 10).unwrap();
    let disk = disk.crash(Loss::Everything);
    let after = all(&open(&disk).0);
    assert_eq!(after[..before.len()], before[..], "{what}");
    assert_eq!((after.len(), after[before.len()].id), (before.len() + 1, id(next, 99)), "{what}");
}
