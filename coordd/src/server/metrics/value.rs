//! A counter, a summary and a histogram made of atomics, and how each looks when it is read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Counts up; `reset` is for `srst` alone.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Count, sum, minimum and maximum.
#[derive(Debug)]
pub struct Summary {
    count: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for Summary {
    fn default() -> Self {
        Summary {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }
}

impl Summary {
    pub fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    pub fn add_many(&self, value: u64, n: u64) {
        self.count.fetch_add(n, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(n), Ordering::Relaxed);
        // Most values lie between the two: look before writing.
        if value < self.min.load(Ordering::Relaxed) {
            self.min.fetch_min(value, Ordering::Relaxed);
        }
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// 0 while nothing was added.
    pub fn min(&self) -> u64 {
        let min = self.min.load(Ordering::Relaxed);
        if self.count() == 0 { 0 } else { min }
    }

    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    pub fn avg(&self) -> f64 {
        let count = self.count();
        if count == 0 { 0.0 } else { self.sum() as f64 / count as f64 }
    }

    pub fn reset(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.sum.store(0, Ordering::Relaxed);
        self.min.store(u64::MAX, Ordering::Relaxed);
        self.max.store(0, Ordering::Relaxed);
    }
}

/// The last, the smallest and the largest of some sizes; -1 while there was none, as in ZooKeeper.
#[derive(Debug)]
pub struct Size {
    last: AtomicI64,
    min: AtomicI64,
    max: AtomicI64,
}

impl Default for Size {
    fn default() -> Self {
        Size { last: AtomicI64::new(-1), min: AtomicI64::new(-1), max: AtomicI64::new(-1) }
    }
}

impl Size {
    /// Called by one task at a time.
    pub fn add(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let min = self.min.load(Ordering::Relaxed);
        self.last.store(bytes, Ordering::Relaxed);
        if min < 0 || bytes < min {
            self.min.store(bytes, Ordering::Relaxed);
        }
        if bytes > self.max.load(Ordering::Relaxed) {
            self.max.store(bytes, Ordering::Relaxed);
        }
    }

    /// (last, min, max)
    pub fn get(&self) -> (i64, i64, i64) {
        let load = |value: &AtomicI64| value.load(Ordering::Relaxed);
        (load(&self.last), load(&self.min), load(&self.max))
    }
}

/// Durations: a summary in microseconds, shown in milliseconds.
#[derive(Debug, Default)]
pub struct Times(Summary);

impl Times {
    pub fn add_many(&self, took: Duration, n: u64) {
        self.0.add_many(micros(took), n);
    }

    pub fn count(&self) -> u64 {
        self.0.count()
    }

    pub fn sum_ms(&self) -> f64 {
        self.0.sum() as f64 / 1000.0
    }

    pub fn avg_ms(&self) -> f64 {
        self.0.avg() / 1000.0
    }

    /// Whole milliseconds, as ZooKeeper counts them.
    pub fn min_ms(&self) -> u64 {
        self.0.min() / 1000
    }

    pub fn max_ms(&self) -> u64 {
        self.0.max() / 1000
    }

    pub fn reset(&self) {
        self.0.reset();
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Eight buckets to each doubling of microseconds: a percentile is at most an eighth too high.
const BUCKETS: usize = 8 * 40;

/// Durations with percentiles.
#[derive(Debug)]
pub struct Histogram {
    times: Times,
    buckets: Box<[AtomicU64; BUCKETS]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { times: Times::default(), buckets: Box::new([const { AtomicU64::new(0) }; BUCKETS]) }
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < 8 {
        return micros as usize;
    }
    let doubling = micros.ilog2();
    let eighth = (micros >> (doubling - 3)) & 7;
    ((doubling as usize - 2) * 8 + eighth as usize).min(BUCKETS - 1)
}

/// The largest value that falls into a bucket.
fn bucket_top(bucket: usize) -> u64 {
    let (doubling, eighth) = (bucket / 8, (bucket % 8) as u64);
    if doubling == 0 { eighth } else { ((9 + eighth) << (doubling - 1)) - 1 }
}

impl Histogram {
    pub fn add(&self, took: Duration) {
        self.add_many(took, 1);
    }

    pub fn add_many(&self, took: Duration, n: u64) {
        self.times.add_many(took, n);
        self.buckets[bucket_of(micros(took))].fetch_add(n, Ordering::Relaxed);
    }

    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The value in microseconds below which a share of `quantile` lies.
    pub fn quantile_micros(&self, quantile: f64) -> u64 {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        let rank = (total as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bucket_top(bucket);
            }
        }
        0
    }
}

/// One figure as it was when it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    pub name: &'static str,
    /// Of a set: which member of it this is. A prefix in `mntr`, the label `key` in Prometheus.
    pub key: Option<String>,
    pub value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Counter(u64),
    Gauge(f64),
    /// A gauge that always prints a fraction.
    Average(f64),
    /// Shown by `mntr` alone.
    Text(String),
    Summary {
        count: u64,
        sum: u64,
        min: u64,
        max: u64,
        avg: f64,
    },
    /// Milliseconds, with the 50th, 95th, 99th and 99.9th percentile.
    Histogram {
        count: u64,
        sum: f64,
        min: u64,
        max: u64,
        avg: f64,
        p50: f64,
        p95: f64,
        p99: f64,
        p999: f64,
    },
}

impl Sample {
    pub fn new(name: &'static str, value: Value) -> Sample {
        Sample { name, key: None, value }
    }

    pub fn with_key(self, key: String) -> Sample {
        Sample { key: Some(key), ..self }
    }

    pub fn counter(name: &'static str, counter: &Counter) -> Sample {
        Sample::new(name, Value::Counter(counter.get()))
    }

    pub fn gauge(name: &'static str, value: f64) -> Sample {
        Sample::new(name, Value::Gauge(value))
    }

    pub fn average(name: &'static str, value: f64) -> Sample {
        Sample::new(name, Value::Average(value))
    }

    pub fn text(name: &'static str, value: impl Into<String>) -> Sample {
        Sample::new(name, Value::Text(value.into()))
    }

    pub fn summary(name: &'static str, s: &Summary) -> Sample {
        let value = Value::Summary { count: s.count(), sum: s.sum(), min: s.min(), max: s.max(), avg: s.avg() };
        Sample::new(name, value)
    }

    pub fn histogram(name: &'static str, h: &Histogram) -> Sample {
        let t = h.times();
        let at = |quantile| h.quantile_micros(quantile) as f64 / 1000.0;
        let (p50, p95, p99, p999) = (at(0.5), at(0.95), at(0.99), at(0.999));
        let (count, sum, min, max, avg) = (t.count(), t.sum_ms(), t.min_ms(), t.max_ms(), t.avg_ms());
        Sample::new(name, Value::Histogram { count, sum, min, max, avg, p50, p95, p99, p999 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_bucket_whose_top_is_at_most_an_eighth_above_it() {
        for micros in (0..5000).chain([1 << 20, (1 << 30) + 12345, 1 << 38]) {
            let top = bucket_top(bucket_of(micros));
            assert!(top >= micros && top <= micros + micros / 8 + 1, "{micros} → {top}");
        }
    }

    #[test]
    fn percentiles_count_values_and_not_calls() {
        let h = Histogram::default();
        h.add_many(Duration::from_micros(10), 98);
        h.add_many(Duration::from_millis(50), 2);
        assert_eq!(h.quantile_micros(0.5), 10);
        assert!(h.quantile_micros(0.99) >= 50_000);
        assert_eq!((h.times().count(), h.times().max_ms()), (100, 50));
    }

    #[test]
    fn what_takes_less_than_a_millisecond_counts_in_sum_and_average() {
        let h = Histogram::default();
        h.add_many(Duration::from_micros(250), 6);
        assert_eq!((h.times().sum_ms(), h.times().avg_ms(), h.times().max_ms()), (1.5, 0.25, 0));
    }

    #[test]
    fn an_empty_summary_shows_zeros() {
        let s = Summary::default();
        assert_eq!((s.min(), s.max(), s.avg()), (0, 0, 0.0));
        s.add(7);
        assert_eq!((s.min(), s.max(), s.avg()), (7, 7, 7.0));
        s.reset();
        assert_eq!((s.min(), s.count()), (0, 0));
    }
}
