//! Small histories for the judges' own tests.

use crate::history::{Answer, Happened, Record, Request, Seen};

fn record(client: &str, happened: Happened) -> Record {
    Record { client: client.to_owned(), session: 1, link: 1, happened }
}

pub(super) fn create(client: &str, path: &str, value: &str, zxid: i64) -> Record {
    let request = Request::Create { path: path.to_owned(), value: value.to_owned() };
    record(client, Happened::Answered { request, answer: Answer::Written { zxid } })
}

pub(super) fn set(client: &str, path: &str, value: &str, zxid: i64) -> Record {
    let request = Request::Set { path: path.to_owned(), value: value.to_owned() };
    record(client, Happened::Answered { request, answer: Answer::Written { zxid } })
}

pub(super) fn read(client: &str, path: &str, zxid: i64, value: &str, czxid: i64, mzxid: i64) -> Record {
    reading(client, path, false, zxid, Seen { value: value.to_owned(), czxid, mzxid, version: version(mzxid) })
}

pub(super) fn watched(client: &str, path: &str, zxid: i64, value: &str, mzxid: i64) -> Record {
    reading(client, path, true, zxid, Seen { value: value.to_owned(), czxid: mzxid, mzxid, version: version(mzxid) })
}

pub(super) fn event(client: &str, path: &str) -> Record {
    record(client, Happened::Event { path: path.to_owned() })
}

fn reading(client: &str, path: &str, watch: bool, zxid: i64, seen: Seen) -> Record {
    let request = Request::Get { path: path.to_owned(), watch };
    record(client, Happened::Answered { request, answer: Answer::Read { zxid, seen } })
}

/// Grows with the zxid, as versions do.
fn version(mzxid: i64) -> i32 {
    i32::try_from(mzxid).unwrap_or(i32::MAX)
}
