//! Random scripts: from a seed the same steps each time.
//!
//! Rule: few paths, few names, few identities, so that requests meet each other: most sets hit a znode, many creates
//! find it there already, watches fire. A step depends on the seed alone, never on an answer, so any part of a script
//! is a script.

use coordd_proto::{Acl, AuthId, Perms};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::allowed::{Allowed, Uses};
use super::nulls;
use crate::request::{Relative, Request};
use crate::wire::op;

/// One thing that is done to both servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// One session sends these requests at once and reads all of the replies.
    Burst { session: usize, requests: Vec<Request> },
    /// The connection is dropped and the session attached again.
    Reattach { session: usize },
    /// Someone tries to attach the session with a wrong password.
    WrongPassword { session: usize },
    /// Every session pings, so that all events have come.
    Drain,
}

const NAMES: &[&str] = &["a", "b", "c", "d"];
const BAD_PATHS: &[&str] = &[
    "",
    "a",
    "/",
    "//",
    "/a/",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/.",
    "/..",
    "/a\u{0}b",
    "/a\u{1}",
    "/\u{7f}x",
    "/\u{e000}",
    "/\u{fff5}",
    "/é",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/x",
    "/missing/child",
    CONFIG,
    LIMITS,
];
const CONFIG: &str = "/zookeeper/config";
const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";
/// deleteContainer and createSession: not for clients.
const DELETE_CONTAINER: i32 = 20;
const CREATE_SESSION: i32 = -10;
const UNKNOWN_OPS: &[i32] = &[10, 13, 23, 99, 108, -5, 1000, DELETE_CONTAINER, CREATE_SESSION];
const USERS: &[&str] = &["alice:one", "bob:two", "carol:three"];
/// digest ids of the users above, and one of nobody.
const DIGESTS: &[&str] = &[
    "alice:Cuk7ajo4ciREnCr0kLoqUur5dbU=",
    "bob:yqVrLFrvoaI9z9fohteaNPJvRu8=",
    "carol:K70YeABt2QtSL9iC8qoyuRpWTgI=",
    "nobody:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];

pub const SESSIONS: usize = 5;

/// An endless script.
pub struct Script {
    rng: SmallRng,
    made: usize,
    /// For several servers: without what hangs an ensemble of ZooKeeper's.
    for_ensembles: bool,
    left_out: Uses,
}

impl Script {
    pub fn new(seed: u64, for_ensembles: bool) -> Self {
        Script { rng: SmallRng::seed_from_u64(seed), made: 0, for_ensembles, left_out: Uses::default() }
    }

    /// What chance would have asked for, and was not asked.
    pub fn left_out(&self) -> &Uses {
        &self.left_out
    }

    /// `asked`, unless it is that of an entry: then `instead`.
    fn unless<T: PartialEq>(&mut self, asked: T, (refused, allowed): (T, Allowed), instead: T) -> T {
        if asked != refused {
            return asked;
        }
        self.left_out.count(allowed);
        instead
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        of.choose(&mut self.rng).copied().unwrap_or(otherwise)
    }

    fn path(&mut self) -> String {
        if self.chance(3) {
            let path = self.pick(BAD_PATHS, "/");
            let path = self.unless(path, (CONFIG, Allowed::Config), "/zookeeper/x");
            return self.unless(path, (LIMITS, Allowed::Quotas), "/zookeeper/x").to_owned();
        }
        let depth = self.pick(&[1, 1, 2, 2, 2, 3], 1);
        let mut path = String::new();
        for _ in 0..depth {
            path.push('/');
            path.push_str(self.pick(NAMES, "a"));
        }
        if self.chance(6) {
            // What a sequential create may have made.
            let kind = self.pick(&["a", "s-", ""], "");
            path.push_str(&format!("/{kind}{:010}", self.rng.random_range(0..12)));
        }
        path
    }

    fn data(&mut self) -> Option<Vec<u8>> {
        match self.rng.random_range(0..10) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![7; 40]),
            n => Some(vec![n; usize::from(n)]),
        }
    }

    fn version(&mut self) -> i32 {
        self.pick(&[-1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 1, 2, 3, -2, i32::MAX], -1)
    }

    fn acl(&mut self) -> Vec<Acl> {
        if self.chance(85) {
            return vec![Acl::world(Perms::ALL)];
        }
        let count = self.pick(&[0, 1, 1, 1, 2, 3], 1);
        (0..count).map(|_| self.acl_entry()).collect()
    }

    fn acl_entry(&mut self) -> Acl {
        let perms = Perms(self.pick(&[31, 31, 1, 2, 4, 8, 16, 0, 15, 17, 64], 31));
        let digest = self.pick(DIGESTS, "nobody:x");
        let (scheme, id) = self.pick(
            &[
                ("world", "anyone"),
                ("world", "anyone"),
                ("world", "other"),
                ("auth", ""),
                ("auth", "ignored"),
                ("digest", digest),
                ("digest", digest),
                ("digest", "without-colon"),
                ("digest", "one:two:three"),
                ("ip", "127.0.0.1"),
                ("ip", "127.0.0.0/8"),
                ("ip", "10.0.0.0/8"),
                ("ip", "127.0.0.1/33"),
                ("ip", "not-an-address"),
                ("ip", "::1"),
                ("super", "x"),
                ("nosuch", "x"),
                ("", ""),
            ],
            ("world", "anyone"),
        );
        Acl { perms, id: AuthId::new(scheme, id) }
    }

    fn create(&mut self) -> Request {
        let mut path = self.path();
        let (data, acl) = (self.data(), self.acl());
        if self.chance(8) {
            let flags = self.pick(&[5, 5, 6, 0, 4, 9], 5);
            let mut ttl = self.pick(&[3_600_000, 1 << 39, -1, 1 << 40, 0xff_ffff_ffff, 0], 3_600_000);
            if ttl == 0 || (ttl < 0 && !matches!(flags, 5 | 6)) {
                self.left_out.count(Allowed::TtlThatEndsServers);
                ttl = 1;
            }
            return Request::CreateTtl { path, data, acl, flags, ttl };
        }
        let flags = self.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, -1], 0);
        if matches!(flags, 2 | 3) && self.chance(50) {
            path.push_str(self.pick(&["s-", "/", "/s-"], "/"));
        }
        let op = self.pick(&[op::CREATE, op::CREATE2, op::CREATE_CONTAINER], op::CREATE);
        let flags = if op == op::CREATE_CONTAINER && self.chance(90) { 4 } else { flags };
        Request::Create { op, path, data, acl, flags }
    }

    fn write(&mut self) -> Request {
        match self.rng.random_range(0..20) {
            0..8 => self.create(),
            8..13 => Request::Delete { path: self.path(), version: self.version() },
            13..18 => Request::SetData { path: self.path(), data: self.data(), version: self.version() },
            _ => Request::SetAcl { path: self.path(), acl: self.acl(), version: self.version() },
        }
    }

    fn read(&mut self) -> Request {
        let path = self.path();
        let watch = self.chance(40);
        match self.rng.random_range(0..14) {
            0..3 => Request::Read { op: op::GET_DATA, path, watch },
            3..6 => Request::Read { op: op::EXISTS, path, watch },
            6..8 => Request::Read { op: op::GET_CHILDREN, path, watch },
            8..10 => Request::Read { op: op::GET_CHILDREN2, path, watch },
            10 => Request::Path { op: op::GET_ACL, path },
            11 => Request::Path { op: op::SYNC, path },
            12 => Request::Path { op: op::GET_EPHEMERALS, path },
            _ => Request::Path { op: op::GET_ALL_CHILDREN_NUMBER, path },
        }
    }

    fn multi(&mut self) -> Request {
        let count = self.rng.random_range(0..5);
        if self.chance(25) {
            let parts = (0..count).map(|_| {
                let op = self.pick(&[op::GET_DATA, op::GET_CHILDREN], op::GET_DATA);
                Request::Read { op, path: self.path(), watch: false }
            });
            let parts = parts.collect();
            return Request::Multi { op: op::MULTI_READ, parts };
        }
        let parts = (0..count).map(|_| match self.rng.random_range(0..8) {
            0..2 => Request::Check { path: self.path(), version: self.version() },
            7 if self.chance(10) => self.read(),
            _ => match self.write() {
                // No server can read a multi with it.
                Request::SetAcl { path, .. } if self.for_ensembles => {
                    self.left_out.count(Allowed::UnreadableWrite);
                    Request::Delete { path, version: -1 }
                }
                Request::SetAcl { path, .. } if !self.chance(10) => Request::Delete { path, version: -1 },
                other => other,
            },
        });
        let parts = parts.collect();
        Request::Multi { op: op::MULTI, parts }
    }

    fn watch(&mut self) -> Request {
        let path = self.path();
        match self.rng.random_range(0..10) {
            0..6 => Request::Watch { op: op::ADD_WATCH, path, kind: self.pick(&[0, 1, 0, 1, 2, -1], 0) },
            6..8 => Request::Watch { op: op::CHECK_WATCHES, path, kind: self.pick(&[1, 2, 3, 4, 5, 0, 6], 3) },
            _ => Request::Watch { op: op::REMOVE_WATCHES, path, kind: self.pick(&[1, 2, 3, 4, 5, 0, 6], 3) },
        }
    }

    fn set_watches(&mut self) -> Request {
        let ago = self.rng.random_range(0..40);
        let relative =
            self.pick(&[Relative::Zero, Relative::Last, Relative::Ago(ago), Relative::Ago(ago)], Relative::Last);
        let count = self.pick(&[3, 5], 3);
        let lists = (0..count).map(|_| (0..self.rng.random_range(0..3)).map(|_| self.path()).collect());
        Request::SetWatches { relative, lists: lists.collect() }
    }

    /// A request whose record is cut short.
    fn cut(&mut self) -> Request {
        let whole = match self.rng.random_range(0..5) {
            0 | 1 if !self.for_ensembles => self.write(),
            0 | 1 => {
                self.left_out.count(Allowed::UnreadableWrite);
                self.read()
            }
            2 => self.read(),
            3 => self.multi(),
            _ => self.watch(),
        };
        let mut record = bytes::BytesMut::new();
        whole.encode(&mut coordd_proto::jute::Writer::new(&mut record), &|_| 0);
        let keep = self.rng.random_range(0..record.len().max(1));
        Request::Raw { op: whole.op(), record: record[..keep].to_vec() }
    }

    fn ordinary(&mut self) -> Request {
        match self.rng.random_range(0..100) {
            0..44 => self.write(),
            44..74 => self.read(),
            74..84 => self.multi(),
            84..93 => self.watch(),
            93..95 => Request::Bare { op: op::PING },
            95..97 => Request::Bare { op: op::WHO_AM_I },
            97 => Request::Reconfig { joining: Some("server.9=x:1:2;3".to_owned()), leaving: None },
            98 => self.nulled(),
            _ => self.cut(),
        }
    }

    /// Requests whose replies may overtake others, or that end the connection: alone in their burst.
    fn lonely(&mut self) -> Request {
        let user = self.pick(USERS, "alice:one");
        let auth = |scheme: &str, data: &str| Request::Auth { scheme: scheme.to_owned(), data: data.into() };
        match self.rng.random_range(0..15) {
            0..5 => auth("digest", user),
            5 => auth(self.pick(&["world", "nosuch", "ip", "digest"], "world"), "x"),
            6 => auth("digest", "super:test"),
            7 => {
                let op = self.pick(UNKNOWN_OPS, 99);
                let op = self.unless(op, (DELETE_CONTAINER, Allowed::DeleteContainer), 99);
                let op = self.unless(op, (CREATE_SESSION, Allowed::CreateSession), 99);
                Request::Raw { op, record: vec![0, 0, 0, 0] }
            }
            8 => Request::Bare { op: op::CLOSE_SESSION },
            9 => Request::Check { path: self.path(), version: -1 },
            10 => {
                let token = self.pick(&[&b"token"[..], b""], b"").to_vec();
                let sent = self.pick(&[Some(&token), Some(&token), None], None);
                Request::Raw { op: op::SASL, record: nulls::buffer(sent.map(Vec::as_slice)) }
            }
            11 => Request::Raw {
                op: op::AUTH,
                record: self.pick(&[&[][..], &[0; 4], &[0, 0, 0, 0, 0, 0], &[0; 8]], &[]).to_vec(),
            },
            12 => nulls::set_watches(self.rng.random_range(0..16)),
            _ => self.set_watches(),
        }
    }
}

impl Script {
    /// A request with a null where a value is due.
    fn nulled(&mut self) -> Request {
        let which = self.rng.random_range(0..=nulls::KINDS);
        let mut which = self.unless(which, (nulls::KINDS, Allowed::WatchOfNull), 0);
        if self.for_ensembles && nulls::MULTIS_WITHOUT_ACL.contains(&which) {
            self.left_out.count(Allowed::UnreadableWrite);
            which = 0;
        }
        let path = self.path();
        nulls::request(which, &path)
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.made += 1;
        if self.made.is_multiple_of(40) {
            return Some(Step::Drain);
        }
        let session = self.rng.random_range(0..SESSIONS);
        Some(match self.rng.random_range(0..100) {
            0..2 => Step::Reattach { session },
            2 if self.chance(30) => Step::WrongPassword { session },
            2..7 => {
                self.left_out.count(Allowed::Overtaking);
                Step::Burst { session, requests: vec![self.lonely()] }
            }
            _ => {
                let count = self.rng.random_range(1..8);
                let mut requests: Vec<_> = (0..count).map(|_| self.ordinary()).collect();
                if let Some(at) = requests.iter().position(|r| r.op() == op::SET_ACL).filter(|at| at + 1 < count) {
                    self.left_out.count(Allowed::BehindSetAcl);
                    requests.truncate(at + 1);
                }
                Step::Burst { session, requests }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_script() {
        let script = |seed| Script::new(seed, false).take(500).collect::<Vec<_>>();
        assert_eq!(script(7), script(7));
        assert_ne!(script(7), script(8));
    }

    /// The operations of a script and of its multis, each with how many different sessions asked for it.
    fn asked(script: Script, steps: usize) -> BTreeMap<i32, BTreeSet<usize>> {
        let mut asked: BTreeMap<i32, BTreeSet<usize>> = BTreeMap::new();
        for step in script.take(steps) {
            let Step::Burst { session, requests } = step else { continue };
            for request in requests {
                asked.entry(request.op()).or_default().insert(session);
                if let Request::Multi { parts, .. } = request {
                    for part in parts {
                        asked.entry(part.op()).or_default().insert(session);
                    }
                }
            }
        }
        asked
    }

    #[test]
    fn a_script_asks_for_every_operation_in_every_session() {
        let all = (1..=9).chain(11..=19).chain([21, 22, -11]).chain(100..=107);
        for for_ensembles in [false, true] {
            let asked = asked(Script::new(1, for_ensembles), 60_000);
            for op in all.clone() {
                assert_eq!(asked.get(&op).map_or(0, BTreeSet::len), SESSIONS, "op {op}");
            }
            assert!(!asked.contains_key(&20) && !asked.contains_key(&-10));
        }
    }

    #[test]
    fn an_ensemble_is_never_asked_for_a_write_whose_record_is_cut() {
        use coordd_proto::{OpCode, Request as Read, is_refused_unnumbered};
        let hangs = |request: &Request| {
            if let Request::Multi { parts, .. } = request {
                return parts.iter().any(|part| matches!(part, Request::SetAcl { .. }));
            }
            let Request::Raw { op, record } = request else { return false };
            let write = OpCode::from_wire(*op).filter(|_| matches!(op, 1 | 2 | 5 | 7 | 14 | 15 | 19 | 21));
            write.is_some_and(|op| Read::decode(op, record).is_err_and(|fault| is_refused_unnumbered(op, fault)))
        };
        let found = |for_ensembles| {
            let steps = Script::new(3, for_ensembles).take(60_000);
            let bursts =
                steps.filter_map(|step| if let Step::Burst { requests, .. } = step { Some(requests) } else { None });
            bursts.flatten().filter(hangs).count()
        };
        assert!(found(false) > 100);
        assert_eq!(found(true), 0);
    }
}
