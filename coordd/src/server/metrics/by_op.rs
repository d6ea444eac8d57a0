//! Latency by operation: one histogram each, and counts of a batch that are added to them at its end.
//!
//! Rule: inside a batch a request adds to a plain number; only the batch touches the shared histograms, once for each
//! operation that it held.

use std::time::Duration;

use coordd_proto::OpCode;

use super::value::{Histogram, Sample};

const SLOTS: usize = 32;

fn slot(op: OpCode) -> usize {
    match op.to_wire() {
        low @ 0..=22 => low as usize,
        high @ 100..=107 => high as usize - 77,
        _ => SLOTS - 1,
    }
}

/// How many requests of each operation one batch answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts([u32; SLOTS]);

impl Counts {
    pub(crate) fn add(&mut self, op: OpCode) {
        self.0[slot(op)] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|n| u64::from(*n)).sum()
    }
}

/// The histograms of one member.
#[derive(Debug, Default)]
pub(crate) struct ByOp([Histogram; SLOTS]);

impl ByOp {
    pub(crate) fn add(&self, op: OpCode, took: Duration) {
        self.0[slot(op)].add(took);
    }

    /// Every request of a batch took as long as the batch.
    pub(crate) fn add_batch(&self, counts: &Counts, took: Duration) {
        for (histogram, n) in self.0.iter().zip(counts.0).filter(|(_, n)| *n > 0) {
            histogram.add_many(took, u64::from(n));
        }
    }

    /// One sample for each operation that was ever asked for.
    pub(crate) fn samples(&self) -> impl Iterator<Item = Sample> {
        let asked = OpCode::ALL.iter().filter(|op| slot(**op) < SLOTS - 1);
        let known = asked.map(|op| (op, &self.0[slot(*op)])).filter(|(_, h)| h.times().count() > 0);
        known.map(|(op, histogram)| Sample::histogram("request_latency", histogram).with_key(format!("{op:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_a_client_has_a_histogram_of_its_own() {
        let clients = OpCode::ALL.iter().filter(|op| op.to_wire() > 0);
        let mut slots: Vec<usize> = clients.map(|op| slot(*op)).collect();
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), count);
        assert!(slots.iter().all(|slot| *slot < SLOTS - 1));
    }

    #[test]
    fn a_batch_counts_each_of_its_requests() {
        let by_op = ByOp::default();
        let mut counts = Counts::default();
        (0..3).for_each(|_| counts.add(OpCode::GetData));
        counts.add(OpCode::Ping);
        by_op.add_batch(&counts, Duration::from_micros(5));
        assert_eq!(counts.total(), 4);
        assert_eq!(by_op.0[slot(OpCode::GetData)].times().count(), 3);
        assert_eq!(by_op.samples().count(), 2);
    }
}
