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

/// A float as Java prints it: always with a fraction; of an average ZooKeeper keeps four digits of that.
pub(crate) fn java(value: f64) -> String {
    let value = (value * 1e4).round() / 1e4;
    if value.fract() == 0.0 && value.abs() < 1e7 { format!("{value:.1}") } else { format!("{value}") }
}

/// A gauge without a fraction prints as an integer.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// `zk_<name>\t<value>` lines.
pub fn mntr(samples: &[Sample]) -> String {
    let mut out = String::new();
    for Sample { name, key, value } in samples {
        let name = &key.as_ref().map_or_else(|| (*name).to_owned(), |key| format!("{key}_{name}"));
        let _ = match value {
            Value::Counter(n) => writeln!(out, "zk_{name}\t{n}"),
            Value::Average(v) => writeln!(out, "zk_{name}\t{}", java(*v)),
            Value::Gauge(v) => writeln!(out, "zk_{name}\t{}", plain(*v)),
            Value::Text(text) => writeln!(out, "zk_{name}\t{text}"),
            Value::Summary { count, sum, min, max, avg } => summary(&mut out, name, *count, *sum, *min, *max, *avg),
            Value::Histogram { count, sum, min, max, avg, p50, p95, p99, p999 } => {
                summary(&mut out, name, *count, *sum as u64, *min, *max, *avg).and_then(|()| {
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

/// Prometheus's text format. Members of one set stand together, behind one line of their type.
pub fn prometheus(samples: &[Sample]) -> String {
    let mut out = String::new();
    let mut typed = "";
    for Sample { name, key, value } in samples {
        let kind = match value {
            Value::Text(_) => continue,
            Value::Counter(_) => "counter",
            Value::Gauge(_) | Value::Average(_) => "gauge",
            Value::Summary { .. } | Value::Histogram { .. } => "summary",
        };
        if typed != *name {
            let _ = writeln!(out, "# TYPE {name} {kind}");
            typed = name;
        }
        let label = key.as_ref().map(|key| format!("key=\"{key}\""));
        let _ = lines(&mut out, name, label.as_deref(), value);
    }
    out
}

fn lines(out: &mut String, name: &str, label: Option<&str>, value: &Value) -> std::fmt::Result {
    let braced = label.map_or_else(String::new, |label| format!("{{{label}}}"));
    match value {
        Value::Text(_) => Ok(()),
        Value::Counter(n) => writeln!(out, "{name}{braced} {n}"),
        Value::Gauge(v) | Value::Average(v) => writeln!(out, "{name}{braced} {}", plain(*v)),
        Value::Summary { count, sum, .. } => {
            writeln!(out, "{name}_count{braced} {count}\n{name}_sum{braced} {sum}")
        }
        Value::Histogram { count, sum, p50, p95, p99, p999, .. } => {
            let before = label.map_or_else(String::new, |label| format!("{label},"));
            for (quantile, value) in [("0.5", p50), ("0.95", p95), ("0.99", p99), ("0.999", p999)] {
                writeln!(out, "{name}{{{before}quantile=\"{quantile}\"}} {value}")?;
            }
            writeln!(out, "{name}_count{braced} {count}\n{name}_sum{braced} {sum}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Sample> {
        let summary = Value::Summary { count: 2, sum: 5, min: 1, max: 4, avg: 2.5 };
        vec![Sample::text("version", "3.9.5"), Sample::gauge("znode_count", 5.0), Sample::new("fsynctime", summary)]
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
    fn a_member_of_a_set_is_a_prefix_there_and_a_label_here() {
        let one = [Sample::new("request_latency", Value::Counter(3)).with_key("Ping".into())];
        assert_eq!(mntr(&one), "zk_Ping_request_latency\t3\n");
        assert_eq!(prometheus(&one), "# TYPE request_latency counter\nrequest_latency{key=\"Ping\"} 3\n");
    }

    #[test]
    fn floats_print_as_java_prints_them() {
        assert_eq!([0.0, 2.5, 0.190_66].map(java), ["0.0", "2.5", "0.1907"]);
        assert_eq!(plain(3.0), "3");
    }
}
