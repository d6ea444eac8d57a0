//! Each acknowledged write is there at the end, at every member.
//!
//! ```text
//!   create acknowledged at z ─► last read: czxid = z and, unless set since, its value
//!   set acknowledged at z    ─► last read: mzxid ≥ z, and its value if mzxid = z
//! ```

use std::collections::BTreeMap;

use crate::client::auditor;
use crate::history::{Answer, Happened, Record, Request};
use crate::host::MEMBERS;

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    MEMBERS.iter().flat_map(|member| at(records, member)).collect()
}

fn at(records: &[Record], member: &str) -> Vec<String> {
    let reader = auditor::name_at(member);
    let mut last = BTreeMap::new();
    for record in records.iter().filter(|record| record.client == reader) {
        if let Happened::Answered { request, answer } = &record.happened {
            last.insert(request.path(), answer);
        }
    }
    records.iter().filter_map(|record| missing(record, &last, member)).collect()
}

fn missing(record: &Record, last: &BTreeMap<&str, &Answer>, member: &str) -> Option<String> {
    let Happened::Answered { request, answer: Answer::Written { zxid } } = &record.happened else { return None };
    let there = match (request, last.get(request.path())) {
        (Request::Create { value, .. }, Some(Answer::Read { seen, .. })) => {
            seen.czxid == *zxid && (seen.mzxid > *zxid || seen.value == *value)
        }
        (Request::Set { value, .. }, Some(Answer::Read { seen, .. })) => {
            seen.mzxid > *zxid || (seen.mzxid == *zxid && seen.value == *value)
        }
        _ => false,
    };
    let found = last.get(request.path());
    (!there).then(|| format!("acknowledged: {request:?} at {zxid:#x} is not at {member}, which has {found:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{create, read, set};
    use super::*;

    fn last(path: &str, zxid: i64, value: &str, czxid: i64, mzxid: i64) -> Vec<Record> {
        let readers = MEMBERS.map(|member| read(&auditor::name_at(member), path, zxid, value, czxid, mzxid));
        readers.to_vec()
    }

    #[test]
    fn what_is_there_is_not_missed() {
        let written = vec![create("c1", "/a", "one", 5), set("c1", "/a", "two", 6)];
        let records = [written, last("/a", 9, "two", 5, 6)].concat();
        assert_eq!(judge(&records), Vec::<String>::new());
    }

    #[test]
    fn a_create_that_is_gone_is_found() {
        assert_eq!(judge(&[create("c1", "/a", "one", 5)]).len(), 3);
    }

    #[test]
    fn a_set_that_was_taken_back_is_found() {
        let written = vec![create("c1", "/a", "one", 5), set("c1", "/a", "two", 6)];
        let records = [written, last("/a", 9, "one", 5, 5)].concat();
        assert_eq!(judge(&records).len(), 3);
    }
}
