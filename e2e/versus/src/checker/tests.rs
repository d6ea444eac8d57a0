//! The checker against histories made by hand: honest ones it must accept, each corrupted one it must refuse.

mod ephemerals;
mod lasting;
mod multis;

use coordd_proto::{SessionId, Stat, Zxid};

use super::{Promise, check};
use crate::history::{Answer, Call, ClientHistory, Entry, History, Op, Reply, What};
use crate::wire::Event;

const MS: u64 = 1_000_000;
const TIMEOUT: i32 = 1000;

/// Writes a history of two clients as it would have been recorded, one line after the other.
struct Script {
    history: History,
    now: u64,
    /// Session and connection of each client.
    on: [(i64, u32); 2],
}

impl Script {
    fn new() -> Self {
        let history = History { clients: vec![ClientHistory::default(); 2], faults: Vec::new() };
        let mut script = Script { history, now: MS, on: [(71, 1), (72, 1)] };
        script.attach(0);
        script.attach(1);
        script
    }

    fn entry(&mut self, client: usize, what: What) {
        let (session, conn) = self.on[client];
        let at = self.now;
        self.history.clients[client].entries.push(Entry { at, session, conn, what });
    }

    fn attach(&mut self, client: usize) {
        let asked = self.now;
        self.now += MS;
        self.entry(client, What::Attached { asked, timeout_ms: TIMEOUT });
    }

    /// A call without an answer (yet).
    fn send(&mut self, client: usize, op: Op) -> usize {
        self.now += MS;
        let (session, conn) = self.on[client];
        let calls = &mut self.history.clients[client].calls;
        calls.push(Call { session, conn, sent: self.now, op, reply: None });
        calls.len() - 1
    }

    fn answer(&mut self, client: usize, call: usize, zxid: i64, answer: Answer) {
        self.now += MS;
        self.history.clients[client].calls[call].reply = Some(Reply { at: self.now, zxid, answer });
        self.entry(client, What::Answered(call));
    }

    fn call(&mut self, client: usize, op: Op, zxid: i64, answer: Answer) {
        let call = self.send(client, op);
        self.answer(client, call, zxid, answer);
    }

    fn create(&mut self, client: usize, path: &str, value: u64, flags: i32, zxid: i64) {
        let op = Op::Create { path: path.to_owned(), value, flags };
        self.call(client, op, zxid, Answer::Created { path: path.to_owned() });
    }

    fn set(&mut self, client: usize, path: &str, value: u64, zxid: i64, stat: Stat) {
        self.call(client, set(path, value), zxid, Answer::Stat(stat));
    }

    fn get(&mut self, client: usize, path: &str, zxid: i64, value: u64, stat: Stat) {
        self.call(client, get(path, false), zxid, Answer::Data { value: Some(value), stat });
    }

    fn gone(&mut self, client: usize, path: &str, zxid: i64) {
        self.call(client, get(path, false), zxid, Answer::Error(-101));
    }

    fn event(&mut self, client: usize, kind: i32, path: &str, zxid: i64) {
        self.entry(client, What::Event { kind, path: path.to_owned(), zxid });
    }

    fn wait(&mut self, ms: u64) {
        self.now += ms * MS;
    }

    /// The promises that are found broken.
    fn broken(&self) -> Vec<Promise> {
        let mut broken: Vec<_> = check(&self.history).into_iter().map(|v| v.promise).collect();
        broken.sort();
        broken.dedup();
        broken
    }
}

fn set(path: &str, value: u64) -> Op {
    Op::Set { path: path.to_owned(), value, version: -1 }
}

fn get(path: &str, watch: bool) -> Op {
    Op::Get { path: path.to_owned(), watch }
}

fn stat(czxid: i64, mzxid: i64, version: i32) -> Stat {
    Stat { czxid: Zxid(czxid), mzxid: Zxid(mzxid), version, ..Stat::default() }
}

fn owned(czxid: i64, session: i64) -> Stat {
    Stat { ephemeral_owner: SessionId(session), ..stat(czxid, czxid, 0) }
}

/// `/a` made at zxid 10 and set at 11 by client 0.
fn written() -> Script {
    let mut s = Script::new();
    s.create(0, "/a", 1, 0, 10);
    s.set(0, "/a", 2, 11, stat(10, 11, 1));
    s
}

/// The same with client 1 watching `/a` from zxid 11 on.
fn watched() -> Script {
    let mut s = written();
    s.call(1, get("/a", true), 11, Answer::Data { value: Some(2), stat: stat(10, 11, 1) });
    s.set(0, "/a", 3, 12, stat(10, 12, 2));
    s
}

#[test]
fn an_honest_history_is_accepted() {
    let mut s = watched();
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    s.get(1, "/a", 12, 3, stat(10, 12, 2));
    s.create(0, "/e", 4, 1, 13);
    s.call(0, Op::CloseSession, 14, Answer::Done);
    s.gone(1, "/e", 14);
    s.call(1, Op::Delete { path: "/a".to_owned(), version: 2 }, 15, Answer::Done);
    s.gone(1, "/a", 15);
    assert_eq!(s.broken(), []);
}

#[test]
fn an_unknown_set_may_have_happened_or_not() {
    for happened in [true, false] {
        let mut s = written();
        s.send(1, set("/a", 3));
        match happened {
            true => s.get(0, "/a", 13, 3, stat(10, 12, 2)),
            false => s.get(0, "/a", 13, 2, stat(10, 11, 1)),
        }
        assert_eq!(s.broken(), [], "happened: {happened}");
    }
}

#[test]
fn an_unknown_create_and_an_unknown_delete_may_have_happened() {
    let mut s = written();
    s.send(1, Op::Delete { path: "/a".to_owned(), version: -1 });
    s.send(1, Op::Create { path: "/a".to_owned(), value: 3, flags: 0 });
    s.get(0, "/a", 14, 3, stat(13, 13, 0));
    assert_eq!(s.broken(), []);
}

#[test]
fn one_of_two_unknown_creates_is_known_by_what_is_read() {
    let mut s = Script::new();
    for (client, value) in [(0, 1), (1, 2)] {
        s.send(client, Op::Create { path: "/e".to_owned(), value, flags: 1 });
    }
    s.call(
        0,
        Op::Children { path: "/".to_owned(), watch: false },
        12,
        Answer::Children { names: vec!["e".to_owned()] },
    );
    s.call(0, Op::Create { path: "/e".to_owned(), value: 3, flags: 1 }, 13, Answer::Error(-110));
    s.get(0, "/e", 14, 2, owned(11, 72));
    assert_eq!(s.broken(), []);
}

/// The names of sequential znodes do not say which of the unknown creates made them.
#[test]
fn unknown_sequential_creates_are_told_apart_by_what_is_read() {
    let listing = |names: &[&str]| Answer::Children { names: names.iter().map(|name| (*name).to_owned()).collect() };
    let names = ["n-0000000000", "n-0000000001", "n-0000000002"];
    for (values, expected) in [
        ([Some(3), Some(1), Some(2)], &[][..]),
        ([Some(2), None, Some(3)], &[]),
        ([None, Some(1), Some(3)], &[]),
        ([None, Some(3), Some(1)], &[]),
        ([Some(1), Some(1), Some(2)], &[Promise::ReadAtZxid]),
        ([None, Some(9), Some(2)], &[Promise::ReadAtZxid]),
    ] {
        let mut s = Script::new();
        for value in 1..=3 {
            s.send(1, Op::Create { path: "/n-".to_owned(), value, flags: 2 });
        }
        s.call(0, Op::Children { path: "/".to_owned(), watch: false }, 14, listing(&names));
        for (name, value) in names.iter().zip(values) {
            if let Some(value) = value {
                s.get(0, &format!("/{name}"), 15, value, stat(12, 12, 0));
            }
        }
        assert_eq!(s.broken(), expected, "{values:?}");
    }
}

#[test]
fn a_refused_version_does_not_say_which_one_is_there() {
    let mut s = written();
    s.send(1, set("/a", 3));
    let conditional = Op::Set { path: "/a".to_owned(), value: 4, version: 9 };
    s.call(0, conditional, 13, Answer::Error(-103));
    s.get(0, "/a", 14, 3, stat(10, 12, 2));
    assert_eq!(s.broken(), []);
}

#[test]
fn an_unknown_set_that_is_undone_by_a_later_read_is_refused() {
    let mut s = written();
    s.send(1, set("/a", 3));
    s.get(0, "/a", 13, 3, stat(10, 12, 2));
    s.get(0, "/a", 14, 2, stat(10, 11, 1));
    assert_eq!(s.broken(), [Promise::WriteKept]);
}

#[test]
fn a_write_acknowledged_before_a_quorum_had_it_and_lost_is_refused() {
    let mut s = written();
    s.get(1, "/a", 20, 1, stat(10, 10, 0));
    assert_eq!(s.broken(), [Promise::WriteKept]);
}

#[test]
fn a_znode_acknowledged_before_it_was_on_disk_and_lost_is_refused() {
    let mut s = written();
    s.gone(1, "/a", 20);
    assert_eq!(s.broken(), [Promise::WriteKept]);
}

#[test]
fn a_read_that_is_one_write_behind_its_zxid_is_refused() {
    let mut s = written();
    s.set(0, "/a", 3, 12, stat(10, 12, 2));
    s.get(1, "/a", 12, 2, stat(10, 11, 1));
    assert!(!s.broken().is_empty());
}

#[test]
fn a_value_that_nobody_wrote_is_refused() {
    let mut s = written();
    s.get(1, "/a", 12, 9, stat(10, 11, 1));
    assert_eq!(s.broken(), [Promise::ReadAtZxid]);
}

#[test]
fn a_child_that_a_listing_leaves_out_is_refused() {
    let mut s = written();
    s.create(0, "/a/b", 5, 0, 12);
    s.call(1, Op::Children { path: "/a".to_owned(), watch: false }, 13, Answer::Children { names: Vec::new() });
    assert_eq!(s.broken(), [Promise::WriteKept]);
}

#[test]
fn an_event_behind_the_reply_that_shows_the_change_is_refused() {
    let mut s = watched();
    s.get(1, "/a", 12, 3, stat(10, 12, 2));
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    assert!(s.broken().contains(&Promise::EventInTime));
}

#[test]
fn a_missed_event_is_refused() {
    let mut s = watched();
    s.get(1, "/a", 13, 3, stat(10, 12, 2));
    assert_eq!(s.broken(), [Promise::EventInTime]);
}

#[test]
fn an_event_of_the_wrong_change_is_refused() {
    let mut s = watched();
    s.set(0, "/a", 4, 13, stat(10, 13, 3));
    s.event(1, Event::DATA_CHANGED, "/a", 13);
    assert_eq!(s.broken(), [Promise::EventTold]);
}

#[test]
fn an_event_that_comes_twice_is_refused() {
    let mut s = watched();
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    s.event(1, Event::DATA_CHANGED, "/a", 12);
    assert_eq!(s.broken(), [Promise::EventOnce]);
}

#[test]
fn a_child_watch_is_told_of_a_new_child() {
    for told in [true, false] {
        let mut s = written();
        let children = |watch| Op::Children { path: "/a".to_owned(), watch };
        s.call(1, children(true), 11, Answer::Children { names: Vec::new() });
        s.create(0, "/a/b", 5, 0, 12);
        if told {
            s.event(1, Event::CHILDREN_CHANGED, "/a", 12);
        }
        s.call(1, children(false), 12, Answer::Children { names: vec!["b".to_owned()] });
        let expected: &[Promise] = if told { &[] } else { &[Promise::EventInTime] };
        assert_eq!(s.broken(), expected);
    }
}

#[test]
fn a_write_on_a_connection_that_was_left_behind_is_refused() {
    let mut s = written();
    let stale = s.send(0, set("/a", 3));
    s.on[0].1 = 2;
    s.attach(0);
    s.get(0, "/a", 12, 2, stat(10, 11, 1));
    s.on[0].1 = 1;
    s.answer(0, stale, 13, Answer::Stat(stat(10, 13, 2)));
    assert_eq!(s.broken(), [Promise::StaleConnection]);
}

#[test]
fn a_session_refused_before_its_time_is_refused() {
    for (silent_ms, expected) in [(500, &[Promise::SessionKept][..]), (1100, &[][..])] {
        let mut s = written();
        s.wait(silent_ms);
        let asked = s.now;
        s.entry(0, What::Refused { asked });
        assert_eq!(s.broken(), expected, "silent for {silent_ms} ms");
    }
}

#[test]
fn a_session_that_a_snapshot_forgot_is_refused() {
    let mut s = Script::new();
    s.create(0, "/e", 1, 1, 10);
    s.get(1, "/e", 10, 1, owned(10, 71));
    s.wait(100);
    let asked = s.now;
    s.entry(0, What::Refused { asked });
    s.gone(1, "/e", 12);
    assert_eq!(s.broken(), [Promise::SessionKept]);
}

#[test]
fn a_forwarded_write_that_is_applied_twice_is_refused() {
    let mut s = written();
    s.get(1, "/a", 14, 2, stat(10, 13, 2));
    assert!(s.broken().contains(&Promise::AppliedOnce));
    let mut s = written();
    s.set(0, "/a", 3, 14, stat(10, 14, 3));
    assert_eq!(s.broken(), [Promise::AppliedOnce]);
}

#[test]
fn a_zxid_given_twice_is_refused() {
    let mut s = written();
    s.create(1, "/b", 5, 0, 11);
    assert!(s.broken().contains(&Promise::ZxidUnique));
}

#[test]
fn a_write_ordered_before_one_that_was_acknowledged_earlier_is_refused() {
    let mut s = Script::new();
    s.create(0, "/a", 1, 0, 10);
    s.create(1, "/b", 2, 0, 9);
    assert_eq!(s.broken(), [Promise::RealTime]);
}

#[test]
fn a_zxid_that_falls_on_a_session_is_refused() {
    let mut s = written();
    s.call(0, Op::Ping, 9, Answer::Done);
    assert_eq!(s.broken(), [Promise::SessionOrder]);
}

/// It may only show more than what was acknowledged before it was sent, to whomever and by a read, too.
#[test]
fn a_sync_answered_from_an_old_state_is_refused() {
    for (zxid, expected) in [(11, &[][..]), (12, &[]), (10, &[Promise::RealTime])] {
        let mut s = written();
        s.call(1, Op::Sync { path: "/".to_owned() }, zxid, Answer::Done);
        assert_eq!(s.broken(), expected, "a sync after a write at 11 shows {zxid}");
    }
    for (zxid, expected) in [(14, &[][..]), (13, &[Promise::RealTime])] {
        let mut s = written();
        s.get(0, "/a", 14, 2, stat(10, 11, 1));
        s.call(1, Op::Sync { path: "/".to_owned() }, zxid, Answer::Done);
        assert_eq!(s.broken(), expected, "a sync after a read at 14 shows {zxid}");
    }
    let mut s = written();
    let sync = s.send(1, Op::Sync { path: "/".to_owned() });
    s.set(0, "/a", 3, 12, stat(10, 12, 2));
    s.answer(1, sync, 11, Answer::Done);
    assert_eq!(s.broken(), [], "what is acknowledged while it is on its way is not asked for");
}

#[test]
fn a_connection_that_was_left_behind_may_answer_from_the_past_and_the_new_one_may_not() {
    for (conn, expected) in [(1, &[][..]), (2, &[Promise::SessionOrder])] {
        let mut s = written();
        s.on[0].1 = 2;
        s.attach(0);
        s.call(0, Op::Sync { path: "/".to_owned() }, 15, Answer::Done);
        s.on[0].1 = conn;
        s.call(0, Op::Ping, 13, Answer::Done);
        assert_eq!(s.broken(), expected, "on connection {conn}");
    }
}

#[test]
fn writes_refused_for_want_of_room_have_no_zxid_of_their_own() {
    for (code, expected) in [(-1, &[][..]), (-101, &[Promise::ZxidUnique][..])] {
        let mut s = written();
        for value in [3, 4] {
            s.call(1, set("/b", value), 11, Answer::Error(code));
        }
        assert_eq!(s.broken(), expected, "refused with {code}");
    }
}

#[test]
fn replies_out_of_turn_are_refused() {
    let mut s = written();
    let first = s.send(0, Op::Ping);
    let second = s.send(0, Op::Ping);
    s.answer(0, second, 11, Answer::Done);
    s.answer(0, first, 11, Answer::Done);
    assert_eq!(s.broken(), [Promise::SessionOrder]);
}

#[test]
fn two_believers_in_one_ephemeral_are_refused() {
    for (silent_ms, expected) in [(500, &[Promise::OneHolder][..]), (1100, &[][..])] {
        let mut s = Script::new();
        s.create(0, "/lock", 1, 1, 10);
        s.wait(silent_ms);
        s.create(1, "/lock", 2, 1, 12);
        assert_eq!(s.broken(), expected, "after {silent_ms} ms");
    }
}

#[test]
fn a_holder_that_has_let_go_believes_no_longer() {
    let mut s = Script::new();
    s.create(0, "/lock", 1, 1, 10);
    let release = s.send(0, Op::Delete { path: "/lock".to_owned(), version: -1 });
    s.create(1, "/lock", 2, 1, 12);
    s.answer(0, release, 11, Answer::Done);
    assert_eq!(s.broken(), []);
}
