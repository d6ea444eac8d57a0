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
