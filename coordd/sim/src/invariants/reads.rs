//! Each read is the state at the zxid that its answer names.
//!
//! ```text
//!   read at Z shows (value, mzxid M):   M ≤ Z · no acknowledged write of it in (M, Z] · a write at M wrote that value
//!   over all reads:                     one value has one mzxid (applied once) · versions of a path grow with mzxid
//! ```
//!
//! Rule: no model of the tree is needed, because each value names its write; also the writes of unknown outcome are
//! judged.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::history::{Answer, Happened, Record, Request, Seen};

#[derive(Default)]
struct Judge<'a> {
    /// (path, zxid) → value.
    written: BTreeMap<(&'a str, i64), &'a str>,
    /// Every value that anybody asked for → its path.
    asked: BTreeMap<&'a str, &'a str>,
    /// value → mzxid under which it was seen.
    applied: BTreeMap<&'a str, i64>,
    /// (path, czxid, mzxid) → version: one that was created anew begins anew.
    versions: BTreeMap<(&'a str, i64, i64), i32>,
    broken: Vec<String>,
}

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    let mut judge = Judge::default();
    for record in records {
        let Happened::Answered { request, answer } = &record.happened else { continue };
        for write in request.writes() {
            judge.asked.insert(write.value(), write.path());
            if let Answer::Written { zxid } = answer {
                judge.written.insert((write.path(), *zxid), write.value());
            }
        }
    }
    for record in records {
        if let Some((Request::Get { path, .. }, Answer::Read { seen, .. }, zxid)) = record.answered() {
            judge.read(&record.client, path, zxid, seen);
        }
    }
    judge.versions_grow();
    judge.broken
}

impl<'a> Judge<'a> {
    fn read(&mut self, client: &str, path: &'a str, zxid: i64, seen: &'a Seen) {
        let mut wrong = |why: String| self.broken.push(format!("reads: {client} read {path} at {zxid:#x}: {why}"));
        if seen.mzxid > zxid {
            wrong(format!("it shows {:#x}, the future", seen.mzxid));
        }
        let between = (Bound::Excluded((path, seen.mzxid)), Bound::Included((path, zxid.max(seen.mzxid))));
        if let Some(((_, missed), _)) = self.written.range(between).next() {
            wrong(format!("it shows {:#x} and misses the write at {missed:#x}", seen.mzxid));
        }
        if self.asked.get(seen.value.as_str()) != Some(&path) {
            wrong(format!("nobody wrote {:?} there", seen.value));
        }
        match self.written.get(&(path, seen.mzxid)) {
            Some(value) if *value != seen.value => wrong(format!("{value:?} was written at {:#x}", seen.mzxid)),
            _ => {}
        }
        let first = *self.applied.entry(&seen.value).or_insert(seen.mzxid);
        if first != seen.mzxid {
            wrong(format!("{:?} was applied at {first:#x} and again at {:#x}", seen.value, seen.mzxid));
        }
        let version = *self.versions.entry((path, seen.czxid, seen.mzxid)).or_insert(seen.version);
        if version != seen.version {
            wrong(format!("version {} at {:#x}, which was version {version}", seen.version, seen.mzxid));
        }
    }

    fn versions_grow(&mut self) {
        let pairs = self.versions.iter().zip(self.versions.iter().skip(1));
        let one_life = |one: &(&str, i64, i64), other: &(&str, i64, i64)| (one.0, one.1) == (other.0, other.1);
        let falls = pairs.filter(|((one, before), (other, after))| one_life(one, other) && before >= after);
        let told: Vec<String> = falls
            .map(|(_, ((path, _, mzxid), after))| format!("reads: {path} has version {after} at {mzxid:#x}"))
            .collect();
        self.broken.extend(told);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{create, read, set};
    use super::*;

    fn with(extra: Record) -> Vec<String> {
        let written = [create("c1", "/a", "one", 5), set("c1", "/a", "two", 7)];
        judge(&[&written[..], &[extra]].concat())
    }

    #[test]
    fn a_read_of_the_state_at_its_zxid_is_right() {
        assert_eq!(with(read("c2", "/a", 6, "one", 5, 5)), Vec::<String>::new());
        assert_eq!(with(read("c2", "/a", 7, "two", 5, 7)), Vec::<String>::new());
    }

    #[test]
    fn a_stale_read_is_found() {
        assert_eq!(with(read("c2", "/a", 7, "one", 5, 5)).len(), 1);
    }

    #[test]
    fn a_read_of_the_future_is_found() {
        assert_eq!(with(read("c2", "/a", 6, "two", 5, 7)).len(), 1);
    }

    #[test]
    fn a_value_that_nobody_wrote_is_found() {
        assert_eq!(with(read("c2", "/a", 9, "three", 5, 9)).len(), 1);
    }

    #[test]
    fn a_write_that_was_applied_twice_is_found() {
        let twice = [with(read("c2", "/a", 7, "two", 5, 7)), with(read("c2", "/a", 9, "two", 5, 9))].concat();
        assert_eq!(twice, Vec::<String>::new(), "each alone could be");
        let records = [
            create("c1", "/a", "one", 5),
            set("c1", "/a", "two", 7),
            read("c2", "/a", 7, "two", 5, 7),
            read("c2", "/a", 9, "two", 5, 9),
        ];
        assert!(judge(&records).iter().any(|why| why.contains("again")));
    }
}
