//! Snapshots while apply goes on, replicas that came by different ways, and damaged files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use bytes::{Bytes, BytesMut};
use coordd_proto::OpCode;
use coordd_tree::{Op, SnapshotError, State};
use support::*;

/// A fixed sequence that looks random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn random_op(dice: &mut Dice) -> Op {
    let path = format!("/d{}/n{}", dice.roll(20), dice.roll(300));
    let data = vec![b'x'; dice.roll(90) as usize];
    let data = if dice.roll(10) == 0 { None } else { Some(&data[..]) };
    let acl = [coordd_proto::Acl::world(coordd_proto::Perms(31 - (dice.roll(8) == 0) as i32 * 16))];
    let client = |op, record| Op::Client { op, record };
    match dice.roll(12) {
        0..4 => client(OpCode::Create, create_record(&path, data, &acl, dice.roll(5) as i32, None)),
        4 => client(OpCode::CreateTtl, create_record(&path, data, &acl, 5, Some(5000))),
        5..8 => client(OpCode::SetData, set_record(&path, data, -1)),
        8..10 => client(OpCode::Delete, path_version(&path, -1)),
        10 => {
            let create = create_record(&path, data, &acl, 2, None);
            let last = path_version(&format!("/d1/n{}", dice.roll(300)), -1);
            let ops =
                [(OpCode::Create, create), (OpCode::SetData, set_record("/d2", data, -1)), (OpCode::Delete, last)];
            client(OpCode::Multi, multi_record(&ops))
        }
        _ => match dice.roll(4) {
            0 => Op::CloseSession,
            _ => Op::OpenSession { timeout_ms: 1000, password: [dice.roll(200) as u8; 16] },
        },
    }
}

/// A rig with some thousands of znodes, and lists that are newer than they.
fn grown(dice: &mut Dice) -> Rig {
    let mut rig = Rig::with_session();
    rig.apply(Op::RaiseFeatureLevel(2));
    for dir in 0..20 {
        rig.must_create(&format!("/d{dir}"), "", 0);
    }
    for _ in 0..12_000 {
        step(&mut rig, dice);
    }
    rig
}

fn step(rig: &mut Rig, dice: &mut Dice) {
    rig.time_ms += 1;
    let outcome = rig.apply(random_op(dice));
    use coordd_tree::{Outcome, SessionOutcome};
    if let Outcome::Session(SessionOutcome::Opened(info)) = outcome {
        (rig.session, rig.attach) = (info.id, info.attach);
    }
}

#[test]
fn a_snapshot_under_changes_is_the_state_at_its_cut() {
    let mut dice = Dice(7);
    let mut rig = grown(&mut dice);
    for round in 0..6 {
        let (then, digest) = (dump(&rig.state), rig.state.digest());
        let mut writer = rig.state.begin_snapshot(Bytes::from(format!("round {round}")));
        let mut out = BytesMut::new();
        let mut pieces = 0;
        while writer.chunk(&rig.state, &mut out).unwrap() {
            pieces += 1;
            for _ in 0..200 {
                step(&mut rig, &mut dice);
            }
        }
        assert!(pieces > 6, "the test must interleave: {pieces}");
        assert_ne!(dump(&rig.state), then);
        let (loaded, meta) = State::load(&out[..]).unwrap();
        assert_eq!(meta, format!("round {round}"));
        assert_eq!(State::peek_meta(&out[..]).unwrap(), meta);
        assert_eq!(loaded.digest(), digest);
        assert_eq!(dump(&loaded), then);
    }
}

#[test]
fn replicas_agree_however_they_came_to_be() {
    let mut dice = Dice(11);
    let mut rig = grown(&mut dice);
    let (mut restored, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    let mut busy = rig.state.begin_snapshot(Bytes::new());
    let mut out = BytesMut::new();
    for at in 0..3000 {
        rig.time_ms += 1;
        let command = rig.command(random_op(&mut dice));
        let zxid = rig.next_zxid();
        rig.changes.clear();
        let mut changes = Vec::new();
        let here = rig.state.apply(zxid, &command, &mut rig.changes);
        let there = restored.apply(zxid, &command, &mut changes);
        assert_eq!((here, &rig.changes), (there, &changes), "{command:?}");
        assert_eq!(rig.state.digest(), restored.digest(), "after {at} {command:?}");
        if at % 100 == 0 {
            busy.chunk(&rig.state, &mut out).unwrap();
        }
        if at % 500 == 0 {
            restored = State::load(&snapshot(&mut restored)[..]).unwrap().0;
        }
    }
    assert_eq!(dump(&rig.state), dump(&restored));
    assert_eq!(snapshot(&mut rig.state), snapshot(&mut restored), "equal states write equal bytes");
}

#[test]
fn a_digest_tells_states_apart() {
    let mut rig = Rig::with_session();
    rig.must_create("/a", "x", 0);
    let mut seen = vec![rig.state.digest()];
    rig.set("/a", "y", -1);
    seen.push(rig.state.digest());
    rig.open(4000);
    seen.push(rig.state.digest());
    rig.client(OpCode::SetAcl, {
        record(|out| {
            out.string("/a");
            coordd_proto::Acl::encode_list(&[coordd_proto::Acl::world(coordd_proto::Perms(1))], out);
            out.i32(-1);
        })
    });
    seen.push(rig.state.digest());
    rig.members(&[member(1), member(2)]);
    seen.push(rig.state.digest());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_younger_snapshot_or_a_new_state_ends_an_older_one() {
    let mut rig = Rig::with_session();
    let mut older = rig.state.begin_snapshot(Bytes::new());
    let mut younger = rig.state.begin_snapshot(Bytes::new());
    let mut out = BytesMut::new();
    assert!(older.chunk(&rig.state, &mut out).is_err());
    assert!(younger.chunk(&State::new(), &mut out).is_err());
    assert_eq!(younger.chunk(&rig.state, &mut out), Ok(true));
}

#[test]
fn every_damaged_byte_is_noticed() {
    let mut rig = Rig::with_session();
    rig.must_create("/a", "data of a", 0);
    rig.must_create("/a/e", "ephemeral", 1);
    rig.client(OpCode::Create, create_record("/r", None, &[coordd_proto::Acl::world(coordd_proto::Perms(1))], 0, None));
    let whole = snapshot(&mut rig.state);
    assert!(State::load(&whole[..]).is_ok());
    assert!(State::check_snapshot(&whole[..]).is_ok());
    for at in 0..whole.len() {
        for bit in [0, 7] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            assert!(State::load(&damaged[..]).is_err(), "byte {at} bit {bit}");
            assert!(State::check_snapshot(&damaged[..]).is_err(), "byte {at} bit {bit}");
        }
        assert!(State::load(&whole[..at]).is_err(), "cut at {at}");
        assert!(State::check_snapshot(&whole[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn what_is_no_snapshot_is_named_as_such() {
    assert!(matches!(State::load(&b"something else"[..]), Err(SnapshotError::NotASnapshot)));
    let mut newer = snapshot(&mut Rig::new().state);
    newer[11] = 9;
    assert!(matches!(State::load(&newer[..]), Err(SnapshotError::UnknownFormat(9))));
}

#[test]
fn a_deep_tree_is_walked_and_deleted_without_a_stack() {
    let mut rig = Rig::with_session();
    let mut path = String::new();
    for depth in 0..1000 {
        path.push_str("/d");
        if depth == 999 { rig.must_create(&path, "", 1) } else { rig.must_create(&path, "", 0) }
    }
    assert_eq!(rig.state.all_children_number("/", &[]).unwrap(), 1003);
    // An empty path is "/" to ZooKeeper, which counts itself then.
    assert_eq!(rig.state.all_children_number("", &[]).unwrap(), 1004);
    assert_eq!(rig.state.ephemerals_of(rig.session, "/").len(), 1);
    let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
    assert_eq!(loaded.digest(), rig.state.digest());
    while path.len() > 2 {
        assert!(matches!(rig.delete(&path, -1), coordd_tree::Outcome::Done(Ok(_))));
        path.truncate(path.len() - 2);
    }
    assert_eq!(rig.state.znode_count(), 5);
}
