//! The table for people: median and range of both servers, and the verdict by the rows of the issue.

use std::fmt::Write;

use super::rows::{ROWS, Row, Verdict};
use super::scenario::Metrics;
use crate::servers::Kind;

pub fn table(metrics: &Metrics) -> String {
    let mut text = String::new();
    let disk = Spread::of(&metrics.disk_sync_ms).map_or_else(|| "-".to_owned(), |s| s.text());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "fdatasync of the disk itself: {disk} ms (median and range of the rounds)\n");
    let head = ("work", "ZooKeeper", "coordd", "ratio", "floor", "goal");
    let _ = writeln!(
        text,
        "{:44} {:>28} {:>28} {:>8} {:>9} {:>9}  verdict",
        head.0, head.1, head.2, head.3, head.4, head.5
    );
    for row in ROWS {
        line(&mut text, row, metrics);
    }
    let _ = writeln!(text, "\nbeside them");
    for metric in metrics.values.keys().filter(|m| ROWS.iter().all(|row| row.metric != *m)) {
        let side = |kind| Spread::of(metrics.of(metric, kind)).map_or_else(|| "-".to_owned(), |s| s.text());
        let _ = writeln!(text, "{metric:44} {:>28} {:>28}", side(Kind::Zookeeper), side(Kind::Coordd));
    }
    text
}

fn line(text: &mut String, row: &Row, metrics: &Metrics) {
    let zookeeper = Spread::of(metrics.of(row.metric, Kind::Zookeeper));
    let coordd = Spread::of(metrics.of(row.metric, Kind::Coordd));
    if zookeeper.is_none() && coordd.is_none() {
        return;
    }
    let verdict = match row.verdict(coordd.map(|s| s.median), zookeeper.map(|s| s.median)) {
        Verdict::Goal => "goal",
        Verdict::Floor => "floor",
        Verdict::Below => "BELOW",
        Verdict::Unknown => "-",
    };
    let ratio = match (coordd, zookeeper) {
        (Some(c), Some(z)) if z.median > 0.0 => format!("{:.2}", c.median / z.median),
        _ => "-".to_owned(),
    };
    let side = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), |s| s.text());
    let title = if row.unit.is_empty() { row.title.to_owned() } else { format!("{} [{}]", row.title, row.unit) };
    let _ = writeln!(
        text,
        "{title:44} {:>28} {:>28} {ratio:>8} {:>9} {:>9}  {verdict}",
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

    fn text(self) -> String {
        format!("{} ({}–{})", short(self.median), short(self.least), short(self.most))
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
}
