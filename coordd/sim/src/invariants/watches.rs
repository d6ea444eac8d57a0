//! An event comes before any answer that shows what it announces, once, and only to who asked.
//!
//! Rule: a watch lives as long as its connection. Reason: these clients do not set theirs again.

use std::collections::BTreeMap;

use crate::history::{Answer, Happened, Record, Request};

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    // (client, link, path) → mzxid when the watch was left.
    let mut left: BTreeMap<(&str, u64, &str), i64> = BTreeMap::new();
    let mut broken = Vec::new();
    for Record { client, link, happened, .. } in records {
        match happened {
            Happened::Event { path } => {
                if left.remove(&(client, *link, path)).is_none() {
                    broken.push(format!("watches: {client} was told of {path}, which it did not watch"));
                }
            }
            Happened::Answered { request: Request::Get { path, watch }, answer: Answer::Read { seen, .. } } => {
                let key = (client.as_str(), *link, path.as_str());
                if let Some(since) = left.get(&key).filter(|since| **since != seen.mzxid) {
                    let shown = seen.mzxid;
                    broken.push(format!("watches: {client} sees {} at {shown:#x}, untold since {since:#x}", key.2));
                }
                if *watch {
                    left.insert(key, seen.mzxid);
                }
            }
            Happened::Answered { .. } | Happened::Closed | Happened::Expired => {}
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::sample::{event, read, watched};
    use super::*;

    #[test]
    fn an_event_before_the_news_is_right() {
        let records = [watched("c1", "/a", 5, "one", 5), event("c1", "/a"), read("c1", "/a", 6, "two", 5, 6)];
        assert_eq!(judge(&records), Vec::<String>::new());
    }

    #[test]
    fn an_event_behind_the_news_is_found() {
        let records = [watched("c1", "/a", 5, "one", 5), read("c1", "/a", 6, "two", 5, 6), event("c1", "/a")];
        assert_eq!(judge(&records).len(), 1);
    }

    #[test]
    fn an_event_told_twice_is_found() {
        assert_eq!(judge(&[watched("c1", "/a", 5, "one", 5), event("c1", "/a"), event("c1", "/a")]).len(), 1);
    }
}
