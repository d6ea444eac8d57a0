//! The table for people: median and range of both servers, and the verdict by the rows of the issue.

use std::fmt::Write;

use super::rows::{By, ROWS, Row, Verdict};
use super::scenario::Metrics;
use crate::servers::Kind;

pub fn table(metrics: &Metrics) -> String {
    let mut text = String::new();
    let disk = Spread::of(&metrics.disk_sync_ms).map_or_else(|| "-".to_owned(), |s| s.text(By::Median));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "fdatasync of the disk itself: {disk} ms (median and range of the rounds)");
    let _ =
        writeln!(text, "each value: median of the rounds, or their worst where that is promised; and their range\n");
    let head = ("work", "ZooKeeper", "coordd", "ratio", "floor", "goal");
    let _ = writeln!(
        text,
        "{:56} {:>28} {:>28} {:>8} {:>9} {:>9}  verdict",
        head.0, head.1, head.2, head.3, head.4, head.5
    );
    for row in ROWS {
        line(&mut text, row, metrics);
    }
    let _ = writeln!(text, "\nbeside them");
    for metric in metrics.values.keys().filter(|m| ROWS.iter().all(|row| row.metric != *m)) {
        let side = |kind| Spread::of(metrics.of(metric, kind)).map_or_else(|| "-".to_owned(), |s| s.text(By::Median));
        let _ = writeln!(text, "{metric:56} {:>28} {:>28}", side(Kind::Zookeeper), side(Kind::Coordd));
    }
    text
}

/// The rows that are below their floor, each with its value and what was promised.
pub fn below(metrics: &Metrics) -> Vec<String> {
    let is_below = |row: &&Row| judge(row, metrics) == Verdict::Below;
    let side = |row: &Row, kind| Spread::of(metrics.of(row.metric, kind)).map(|spread| short(spread.by(row.by)));
    let said = |row: &Row| {
        let coordd = side(row, Kind::Coordd).unwrap_or_default();
        let beside = side(row, Kind::Zookeeper).map(|value| format!(", ZooKeeper {value}")).unwrap_or_default();
        format!("{} is {coordd}{beside}, floor {}", row.metric, row.floor.text())
    };
    ROWS.iter().filter(is_below).map(said).collect()
}

fn judge(row: &Row, metrics: &Metrics) -> Verdict {
    let value = |kind| Spread::of(metrics.of(row.metric, kind)).map(|spread| spread.by(row.by));
    row.verdict(value(Kind::Coordd), value(Kind::Zookeeper))
}

fn line(text: &mut String, row: &Row, metrics: &Metrics) {
    let zookeeper = Spread::of(metrics.of(row.metric, Kind::Zookeeper));
    let coordd = Spread::of(metrics.of(row.metric, Kind::Coordd));
    if zookeeper.is_none() && coordd.is_none() {
        return;
    }
    let verdict = match judge(row, metrics) {
        Verdict::Goal => "goal",
        Verdict::Floor => "floor",
        Verdict::Below => "BELOW",
        Verdict::Unknown => "-",
    };
    let ratio = match (coordd, zookeeper) {
        (Some(c), Some(z)) if z.by(row.by) > 0.0 => format!("{:.2}", c.by(row.by) / z.by(row.by)),
        _ => "-".to_owned(),
    };
    let side = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |s| s.text(row.by));
    let title = if row.unit.is_empty() { row.title.to_owned() } else { format!("{} [{}]", row.title, row.unit) };
    let _ = writeln!(
        text,
        "{title:56} {:>28} {:>28} {ratio:>8} {:>9} {:>9}  {verdict}",
        side(zookeeper),
        side(coordd),
        row.floor.text(),
        row.goal.text(),
    );
}

/// Median and range.
#[derive(Debug, Clone, Copy)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Spread { median: f64::midpoint(lower, upper), least, most })
    }

    /// The value that a row is judged by.
    fn by(self, by: By) -> f64 {
        match by {
            By::Median => self.median,
            By::Most => self.most,
        }
    }

    fn text(self, by: By) -> String {
        format!("{} ({}–{})", short(self.by(by)), short(self.least), short(self.most))
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.least, spread.most), (2.5, 1.0, 4.0));
        assert!(Spread::of(&[]).is_none());
    }
    fn measured(values: &[(&str, Kind, &[f64])]) -> Metrics {
        let mut metrics = Metrics::default();
        for (metric, kind, values) in values {
            metrics.values.entry((*metric).to_owned()).or_default().insert(kind.name(), values.to_vec());
        }
        metrics
    }

    #[test]
    fn what_is_promised_of_the_worst_is_judged_by_the_worst_round() {
        let metrics = measured(&[
            ("kill-leader.gap-ms", Kind::Coordd, &[20.0, 21.0, 201.0]),
            ("kill-leader.lost", Kind::Coordd, &[0.0, 0.0, 1.0]),
            ("recover-1m.ready-s", Kind::Coordd, &[1.0, 1.1, 99.0]),
        ]);
        let below = below(&metrics);
        assert_eq!(below, ["kill-leader.gap-ms is 201, floor ≤ 200", "kill-leader.lost is 1.000, floor ≤ 0"]);
        let table = table(&metrics);
        assert!(table.contains("201 (20.000–201)") && table.contains("1.100 (1.000–99.000)"), "{table}");
    }

    #[test]
    fn a_row_is_below_its_floor_only_when_both_that_it_needs_are_measured() {
        let coordd = ("set-1.p50-us", Kind::Coordd, [190.0].as_slice());
        assert!(below(&measured(&[coordd])).is_empty());
        let both = measured(&[coordd, ("set-1.p50-us", Kind::Zookeeper, &[294.0])]);
        assert_eq!(below(&both), ["set-1.p50-us is 190, ZooKeeper 294, floor ≤ 0.60 ×"]);
        assert!(below(&measured(&[coordd, ("set-1.p50-us", Kind::Zookeeper, &[400.0])])).is_empty());
    }
}
