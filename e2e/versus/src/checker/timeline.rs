//! What each znode was at each zxid, rebuilt from what was acknowledged and what was seen.
//!
//! ```text
//!   for each path, by zxid:   writes that were acknowledged change it,  reads (and refusals) must show what it is;
//!                             where they do not, a write of unknown outcome or an ended session may explain it, once
//! ```
//!
//! Rule: a state that was shown at zxid z holds up to z, so what explains a later change comes after z. Reason: that is
//! what makes a read that is one write behind visible.

use std::collections::{BTreeMap, HashMap, HashSet};

use coordd_proto::Stat;

use super::ephemerals::End;
use super::evidence::Evidence;
use super::pool::Pool;
use super::{Findings, Promise};
use crate::history::{Answer, History, Op, Value, What, parent};
use crate::wire::Event;

const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;

/// How a znode changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Created,
    Set,
    Deleted,
}

/// A change of a znode. One that nobody was told of may have an uncertain place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub zxid: i64,
    pub kind: Kind,
    pub exact: bool,
}

/// The changes of every path, by zxid.
pub type Timeline = HashMap<String, Vec<Change>>;

/// What is known of one znode. A part that nobody has seen yet is `None`.
#[derive(Debug, Clone, Copy)]
struct Node {
    czxid: Option<i64>,
    mzxid: Option<i64>,
    version: i32,
    value: Option<Value>,
    owner: Option<i64>,
    /// What a create of unknown outcome wrote that was taken for it before it was read.
    guess: Option<Value>,
}

/// Something that is known about a path at a zxid.
#[derive(Debug, Clone)]
enum Fact {
    Created {
        value: Value,
        owner: i64,
    },
    Set {
        value: Value,
        expected: i32,
        stat: Stat,
    },
    Deleted {
        expected: i32,
    },
    Closed {
        session: i64,
    },
    /// Of an expired session: it ended here or before.
    Expired {
        session: i64,
    },
    Seen {
        value: Option<Value>,
        stat: Stat,
    },
    Present,
    /// Found by a check, before the other parts of its multi.
    OfVersion(i32),
    OtherVersion(i32),
    Absent,
}

/// Rebuilds every znode.
pub(super) fn build(history: &History, ends: &HashMap<i64, End>, findings: &mut Findings) -> Timeline {
    let mut pool = Pool::new(history);
    let told = deletions_told(history);
    let mut facts = gather(history);
    end_sessions(ends, &mut facts);
    let mut timeline = Timeline::new();
    let mut evidence = Evidence::of(history);
    for (path, mut facts) in facts {
        // A write stands before what was read at its own zxid.
        facts.sort_by_key(|(zxid, fact)| (*zxid, !fact.writes()));
        let told = told.get(path.as_str()).map_or(&[][..], Vec::as_slice);
        let mut replay = Replay {
            path: &path,
            told,
            pool: &mut pool,
            findings,
            node: None,
            shown: 0,
            values: HashMap::new(),
            changes: Vec::new(),
        };
        facts.iter().for_each(|(zxid, fact)| replay.take(*zxid, fact));
        let mut changes = replay.changes;
        changes.sort_by_key(|c| c.zxid);
        evidence.refine(&path, &mut changes, findings);
        timeline.insert(path, changes);
    }
    evidence.rest(&mut timeline, findings);
    timeline
}

type Facts = BTreeMap<String, Vec<(i64, Fact)>>;

fn gather(history: &History) -> Facts {
    let mut facts = Facts::new();
    let mut listings = Vec::new();
    for call in history.calls() {
        let Some(reply) = call.reply.as_ref() else { continue };
        if let (Op::Children { path, .. }, Answer::Children { names }) = (&call.op, &reply.answer) {
            listings.push((reply.zxid, path.as_str(), names.iter().map(String::as_str).collect::<HashSet<_>>()));
            if path != "/" {
                facts.entry(path.clone()).or_default().push((reply.zxid, Fact::Present));
            }
        }
        for (path, fact) in call.outcomes().iter().filter_map(|(op, answer)| fact_of(op, call.session, answer)) {
            facts.entry(path).or_default().push((reply.zxid, fact));
        }
    }
    for (_, above, names) in &listings {
        for name in names {
            facts.entry(format!("{}/{name}", above.trim_end_matches('/'))).or_default();
        }
    }
    for (path, facts) in &mut facts {
        let (above, name) = (parent(path), &path[path.rfind('/').map_or(0, |at| at + 1)..]);
        for (zxid, _, names) in listings.iter().filter(|l| l.1 == above) {
            facts.push((*zxid, if names.contains(name) { Fact::Present } else { Fact::Absent }));
        }
    }
    facts
}

fn fact_of(op: &Op, session: i64, answer: &Answer) -> Option<(String, Fact)> {
    let fact = match (op, answer) {
        (Op::Create { value, flags, .. }, Answer::Created { path }) => {
            let owner = if matches!(flags, 1 | 3) { session } else { 0 };
            return Some((path.clone(), Fact::Created { value: *value, owner }));
        }
        (Op::Set { value, version, .. }, Answer::Stat(stat)) => {
            Fact::Set { value: *value, expected: *version, stat: *stat }
        }
        (Op::Delete { version, .. }, Answer::Done) => Fact::Deleted { expected: *version },
        (Op::Get { .. }, Answer::Data { value, stat }) => Fact::Seen { value: *value, stat: *stat },
        (Op::Exists { .. }, Answer::Stat(stat)) => Fact::Seen { value: None, stat: *stat },
        (Op::Check { version, .. }, Answer::Done) => Fact::OfVersion(*version),
        (Op::Create { .. }, Answer::Error(NODE_EXISTS)) => Fact::Present,
        (Op::Create { .. }, _) => return None,
        (_, Answer::Error(NO_NODE)) => Fact::Absent,
        (
            Op::Set { version, .. } | Op::Delete { version, .. } | Op::Check { version, .. },
            Answer::Error(BAD_VERSION),
        ) => Fact::OtherVersion(*version),
        _ => return None,
    };
    Some((op.path().to_owned(), fact))
}

/// A closed session ends its ephemerals at the zxid of the close, an expired one by the zxid that is known.
fn end_sessions(ends: &HashMap<i64, End>, facts: &mut Facts) {
    for facts in facts.values_mut() {
        let owners: HashSet<i64> = facts
            .iter()
            .filter_map(|(_, fact)| if let Fact::Created { owner, .. } = fact { Some(*owner) } else { None })
            .collect();
        let ended = owners.into_iter().filter_map(|session| {
            let End { zxid, exact } = *ends.get(&session)?;
            Some((zxid, if exact { Fact::Closed { session } } else { Fact::Expired { session } }))
        });
        facts.extend(ended);
    }
}

/// Where events say that a path was deleted.
fn deletions_told(history: &History) -> HashMap<&str, Vec<i64>> {
    let mut told: HashMap<&str, Vec<i64>> = HashMap::new();
    for entry in history.clients.iter().flat_map(|c| &c.entries) {
        if let What::Event { kind: Event::DELETED, path, zxid } = &entry.what {
            told.entry(path).or_default().push(*zxid);
        }
    }
    told.values_mut().for_each(|list| list.sort_unstable());
    told
}

impl Fact {
    fn writes(&self) -> bool {
        use Fact::*;
        matches!(self, Created { .. } | Set { .. } | Deleted { .. } | Closed { .. } | Expired { .. } | OfVersion(_))
    }
}

/// One path on its way through the zxids.
struct Replay<'a> {
    path: &'a str,
    told: &'a [i64],
    pool: &'a mut Pool,
    findings: &'a mut Findings,
    node: Option<Node>,
    /// The state is known to hold up to here.
    shown: i64,
    /// At which zxid each value was written.
    values: HashMap<Value, i64>,
    changes: Vec<Change>,
}

impl Replay<'_> {
    fn take(&mut self, zxid: i64, fact: &Fact) {
        match fact {
            Fact::Created { value, owner } => self.created(zxid, *value, *owner),
            Fact::Set { value, expected, stat } => self.set(zxid, *value, *expected, stat),
            Fact::Deleted { expected } => self.deleted(zxid, *expected),
            Fact::Closed { session } => {
                if self.node.is_some_and(|n| n.owner == Some(*session)) {
                    self.closed(zxid);
                }
            }
            Fact::Expired { session } => {
                if self.node.is_some_and(|n| n.owner == Some(*session)) {
                    self.vanish(zxid);
                }
            }
            Fact::Seen { value, stat } => self.seen(zxid, *value, stat),
            Fact::Present => self.must_be(zxid),
            Fact::OfVersion(version) => {
                self.must_be(zxid);
                if let Some(mut node) = self.node.filter(|_| *version >= 0) {
                    if *version > node.version {
                        (node.mzxid, node.value) = (None, None);
                    }
                    self.catch_up(zxid, &mut node, *version, None);
                    self.node = Some(node);
                }
            }
            Fact::OtherVersion(version) => {
                self.must_be(zxid);
                if self.node.is_some_and(|n| n.version == *version) && !self.pool.take_sets(self.path, 1, None) {
                    self.fail(
                        Promise::ReadAtZxid,
                        zxid,
                        format!("version {version} was refused and is the present one"),
                    );
                }
            }
            Fact::Absent => self.must_not_be(zxid),
        }
        // That it is there says neither which version nor which of two creates it is from.
        if !matches!(fact, Fact::Present | Fact::OtherVersion(_)) {
            self.shown = zxid;
        }
    }

    fn created(&mut self, zxid: i64, value: Value, owner: i64) {
        // At its own zxid it may stand, but nothing before.
        self.must_not_be(zxid);
        self.written(zxid, value);
        self.change(zxid, Kind::Created);
        let known = Some(zxid);
        self.node =
            Some(Node { czxid: known, mzxid: known, version: 0, value: Some(value), owner: Some(owner), guess: None });
    }

    fn set(&mut self, zxid: i64, value: Value, expected: i32, stat: &Stat) {
        self.must_be(zxid);
        let Some(mut node) = self.node else { return };
        self.catch_up(zxid, &mut node, stat.version - 1, None);
        if expected >= 0 && expected != node.version {
            self.fail(Promise::ReadAtZxid, zxid, format!("set expected version {expected} and met {}", node.version));
        }
        if stat.mzxid.0 != zxid {
            self.fail(Promise::ReadAtZxid, zxid, format!("set was answered with mzxid {}", stat.mzxid));
        }
        self.written(zxid, value);
        self.change(zxid, Kind::Set);
        (node.version, node.value, node.mzxid) = (stat.version, Some(value), Some(zxid));
        self.node = Some(node);
    }

    fn deleted(&mut self, zxid: i64, expected: i32) {
        self.must_be(zxid);
        if let Some(node) = self.node
            && expected >= 0
            && node.version != expected
            && !self.pool.take_sets(self.path, 1, None)
        {
            self.fail(Promise::ReadAtZxid, zxid, format!("delete expected {expected} and met {}", node.version));
        }
        self.change(zxid, Kind::Deleted);
        self.node = None;
    }

    /// Its session was closed; but a delete of unknown outcome may have come before.
    fn closed(&mut self, zxid: i64) {
        match self.told_deletion(zxid) {
            Some(told) if told < zxid => return self.vanish(zxid),
            None if self.pool.may_delete(self.path) => self.change_unseen(Kind::Deleted),
            _ => self.change(zxid, Kind::Deleted),
        }
        self.node = None;
    }

    fn told_deletion(&self, upto: i64) -> Option<i64> {
        self.told.iter().copied().find(|told| *told > self.shown && *told <= upto)
    }

    fn seen(&mut self, zxid: i64, value: Option<Value>, stat: &Stat) {
        if self.node.is_some_and(|n| n.czxid.is_some_and(|czxid| czxid < stat.czxid.0)) {
            // It was deleted and made again, and nobody was told of either.
            self.vanish(stat.czxid.0);
        }
        if self.node.is_none() {
            let first = if stat.version == 0 { value } else { None };
            self.appear(zxid, Some(stat.czxid.0), first, Some(stat.ephemeral_owner.0));
        }
        let Some(mut node) = self.node else { return };
        node.czxid = node.czxid.or(Some(stat.czxid.0));
        node.owner = node.owner.or(Some(stat.ephemeral_owner.0));
        if stat.version == 0 {
            self.settle_guess(zxid, &mut node, value);
        }
        if stat.version > node.version {
            self.catch_up(zxid, &mut node, stat.version, value);
            if stat.mzxid.0 <= self.shown && self.shown > 0 {
                self.fail(Promise::ReadAtZxid, zxid, format!("version {} of {} came unseen", stat.version, stat.mzxid));
            }
            self.change(stat.mzxid.0, Kind::Set);
            (node.version, node.mzxid, node.value) = (stat.version, Some(stat.mzxid.0), value);
        }
        node.mzxid = node.mzxid.or(Some(stat.mzxid.0));
        if let Some(value) = value {
            self.written(stat.mzxid.0, value);
            node.value = node.value.or(Some(value));
        }
        let same = node.czxid == Some(stat.czxid.0)
            && node.mzxid == Some(stat.mzxid.0)
            && node.version == stat.version
            && node.owner == Some(stat.ephemeral_owner.0)
            && (value.is_none() || value == node.value);
        if !same {
            let promise = if stat.version < node.version { Promise::WriteKept } else { Promise::ReadAtZxid };
            self.fail(promise, zxid, format!("read {value:?} {stat:?}, but it is {node:?}"));
            node = Node {
                czxid: Some(stat.czxid.0),
                mzxid: Some(stat.mzxid.0),
                version: stat.version,
                value,
                owner: Some(stat.ephemeral_owner.0),
                guess: None,
            };
        }
        self.node = Some(node);
    }

    /// Now that its value is known: was it the create that was taken for it?
    fn settle_guess(&mut self, zxid: i64, node: &mut Node, value: Option<Value>) {
        let (Some(guess), Some(value)) = (node.guess, value) else { return };
        node.guess = None;
        if !self.pool.settle_guess(self.path, guess, value) {
            self.fail(Promise::ReadAtZxid, zxid, format!("value {value:#x} was written by nobody"));
        }
        node.value = Some(value);
    }

    /// Explains versions that were written by nobody who was told.
    fn catch_up(&mut self, zxid: i64, node: &mut Node, version: i32, last: Option<Value>) {
        let Ok(missing) = usize::try_from(i64::from(version) - i64::from(node.version)) else {
            let text = format!("version fell from {} to {version}", node.version);
            self.fail(Promise::WriteKept, zxid, text);
            return;
        };
        if missing > 0 && !self.pool.take_sets(self.path, missing, last) {
            let text = format!("version rose from {} to {version}, no write explains it", node.version);
            self.fail(Promise::AppliedOnce, zxid, text);
        }
        let unseen = if last.is_some() { missing.saturating_sub(1) } else { missing };
        for _ in 0..unseen {
            self.change_unseen(Kind::Set);
        }
        node.version = version;
    }

    fn must_be(&mut self, zxid: i64) {
        if self.node.is_none() {
            self.appear(zxid, None, None, None);
        }
    }

    fn must_not_be(&mut self, zxid: i64) {
        if self.node.is_some() {
            self.vanish(zxid);
        }
    }

    /// It is there and should not be: a create of unknown outcome, or a broken promise.
    fn appear(&mut self, zxid: i64, czxid: Option<i64>, value: Option<Value>, owner: Option<i64>) {
        let (explained, guess) = match value {
            Some(value) => (self.pool.take_create(self.path, value), None),
            None => {
                let guess = self.pool.guess_create(self.path).map(|(value, _)| value);
                (guess.is_some(), guess)
            }
        };
        let after = czxid.is_none_or(|czxid| czxid > self.shown || self.shown == 0);
        if !explained || !after {
            self.fail(Promise::ReadAtZxid, zxid, "is there, but nobody made it".to_owned());
        }
        match czxid {
            Some(czxid) => self.change(czxid, Kind::Created),
            None => self.change_unseen(Kind::Created),
        }
        self.node = Some(Node { czxid, mzxid: czxid, version: 0, value, owner, guess });
    }

    /// It is gone and should not be: a delete of unknown outcome, an ended session, or a broken promise.
    fn vanish(&mut self, zxid: i64) {
        let Some(node) = self.node.take() else { return };
        let told = self.told_deletion(zxid);
        let ended = match node.owner {
            Some(0) => false,
            Some(owner) => self.pool.may_have_ended(owner, told.unwrap_or(zxid)),
            // Nobody saw whose it was.
            None => true,
        };
        if !ended && !self.pool.take_delete(self.path) {
            let promise = if node.owner == Some(0) { Promise::WriteKept } else { Promise::EphemeralKept };
            self.fail(promise, zxid, format!("is gone, but was {node:?}"));
        }
        match told {
            Some(told) => self.change(told, Kind::Deleted),
            None => self.change_unseen(Kind::Deleted),
        }
    }

    /// One value is written at one zxid.
    fn written(&mut self, zxid: i64, value: Value) {
        let first = *self.values.entry(value).or_insert(zxid);
        if first != zxid {
            self.fail(Promise::AppliedOnce, zxid, format!("value {value:#x} was written at {first:#x} already"));
        }
    }

    fn change(&mut self, zxid: i64, kind: Kind) {
        self.changes.push(Change { zxid, kind, exact: true });
    }

    /// A change whose place is only known to be after what was shown.
    fn change_unseen(&mut self, kind: Kind) {
        self.changes.push(Change { zxid: self.shown + 1, kind, exact: false });
    }

    fn fail(&mut self, promise: Promise, zxid: i64, text: String) {
        self.findings.add(promise, format!("{} at {zxid:#x}: {text}", self.path));
    }
}
