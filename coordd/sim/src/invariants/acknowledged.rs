//! Each acknowledged write is there at the end, at every member.
//!
//! ```text
//!   create acknowledged at z ─► last read: czxid = z and, unless set since, its value
//!   set acknowledged at z    ─► last read: mzxid ≥ z, and its value if mzxid = z
//!   ephemeral                ─► not there: every session has ended
//! ```

use std::collections::BTreeMap;

use crate::client::auditor;
use crate::history::{Answer, Happened, Record, Request, Write};
use crate::host::MEMBERS;

pub(super) const NO_NODE: i32 = -101;

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    MEMBERS.iter().flat_map(|member| at(records, member)).collect()
}

fn at(records: &[Record], member: &str) -> Vec<String> {
    let reader = auditor::name_at(member);
    let mut last = BTreeMap::new();
    for record in records.iter().filter(|record| record.client == reader) {
        if let Happened::Answered { request: Request::Get { path, .. }, answer } = &record.happened {
            last.insert(path.as_str(), answer);
        }
    }
    records.iter().flat_map(|record| missing(record, &last, member)).collect()
}

fn missing(record: &Record, last: &BTreeMap<&str, &Answer>, member: &str) -> Vec<String> {
    let Some((request, Answer::Written { zxid }, _)) = record.answered() else { return Vec::new() };
    let wrong = request.writes().iter().filter(|write| !is_as_it_should_be(write, *zxid, last.get(write.path())));
    wrong
        .map(|write| {
            let found = last.get(write.path());
            format!("acknowledged: {write:?} at {zxid:#x} is not as it should be at {member}, which has {found:?}")
        })
        .collect()
}

fn is_as_it_should_be(write: &Write, zxid: i64, last: Option<&&Answer>) -> bool {
    match (write, last) {
        (Write::Create { value, .. }, Some(Answer::Read { seen, .. })) => {
            seen.czxid == zxid && (seen.mzxid > zxid || seen.value == *value)
        }
        (Write::Set { value, .. }, Some(Answer::Read { seen, .. })) => {
            seen.mzxid > zxid || (seen.mzxid == zxid && seen.value == *value)
        }
        (Write::Ephemeral { .. }, Some(Answer::Refused { error, .. })) => *error == NO_NODE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{create, ephemeral, gone, read, set};
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

    #[test]
    fn an_ephemeral_that_outlives_all_sessions_is_found() {
        let made = ephemeral("c1", 7, "/e", "one", 5);
        let ended = MEMBERS.map(|member| gone(&auditor::name_at(member), 1, "/e", 9));
        assert_eq!(judge(&[vec![made.clone()], ended.to_vec()].concat()), Vec::<String>::new());
        assert_eq!(judge(&[vec![made], last("/e", 9, "one", 5, 5)].concat()).len(), 3);
    }
}
