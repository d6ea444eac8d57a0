//! Multis: their parts stand at one zxid, and all of them or none.

use super::*;

const LEFT: &str = "/pair/0/left";
const RIGHT: &str = "/pair/0/right";

fn pair() -> Script {
    let mut s = Script::new();
    s.create(0, LEFT, 1, 0, 10);
    s.create(0, RIGHT, 2, 0, 11);
    s
}

fn both(left: u64, right: u64) -> Op {
    Op::Multi { parts: vec![set(LEFT, left), set(RIGHT, right)] }
}

#[test]
fn the_parts_of_a_multi_are_read_at_its_zxid() {
    let mut s = pair();
    s.call(0, both(3, 4), 12, Answer::Multi(vec![Answer::Stat(stat(10, 12, 1)), Answer::Stat(stat(11, 12, 1))]));
    s.get(1, LEFT, 12, 3, stat(10, 12, 1));
    s.get(1, RIGHT, 12, 4, stat(11, 12, 1));
    assert_eq!(s.broken(), []);
    s.get(1, RIGHT, 13, 2, stat(11, 11, 0));
    assert_eq!(s.broken(), [Promise::WriteKept]);
}

#[test]
fn half_of_an_unknown_multi_is_refused() {
    let mut s = pair();
    s.send(1, both(3, 4));
    s.send(1, both(5, 6));
    s.get(0, LEFT, 14, 3, stat(10, 12, 1));
    s.get(0, RIGHT, 14, 6, stat(11, 13, 1));
    assert_eq!(s.broken(), [Promise::AllOrNothing]);
}

#[test]
fn an_unknown_multi_may_have_happened_or_not() {
    for happened in [true, false] {
        let mut s = pair();
        s.send(1, both(3, 4));
        if happened {
            s.get(0, LEFT, 14, 3, stat(10, 12, 1));
            s.get(0, RIGHT, 14, 4, stat(11, 12, 1));
        } else {
            s.get(0, LEFT, 14, 1, stat(10, 10, 0));
            s.get(0, RIGHT, 14, 2, stat(11, 11, 0));
        }
        assert_eq!(s.broken(), [], "happened: {happened}");
    }
}

#[test]
fn a_multi_that_was_refused_and_changed_something_is_refused() {
    let mut s = pair();
    s.call(0, both(3, 4), 12, Answer::Aborted { part: 1, code: -101 });
    s.get(1, LEFT, 13, 3, stat(10, 12, 1));
    assert!(!s.broken().is_empty());
}

#[test]
fn a_check_that_passed_tells_the_version() {
    for (version, expected) in [(0, &[][..]), (3, &[Promise::AppliedOnce][..])] {
        let mut s = pair();
        let check = Op::Check { path: LEFT.to_owned(), version };
        let done = vec![Answer::Done, Answer::Stat(stat(10, 12, version + 1))];
        s.call(0, Op::Multi { parts: vec![check, set(LEFT, 3)] }, 12, Answer::Multi(done));
        assert_eq!(s.broken(), expected, "of version {version}");
    }
}

#[test]
fn two_believers_in_an_ephemeral_of_a_multi_are_refused() {
    let mut s = pair();
    let lock = |value| Op::Multi { parts: vec![Op::Create { path: "/lock".to_owned(), value, flags: 1 }] };
    let got = || Answer::Multi(vec![Answer::Created { path: "/lock".to_owned() }]);
    s.call(0, lock(3), 12, got());
    s.call(1, lock(4), 14, got());
    assert!(s.broken().contains(&Promise::OneHolder));
}

fn create(path: &str, value: u64, flags: i32) -> Op {
    Op::Create { path: path.to_owned(), value, flags }
}

/// `/t/from` is there, and a move of it to `/t/to` is on its way without an answer.
fn moving() -> Script {
    let mut s = Script::new();
    s.create(0, "/t/from", 1, 0, 10);
    let delete = Op::Delete { path: "/t/from".to_owned(), version: -1 };
    s.send(1, Op::Multi { parts: vec![delete, create("/t/to", 2, 0)] });
    s
}

#[test]
fn half_of_an_unknown_move_is_refused() {
    let mut s = moving();
    s.get(0, "/t/to", 14, 2, stat(12, 12, 0));
    s.get(0, "/t/from", 14, 1, stat(10, 10, 0));
    assert_eq!(s.broken(), [Promise::AllOrNothing]);
}

#[test]
fn the_other_half_of_an_unknown_move_is_refused() {
    for (seen, expected) in [(false, &[Promise::AllOrNothing][..]), (true, &[])] {
        let mut s = moving();
        s.call(0, get("/t/from", true), 11, Answer::Data { value: Some(1), stat: stat(10, 10, 0) });
        s.event(0, Event::DELETED, "/t/from", 12);
        match seen {
            true => s.get(0, "/t/to", 14, 2, stat(12, 12, 0)),
            false => s.gone(0, "/t/to", 14),
        }
        assert_eq!(s.broken(), expected, "created: {seen}");
    }
}

#[test]
fn an_unknown_move_may_have_happened_or_not() {
    let mut s = moving();
    s.get(0, "/t/from", 14, 1, stat(10, 10, 0));
    s.gone(0, "/t/to", 14);
    assert_eq!(s.broken(), []);
    let mut s = moving();
    s.get(0, "/t/to", 14, 2, stat(12, 12, 0));
    s.gone(0, "/t/from", 14);
    // What was moved may go again, and come back where it was.
    s.call(0, Op::Delete { path: "/t/to".to_owned(), version: -1 }, 15, Answer::Done);
    s.gone(0, "/t/to", 15);
    s.create(0, "/t/from", 3, 0, 16);
    s.get(0, "/t/from", 16, 3, stat(16, 16, 0));
    assert_eq!(s.broken(), []);
}

/// A lock and a mark in a queue are on their way without an answer; another's mark is there.
fn locking() -> Script {
    let mut s = Script::new();
    s.create(0, "/q", 1, 0, 9);
    s.call(0, create("/q/n-", 2, 2), 10, Answer::Created { path: "/q/n-0000000000".to_owned() });
    s.send(1, Op::Multi { parts: vec![create("/lock/0", 3, 1), create("/q/n-", 4, 2)] });
    s
}

fn queue(names: &[&str]) -> (Op, Answer) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    (Op::Children { path: "/q".to_owned(), watch: false }, Answer::Children { names })
}

#[test]
fn a_lock_of_an_unknown_multi_without_its_mark_is_refused() {
    let (op, others) = queue(&["n-0000000000"]);
    let mut s = locking();
    s.get(0, "/lock/0", 14, 3, owned(12, 72));
    s.call(0, op.clone(), 14, others);
    assert_eq!(s.broken(), [Promise::AllOrNothing]);
    let mut s = locking();
    s.get(0, "/lock/0", 14, 3, owned(12, 72));
    s.call(0, op, 14, queue(&["n-0000000000", "n-0000000001"]).1);
    assert_eq!(s.broken(), []);
}

#[test]
fn a_mark_of_an_unknown_multi_without_its_lock_is_refused() {
    for (alive, expected) in [(true, &[Promise::AllOrNothing][..]), (false, &[])] {
        let mut s = locking();
        s.call(0, queue(&[]).0, 14, queue(&["n-0000000000", "n-0000000001"]).1);
        s.get(0, "/q/n-0000000001", 14, 4, stat(12, 12, 0));
        s.gone(0, "/lock/0", 14);
        if alive {
            s.on[1].1 = 2;
            s.attach(1);
            s.call(1, Op::Ping, 15, Answer::Done);
        }
        assert_eq!(s.broken(), expected, "its session is known to live: {alive}");
    }
}

#[test]
fn an_unknown_multi_that_set_one_register_and_not_the_other_is_refused() {
    let mut s = written();
    s.create(0, "/b", 3, 0, 12);
    s.send(1, Op::Multi { parts: vec![set("/a", 4), set("/b", 5)] });
    s.get(0, "/a", 14, 4, stat(10, 13, 2));
    s.get(0, "/b", 14, 3, stat(12, 12, 0));
    assert_eq!(s.broken(), [Promise::AllOrNothing]);
}
