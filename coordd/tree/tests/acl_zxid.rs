//! When a znode's list was replaced: known from feature level 2 on, in snapshots and in the digest too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use coordd_proto::{Acl, AuthId, OpCode, Perms, Zxid};
use coordd_tree::{Op, State};
use support::*;

fn set_acl(rig: &mut Rig, path: &str, perms: i32) {
    let acl = [Acl::world(Perms(perms))];
    let record = record(|out| {
        out.string(path);
        Acl::encode_list(&acl, out);
        out.i32(-1);
    });
    rig.client(OpCode::SetAcl, record);
}

fn acl_zxid(state: &State, path: &str) -> Zxid {
    state.znode(path).unwrap().acl_zxid()
}

#[test]
fn the_zxid_of_a_list_is_recorded_once_the_level_is_there() {
    let mut rig = Rig::with_session();
    rig.must_create("/a", "", 0);
    let created = rig.state.stat("/a").unwrap().czxid;
    set_acl(&mut rig, "/a", 31);
    assert_eq!(acl_zxid(&rig.state, "/a"), created, "members of the release before do not know it");
    rig.apply(Op::RaiseFeatureLevel(2));
    set_acl(&mut rig, "/a", 29);
    let at = rig.state.last_zxid();
    assert_eq!((acl_zxid(&rig.state, "/a"), rig.state.stat("/a").unwrap().mzxid), (at, created));
    rig.must_create("/b", "", 0);
    assert_eq!(acl_zxid(&rig.state, "/a"), at);
}

#[test]
fn a_znode_that_takes_the_slot_of_another_does_not_inherit_its_zxid() {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(2));
    rig.must_create("/a", "", 0);
    set_acl(&mut rig, "/a", 31);
    rig.delete("/a", -1);
    rig.must_create("/b", "", 0);
    let state = &rig.state;
    assert_eq!(acl_zxid(state, "/b"), state.stat("/b").unwrap().czxid);
}

#[test]
fn a_snapshot_brings_the_zxids_of_lists_along_and_says_by_its_format_that_it_does() {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(2));
    rig.must_create("/a", "x", 0);
    rig.must_create("/e", "x", 1);
    assert_eq!(format(&snapshot(&mut rig.state)), 1);
    for path in ["/a", "/e"] {
        set_acl(&mut rig, path, 31);
    }
    let bytes = snapshot(&mut rig.state);
    assert_eq!(format(&bytes), 2);
    let (loaded, _) = State::load(&bytes[..]).unwrap();
    assert_eq!(loaded.digest(), rig.state.digest());
    for path in ["/a", "/e"] {
        assert_eq!(acl_zxid(&loaded, path), acl_zxid(&rig.state, path));
    }
}

#[test]
fn a_snapshot_under_way_holds_the_list_and_its_zxid_as_they_were_at_its_cut() {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(2));
    rig.must_create("/a", "x", 0);
    set_acl(&mut rig, "/a", 31);
    let then = acl_zxid(&rig.state, "/a");
    let mut writer = rig.state.begin_snapshot(bytes::Bytes::new());
    set_acl(&mut rig, "/a", 1);
    let mut out = bytes::BytesMut::new();
    while writer.chunk(&rig.state, &mut out).unwrap() {}
    let (loaded, _) = State::load(&out[..]).unwrap();
    assert_eq!(acl_zxid(&loaded, "/a"), then);
}

fn format(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes[8..].first_chunk().unwrap())
}

/// A state at level 2 with `paths`, of which those before `listed` have a row.
fn with_rows(paths: &[&str], listed: usize) -> Rig {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(2));
    paths.iter().for_each(|path| rig.must_create(path, "x", 0));
    paths[..listed].iter().for_each(|path| set_acl(&mut rig, path, 31));
    rig
}

/// Begins a snapshot, changes the state, and ends the snapshot: its bytes, and the digest at its cut.
fn cut(rig: &mut Rig, change: impl FnOnce(&mut Rig)) -> (Vec<u8>, u64) {
    let digest = rig.state.digest();
    let mut writer = rig.state.begin_snapshot(bytes::Bytes::new());
    change(rig);
    let mut out = bytes::BytesMut::new();
    while writer.chunk(&rig.state, &mut out).unwrap() {}
    (out.to_vec(), digest)
}

#[test]
fn the_first_list_that_is_replaced_during_a_cut_is_not_in_it() {
    let mut rig = with_rows(&["/a", "/b"], 0);
    let (bytes, digest) = cut(&mut rig, |rig| set_acl(rig, "/b", 31));
    let (loaded, _) = State::load(&bytes[..]).unwrap();
    assert_eq!((format(&bytes), loaded.digest()), (1, digest));
    assert_eq!(acl_zxid(&loaded, "/b"), loaded.stat("/b").unwrap().czxid);
    assert_eq!(format(&snapshot(&mut rig.state)), 2);
}

#[test]
fn a_znode_that_goes_during_a_cut_is_in_it_with_its_list_though_another_has_its_slot() {
    let mut rig = with_rows(&["/a", "/b"], 2);
    let then = acl_zxid(&rig.state, "/a");
    let (bytes, digest) = cut(&mut rig, |rig| {
        rig.delete("/a", -1);
        rig.must_create("/c", "y", 0);
        set_acl(rig, "/c", 1);
    });
    let (loaded, _) = State::load(&bytes[..]).unwrap();
    assert_eq!((loaded.digest(), acl_zxid(&loaded, "/a")), (digest, then));
    assert!(loaded.stat("/c").is_none());
    let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    assert_eq!((loaded.digest(), acl_zxid(&loaded, "/c")), (rig.state.digest(), acl_zxid(&rig.state, "/c")));
}

#[test]
fn a_multi_that_fails_gives_a_deleted_znode_its_list_back() {
    let mut rig = with_rows(&["/a"], 1);
    let then = acl_zxid(&rig.state, "/a");
    let ops = [(OpCode::Delete, path_version("/a", -1)), (OpCode::Delete, path_version("/none", -1))];
    rig.client(OpCode::Multi, multi_record(&ops));
    assert_eq!(acl_zxid(&rig.state, "/a"), then);
    let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    assert_eq!((loaded.digest(), acl_zxid(&loaded, "/a")), (rig.state.digest(), then));
}

#[test]
fn with_the_session_of_an_ephemeral_goes_the_zxid_of_its_list() {
    let mut rig = with_rows(&[], 0);
    rig.must_create("/e", "x", 1);
    set_acl(&mut rig, "/e", 31);
    assert_eq!(format(&snapshot(&mut rig.state)), 2);
    rig.apply(Op::CloseSession);
    assert!(rig.state.stat("/e").is_none());
    let bytes = snapshot(&mut rig.state);
    let (loaded, _) = State::load(&bytes[..]).unwrap();
    assert_eq!((format(&bytes), loaded.digest()), (1, rig.state.digest()));
}

#[test]
fn what_was_loaded_from_the_format_without_lists_goes_on_as_the_state_that_wrote_it() {
    let mut rig = with_rows(&["/a"], 0);
    let bytes = snapshot(&mut rig.state);
    let (mut loaded, _) = State::load(&bytes[..]).unwrap();
    assert_eq!((format(&bytes), loaded.feature_level()), (1, 2));
    let acl = record(|out| {
        out.string("/a");
        Acl::encode_list(&[Acl::world(Perms(31))], out);
        out.i32(-1);
    });
    let command = rig.command(Op::Client { op: OpCode::SetAcl, record: acl });
    let zxid = rig.next_zxid();
    rig.state.apply(zxid, &command, &mut Vec::new());
    loaded.apply(zxid, &command, &mut Vec::new());
    assert_eq!((loaded.digest(), acl_zxid(&loaded, "/a")), (rig.state.digest(), zxid));
}

#[test]
fn a_znode_is_looked_at_with_its_children_in_the_order_of_their_creation() {
    let mut rig = Rig::with_session();
    for (path, data) in [("/a", "top"), ("/a/z", "1"), ("/a/b", "2")] {
        rig.must_create(path, data, 0);
    }
    let top = rig.state.znode("/a").unwrap();
    let names: Vec<_> = top.children().map(|child| child.name()).collect();
    assert_eq!((names, top.child_count(), top.data()), (vec!["z", "b"], 2, Some(&b"top"[..])));
    assert_eq!(top.child("b").unwrap().stat(), rig.state.stat("/a/b").unwrap());
    assert!(top.child("c").is_none() && rig.state.znode("/none").is_none());
    assert!(top.readable(&[]) && top.readable(&[AuthId::new("digest", "a:b")]));
}
