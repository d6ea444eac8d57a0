//! How long to wait before trying again.
//!
//! Rule: every wait has jitter, and none is longer than half a minute. Reason: a hundred clusters whose API server was
//! away must not ask it all at once when it is back, nor be left alone for long.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::utils::Backoff;

use crate::names::ClusterName;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// A tenth more or less.
pub(crate) fn jitter(wait: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    wait.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX))
}

/// The wait after `failures` in a row.
fn after(failures: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LONGEST)
}

/// How often each cluster has failed in a row.
#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<ClusterName, u32>>);

impl Failures {
    /// Notes one more and says how long to wait.
    pub(crate) fn note(&self, cluster: &ClusterName) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(cluster.clone()).or_insert(0);
        *count = count.saturating_add(1);
        jitter(after(*count))
    }

    /// How often it has failed in a row.
    pub(crate) fn count(&self, cluster: &ClusterName) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).copied().unwrap_or(0)
    }

    pub(crate) fn clear(&self, cluster: &ClusterName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }
}

/// Another backoff, none of whose waits is longer than so much.
pub(crate) struct Capped<B> {
    inner: B,
    longest: Duration,
}

impl<B> Capped<B> {
    pub(crate) fn new(inner: B, longest: Duration) -> Capped<B> {
        Capped { inner, longest }
    }
}

impl<B: Backoff> Iterator for Capped<B> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.inner.next()?.min(self.longest))
    }
}

impl<B: Backoff> Backoff for Capped<B> {
    fn reset(&mut self) {
        self.inner.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let waits: Vec<_> = [1, 2, 3, 6, 7, 40].map(|failures| after(failures).as_millis()).into();
        assert_eq!(waits, [500, 1000, 2000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn no_wait_is_off_by_more_than_a_tenth() {
        for _ in 0..1000 {
            let wait = jitter(Duration::from_secs(10)).as_millis();
            assert!((9_000..=11_000).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn a_success_begins_anew() {
        let (failures, cluster) = (Failures::default(), ClusterName::new("shop", "orders"));
        for _ in 0..5 {
            failures.note(&cluster);
        }
        assert!(failures.note(&cluster) > Duration::from_secs(10));
        failures.clear(&cluster);
        assert!(failures.note(&cluster) < Duration::from_secs(1));
    }
}
