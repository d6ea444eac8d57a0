//! When a znode's list was replaced: known from feature level 2 on, in snapshots and in the digest too.

#![allow(clippy::unwrap_used, clippy::panic)]

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
    let format = |bytes: &[u8]| u32::from_be_bytes(*bytes[8..].first_chunk().unwrap());
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
