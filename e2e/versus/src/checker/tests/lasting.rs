//! Watches that stay, and events as the only witnesses of a change.

use super::*;

/// `/a` made and set, and client 1 with a watch on it that stays.
fn watched_for_good(recursive: bool) -> Script {
    let mut s = written();
    s.call(1, Op::AddWatch { path: "/a".to_owned(), recursive }, 11, Answer::Done);
    s
}

fn exists(path: &str, watch: bool) -> Op {
    Op::Exists { path: path.to_owned(), watch }
}

#[test]
fn a_watch_that_stays_is_told_of_every_change() {
    for (told, expected) in
        [(&[12, 13][..], &[][..]), (&[12], &[Promise::EventInTime]), (&[13], &[Promise::EventInTime])]
    {
        let mut s = watched_for_good(false);
        s.set(0, "/a", 3, 12, stat(10, 12, 2));
        s.set(0, "/a", 4, 13, stat(10, 13, 3));
        told.iter().for_each(|zxid| s.event(1, Event::DATA_CHANGED, "/a", *zxid));
        s.call(1, Op::Ping, 13, Answer::Done);
        assert_eq!(s.broken(), expected, "told at {told:?}");
    }
}

#[test]
fn a_watch_that_stays_is_told_once_and_before_the_reply() {
    let mut s = watched_for_good(false);
    s.set(0, "/a", 3, 12, stat(10, 12, 2));
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    assert_eq!(s.broken(), [Promise::EventOnce]);
    let mut s = watched_for_good(false);
    s.set(0, "/a", 3, 12, stat(10, 12, 2));
    s.get(1, "/a", 12, 3, stat(10, 12, 2));
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    assert_eq!(s.broken(), [Promise::EventInTime]);
}

#[test]
fn a_recursive_watch_is_told_of_the_child_and_another_of_the_children() {
    for recursive in [true, false] {
        for (kind, path) in [(Event::CREATED, "/a/b"), (Event::CHILDREN_CHANGED, "/a")] {
            let mut s = watched_for_good(recursive);
            s.create(0, "/a/b", 5, 0, 12);
            s.event(1, kind, path, 12);
            s.call(1, Op::Ping, 12, Answer::Done);
            let right = recursive == (kind == Event::CREATED);
            assert_eq!(s.broken().is_empty(), right, "recursive: {recursive}, event {kind}: {:?}", s.broken());
        }
    }
}

#[test]
fn a_change_that_only_an_event_speaks_of_must_be_told_to_all() {
    for told in [true, false] {
        let mut s = written();
        for client in [0, 1] {
            s.call(client, exists("/a/b", true), 11, Answer::Error(-101));
        }
        s.send(0, Op::Create { path: "/a/b".to_owned(), value: 5, flags: 0 });
        s.event(1, Event::CREATED, "/a/b", 12);
        if told {
            s.event(0, Event::CREATED, "/a/b", 12);
        }
        s.call(0, Op::Ping, 13, Answer::Done);
        let expected: &[Promise] = if told { &[] } else { &[Promise::EventInTime] };
        assert_eq!(s.broken(), expected, "told: {told}");
    }
}

#[test]
fn an_event_of_a_change_that_nobody_made_is_refused() {
    let mut s = written();
    s.call(1, exists("/a/b", true), 11, Answer::Error(-101));
    s.event(1, Event::CREATED, "/a/b", 12);
    assert_eq!(s.broken(), [Promise::EventOnce]);
}
