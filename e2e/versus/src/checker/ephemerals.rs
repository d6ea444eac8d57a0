//! An ephemeral does not outlive its session, whether that was closed or expired.
//!
//! ```text
//!   closed    the zxid of the answer names the end
//!   expired   a client is told so at a moment; every write and every sync that is sent later is ordered behind the
//!             end, so the smallest zxid among their answers is one at which the ephemerals are gone
//! ```
//!
//! Rule: a read is held against zxids, never against the clock. Reason: a member may lag, and then shows what was.

use std::collections::HashMap;

use super::pool::SESSION_EXPIRED;
use super::sessions::is_ordered;
use super::{Findings, Promise};
use crate::history::{Answer, ClientHistory, Entry, History, Op, What};

/// By which zxid a session is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) zxid: i64,
    /// It ended there and not before.
    pub(super) exact: bool,
}

/// The sessions that are known to have ended.
pub(super) fn ends(history: &History) -> HashMap<i64, End> {
    let later = Later::of(history);
    let mut ends: HashMap<i64, End> = HashMap::new();
    for client in &history.clients {
        for entry in &client.entries {
            let Some(end) = end_of(client, entry, &later) else { continue };
            let known = ends.entry(entry.session).or_insert(end);
            if end.zxid < known.zxid {
                *known = end;
            }
        }
    }
    ends
}

fn end_of(client: &ClientHistory, entry: &Entry, later: &Later) -> Option<End> {
    let expired = || Some(End { zxid: later.first_behind(entry.at)?, exact: false });
    match &entry.what {
        What::Refused { .. } => expired(),
        What::Answered(index) => {
            let call = &client.calls[*index];
            let reply = call.reply.as_ref()?;
            match (&call.op, &reply.answer) {
                (Op::CloseSession, Answer::Done) => Some(End { zxid: reply.zxid, exact: true }),
                (_, Answer::Error(SESSION_EXPIRED)) => expired(),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What is ordered behind each moment.
struct Later {
    /// When something was sent, and the smallest zxid from there on; by time.
    moments: Vec<(u64, i64)>,
}

impl Later {
    fn of(history: &History) -> Self {
        let ordered = history.calls().filter(|call| is_ordered(call));
        let mut moments: Vec<_> = ordered.filter_map(|call| Some((call.sent, call.reply.as_ref()?.zxid))).collect();
        moments.sort_unstable();
        let mut smallest = i64::MAX;
        for (_, zxid) in moments.iter_mut().rev() {
            smallest = smallest.min(*zxid);
            *zxid = smallest;
        }
        Later { moments }
    }

    fn first_behind(&self, at: u64) -> Option<i64> {
        self.moments.get(self.moments.partition_point(|(sent, _)| *sent <= at)).map(|(_, zxid)| *zxid)
    }
}

pub(super) fn check(history: &History, ends: &HashMap<i64, End>, findings: &mut Findings) {
    for call in history.calls() {
        let Some(reply) = &call.reply else { continue };
        for (op, answer) in call.outcomes() {
            let (Answer::Stat(stat) | Answer::Data { stat, .. }) = answer else { continue };
            let owner = stat.ephemeral_owner.0;
            if let Some(end) = ends.get(&owner).filter(|end| end.zxid <= reply.zxid) {
                let (path, at, by) = (op.path(), reply.zxid, end.zxid);
                let text = format!("{path} is of session {owner:#x} at {at:#x}, which was gone by {by:#x}");
                findings.add(Promise::EphemeralKept, text);
            }
        }
    }
}
