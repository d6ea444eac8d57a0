//! A multi happens as a whole or not at all, whether its client learnt its outcome or not.
//!
//! ```text
//!   one of its values was seen at M ─► whoever reads another of its paths at Z ≥ M sees M or later, and at M its value
//!   refused, or doomed from the start ─► none of its values is ever seen
//! ```

use std::collections::BTreeMap;

use crate::history::{Answer, Happened, Record, Request, Seen, Write};

/// path → what was read of it: (zxid, seen).
type Reads<'a> = BTreeMap<&'a str, Vec<(i64, &'a Seen)>>;

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    let mut reads = Reads::new();
    for record in records {
        if let Some((Request::Get { path, .. }, Answer::Read { seen, .. }, zxid)) = record.answered() {
            reads.entry(path).or_default().push((zxid, seen));
        }
    }
    let mut broken = Vec::new();
    for record in records {
        let Happened::Answered { request: Request::Multi { writes, doomed }, answer } = &record.happened else {
            continue;
        };
        let refused = *doomed || matches!(answer, Answer::Refused { .. });
        if *doomed && matches!(answer, Answer::Written { .. }) {
            broken.push(format!("multis: {} was told of success, which could not be: {writes:?}", record.client));
        }
        broken.extend(seen_at(writes, &reads).and_then(|at| match refused {
            true => Some(format!("multis: {} was refused {writes:?}, and it is there at {at:#x}", record.client)),
            false => torn(writes, at, &reads),
        }));
    }
    broken
}

/// The zxid at which some value of the multi was seen.
fn seen_at(writes: &[Write], reads: &Reads<'_>) -> Option<i64> {
    let of = |write: &Write| {
        let found = reads.get(write.path())?.iter().find(|(_, seen)| seen.value == write.value());
        found.map(|(_, seen)| seen.mzxid)
    };
    writes.iter().find_map(of)
}

/// A read that shows the multi without one of its parts.
fn torn(writes: &[Write], at: i64, reads: &Reads<'_>) -> Option<String> {
    let misses = |write: &Write| {
        let mut of_it = reads.get(write.path())?.iter().filter(|(zxid, _)| *zxid >= at);
        let (zxid, seen) =
            of_it.find(|(_, seen)| seen.mzxid < at || (seen.mzxid == at && seen.value != write.value()))?;
        Some(format!("multis: applied at {at:#x}, but at {zxid:#x} {} shows {seen:?}: {writes:?}", write.path()))
    };
    writes.iter().find_map(misses)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{multi, read};
    use super::*;

    const SETS: [(&str, &str); 2] = [("/a", "one"), ("/b", "two")];

    #[test]
    fn a_multi_that_is_there_as_a_whole_is_right() {
        let records = [
            multi("c1", &SETS, Answer::Unknown),
            read("c2", "/a", 5, "one", 1, 5),
            read("c2", "/b", 5, "two", 1, 5),
            read("c3", "/b", 4, "before", 1, 3),
            read("c3", "/b", 7, "later", 1, 6),
        ];
        assert_eq!(judge(&records), Vec::<String>::new());
    }

    #[test]
    fn a_part_without_the_other_is_found() {
        let records = [
            multi("c1", &SETS, Answer::Written { zxid: 5 }),
            read("c2", "/a", 5, "one", 1, 5),
            read("c2", "/b", 6, "before", 1, 3),
        ];
        assert_eq!(judge(&records).len(), 1);
    }

    #[test]
    fn a_part_of_what_was_refused_is_found() {
        let refused = Answer::Refused { zxid: 5, error: -101 };
        assert_eq!(judge(&[multi("c1", &SETS, refused), read("c2", "/b", 5, "two", 1, 5)]).len(), 1);
    }
}
