//! Along a session zxids never fall, and those of its writes grow.
//!
//! Rule: over all connections of the session. Reason: a client that is taken up elsewhere must not travel back in time.

use std::collections::BTreeMap;

use crate::history::{Answer, Record};

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    let (mut seen, mut wrote) = (BTreeMap::new(), BTreeMap::new());
    let mut broken = Vec::new();
    for record in records {
        let Some((request, answer, zxid)) = record.answered() else { continue };
        let Record { client, session, .. } = record;
        let before = seen.insert(*session, zxid).unwrap_or(0);
        if zxid < before {
            broken.push(format!("order: {client} saw {before:#x} and then {zxid:#x} with {request:?}"));
        }
        if matches!(answer, Answer::Written { .. }) {
            let before = wrote.insert(*session, zxid).unwrap_or(0);
            if zxid <= before {
                broken.push(format!("order: {client} wrote at {before:#x} and then at {zxid:#x}: {request:?}"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::sample::{create, read, set};
    use super::*;

    #[test]
    fn an_answer_older_than_the_one_before_it_is_found() {
        let right = [create("c1", "/a", "one", 5), read("c1", "/a", 5, "one", 5, 5), set("c1", "/a", "two", 6)];
        assert_eq!(judge(&right), Vec::<String>::new());
        assert_eq!(judge(&[set("c1", "/a", "two", 6), read("c1", "/a", 5, "one", 5, 5)]).len(), 1);
    }

    #[test]
    fn two_writes_at_one_zxid_are_found() {
        assert_eq!(judge(&[set("c1", "/a", "one", 6), set("c1", "/a", "two", 6)]).len(), 1);
    }
}
