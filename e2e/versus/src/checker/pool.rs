//! Writes of unknown outcome: what may explain a change that nobody was told of, each at most once.

use std::collections::{HashMap, HashSet};

use crate::history::{Answer, Call, History, Op, Reply, Value};

pub(super) const SESSION_EXPIRED: i32 = -112;

/// The unknown writes by path; a sequential create by the path that it asked for.
#[derive(Debug, Default)]
pub(super) struct Pool {
    creates: HashMap<String, Vec<(Value, i64)>>,
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

    /// Takes an unknown create of `path` (of this value, if it is known): its value and owner.
    pub(super) fn take_create(&mut self, path: &str, value: Option<Value>) -> Option<(Value, i64)> {
        let sequential = path.len().checked_sub(10).and_then(|cut| path.get(..cut));
        for asked in [Some(path), sequential].into_iter().flatten() {
            if let Some(list) = self.creates.get_mut(asked)
                && let Some(at) = list.iter().position(|(v, _)| value.is_none_or(|wanted| wanted == *v))
            {
                return Some(list.remove(at));
            }
        }
        None
    }

    /// Gives back what was taken by a wrong guess.
    pub(super) fn put_create(&mut self, path: &str, value: Value, owner: i64) {
        self.creates.entry(path.to_owned()).or_default().push((value, owner));
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

    /// Whether the session may have ended at or before `zxid`: no later reply shows it alive.
    pub(super) fn may_have_ended(&self, session: i64, zxid: i64) -> bool {
        self.fates.get(&session).is_none_or(|fate| fate.alive < zxid)
    }
}

fn value_read(call: &Call) -> Option<Value> {
    match call.reply.as_ref()?.answer {
        Answer::Data { value, .. } => value,
        _ => None,
    }
}
