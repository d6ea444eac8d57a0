//! Wire fuzzing: invented bytes, steered by the code that they reach, through every decoder.
//!
//! ```text
//!   cd coordd/fuzz && cargo run --release --bin wire -- -max_total_time=60 -rss_limit_mb=512
//! ```
//!
//! Rule: nothing panics, and what was decoded is written and decoded to the same value. The first byte picks the
//! operation, the rest is its record. The short form that always runs is `coordd/proto/tests/hostile.rs`.

#![no_main]

use bytes::BytesMut;
use coordd_proto::{ConnectRequest, ConnectResponse, OpCode, Reply, Request, WatchEvent, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((pick, record)) = input.split_first() else { return };
    let op = OpCode::ALL[usize::from(*pick) % OpCode::ALL.len()];
    if let Ok(request) = Request::decode(op, record) {
        if let Request::Create(create) = &request {
            assert_eq!(create.acl.iter().count(), create.acl.len());
        }
        let mut again = BytesMut::new();
        request.encode(&mut Writer::new(&mut again));
        let back = Request::decode(request.op(), &again);
        // Inside a multi a createTTL becomes a plain create with whatever flags it had, which is refused when it comes
        // so.
        let same = back.as_ref() == Ok(&request) || matches!(request, Request::Multi(_));
        assert!(same, "{request:?} came back as {back:?}");
    }
    if let Ok(reply) = Reply::decode(op, record) {
        reply.encode(&mut Writer::new(&mut BytesMut::new()));
    }
    let _handshake = (ConnectRequest::decode(record), ConnectResponse::decode(record));
    let _event = WatchEvent::decode(record);
});
