//! Writes of unknown outcome: what may explain a change that nobody was told of, each at most once.

use std::collections::{HashMap, HashSet};

use crate::history::{Answer, Call, History, Op, Reply, Value};

pub(super) const SESSION_EXPIRED: i32 = -112;

/// The unknown writes by path; a sequential create by the path that it asked for.
#[derive(Debug, Default)]
pub(super) struct Pool {
    creates: HashMap<String, Vec<(Value, i64)>>,
    /// Creates that were taken for a znode whose value is not known: any of those of the same path may be the one.
    guessed: HashMap<String, Vec<(Value, i64)>>,
    sets: HashMap<String, Vec<Value>>,
    deletes: HashMap<String, usize>,
    fates: HashMap<i64, Fate>,
}

/// What is known of the end of a session.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    /// The largest zxid of a reply that shows it alive.
    alive: i64,
}

impl Pool {
    pub(super) fn new(history: &History) -> Self {
        let mut pool = Pool::default();
        let seen: HashSet<Value> = history.calls().filter_map(value_read).collect();
        for call in history.calls() {
            match (&call.reply, &call.op) {
                (Some(reply), Op::CloseSession) if !reply.answer.refused() => {}
                (Some(Reply { answer: Answer::Error(SESSION_EXPIRED), .. }), _) => {}
                (Some(reply), _) => {
                    let fate = pool.fates.entry(call.session).or_default();
                    fate.alive = fate.alive.max(reply.zxid);
                }
                (None, op) => op.parts().iter().for_each(|part| pool.add(part, call.session)),
            }
        }
        // What somebody read is kept for that read; what nobody read is taken first.
        pool.sets.values_mut().for_each(|list| list.sort_by_key(|value| !seen.contains(value)));
        pool
    }

    fn add(&mut self, op: &Op, session: i64) {
        match op {
            Op::Create { path, value, flags } => {
                let owner = if matches!(flags, 1 | 3) { session } else { 0 };
                self.creates.entry(path.clone()).or_default().push((*value, owner));
            }
            Op::Set { path, value, .. } => self.sets.entry(path.clone()).or_default().push(*value),
            Op::Delete { path, .. } => *self.deletes.entry(path.clone()).or_default() += 1,
            _ => {}
        }
    }

    /// Takes an unknown create of `path`, whichever that is: its value and owner.
    pub(super) fn guess_create(&mut self, path: &str) -> Option<(Value, i64)> {
        let asked = asked_for(path).find(|asked| self.creates.get(*asked).is_some_and(|list| !list.is_empty()))?;
        let taken = self.creates.get_mut(asked)?.remove(0);
        self.guessed.entry(asked.to_owned()).or_default().push(taken);
        Some(taken)
    }

    /// Takes the unknown create of `path` that wrote this value; whether there is one. A guess that had it goes on with
    /// another.
    pub(super) fn take_create(&mut self, path: &str, value: Value) -> bool {
        for asked in asked_for(path) {
            if take(&mut self.creates, asked, value).is_some() {
                return true;
            }
            if take(&mut self.guessed, asked, value).is_some() {
                self.guess_create(path);
                return true;
            }
        }
        false
    }

    /// Now the value of a znode is known for which `guess` was taken; whether one of that value was left.
    pub(super) fn settle_guess(&mut self, path: &str, guess: Value, value: Value) -> bool {
        for asked in asked_for(path) {
            if take(&mut self.guessed, asked, value).is_some() {
                return true;
            }
            if take(&mut self.creates, asked, value).is_some() {
                let wrong = take(&mut self.guessed, asked, guess);
                self.creates.entry(asked.to_owned()).or_default().extend(wrong);
                return true;
            }
        }
        false
    }

    /// Takes `count` unknown sets of `path`, the last of which wrote `last`.
    pub(super) fn take_sets(&mut self, path: &str, count: usize, last: Option<Value>) -> bool {
        let Some(list) = self.sets.get_mut(path) else { return count == 0 };
        if list.len() < count {
            return false;
        }
        let mut others = count;
        if let Some(last) = last {
            let Some(at) = list.iter().position(|v| *v == last) else { return false };
            list.remove(at);
            others -= 1;
        }
        list.truncate(list.len() - others);
        true
    }

    pub(super) fn take_delete(&mut self, path: &str) -> bool {
        match self.deletes.get_mut(path) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether a delete of `path` is left that may have happened.
    pub(super) fn may_delete(&self, path: &str) -> bool {
        self.deletes.get(path).is_some_and(|left| *left > 0)
    }

    /// Whether the session may have ended at or before `zxid`: no later reply shows it alive.
    pub(super) fn may_have_ended(&self, session: i64, zxid: i64) -> bool {
        self.fates.get(&session).is_none_or(|fate| fate.alive < zxid)
    }
}

/// The paths that a create of `path` may have asked for: it, and that of which it is the sequence.
fn asked_for(path: &str) -> impl Iterator<Item = &str> {
    let sequential = path.len().checked_sub(10).and_then(|cut| path.get(..cut));
    [Some(path), sequential].into_iter().flatten()
}

fn take(from: &mut HashMap<String, Vec<(Value, i64)>>, asked: &str, value: Value) -> Option<(Value, i64)> {
    let list = from.get_mut(asked)?;
    let at = list.iter().position(|(known, _)| *known == value)?;
    Some(list.remove(at))
}

fn value_read(call: &Call) -> Option<Value> {
    match call.reply.as_ref()?.answer {
        Answer::Data { value, .. } => value,
        _ => None,
    }
}
