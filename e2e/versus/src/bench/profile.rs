//! Where coordd's time goes: the mean of each duration that its members show under `/metrics`, in milliseconds.

use std::collections::BTreeMap;

use crate::servers::Ensemble;

/// Prints one line for each hop, all members together; nothing for a server that shows none.
pub fn print(ensemble: &Ensemble) {
    let mut hops: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for text in ensemble.metrics() {
        add(&text, &mut hops);
    }
    // What has a count and no sum is a counter whose name ends so; what has both and such a name counts things.
    let counts = |name: &str| ["_count", "_size", "_loaded"].iter().any(|end| name.ends_with(end));
    let lasted = |name: &str, sum: f64| sum > 0.0 && !counts(name);
    for (name, (sum, count)) in hops.iter().filter(|(name, (sum, _))| lasted(name, *sum)) {
        eprintln!("    hop {name}: mean {:.4} ms over {count:.0}", sum / count);
    }
}

/// Adds up `NAME_sum` and `NAME_count`, labels kept.
fn add(text: &str, hops: &mut BTreeMap<String, (f64, f64)>) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        let (family, labels) = name.split_once('{').map_or((name, ""), |(family, labels)| (family, labels));
        let key = |family: &str| {
            let labels = labels.trim_end_matches('}');
            if labels.is_empty() { family.to_owned() } else { format!("{family} {labels}") }
        };
        if let Some(family) = family.strip_suffix("_sum") {
            hops.entry(key(family)).or_default().0 += value;
        } else if let Some(family) = family.strip_suffix("_count") {
            hops.entry(key(family)).or_default().1 += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_counts_of_all_members_are_put_together() {
        let mut hops = BTreeMap::new();
        let text = "# TYPE x histogram\nx_bucket{op=\"set\",le=\"1\"} 3\nx_sum{op=\"set\"} 6\nx_count{op=\"set\"} 3\n";
        add(text, &mut hops);
        add(text, &mut hops);
        assert_eq!(hops.into_iter().collect::<Vec<_>>(), [("x op=\"set\"".to_owned(), (12.0, 6.0))]);
    }
}
