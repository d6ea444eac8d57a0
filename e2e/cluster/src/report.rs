//! What is promised, what was measured, and the table of both at the end of a run.
//!
//! Rule: a promise is named once, here or beside the scenario that measures it, with its goal; of several figures the
//! worst counts, and its line says of how many. Reason: a number without its goal tells nothing, and the worst of one
//! is not that of ten. What does not depend on the machine by much fails above its goal (`held`); the rest is told
//! there and fails at a bound of its own.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};

/// A time, or a number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    Time(Duration),
    Count(usize),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Time(time) => write!(f, "{:8.2} s", time.as_secs_f64()),
            Amount::Count(count) => write!(f, "{count:8}  "),
        }
    }
}

/// What is promised, and the most that it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    pub what: &'static str,
    pub goal: Amount,
}

impl Promise {
    pub const fn within(what: &'static str, seconds: u64) -> Self {
        Promise { what, goal: Amount::Time(Duration::from_secs(seconds)) }
    }

    pub const fn within_ms(what: &'static str, millis: u64) -> Self {
        Promise { what, goal: Amount::Time(Duration::from_millis(millis)) }
    }

    pub const fn none(what: &'static str) -> Self {
        Promise { what, goal: Amount::Count(0) }
    }
}

pub const CREATED: Promise = Promise::within("create three members: applied → Ready, images present", 15);
pub const POD_BACK: Promise = Promise::within("pod deleted → member Ready again", 15);
pub const LEADER_DELETED: Promise = Promise::within("leader pod deleted: longest time without a write", 1);
pub const ROLL_PAUSE: Promise = Promise::within("roll of three members: longest time without a write", 1);
pub const ROLL_WRITES: Promise = Promise::none("roll of three members: acknowledged writes lost");
pub const ROLL_SESSIONS: Promise = Promise::none("roll of three members: sessions lost");
pub const VOLUME_REPLACED: Promise = Promise::within("lost volume: voting again, after replaceAfter", 30);
pub const SCALE_PAUSE: Promise = Promise::within("scale 3 → 5, a million znodes: longest time without a write", 1);
pub const OPERATOR_STOPPED: Promise = Promise::within("operator stopped: its second replica acts", 3);
pub const OPERATOR_KILLED: Promise = Promise::within("operator killed: its second replica acts", 20);

/// The promises that are made to users.
const TABLE: [Promise; 10] = [
    CREATED,
    POD_BACK,
    LEADER_DELETED,
    ROLL_PAUSE,
    ROLL_WRITES,
    ROLL_SESSIONS,
    VOLUME_REPLACED,
    SCALE_PAUSE,
    OPERATOR_STOPPED,
    OPERATOR_KILLED,
];
/// The one whose clusters are too many for three nodes on one machine.
const MEASURED_ELSEWHERE: &str = "  operator's memory with 100 clusters, goal 60 MiB: \
    `cargo test --release -p operator --test real -- --ignored --nocapture`";

/// How one promise was kept, once.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub promise: Promise,
    pub value: Amount,
}

impl Figure {
    pub fn is_above(&self) -> bool {
        self.value > self.promise.goal
    }

    /// Fails above the goal.
    pub fn held(&self) -> Result<()> {
        let Promise { what, goal } = self.promise;
        let (value, goal) = (self.value.to_string(), goal.to_string());
        ensure!(!self.is_above(), "{what}: {}, and promised is {}", value.trim(), goal.trim());
        Ok(())
    }
}

/// Every promise to users with the worst of its figures and how many those are, and then what else was measured.
pub fn table(figures: &[Figure]) -> String {
    let mut others: Vec<Promise> = Vec::new();
    for figure in figures.iter().filter(|figure| !TABLE.contains(&figure.promise)) {
        if !others.contains(&figure.promise) {
            others.push(figure.promise);
        }
    }
    let mut lines: Vec<String> = TABLE.iter().map(|promise| line(*promise, figures)).collect();
    lines.push(MEASURED_ELSEWHERE.to_owned());
    lines.extend(others.into_iter().map(|promise| line(promise, figures)));
    lines.join("\n")
}

fn line(promise: Promise, figures: &[Figure]) -> String {
    let of_it: Vec<Amount> =
        figures.iter().filter(|figure| figure.promise == promise).map(|figure| figure.value).collect();
    let (measured, verdict) = match of_it.iter().max() {
        None => (format!("{:>10}", "not run"), String::new()),
        Some(worst) => {
            let above = if *worst > promise.goal { "  ABOVE" } else { "" };
            (worst.to_string(), format!("   worst of {}{above}", of_it.len()))
        }
    };
    format!("  {:64}{measured}   goal {}{verdict}", promise.what, promise.goal.to_string().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_figure_counts_and_says_of_how_many_and_what_was_not_measured_says_so() {
        let time = |seconds| Amount::Time(Duration::from_secs(seconds));
        let own = Promise::within("something else", 2);
        let figures = [(POD_BACK, 4), (POD_BACK, 16), (POD_BACK, 3), (own, 1)];
        let table = table(&figures.map(|(promise, seconds)| Figure { promise, value: time(seconds) }));
        let of = |what: &str| table.lines().find(|line| line.contains(what)).unwrap().to_owned();
        assert!(of(POD_BACK.what).ends_with("16.00 s   goal 15.00 s   worst of 3  ABOVE"), "{table}");
        assert!(of("sessions lost").ends_with("not run   goal 0"), "{table}");
        assert!(of(own.what).ends_with("1.00 s   goal 2.00 s   worst of 1"), "{table}");
    }

    #[test]
    fn what_is_held_fails_as_soon_as_it_is_above_its_goal() {
        let one = Promise::within_ms("one", 2_500);
        let figure = |value: Amount| Figure { promise: one, value };
        assert!(figure(Amount::Time(Duration::from_millis(2_500))).held().is_ok());
        let late = figure(Amount::Time(Duration::from_millis(2_510))).held().unwrap_err().to_string();
        assert_eq!(late, "one: 2.51 s, and promised is 2.50 s");
        assert!(Figure { promise: ROLL_WRITES, value: Amount::Count(1) }.held().is_err());
    }
}
