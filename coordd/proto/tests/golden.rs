//! Bytes that ZooKeeper's own Java classes wrote, read and written here.
//!
//! Rule: each golden record decodes to the value that it was made from, and that value encodes to the same bytes. Where
//! Java itself is not symmetric (null paths, surrogates) the record stands in the one direction that it is sent in.

mod common;

use std::borrow::Cow;

use bytes::BytesMut;
use common::{REPLIES, REQUESTS, bytes, lines, op};
use coordd_proto::request::{AclListRef, AddWatchMode, Create, Request, SetData, SetWatches, WatcherType};
use coordd_proto::{
    Acl, AuthId, ClientInfo, ConnectRequest, ConnectResponse, ErrorCode, EventType, MultiOp, MultiResult, OpCode,
    Perms, Reader, Reply, ReplyHeader, RequestHeader, SessionId, Stat, WatchEvent, Writer, Xid, Zxid, encode_event,
};

/// A golden request that holds a surrogate: read only.
const READ_ONLY: &str = "get_data_smile";
/// A golden request whose path is null: ZooKeeper answers it with MARSHALLINGERROR.
const NO_PATH: &str = "create_null";

const STAT: Stat = Stat {
    czxid: Zxid(0x1_0000_0001),
    mzxid: Zxid(0x1_0000_0002),
    ctime: 1_700_000_000_000,
    mtime: 1_700_000_000_001,
    version: 3,
    cversion: 4,
    aversion: 5,
    ephemeral_owner: SessionId(0x1000_0000_0000_0007),
    data_length: 6,
    num_children: 7,
    pzxid: Zxid(0x1_0000_0003),
};

fn two() -> Vec<Acl> {
    vec![
        Acl { perms: Perms(17), id: AuthId::new("digest", "bob:h=") },
        Acl { perms: Perms(1), id: AuthId::new("ip", "10.0.0.0/8") },
    ]
}

fn golden(file: &'static str, name: &str) -> Vec<u8> {
    lines(file).find(|(found, _)| *found == name).expect(name).1
}

fn encoded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    out.to_vec()
}

fn create(op: OpCode, path: &'static str, data: Option<&'static [u8]>, flags: i32, ttl_ms: i64) -> Create<'static> {
    Create { op, path: path.into(), data, acl: AclListRef::OPEN, flags, ttl_ms }
}

#[test]
fn every_golden_request_is_written_as_it_was_read() {
    assert_eq!(Request::decode(op(NO_PATH), &golden(REQUESTS, NO_PATH)), Err(coordd_proto::jute::DecodeError::Null));
    for (name, record) in lines(REQUESTS).filter(|(name, _)| *name != NO_PATH) {
        let request = Request::decode(op(name), &record).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(request.op(), op(name), "{name}");
        if name != READ_ONLY {
            assert_eq!(encoded(|w| request.encode(w)), record, "{name}");
        }
    }
}

#[test]
fn every_golden_reply_is_written_as_it_was_read() {
    for (name, record) in lines(REPLIES) {
        let reply = Reply::decode(op(name), &record).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(encoded(|w| reply.encode(w)), record, "{name}");
        assert_eq!(encoded(|w| reply.clone().into_owned().encode(w)), record, "{name}");
    }
}

#[test]
fn golden_requests_hold_the_values_they_were_made_from() {
    use OpCode::{CreateContainer, CreateTtl};
    let path = |path: &'static str| Cow::Borrowed(path);
    let w = || path("/w");
    for (name, wanted) in [
        ("create", Request::Create(create(OpCode::Create, "/a/b", Some(b"data"), 0, -1))),
        ("create_container", Request::Create(create(CreateContainer, "/c", None, 4, -1))),
        ("create_ttl", Request::Create(create(CreateTtl, "/t", Some(b"v"), 6, 60_000))),
        ("delete", Request::Delete { path: path("/a"), version: -1 }),
        ("exists", Request::Exists { path: path("/a"), watch: true }),
        ("get_data", Request::GetData { path: path("/a"), watch: false }),
        ("get_data_smile", Request::GetData { path: path("/\u{fffd}\u{fffd}"), watch: true }),
        ("get_data_umlaut", Request::GetData { path: path("/ä€"), watch: true }),
        ("set_data", Request::SetData(SetData { path: path("/a"), data: Some(b"new"), version: 7 })),
        ("get_acl", Request::GetAcl { path: path("/a") }),
        ("get_children", Request::GetChildren { path: path("/"), watch: true }),
        ("get_children2", Request::GetChildren2 { path: path("/"), watch: false }),
        ("sync", Request::Sync { path: Some(path("/s")) }),
        ("check", Request::Check { path: path("/k"), version: 1 }),
        ("check_watches", Request::CheckWatches { path: w(), kind: WatcherType::Any }),
        ("remove_watches", Request::RemoveWatches { path: w(), kind: WatcherType::PersistentRecursive }),
        ("auth", Request::Auth { kind: 0, scheme: path("digest"), auth: Some(b"bob:pw") }),
        ("sasl", Request::Sasl { token: Some(b"tok") }),
        ("get_ephemerals", Request::GetEphemerals { prefix: path("/eph") }),
        ("get_all_children_number", Request::GetAllChildrenNumber { path: path("/") }),
        ("add_watch", Request::AddWatch { path: w(), mode: AddWatchMode::PersistentRecursive }),
        ("delete_container", Request::DeleteContainer { path: b"/c" }),
    ] {
        assert_eq!(Request::decode(op(name), &golden(REQUESTS, name)), Ok(wanted), "{name}");
    }
}

#[test]
fn golden_requests_of_many_parts_hold_the_values_they_were_made_from() {
    use OpCode::{CreateContainer, CreateTtl};
    let path = |path: &'static str| Cow::Borrowed(path);
    for (name, wanted) in [
        (
            "reconfig",
            Request::Reconfig {
                joining: Some(path("server.4=h:1:2;3")),
                leaving: None,
                members: Some(path("")),
                config_id: -1,
            },
        ),
        (
            "set_watches",
            Request::SetWatches(SetWatches {
                relative_zxid: Zxid(0x1_0000_0009),
                data: vec![path("/d")],
                exist: vec![path("/e"), path("/f")],
                ..SetWatches::default()
            }),
        ),
        (
            "set_watches2",
            Request::SetWatches(SetWatches {
                relative_zxid: Zxid(9),
                data: vec![path("/d")],
                child: vec![path("/c")],
                persistent: vec![path("/p")],
                recursive: vec![path("/r")],
                ..SetWatches::default()
            }),
        ),
        (
            "multi",
            Request::Multi(vec![
                MultiOp::Create(create(OpCode::Create, "/m", Some(b"1"), 0, -1)),
                MultiOp::Create(create(CreateContainer, "/c", None, 4, -1)),
                MultiOp::Create(create(CreateTtl, "/t", Some(b"2"), 5, 5000)),
                MultiOp::SetData(SetData { path: path("/m"), data: Some(b"3"), version: 0 }),
                MultiOp::Check { path: path("/m"), version: 1 },
                MultiOp::Delete { path: path("/m"), version: -1 },
            ]),
        ),
        ("multi_empty", Request::Multi(Vec::new())),
        (
            "multi_read",
            Request::MultiRead(vec![MultiOp::GetData { path: path("/m") }, MultiOp::GetChildren { path: path("/") }]),
        ),
    ] {
        assert_eq!(Request::decode(op(name), &golden(REQUESTS, name)), Ok(wanted), "{name}");
    }
}

#[test]
fn null_empty_and_full_stay_apart_in_a_create() {
    let created = |name| golden(REQUESTS, name);
    let decode = |op, record: &[u8]| match Request::decode(op, record) {
        Ok(Request::Create(create)) => {
            let acl: Vec<_> = create.acl.iter().map(|acl| (acl.perms.0, acl.scheme.is_some())).collect();
            (create.data.map(<[u8]>::len), create.acl.is_null(), acl)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(decode(OpCode::Create, &created("create_empty")), (Some(0), false, vec![]));
    assert_eq!(decode(OpCode::Create, &created("create_null_id")), (None, false, vec![(31, false)]));
    assert_eq!(decode(OpCode::Create2, &created("create2")), (Some(1), false, vec![(17, true), (1, true)]));
}

#[test]
fn golden_replies_hold_the_values_they_were_made_from() {
    let info = |scheme: &str, user: &str| ClientInfo { scheme: scheme.into(), user: user.into() };
    for (name, wanted) in [
        ("create", Reply::Path("/a0000000001".into())),
        ("create2", Reply::PathStat("/a".into(), STAT)),
        ("exists", Reply::Stat(STAT)),
        ("get_data", Reply::Data(Some(b"data"[..].into()), STAT)),
        ("get_data_null", Reply::Data(None, STAT)),
        ("get_data_empty", Reply::Data(Some(b""[..].into()), STAT)),
        ("get_acl", Reply::Acl(two().into(), STAT)),
        ("get_children", Reply::Children(vec!["x".into(), "yä".into()])),
        ("get_children2", Reply::Children2(vec![], STAT)),
        ("get_ephemerals", Reply::Paths(vec!["/e1".into(), "/e2".into()])),
        ("get_all_children_number", Reply::Count(42)),
        ("add_watch", Reply::ErrorField(0)),
        ("who_am_i", Reply::WhoAmI(vec![info("ip", "127.0.0.1"), info("digest", "bob")])),
        ("sasl", Reply::Sasl(Some(b"tok".to_vec()))),
        (
            "multi",
            Reply::Multi(vec![
                MultiResult::Create { path: "/m".into() },
                MultiResult::Create2 { path: "/c".into(), stat: STAT },
                MultiResult::SetData(STAT),
                MultiResult::Check,
                MultiResult::Delete,
            ]),
        ),
        (
            "multi_failed",
            Reply::Multi(vec![
                MultiResult::NotFailed,
                MultiResult::Error(ErrorCode::NodeExists),
                MultiResult::Error(ErrorCode::RuntimeInconsistency),
            ]),
        ),
        ("multi_empty", Reply::Multi(vec![])),
        (
            "multi_read",
            Reply::Multi(vec![
                MultiResult::Data(Some(b"d"[..].into()), STAT),
                MultiResult::Children(vec!["k".into()]),
                MultiResult::Error(ErrorCode::NoNode),
            ]),
        ),
    ] {
        assert_eq!(Reply::decode(op(name), &golden(REPLIES, name)), Ok(wanted), "{name}");
    }
}

#[test]
fn headers_events_and_handshakes_are_those_of_java() {
    let frame = |name| golden(include_str!("golden/frames.hex"), name);
    let body = |write: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        write(&mut out);
        out[4..].to_vec()
    };
    assert_eq!(encoded(|w| RequestHeader { xid: Xid(5), op: 4 }.encode(w)), frame("request_header"));
    let refused = ReplyHeader { xid: Xid(5), zxid: Zxid(0x1_0000_0002), error: -101 };
    assert_eq!(encoded(|w| refused.encode(w)), frame("reply_header"));
    assert_eq!(ReplyHeader::decode(&mut Reader::new(&frame("reply_header"))), Ok(refused));

    for (name, zxid, event, path) in [
        ("event", Zxid(0x1_0000_0002), EventType::NodeDataChanged, "/w"),
        ("event_of_set_watches", Zxid(-1), EventType::NodeDeleted, "/gone"),
    ] {
        assert_eq!(body(&|out| encode_event(out, zxid, event, path)), frame(name), "{name}");
        let record = &frame(name)[ReplyHeader::WIRE_LEN..];
        assert_eq!(WatchEvent::decode(record), Ok(WatchEvent { event, path: path.into() }), "{name}");
    }
    for name in ["connect_request", "connect_request_new"] {
        let golden = frame(name);
        let request = ConnectRequest::decode(&golden).unwrap();
        assert_eq!(body(&|out| request.encode_frame(out)), golden, "{name}");
    }
    let attach = frame("connect_request");
    let attach = ConnectRequest::decode(&attach).unwrap();
    assert_eq!(
        (attach.session, attach.timeout_ms, attach.last_zxid_seen, attach.read_only),
        (SessionId(0x1000_0000_0000_0007), 30_000, Zxid(0x10), Some(true))
    );
    for name in ["connect_response", "connect_response_expired"] {
        let response = ConnectResponse::decode(&frame(name)).unwrap();
        assert_eq!(body(&|out| response.encode_frame(out)), frame(name), "{name}");
        assert_eq!(response.timeout_ms, if name == "connect_response" { 30_000 } else { 0 });
    }
}

#[test]
fn a_create_in_a_multi_is_typed_anew_as_in_java() {
    for line in include_str!("golden/multi_create_types.txt").lines() {
        let (given, wanted) = line.split_once(" -> ").unwrap();
        let (kind, flags) = given.split_once(' ').unwrap();
        let (kind, flags): (i32, i32) = (kind.parse().unwrap(), flags.parse().unwrap());
        let op = OpCode::from_wire(kind).unwrap();
        let given = Request::Multi(vec![MultiOp::Create(create(op, "/p", None, flags, 9))]);
        let record = encoded(|w| given.encode(w));
        let found = match Request::decode(OpCode::Multi, &record) {
            Ok(Request::Multi(ops)) => match &ops[..] {
                [MultiOp::Create(c)] => format!("{} {} {}", c.op.to_wire(), c.flags, c.ttl_ms),
                other => panic!("{other:?}"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(_) => "error".to_owned(),
        };
        assert_eq!(found, wanted, "{line}");
    }
}

#[test]
fn the_two_kinds_of_multi_do_not_mix() {
    let (multi, multi_read) = (golden(REQUESTS, "multi"), golden(REQUESTS, "multi_read"));
    assert!(Request::decode(OpCode::MultiRead, &multi).is_err());
    assert!(Request::decode(OpCode::Multi, &multi_read).is_err());
}

#[test]
fn text_is_read_and_echoed_as_in_java() {
    let differs = |line: &&str| {
        let (given, wanted) = line.split_once(' ').unwrap();
        let record = encoded(|w| w.buffer(Some(&bytes(given))));
        let Ok(Request::Sync { path: Some(path) }) = Request::decode(OpCode::Sync, &record) else { panic!("{line}") };
        encoded(|w| Reply::Path(path).encode(w)) != encoded(|w| w.buffer(Some(&bytes(wanted))))
    };
    let wrong: Vec<_> = include_str!("golden/java_strings.hex").lines().filter(differs).collect();
    assert_eq!(wrong, [""; 0]);
}
