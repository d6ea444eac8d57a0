//! Small histories for the judges' own tests.

use super::acknowledged::NO_NODE;
use crate::history::{Answer, Happened, Record, Request, Seen, Write};

fn record(client: &str, happened: Happened) -> Record {
    of_session(client, 1, happened)
}

pub(super) fn of_session(client: &str, session: i64, happened: Happened) -> Record {
    Record { client: client.to_owned(), session, link: 1, asked_ms: 0, heard_ms: 0, happened }
}

pub(super) fn at(asked_ms: u64, heard_ms: u64, record: Record) -> Record {
    Record { asked_ms, heard_ms, ..record }
}

fn written(client: &str, session: i64, request: Request, zxid: i64) -> Record {
    of_session(client, session, Happened::Answered { request, answer: Answer::Written { zxid } })
}

pub(super) fn create(client: &str, path: &str, value: &str, zxid: i64) -> Record {
    written(client, 1, Request::Write(Write::Create { path: path.to_owned(), value: value.to_owned() }), zxid)
}

pub(super) fn ephemeral(client: &str, session: i64, path: &str, value: &str, zxid: i64) -> Record {
    let write = Write::Ephemeral { path: path.to_owned(), value: value.to_owned() };
    written(client, session, Request::Write(write), zxid)
}

pub(super) fn set(client: &str, path: &str, value: &str, zxid: i64) -> Record {
    written(client, 1, Request::Write(Write::Set { path: path.to_owned(), value: value.to_owned() }), zxid)
}

/// A multi that sets `(path, value)` each.
pub(super) fn multi(client: &str, sets: &[(&str, &str)], answer: Answer) -> Record {
    let set = |(path, value): &(&str, &str)| Write::Set { path: (*path).to_owned(), value: (*value).to_owned() };
    let request = Request::Multi { writes: sets.iter().map(set).collect(), doomed: false };
    record(client, Happened::Answered { request, answer })
}

/// A read that found no node.
pub(super) fn gone(client: &str, session: i64, path: &str, zxid: i64) -> Record {
    let request = Request::Get { path: path.to_owned(), watch: false };
    of_session(client, session, Happened::Answered { request, answer: Answer::Refused { zxid, error: NO_NODE } })
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
