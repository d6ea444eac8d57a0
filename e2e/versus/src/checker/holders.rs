//! No two clients believe to hold one ephemeral at one instant.
//!
//! ```text
//!   belief   from the reply to the create ─► until `timeout` after the sending of the last request that was answered,
//!            or until the holder itself asks to delete it or to close the session
//! ```

use std::collections::HashMap;

use super::sessions::Belief;
use super::{Findings, Promise};
use crate::history::{Answer, Call, ClientHistory, History, Op, What};

/// A stretch of time in which a client believes that it holds a path.
#[derive(Debug, Clone, Copy)]
struct Hold {
    from: u64,
    until: u64,
    client: usize,
    session: i64,
}

pub fn check(history: &History, findings: &mut Findings) {
    let mut holds: HashMap<&str, Vec<Hold>> = HashMap::new();
    for (number, client) in history.clients.iter().enumerate() {
        gather(number, client, &mut holds);
    }
    for (path, list) in &mut holds {
        list.sort_by_key(|hold| hold.from);
        let mut longest: Option<Hold> = None;
        for hold in list {
            if let Some(other) = longest
                && other.session != hold.session
                && hold.from < other.until
            {
                let overlap = (other.until.min(hold.until) - hold.from) / 1000;
                let text = format!("{path}: clients {} and {} for {overlap} µs", other.client, hold.client);
                findings.add(Promise::OneHolder, text);
            }
            if longest.is_none_or(|other| other.until < hold.until) {
                longest = Some(*hold);
            }
        }
    }
}

fn gather<'a>(number: usize, client: &'a ClientHistory, holds: &mut HashMap<&'a str, Vec<Hold>>) {
    let mut beliefs: HashMap<i64, Belief> = HashMap::new();
    // What each session holds, and when it asks to end that.
    let mut held: HashMap<&str, (i64, u64)> = HashMap::new();
    for entry in &client.entries {
        let belief = beliefs.entry(entry.session).or_insert_with(Belief::none);
        belief.update(client, entry);
        held.retain(|_, (_, ends)| *ends > entry.at);
        // What is held goes on to be believed in; a lapse in between ends the stretch.
        for (path, (_, ends)) in held.iter().filter(|(_, (session, _))| *session == entry.session) {
            let until = belief.until.min(*ends);
            let stretches = holds.entry(path).or_default();
            match stretches.iter_mut().rev().find(|h| h.client == number && h.session == entry.session) {
                Some(last) if last.until >= entry.at => last.until = last.until.max(until),
                _ if until > entry.at => {
                    stretches.push(Hold { from: entry.at, until, client: number, session: entry.session });
                }
                _ => {}
            }
        }
        let What::Answered(index) = entry.what else { continue };
        let call = &client.calls[index];
        for path in taken(call) {
            let ends = given_up(client, path, call.session, index).unwrap_or(u64::MAX);
            held.insert(path, (entry.session, ends));
            let until = belief.until.min(ends);
            if until > entry.at {
                let hold = Hold { from: entry.at, until, client: number, session: entry.session };
                holds.entry(path).or_default().push(hold);
            }
        }
    }
}

/// The ephemerals that an answered call made.
fn taken(call: &Call) -> impl Iterator<Item = &str> {
    let answers = match call.reply.as_ref().map(|r| &r.answer) {
        Some(Answer::Multi(answers)) => answers.as_slice(),
        Some(answer) => std::slice::from_ref(answer),
        None => &[],
    };
    call.op.parts().iter().zip(answers).filter_map(|pair| match pair {
        (Op::Create { flags: 1 | 3, .. }, Answer::Created { path }) => Some(path.as_str()),
        _ => None,
    })
}

/// When the client itself asked to end it, after the call that made it.
fn given_up(client: &ClientHistory, path: &str, session: i64, made_by: usize) -> Option<u64> {
    client.calls[made_by..]
        .iter()
        .filter(|c| c.session == session)
        .find(|c| {
            let deletes = |part: &Op| matches!(part, Op::Delete { path: p, .. } if p == path);
            c.op == Op::CloseSession || c.op.parts().iter().any(deletes)
        })
        .map(|c| c.sent)
}
