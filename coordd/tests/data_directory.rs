//! Data directories of release 0.1, kept for ever: every later release must open them and find everything (design D19).
//!
//! ```text
//!   fixtures/data-dir-1/    disk/  what the member had on its disk, segments without the zeros at their ends
//!                           expected.json  what a client of that member had seen last
//!   fixtures/data-dir-2/    the same of feature level 2: a snapshot of format 2, in which a znode knows when its list
//!                           was replaced
//! ```
//!
//! Rule: the fixture is never made anew; a new format gets a fixture beside it, made by
//! `MAKE=data-dir-3 cargo test -p coordd --test data_directory`. Reason: a fixture that follows the code shows nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use coordd_proto::{Acl, AuthId, CreateMode, OpCode, Perms, SessionId, Stat, Zxid};
use coordd_testkit::{Client, Ensemble, eventually};
use serde::{Deserialize, Serialize};

use support::http::level;
use support::{ensemble_with, prepare};

const NO_AUTH: i32 = -102;
const NO_NODE: i32 = -101;
/// Of the members of these tests; the zeros that a fixture lacks are put back up to here.
const SEGMENT_BYTES: u64 = 4 << 20;
/// What a member of this release raises its ensemble to.
const NEWEST_LEVEL: u64 = 2;
const PATHS: [&str; 7] = ["/kept", "/kept/empty", "/changed", "/container", "/ttl", "/seq", "/ephemeral"];

/// What stands in `expected.json`.
#[derive(Serialize, Deserialize)]
struct Expected {
    session: i64,
    password: Vec<u8>,
    zxid: i64,
    znodes: Vec<Znode>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
struct Znode {
    path: String,
    data: Vec<u8>,
    czxid: i64,
    mzxid: i64,
    pzxid: i64,
    ctime: i64,
    mtime: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    ephemeral_owner: i64,
    children: i32,
}

fn look(client: &mut Client, path: &str) -> Znode {
    let (data, stat) = client.get(path, false).unwrap().unwrap();
    let Stat { czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeral_owner, num_children, pzxid, .. } =
        stat;
    Znode {
        path: path.to_owned(),
        data,
        czxid: czxid.0,
        mzxid: mzxid.0,
        pzxid: pzxid.0,
        ctime,
        mtime,
        version,
        cversion,
        aversion,
        ephemeral_owner: ephemeral_owner.0,
        children: num_children,
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn create_as(client: &mut Client, op: OpCode, path: &str, acl: &[Acl], mode: CreateMode, ttl: Option<i64>) {
    let reply = client.call(op, |w| {
        w.string(path);
        w.buffer(Some(b"data"));
        Acl::encode_list(acl, w);
        w.i32(mode.to_wire());
        if let Some(ttl) = ttl {
            w.i64(ttl);
        }
    });
    assert_eq!(reply.unwrap().error, 0, "{path}");
}

fn authenticate(client: &mut Client) {
    let sent = client.send_as(-4, OpCode::Auth.to_wire(), |w| {
        w.i32(0);
        w.string("digest");
        w.buffer(Some(b"user:secret"));
    });
    sent.unwrap();
    assert_eq!(client.receive().unwrap().error, 0);
}

/// Everything that a state can hold, part of it in a snapshot and part in the log behind it.
fn fill(ensemble: &Ensemble, client: &mut Client) {
    let open = [Acl::world(Perms::ALL)];
    for (path, data) in [("/kept", &b"data"[..]), ("/kept/empty", b""), ("/changed", b"0"), ("/seq", b"")] {
        client.create(path, data, CreateMode::Persistent).unwrap().unwrap();
    }
    create_as(client, OpCode::CreateContainer, "/container", &open, CreateMode::Container, None);
    create_as(client, OpCode::CreateTtl, "/ttl", &open, CreateMode::PersistentWithTtl, Some(1 << 39));
    client.create("/container/child", b"", CreateMode::Persistent).unwrap().unwrap();
    client.create("/ephemeral", b"mine", CreateMode::Ephemeral).unwrap().unwrap();
    for i in 0..3 {
        assert_eq!(client.create("/seq/n-", b"", CreateMode::PersistentSequential).unwrap().unwrap(), sequential(i));
    }
    let digest = AuthId::new("auth", "");
    authenticate(client);
    create_as(
        client,
        OpCode::Create,
        "/secret",
        &[Acl { perms: Perms::ALL, id: digest }],
        CreateMode::Persistent,
        None,
    );
    let replaced = client.call(OpCode::SetAcl, |w| {
        w.string("/kept");
        Acl::encode_list(&open, w);
        w.i32(0);
    });
    assert_eq!(replaced.unwrap().error, 0);
    for i in 0..100 {
        client.set("/changed", i.to_string().as_bytes(), -1).unwrap().unwrap();
    }
    eventually("a snapshot", || ensemble.members[0].log().contains("took a snapshot").then_some(()));
    client.set("/changed", b"after the snapshot", -1).unwrap().unwrap();
    client.delete("/seq/n-0000000001", -1).unwrap().unwrap();
}

fn sequential(number: i32) -> String {
    format!("/seq/n-{number:010}")
}

/// Copies a directory; `bytes` makes the content of each file.
fn copy(from: &Path, to: &Path, bytes: &impl Fn(&Path, Vec<u8>) -> Option<Vec<u8>>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target, bytes);
        } else if let Some(content) = bytes(&path, fs::read(&path).unwrap()) {
            fs::write(target, content).unwrap();
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Without the zeros at the end of a segment; a file that is nothing but zeros is left out.
fn trimmed(path: &Path, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let used = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    if is_segment(path) {
        bytes.truncate(used.next_multiple_of(512));
    }
    Some(bytes)
}

fn whole(path: &Path, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    if is_segment(path) {
        bytes.resize(usize::try_from(SEGMENT_BYTES).unwrap(), 0);
    }
    Some(bytes)
}

/// Makes the fixture `name` out of a member that was killed.
fn make(name: &str) {
    let mut ensemble = ensemble_with(1, &["--snapshot-entries", "100"]);
    eventually("the newest feature level", || (level(&ensemble.members[0]) == NEWEST_LEVEL).then_some(()));
    let mut client = Client::connect(&ensemble.members[0].client, 30_000).unwrap();
    fill(&ensemble, &mut client);
    let znodes = PATHS.iter().map(|path| look(&mut client, path)).collect();
    let expected =
        Expected { session: client.session.0, password: client.password.clone(), zxid: client.zxid.0, znodes };
    ensemble.members[0].kill();
    copy(&ensemble.members[0].data_dir, &fixture(name).join("disk"), &trimmed);
    fs::write(fixture(name).join("expected.json"), serde_json::to_string_pretty(&expected).unwrap()).unwrap();
}

/// The formats of the snapshots in a fixture.
fn snapshot_formats(name: &str) -> Vec<u32> {
    let files = fs::read_dir(fixture(name).join("disk/snapshots")).unwrap();
    // Behind the eight bytes that say what it is.
    let format = |bytes: Vec<u8>| u32::from_be_bytes(bytes[8..12].try_into().unwrap());
    files.map(|file| format(fs::read(file.unwrap().path()).unwrap())).collect()
}

fn open(name: &str) {
    let expected: Expected = serde_json::from_slice(&fs::read(fixture(name).join("expected.json")).unwrap()).unwrap();
    let mut ensemble = prepare(1);
    copy(&fixture(name).join("disk"), &ensemble.members[0].data_dir, &whole);
    ensemble.members[0].start().unwrap();
    ensemble.wait_until_all_serve();
    let address = ensemble.members[0].client.clone();
    let mut other = Client::connect(&address, 6000).unwrap();
    for znode in &expected.znodes {
        assert_eq!(&look(&mut other, &znode.path), znode);
    }
    assert_eq!(other.get("/secret", false).unwrap().unwrap_err(), NO_AUTH);
    authenticate(&mut other);
    assert_eq!(other.get("/secret", false).unwrap().unwrap().0, b"data");
    let next = other.create("/seq/n-", b"", CreateMode::PersistentSequential).unwrap().unwrap();
    assert_eq!(next, sequential(3), "the counter of the parent goes on");
    assert!(other.zxid.0 > expected.zxid, "zxids go on");
    let (session, seen) = (SessionId(expected.session), Zxid(expected.zxid));
    let owner = Client::attach(&address, 30_000, session, &expected.password, seen).unwrap();
    assert_eq!(owner.session, session, "the session lives on");
    owner.close().unwrap();
    assert_eq!(other.exists("/ephemeral", false).unwrap().unwrap_err(), NO_NODE, "its ephemeral ends with it");
}

#[test]
fn a_data_directory_of_release_0_1_opens_with_its_znodes_sessions_acls_and_counters() {
    assert_eq!(snapshot_formats("data-dir-1"), [1]);
    open("data-dir-1");
}

#[test]
fn a_data_directory_of_feature_level_2_opens_with_its_znodes_sessions_acls_and_counters() {
    if let Some(name) = std::env::var_os("MAKE").and_then(|name| name.into_string().ok()) {
        assert!(!fixture(&name).exists(), "{name} is there, and a fixture is never made anew");
        make(&name);
    }
    assert_eq!(snapshot_formats("data-dir-2"), [2]);
    open("data-dir-2");
}
