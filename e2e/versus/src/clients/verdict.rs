//! What came of a run: how much was done, how long writes paused after each blow, and which promises were broken.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checker;
use crate::history::{ClientHistory, History, What};

/// How many broken promises are told in full, of each kind.
const EXAMPLES: usize = 3;

/// What the clients have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub acknowledged: usize,
    pub in_flight: usize,
}

/// What they saw after one blow, up to the next or to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blow {
    pub what: String,
    /// The longest time without an acknowledged write, of all clients together.
    pub pause_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub acknowledged: usize,
    pub unknown: usize,
    pub events: usize,
    pub seconds: u64,
    /// Sessions that steady clients wanted to keep and were refused.
    pub sessions_lost: usize,
    pub blows: Vec<Blow>,
    /// Broken promises by name; a lost write is a broken `WriteKept`.
    pub broken: BTreeMap<String, usize>,
    pub examples: Vec<String>,
}

impl Verdict {
    /// The first `steady` clients are those that keep their sessions; `end` is when they were told to stop.
    pub(super) fn of(history: &History, steady: usize, end: u64) -> Self {
        let mut broken: BTreeMap<String, usize> = BTreeMap::new();
        let mut examples = Vec::new();
        for violation in checker::check(history) {
            let count = broken.entry(format!("{:?}", violation.promise)).or_default();
            *count += 1;
            if *count <= EXAMPLES {
                examples.push(violation.to_string());
            }
        }
        let entries = || history.clients.iter().flat_map(|client| &client.entries);
        Verdict {
            acknowledged: history.acknowledged(),
            unknown: history.calls().filter(|call| call.reply.is_none()).count(),
            events: entries().filter(|entry| matches!(entry.what, What::Event { .. })).count(),
            seconds: end / 1_000_000_000,
            sessions_lost: history.clients.iter().take(steady).map(refusals).sum(),
            blows: blows(history, end),
            broken,
            examples,
        }
    }
}

impl Verdict {
    /// The worst of all blows.
    pub fn longest_pause(&self) -> Duration {
        Duration::from_millis(self.blows.iter().map(|blow| blow.pause_ms).max().unwrap_or(0))
    }
}

fn refusals(client: &ClientHistory) -> usize {
    client.entries.iter().filter(|entry| matches!(entry.what, What::Refused { .. })).count()
}

fn blows(history: &History, end: u64) -> Vec<Blow> {
    let done = |call: &&crate::history::Call| {
        call.op.writes() && call.reply.as_ref().is_some_and(|reply| !reply.answer.refused())
    };
    let mut acknowledged: Vec<u64> =
        history.calls().filter(done).filter_map(|call| Some(call.reply.as_ref()?.at)).filter(|at| *at < end).collect();
    acknowledged.sort_unstable();
    acknowledged.push(end);
    let ends = history.faults.iter().skip(1).map(|next| next.at).chain([end]);
    let blow = |(fault, end): (&crate::history::Fault, u64)| Blow {
        what: fault.what.clone(),
        pause_ms: longest(&acknowledged, fault.at, end) / 1_000_000,
    };
    history.faults.iter().zip(ends).map(blow).collect()
}

/// The longest time between two of these that lies in the window, also in part; then it counts in full.
fn longest(sorted: &[u64], from: u64, to: u64) -> u64 {
    let pairs = sorted.windows(2).filter(|pair| pair[1] > from && pair[0] < to);
    pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or(to - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Call, Fault, Op, Reply};

    const MS: u64 = 1_000_000;

    fn write(at: u64, answer: Answer) -> Call {
        let op = Op::Delete { path: "/a".to_owned(), version: -1 };
        Call { session: 1, conn: 1, sent: at - 1, op, reply: Some(Reply { at: at * MS, zxid: 1, answer }) }
    }

    #[test]
    fn a_pause_is_the_longest_time_without_an_acknowledged_write_around_or_after_a_blow() {
        let refused = write(300, Answer::Error(-101));
        let calls = [10, 20, 100, 520, 530, 900].map(|at| write(at, Answer::Done)).into_iter().chain([refused]);
        let clients = vec![ClientHistory { calls: calls.collect(), entries: Vec::new() }];
        let fault = |at: u64| Fault { at: at * MS, what: String::new(), in_flight: 1 };
        let history = History { clients, faults: vec![fault(15), fault(110), fault(525), fault(950)] };
        let pauses: Vec<u64> = blows(&history, 1000 * MS).iter().map(|blow| blow.pause_ms).collect();
        assert_eq!(pauses, [420, 420, 370, 100]);
    }
}
