//! Ephemerals: they end with their session, not before and not behind.

use super::*;

#[test]
fn an_ephemeral_that_ends_before_its_session_is_refused() {
    let mut s = Script::new();
    s.create(0, "/e", 1, 1, 10);
    s.gone(1, "/e", 12);
    s.call(0, Op::Ping, 13, Answer::Done);
    assert_eq!(s.broken(), [Promise::EphemeralKept]);
}

#[test]
fn an_ephemeral_that_outlives_a_closed_session_is_refused() {
    let mut s = Script::new();
    s.create(0, "/e", 1, 1, 10);
    s.call(0, Op::CloseSession, 11, Answer::Done);
    s.get(1, "/e", 12, 1, owned(10, 71));
    assert_eq!(s.broken(), [Promise::ReadAtZxid, Promise::EphemeralKept]);
}

/// `/e` of client 0, who falls silent and is told at its return that the session is gone.
fn expired() -> Script {
    let mut s = Script::new();
    s.create(0, "/e", 1, 1, 10);
    s.wait(1100);
    let asked = s.now;
    s.entry(0, What::Refused { asked });
    s
}

#[test]
fn an_ephemeral_that_outlives_an_expired_session_is_refused() {
    let mut s = expired();
    s.create(1, "/b", 2, 0, 13);
    s.get(1, "/e", 13, 1, owned(10, 71));
    assert_eq!(s.broken(), [Promise::ReadAtZxid, Promise::EphemeralKept]);
    let mut s = expired();
    s.call(1, Op::Sync { path: "/".to_owned() }, 12, Answer::Done);
    s.call(1, Op::Create { path: "/e".to_owned(), value: 3, flags: 1 }, 13, Answer::Error(-110));
    assert!(!s.broken().is_empty(), "refused for what is gone");
}

#[test]
fn one_that_nobody_was_told_of_and_that_outlives_its_session_is_refused() {
    let mut s = Script::new();
    s.send(0, Op::Create { path: "/e".to_owned(), value: 1, flags: 1 });
    s.wait(1100);
    let asked = s.now;
    s.entry(0, What::Refused { asked });
    s.create(1, "/b", 2, 0, 13);
    s.get(1, "/e", 13, 1, owned(10, 71));
    assert_eq!(s.broken(), [Promise::EphemeralKept]);
}

#[test]
fn a_member_that_lags_may_show_what_an_expired_session_had() {
    let mut s = expired();
    s.get(1, "/e", 11, 1, owned(10, 71));
    s.create(1, "/b", 2, 0, 13);
    s.gone(1, "/e", 13);
    s.create(1, "/e", 3, 1, 14);
    assert_eq!(s.broken(), []);
}

/// When the last of them was sent, the others may have been ordered before the end.
#[test]
fn writes_on_their_way_when_a_session_ends_say_nothing_of_its_end() {
    let mut s = Script::new();
    s.create(0, "/e", 1, 1, 10);
    s.wait(1100);
    let early = s.send(1, Op::Create { path: "/b".to_owned(), value: 2, flags: 0 });
    s.now += MS;
    let asked = s.now;
    s.entry(0, What::Refused { asked });
    s.answer(1, early, 11, Answer::Created { path: "/b".to_owned() });
    s.get(1, "/e", 11, 1, owned(10, 71));
    assert_eq!(s.broken(), []);
}

/// The close does not say when it went, and who watches was told at the delete.
#[test]
fn an_ephemeral_may_have_been_deleted_without_an_answer_before_its_session_was_closed() {
    let mut s = Script::new();
    s.create(1, "/q", 1, 0, 9);
    s.create(0, "/q/e", 2, 1, 10);
    s.call(1, Op::AddWatch { path: "/q".to_owned(), recursive: false }, 10, Answer::Done);
    s.send(0, Op::Delete { path: "/q/e".to_owned(), version: -1 });
    s.on[0].1 = 2;
    s.attach(0);
    s.call(0, Op::CloseSession, 14, Answer::Done);
    s.event(1, Event::CHILDREN_CHANGED, "/q", 12);
    s.call(1, Op::Ping, 14, Answer::Done);
    s.gone(1, "/q/e", 14);
    assert_eq!(s.broken(), []);
}
