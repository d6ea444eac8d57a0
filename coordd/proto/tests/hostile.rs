//! Bytes from strangers: cut, changed and invented. Decoding ends in a value or an error, never in a panic.
//!
//! The deterministic short form of the fuzz target `coordd/fuzz/src/wire.rs`: the same seed makes the same bytes.

mod common;

use bytes::BytesMut;
use common::{REPLIES, REQUESTS, lines, op};
use coordd_proto::{ConnectRequest, ConnectResponse, OpCode, Reply, Request, WatchEvent, Writer, next_frame};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// How often each golden record is changed.
const ROUNDS: usize = 400;

/// Reads `record` as everything that it could be, and looks at what is parsed only on demand. What could be read is
/// written, and is the same when it is read again; how many requests were.
fn read_as_anything(record: &[u8]) -> usize {
    let mut requests = 0;
    for &op in OpCode::ALL {
        if let Ok(request) = Request::decode(op, record) {
            if let Request::Create(create) = &request {
                assert_eq!(create.acl.iter().count(), create.acl.len());
            }
            is_the_same_again(&request);
            requests += 1;
        }
        if let Ok(reply) = Reply::decode(op, record) {
            reply.encode(&mut Writer::new(&mut BytesMut::new()));
        }
    }
    let _handshake = (ConnectRequest::decode(record), ConnectResponse::decode(record));
    let _event = WatchEvent::decode(record);
    let mut stream = BytesMut::from(record);
    while let Ok(Some(_frame)) = next_frame(&mut stream, 64) {}
    requests
}

fn is_the_same_again(request: &Request<'_>) {
    let mut again = BytesMut::new();
    request.encode(&mut Writer::new(&mut again));
    let back = Request::decode(request.op(), &again);
    // Inside a multi a createTTL becomes a plain create with whatever flags it had, which is refused when it comes so.
    let same = back.as_ref() == Ok(request) || matches!(request, Request::Multi(_));
    assert!(same, "{request:?} came back as {back:?}");
}

#[test]
fn a_request_cut_anywhere_is_an_error() {
    for (name, record) in lines(REQUESTS) {
        for len in 0..record.len() {
            assert!(Request::decode(op(name), &record[..len]).is_err(), "{name} cut at {len}");
        }
    }
}

#[test]
fn a_reply_cut_anywhere_is_an_error() {
    for (name, record) in lines(REPLIES) {
        for len in 0..record.len() {
            assert!(Reply::decode(op(name), &record[..len]).is_err(), "{name} cut at {len}");
        }
    }
}

#[test]
fn bytes_behind_a_request_are_ignored() {
    for (name, record) in lines(REQUESTS) {
        let longer = [&record[..], b"more"].concat();
        assert_eq!(Request::decode(op(name), &longer), Request::decode(op(name), &record), "{name}");
    }
}

#[test]
fn changed_records_never_panic_and_what_is_read_of_them_is_the_same_when_written() {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut requests = 0;
    for (_, golden) in lines(REQUESTS).chain(lines(REPLIES)).filter(|(_, record)| !record.is_empty()) {
        for _ in 0..ROUNDS {
            let mut record = golden.clone();
            for _ in 0..=random.random_range(0..4) {
                let at = random.random_range(0..record.len());
                record[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.random_range(0..6)];
            }
            record.truncate(1 + random.random_range(0..record.len()));
            requests += read_as_anything(&record);
        }
    }
    assert!(requests > 10_000, "only {requests} of them could be read as a request");
}

#[test]
fn a_count_beyond_the_record_is_refused_at_once() {
    const HUGE: [u8; 4] = i32::MAX.to_be_bytes();
    let path = b"\0\0\0\x02/a";
    let set_watches = [&[0; 8][..], &HUGE, &[0; 64]].concat();
    let create = [&path[..], &[0xff; 4], &HUGE, &[0; 64]].concat();
    assert!(Request::decode(OpCode::SetWatches, &set_watches).is_err());
    assert!(Request::decode(OpCode::Create, &create).is_err());
    for op in [OpCode::GetChildren, OpCode::GetAcl, OpCode::WhoAmI, OpCode::GetEphemerals] {
        assert!(Reply::decode(op, &[&HUGE[..], &[0; 64]].concat()).is_err(), "{op:?}");
    }
}
