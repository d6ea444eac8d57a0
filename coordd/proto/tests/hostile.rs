//! Bytes from strangers: cut, changed and invented. Decoding ends in a value or an error, never in a panic.
//!
//! The deterministic short form of the fuzz target `coordd/fuzz/src/wire.rs`: the same seed makes the same bytes.

mod common;

use bytes::BytesMut;
use common::{REPLIES, REQUESTS, lines, op};
use coordd_proto::{ConnectRequest, ConnectResponse, OpCode, Reply, Request, WatchEvent, next_frame};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// How often each golden record is changed.
const ROUNDS: usize = 400;

/// Reads `record` as everything that it could be, and looks at what is parsed only on demand.
fn read_as_anything(record: &[u8]) {
    for &op in OpCode::ALL {
        if let Ok(Request::Create(create)) = Request::decode(op, record) {
            assert_eq!(create.acl.iter().count(), create.acl.len());
        }
        let _reply = Reply::decode(op, record);
    }
    let _handshake = (ConnectRequest::decode(record), ConnectResponse::decode(record));
    let _event = WatchEvent::decode(record);
    let mut stream = BytesMut::from(record);
    while let Ok(Some(_frame)) = next_frame(&mut stream, 64) {}
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
fn changed_records_never_panic() {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for (_, golden) in lines(REQUESTS).chain(lines(REPLIES)).filter(|(_, record)| !record.is_empty()) {
        for _ in 0..ROUNDS {
            let mut record = golden.clone();
            for _ in 0..=random.random_range(0..4) {
                let at = random.random_range(0..record.len());
                record[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.random_range(0..6)];
            }
            record.truncate(1 + random.random_range(0..record.len()));
            read_as_anything(&record);
        }
    }
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
