//! What the state promises beside single operations: refused commands, members, sizes, order of children.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use coordd_proto::{AuthId, OpCode, Zxid};
use coordd_tree::{Op, Origin, Outcome, Refusal, State};
use support::*;

fn refused(rig: &mut Rig, origin: Origin) -> Option<Refusal> {
    let mut command =
        rig.command(Op::Client { op: OpCode::Create, record: create_record("/x", None, &open_acl(), 0, None) });
    rig.seq -= 1;
    (command.origin, command.time_ms) = (origin, 1_000_000);
    let zxid = rig.next_zxid();
    match rig.state.apply(zxid, &command, &mut rig.changes) {
        Outcome::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

#[test]
fn a_command_out_of_turn_uses_up_its_zxid_and_does_nothing_else() {
    let mut rig = Rig::with_session();
    rig.must_create("/a", "", 0);
    rig.changes.clear();
    let (before, time) = (dump(&rig.state), rig.state.last_time_ms());
    let next = rig.seq + 1;
    let origin = |member, boot, seq| Origin { member, boot, seq };
    assert_eq!(refused(&mut rig, origin(1, 1, next - 1)), Some(Refusal::Repeated));
    assert_eq!(refused(&mut rig, origin(1, 0, next)), Some(Refusal::Repeated));
    assert_eq!(refused(&mut rig, origin(1, 1, next + 1)), Some(Refusal::Hole));
    assert_eq!(refused(&mut rig, origin(1, 2, 2)), Some(Refusal::Hole));
    assert_eq!(refused(&mut rig, origin(2, 1, 1)), Some(Refusal::NotAMember));
    assert_eq!((dump(&rig.state), rig.state.last_time_ms()), (before, time));
    assert!(rig.changes.is_empty());
    assert_eq!(rig.state.last_zxid(), Zxid(rig.zxid));
    assert_eq!(rig.state.origin_last(1), Some((1, next - 1)));
    assert_eq!(refused(&mut rig, origin(1, 1, next)), None);
    assert!(rig.state.stat("/x").is_some());
}

#[test]
fn a_member_that_left_proposes_nothing_any_more() {
    let mut rig = Rig::with_session();
    rig.members(&[member(2)]);
    let outcome = rig.create("/a", "", 0);
    assert_eq!(outcome, Outcome::Refused(Refusal::NotAMember));
    assert_eq!((rig.state.origin_last(1), rig.state.origin_last(2)), (None, Some((0, 0))));
}

#[test]
fn origins_and_levels_survive_a_snapshot() {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(4));
    rig.apply(Op::SetZxidBase(1 << 40));
    rig.members(&[member(1), member(9)]);
    let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    assert_eq!(loaded.origin_last(1), Some((1, rig.seq)));
    assert_eq!(loaded.origin_last(9), Some((0, 0)));
    assert_eq!((loaded.feature_level(), loaded.zxid_base()), (4, 1 << 40));
    assert_eq!((loaded.last_zxid(), loaded.last_time_ms()), (Zxid(rig.zxid), 1000));
    assert!(loaded.is_password_of(rig.session, &[7; 16]));
    assert!(!loaded.is_password_of(rig.session, &[8; 16]));
}

#[test]
fn sizes_return_to_where_they_were() {
    let mut rig = Rig::with_session();
    let sizes = |rig: &Rig| (rig.state.znode_count(), rig.state.approximate_data_size());
    let before = sizes(&rig);
    rig.must_create("/a", "12345", 0);
    assert_eq!(sizes(&rig), (before.0 + 1, before.1 + 2 + 5));
    rig.set("/a", "1234567890", -1);
    assert_eq!(sizes(&rig), (before.0 + 1, before.1 + 2 + 10));
    let used = rig.state.bytes_used();
    rig.set("/a", &"x".repeat(10_000), -1);
    assert_eq!(rig.state.bytes_used() - used, 9_990);
    rig.delete("/a", -1);
    assert_eq!(sizes(&rig), before);
}

#[test]
fn children_stand_in_the_order_of_their_creation() {
    let mut rig = Rig::with_session();
    for name in ["/m", "/z", "/a", "/k"] {
        rig.must_create(name, "", 0);
    }
    rig.delete("/z", -1);
    rig.must_create("/z", "", 0);
    let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    for state in [&rig.state, &loaded] {
        let names: Vec<&str> = state.children("/", &[]).unwrap().0.collect();
        assert_eq!(names, ["zookeeper", "m", "a", "k", "z"]);
    }
}

#[test]
fn ten_thousand_ephemerals_go_in_one_step_and_in_order() {
    let mut rig = Rig::with_session();
    rig.must_create("/e", "", 0);
    for at in 0..10_000 {
        rig.must_create(&format!("/e/{at}"), "", 1);
    }
    rig.apply(Op::CloseSession);
    assert_eq!(rig.changes.len(), 10_000);
    assert!(rig.changes.iter().enumerate().all(|(at, change)| *change.path == *format!("/e/{at}")));
    assert_eq!((rig.state.ephemerals_count(), rig.state.session_count()), (0, 0));
    assert_eq!(rig.state.stat("/e").unwrap().pzxid, Zxid(rig.zxid));
}

/// `/zookeeper/config` as a client reads it.
fn config(state: &State) -> String {
    let anyone = [AuthId::anyone()];
    let (data, _) = state.get_data("/zookeeper/config", &anyone).unwrap();
    String::from_utf8(data.unwrap().to_vec()).unwrap()
}

#[test]
fn the_level_of_two_ports_writes_the_configuration_anew_once_and_tells_its_watchers() {
    let mut rig = Rig::with_session();
    rig.members(&[member(1), member(2)]);
    let line = |id, second| format!("server.{id}=m{id}:2888:{second}:participant;m{id}:2181\n");
    assert!(config(&rig.state).starts_with(&(line(1, 2888) + &line(2, 2888) + "version=")), "{}", config(&rig.state));
    rig.changes.clear();
    rig.apply(Op::RaiseFeatureLevel(3));
    let raised = format!("{}{}version={:x}", line(1, 3888), line(2, 3888), rig.zxid);
    assert_eq!(config(&rig.state), raised);
    assert_eq!(rig.state.stat("/zookeeper/config").unwrap().mzxid, Zxid(rig.zxid));
    assert_eq!(rig.changes.len(), 1, "{:?}", rig.changes);
    rig.apply(Op::RaiseFeatureLevel(4));
    assert_eq!(config(&rig.state), raised, "it is written so already");
    rig.members(&[member(2)]);
    assert_eq!(config(&rig.state), format!("{}version={:x}", line(2, 3888), rig.zxid));
}
