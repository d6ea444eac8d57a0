//! An ephemeral lives as long as its session, and nobody ends a session while its client is there.
//!
//! ```text
//!   created at z by session S … absent at Z > z  ─► S is never answered again at a zxid ≥ Z
//!   S told to have expired at time t             ─► its client asked nothing that was answered in (t − timeout, t]
//! ```
//!
//! Rule: leaders come and go, and members are taken from under their clients; neither is a reason. Reason: design D6.

use std::collections::BTreeMap;

use super::acknowledged::NO_NODE;
use crate::history::{Answer, Happened, Record, Request, Write};
use crate::host::SESSION_TIMEOUT_MS;

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    let mut broken = lost_ephemerals(records);
    broken.extend(expired_too_early(records));
    broken
}

fn lost_ephemerals(records: &[Record]) -> Vec<String> {
    let mut last_answer: BTreeMap<i64, i64> = BTreeMap::new();
    // path → (created at, by which session)
    let mut made: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for record in records {
        let Some((request, answer, zxid)) = record.answered() else { continue };
        let last = last_answer.entry(record.session).or_insert(zxid);
        *last = zxid.max(*last);
        if let (Request::Write(Write::Ephemeral { path, .. }), Answer::Written { zxid }) = (request, answer) {
            made.entry(path).or_default().push((*zxid, record.session));
        }
    }
    let mut broken = Vec::new();
    for record in records {
        let Some((Request::Get { path, .. }, Answer::Refused { error: NO_NODE, .. }, zxid)) = record.answered() else {
            continue;
        };
        let alive = |session: &i64| last_answer.get(session).is_some_and(|last| *last >= zxid);
        for (created, session) in made.get(path.as_str()).into_iter().flatten() {
            if *created <= zxid && alive(session) {
                broken.push(format!(
                    "sessions: {path}, of session {session:#x} since {created:#x}, is absent for {} at {zxid:#x}, and \
                     the session goes on",
                    record.client
                ));
            }
        }
    }
    broken
}

fn expired_too_early(records: &[Record]) -> Vec<String> {
    let mut last_asked: BTreeMap<i64, u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for record in records {
        match record.happened {
            Happened::Expired => {
                let silent_ms = last_asked.get(&record.session).map(|asked| record.heard_ms - asked);
                if silent_ms.is_some_and(|silent| silent < u64::from(SESSION_TIMEOUT_MS.unsigned_abs())) {
                    let (client, session) = (&record.client, record.session);
                    broken
                        .push(format!("sessions: {session:#x} of {client} expired after {silent_ms:?} ms of silence"));
                }
            }
            _ if record.answered().is_some() => {
                last_asked.insert(record.session, record.asked_ms);
            }
            _ => {}
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::sample::{at, ephemeral, gone, of_session, set};
    use super::*;

    #[test]
    fn an_ephemeral_that_goes_with_its_session_is_right_and_one_that_goes_before_is_found() {
        let made = ephemeral("c1", 1, "/e", "one", 5);
        assert_eq!(judge(&[made.clone(), gone("c2", 2, "/e", 7)]), Vec::<String>::new());
        assert_eq!(judge(&[made.clone(), gone("c2", 2, "/e", 4)]), Vec::<String>::new(), "not there yet");
        assert_eq!(judge(&[made, gone("c2", 2, "/e", 7), set("c1", "/a", "two", 8)]).len(), 1);
    }

    #[test]
    fn a_session_that_expires_while_its_client_is_there_is_found() {
        let told = |after: u64| {
            let spoke = at(1000, 1010, set("c1", "/a", "one", 5));
            judge(&[spoke, at(1000, 1000 + after, of_session("c1", 1, Happened::Expired))])
        };
        assert_eq!(told(u64::from(SESSION_TIMEOUT_MS.unsigned_abs())), Vec::<String>::new());
        assert_eq!(told(u64::from(SESSION_TIMEOUT_MS.unsigned_abs()) - 1).len(), 1);
    }
}
