//! Bytes that a release wrote are read by every later one (design D19).
//!
//! Rule: a file in `compat/` is written once, by `REWRITE=1` when it is not there yet, and never changed: a test that
//! fails here means that disks in the field would not be read any more. A new format gets new files beside the old
//! ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::path::Path;

use bytes::{Bytes, BytesMut};
use coordd_proto::{Acl, AuthId, OpCode, Perms, SessionId, Zxid};
use coordd_tree::{AuthList, Command, Op, Origin, State};
use support::*;

/// The lines of a fixture; `made` is what this release writes.
fn fixture(name: &str, made: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(name);
    if !path.exists() && std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, made().join("\n") + "\n").unwrap();
    }
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(line: &str) -> Bytes {
    line.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A state with one of everything.
fn varied() -> Rig {
    let mut rig = Rig::with_session();
    rig.members(&[member(1), member(5)]);
    rig.must_create("/a", "data", 0);
    rig.must_create("/a/gone", "", 0);
    rig.must_create("/a/gone-too", "", 0);
    rig.must_create("/a/seq-", "x", 2);
    rig.must_create("/a/eph", "mine", 1);
    rig.must_create("/box", "", 4);
    rig.client(OpCode::CreateTtl, create_record("/ttl", None, &open_acl(), 5, Some(77)));
    let list = [
        Acl { perms: Perms(5), id: AuthId::new("digest", "bob:hash") },
        Acl { perms: Perms(1), id: AuthId::new("ip", "10.0.0.0/8") },
    ];
    rig.client(OpCode::Create, create_record("/acl-gone", None, &[Acl::world(Perms(3))], 0, None));
    rig.client(OpCode::Create, create_record("/acl", Some(b"x"), &list, 0, None));
    for path in ["/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats"] {
        rig.must_create(path, "count=9,bytes=9", 0);
    }
    rig.time_ms += 50;
    rig.set("/a", "other data", 0);
    for path in ["/a/gone", "/a/gone-too", "/acl-gone"] {
        rig.delete(path, -1);
    }
    rig.apply(Op::RaiseFeatureLevel(2));
    rig.apply(Op::SetZxidBase(1 << 33));
    rig
}

#[test]
fn a_snapshot_of_format_1_is_read() {
    let lines = fixture("snapshot-1.hex", || {
        let mut rig = varied();
        let dump = dump(&rig.state);
        [vec![hex(&snapshot(&mut rig.state))], dump.lines().map(str::to_owned).collect()].concat()
    });
    let (mut state, meta) = State::load(&unhex(&lines[0])[..]).unwrap();
    assert_eq!(meta, "meta");
    assert_eq!(dump(&state).lines().collect::<Vec<_>>(), lines[1..]);
    assert_eq!(state.origin_last(5), Some((0, 0)));
    assert_eq!((state.feature_level(), state.zxid_base()), (2, 1 << 33));
    assert_eq!(state.ephemerals_of(SessionId(2), "/"), ["/a/eph"]);
    assert_eq!(hex(&snapshot(&mut state)), lines[0], "and written again as it was");
}

/// The same, and a znode that knows when its list was replaced.
fn with_a_replaced_list() -> Rig {
    let mut rig = varied();
    let list = [Acl { perms: Perms(9), id: AuthId::new("digest", "eve:hash") }];
    let record = record(|w| {
        w.string("/a/seq-0000000002");
        Acl::encode_list(&list, w);
        w.i32(0);
    });
    rig.client(OpCode::SetAcl, record);
    rig
}

#[test]
fn a_snapshot_of_format_2_is_read() {
    let lines = fixture("snapshot-2.hex", || {
        let mut rig = with_a_replaced_list();
        let dump = dump(&rig.state);
        [vec![hex(&snapshot(&mut rig.state))], dump.lines().map(str::to_owned).collect()].concat()
    });
    assert_eq!(lines[0][16..24], *"00000002", "the format, behind the eight bytes that say what it is");
    let (mut state, meta) = State::load(&unhex(&lines[0])[..]).unwrap();
    assert_eq!(meta, "meta");
    assert_eq!(dump(&state).lines().collect::<Vec<_>>(), lines[1..]);
    assert_eq!(hex(&snapshot(&mut state)), lines[0], "and written again as it was");
}

#[test]
fn a_snapshot_of_format_3_is_read() {
    // Made by a test of `snapshot/write.rs`: only a state of a gigabyte of lists is written so from out here.
    let lines = fixture("snapshot-3.hex", || panic!("REWRITE=1 cargo test -p coordd-tree --lib snapshot makes it"));
    assert_eq!(lines[0][16..24], *"00000003");
    let (mut state, meta) = State::load(&unhex(&lines[0])[..]).unwrap();
    assert_eq!(meta, "meta");
    let same = fixture("snapshot-2.hex", || panic!("it is there"));
    assert_eq!(dump(&state).lines().collect::<Vec<_>>(), same[1..]);
    assert_eq!(hex(&snapshot(&mut state)), same[0], "its few lists find room in one frame again");
}

#[test]
fn commands_of_format_1_are_read() {
    let commands = || {
        let origin = Origin { member: 3, boot: 2, seq: 1 << 40 };
        let auth: AuthList = [AuthId::new("digest", "bob:hash"), AuthId::new("ip", "10.1.2.3")].iter().collect();
        let ops = [
            Op::Client { op: OpCode::SetData, record: set_record("/a", Some(b"x"), 3) },
            Op::OpenSession { timeout_ms: 4000, password: [1; 16] },
            Op::AttachSession { password: [2; 16], timeout_ms: 5000, member: 7 },
            Op::CloseSession,
            Op::ExpireSession { attach: 4 },
            Op::Reap { path: "/box/é".into(), czxid: Zxid(1 << 34) },
            Op::RaiseFeatureLevel(3),
            Op::SetZxidBase(1 << 35),
        ];
        let command = |op| Command { origin, time_ms: 99, session: SessionId(8), attach: 2, auth: auth.clone(), op };
        ops.into_iter().map(command).collect::<Vec<_>>()
    };
    let encode = |command: &Command| {
        let mut out = BytesMut::new();
        command.encode(&mut out);
        hex(&out)
    };
    let lines = fixture("commands-1.hex", || commands().iter().map(encode).collect());
    let read: Vec<Command> = lines.iter().map(|line| Command::decode(&unhex(line)).unwrap()).collect();
    assert_eq!(read, commands());
}
