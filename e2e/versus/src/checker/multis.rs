//! A multi happens wholly or not at all, also one whose outcome nobody was told.
//!
//! ```text
//!   /pair/N/left and /pair/N/right are only ever set together ─► what is of one version is of one zxid in both
//!   a value of an unknown multi was read, or an event can only be of it ─► it happened, at that zxid:
//!        what it set        is of no older change from there on
//!        what it deleted    is of no older creation
//!        what it created    neither, and it is there until something may have deleted it
//! ```
//!
//! Reason: the timeline looks at one path at a time and lets each part of an unknown multi happen by itself.

use std::collections::{HashMap, HashSet};

use coordd_proto::Stat;

use super::pool::Pool;
use super::{Findings, Promise};
use crate::history::{Answer, Call, History, Op, Value, What, parent};
use crate::wire::Event;

const NO_NODE: i32 = -101;
const SEQUENTIAL: [i32; 2] = [2, 3];
const EPHEMERAL: [i32; 2] = [1, 3];

pub(super) fn check(history: &History, findings: &mut Findings) {
    pairs(history, findings);
    let unknown: Vec<&Call> = history.calls().filter(|c| c.reply.is_none() && c.op.parts().len() > 1).collect();
    if unknown.is_empty() {
        return;
    }
    let seen = Seen::of(history);
    for call in unknown {
        let Some(zxid) = seen.happened_at(call) else { continue };
        for part in call.op.parts() {
            if let Some(why) = seen.contradicts(call, part, zxid) {
                let text = format!("{:?} happened at {zxid:#x}, but not its part {part:?}: {why}", call.op);
                findings.add(Promise::AllOrNothing, text);
            }
        }
    }
}

fn pairs(history: &History, findings: &mut Findings) {
    let mut zxids: HashMap<(String, i32), i64> = HashMap::new();
    for (path, stat) in history.calls().flat_map(stats_of) {
        if !(path.ends_with("/left") || path.ends_with("/right")) || stat.version == 0 {
            continue;
        }
        let first = *zxids.entry((parent(path).to_owned(), stat.version)).or_insert(stat.mzxid.0);
        if first != stat.mzxid.0 {
            let text = format!("{path} is of version {} at {}, its other half at {first:#x}", stat.version, stat.mzxid);
            findings.add(Promise::AllOrNothing, text);
        }
    }
}

fn stats_of(call: &Call) -> Vec<(&str, Stat)> {
    call.outcomes().into_iter().filter_map(|(op, answer)| Some((op.path(), stat_of(&answer)?))).collect()
}

fn stat_of(answer: &Answer) -> Option<Stat> {
    match answer {
        Answer::Stat(stat) | Answer::Data { stat, .. } => Some(*stat),
        _ => None,
    }
}

/// What clients saw, ordered by what a multi may have changed.
struct Seen<'a> {
    /// At which zxid each value was written, as reads say and answered creates.
    values: HashMap<Value, i64>,
    /// The value that each znode was created with, where it is known.
    born: HashMap<String, Value>,
    stats: HashMap<String, Vec<(i64, Stat)>>,
    absences: HashMap<String, Vec<i64>>,
    listings: HashMap<&'a str, Vec<(i64, &'a [String])>>,
    /// Answered deletes.
    deletes: HashMap<&'a str, Vec<i64>>,
    /// How many unknown calls may have made each kind of change.
    suspects: HashMap<(i32, &'a str), usize>,
    events: HashMap<(i32, &'a str), HashSet<i64>>,
    /// The zxids of answered writes.
    answered: HashSet<i64>,
    /// Paths that were an ephemeral once: they end without a delete.
    ephemerals: HashSet<&'a str>,
    pool: Pool,
}

impl<'a> Seen<'a> {
    fn of(history: &'a History) -> Self {
        let mut seen = Seen {
            values: HashMap::new(),
            born: HashMap::new(),
            stats: HashMap::new(),
            absences: HashMap::new(),
            listings: HashMap::new(),
            deletes: HashMap::new(),
            suspects: HashMap::new(),
            events: HashMap::new(),
            answered: HashSet::new(),
            ephemerals: HashSet::new(),
            pool: Pool::new(history),
        };
        history.calls().for_each(|call| seen.take(call));
        for entry in history.clients.iter().flat_map(|c| &c.entries) {
            if let What::Event { kind, path, zxid } = &entry.what {
                seen.events.entry((*kind, path)).or_default().insert(*zxid);
            }
        }
        seen
    }

    fn take(&mut self, call: &'a Call) {
        for part in call.op.parts() {
            if let Op::Create { path, flags, .. } = part
                && EPHEMERAL.contains(flags)
            {
                self.ephemerals.insert(path);
            }
        }
        let Some(reply) = &call.reply else {
            for part in call.op.parts() {
                if let Some(kind) = event_of(part) {
                    *self.suspects.entry((kind, part.path())).or_default() += 1;
                }
            }
            return;
        };
        if call.op.writes() {
            self.answered.insert(reply.zxid);
        }
        if let (Op::Children { path, .. }, Answer::Children { names }) = (&call.op, &reply.answer) {
            self.listings.entry(path).or_default().push((reply.zxid, names));
        }
        for (op, answer) in call.outcomes() {
            match (op, &answer) {
                (Op::Create { value, .. }, Answer::Created { path }) => drop(self.born.insert(path.clone(), *value)),
                (Op::Delete { path, .. }, Answer::Done) => self.deletes.entry(path).or_default().push(reply.zxid),
                (Op::Create { .. }, _) => {}
                (_, Answer::Error(NO_NODE)) => {
                    self.absences.entry(op.path().to_owned()).or_default().push(reply.zxid);
                }
                (_, Answer::Data { value: Some(value), stat }) => {
                    self.values.insert(*value, stat.mzxid.0);
                    if stat.version == 0 {
                        self.born.insert(op.path().to_owned(), *value);
                    }
                }
                _ => {}
            }
            if let Some(stat) = stat_of(&answer) {
                self.stats.entry(op.path().to_owned()).or_default().push((reply.zxid, stat));
            }
        }
    }

    /// At which zxid an unknown multi happened, if that is known of any of its parts.
    fn happened_at(&self, call: &Call) -> Option<i64> {
        call.op.parts().iter().find_map(|part| self.by_value(part).or_else(|| self.by_event(part)))
    }

    fn by_value(&self, part: &Op) -> Option<i64> {
        match part {
            Op::Create { value, .. } | Op::Set { value, .. } => self.values.get(value).copied(),
            _ => None,
        }
    }

    /// An event of a change that nobody was answered for, and that nobody else may have made.
    fn by_event(&self, part: &Op) -> Option<i64> {
        let key = (event_of(part)?, part.path());
        if self.suspects.get(&key) != Some(&1) || self.ephemerals.contains(part.path()) {
            return None;
        }
        let mut zxids = self.events.get(&key)?.iter().filter(|zxid| **zxid > 0 && !self.answered.contains(zxid));
        zxids.next().copied().filter(|_| zxids.next().is_none())
    }

    /// What shows that this part did not happen at `zxid`.
    fn contradicts(&self, call: &Call, part: &Op, zxid: i64) -> Option<String> {
        let path = part.path();
        let newest = |stat: &Stat| if matches!(part, Op::Set { .. }) { stat.mzxid.0 } else { stat.czxid.0 };
        match part {
            Op::Create { flags, value, .. } if SEQUENTIAL.contains(flags) => {
                return self.is_in_no_listing(path, *value, *flags, zxid);
            }
            Op::Create { .. } | Op::Set { .. } | Op::Delete { .. } => {}
            _ => return None,
        }
        let stats = self.stats.get(path).map_or(&[][..], Vec::as_slice);
        if let Some((at, stat)) = stats.iter().find(|(at, stat)| *at >= zxid && newest(stat) < zxid) {
            return Some(format!("at {at:#x} it is {stat:?}"));
        }
        let Op::Create { flags, .. } = part else { return None };
        let owner = EPHEMERAL.contains(flags).then_some(call.session);
        let mut absences = self.absences.get(path).into_iter().flatten().copied();
        let gone = absences.find(|at| *at >= zxid && !self.may_be_gone(path, owner, zxid, *at));
        gone.map(|at| format!("at {at:#x} it is not there"))
    }

    /// Whether something may have deleted between the two what was created at `zxid`.
    fn may_be_gone(&self, path: &str, owner: Option<i64>, zxid: i64, at: i64) -> bool {
        self.suspects.contains_key(&(Event::DELETED, path))
            || self.deletes.get(path).is_some_and(|list| list.iter().any(|deleted| (zxid..=at).contains(deleted)))
            || owner.is_some_and(|session| self.pool.may_have_ended(session, at))
    }

    /// Nobody knows the name of a sequential znode of unknown outcome, so nobody deletes it; it ends with a session.
    fn is_in_no_listing(&self, asked: &str, value: Value, flags: i32, zxid: i64) -> Option<String> {
        if EPHEMERAL.contains(&flags) {
            return None;
        }
        let above = parent(asked);
        let is_another = |name: &String| {
            let path = format!("{}/{name}", above.trim_end_matches('/'));
            !path.starts_with(asked) || self.born.get(&path).is_some_and(|born| *born != value)
        };
        let listings = self.listings.get(above)?;
        let (at, _) = listings.iter().find(|(at, names)| *at >= zxid && names.iter().all(is_another))?;
        Some(format!("at {at:#x} every child of {above} is another's"))
    }
}

/// The event that a change by this part sets off at its own path.
fn event_of(part: &Op) -> Option<i32> {
    match part {
        Op::Create { .. } => Some(Event::CREATED),
        Op::Set { .. } => Some(Event::DATA_CHANGED),
        Op::Delete { .. } => Some(Event::DELETED),
        _ => None,
    }
}
