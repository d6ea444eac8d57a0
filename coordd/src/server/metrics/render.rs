//! The same figures in two forms: `mntr`'s lines and Prometheus's text.
//!
//! ```text
//!   mntr        zk_readlatency…: zk_avg_, zk_min_, zk_max_, zk_cnt_, zk_sum_, zk_p50_, zk_p95_, zk_p99_, zk_p999_
//!   Prometheus  readlatency{quantile="0.5"} …, readlatency_count, readlatency_sum     no prefix, no _total
//! ```
//!
//! Rule: base names are ZooKeeper's, so that dashboards and alerts written for it keep working (zookeeper.md §8.1).

use std::fmt::Write;

use super::value::{Sample, Value};

/// A float as Java prints it: always with a fraction.
fn java(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e7 { format!("{value:.1}") } else { format!("{value}") }
}

/// A gauge without a fraction prints as an integer.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// `zk_<name>\t<value>` lines.
pub fn mntr(samples: &[Sample]) -> String {
    let mut out = String::new();
    for Sample { name, value } in samples {
        let _ = match value {
            Value::Counter(n) => writeln!(out, "zk_{name}\t{n}"),
            Value::Gauge(v) => writeln!(out, "zk_{name}\t{}", plain(*v)),
            Value::Text(text) => writeln!(out, "zk_{name}\t{text}"),
            Value::Summary { count, sum, min, max, avg } => summary(&mut out, name, *count, *sum, *min, *max, *avg),
            Value::Histogram { count, sum, min, max, avg, p50, p95, p99, p999 } => {
                summary(&mut out, name, *count, *sum, *min, *max, *avg).and_then(|()| {
                    let ms = |v: &f64| *v as u64;
                    writeln!(out, "zk_p50_{name}\t{}", ms(p50))?;
                    writeln!(out, "zk_p95_{name}\t{}", ms(p95))?;
                    writeln!(out, "zk_p99_{name}\t{}", ms(p99))?;
                    writeln!(out, "zk_p999_{name}\t{}", ms(p999))
                })
            }
        };
    }
    out
}

fn summary(out: &mut String, name: &str, cnt: u64, sum: u64, min: u64, max: u64, avg: f64) -> std::fmt::Result {
    writeln!(out, "zk_avg_{name}\t{}", java(avg))?;
    writeln!(out, "zk_min_{name}\t{min}")?;
    writeln!(out, "zk_max_{name}\t{max}")?;
    writeln!(out, "zk_cnt_{name}\t{cnt}")?;
    writeln!(out, "zk_sum_{name}\t{sum}")
}

/// Prometheus's text format.
pub fn prometheus(samples: &[Sample]) -> String {
    let mut out = String::new();
    for Sample { name, value } in samples {
        let _ = match value {
            Value::Counter(n) => writeln!(out, "# TYPE {name} counter\n{name} {n}"),
            Value::Gauge(v) => writeln!(out, "# TYPE {name} gauge\n{name} {}", plain(*v)),
            Value::Text(_) => Ok(()),
            Value::Summary { count, sum, .. } => {
                writeln!(out, "# TYPE {name} summary\n{name}_count {count}\n{name}_sum {sum}")
            }
            Value::Histogram { count, sum, p50, p95, p99, p999, .. } => {
                let _ = writeln!(out, "# TYPE {name} summary");
                for (quantile, value) in [("0.5", p50), ("0.95", p95), ("0.99", p99), ("0.999", p999)] {
                    let _ = writeln!(out, "{name}{{quantile=\"{quantile}\"}} {value}");
                }
                writeln!(out, "{name}_count {count}\n{name}_sum {sum}")
            }
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Sample> {
        let summary = Value::Summary { count: 2, sum: 5, min: 1, max: 4, avg: 2.5 };
        vec![
            Sample::text("version", "3.9.5"),
            Sample::gauge("znode_count", 5.0),
            Sample { name: "fsynctime", value: summary },
        ]
    }

    #[test]
    fn mntr_prefixes_names_as_zookeeper_does() {
        assert_eq!(
            mntr(&samples()),
            "zk_version\t3.9.5\nzk_znode_count\t5\nzk_avg_fsynctime\t2.5\nzk_min_fsynctime\t1\nzk_max_fsynctime\t4\n\
             zk_cnt_fsynctime\t2\nzk_sum_fsynctime\t5\n"
        );
    }

    #[test]
    fn prometheus_has_no_prefix_and_no_total() {
        assert_eq!(
            prometheus(&samples()),
            "# TYPE znode_count gauge\nznode_count 5\n# TYPE fsynctime summary\nfsynctime_count 2\nfsynctime_sum 5\n"
        );
    }

    #[test]
    fn floats_print_as_java_prints_them() {
        assert_eq!((java(0.0), java(2.5), plain(3.0)), ("0.0".into(), "2.5".into(), "3".into()));
    }
}
