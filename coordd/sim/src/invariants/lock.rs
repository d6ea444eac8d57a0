//! No two clients believe at one instant that they hold the lock.
//!
//! ```text
//!   c1: created ──── asked, answered … last asked ──── + timeout: believes until here, or until it asks for its end
//!   c2:                                                   └─ told that it created the lock: from here on it believes
//! ```
//!
//! Rule: a client believes from the answer to its create on, and for a timeout from each request of its session that
//! was answered. Reason: it has no other clock to go by (design D8).

use std::collections::BTreeMap;

use crate::client::worker::LOCK;
use crate::history::{Answer, Happened, Record, Request, Write};
use crate::host::SESSION_TIMEOUT_MS;

struct Holder<'a> {
    client: &'a str,
    session: i64,
    zxid: i64,
    from_ms: u64,
}

pub(super) fn judge(records: &[Record]) -> Vec<String> {
    let mut holders = Vec::new();
    let (mut last_asked, mut let_go) = (BTreeMap::new(), BTreeMap::new());
    for record in records {
        let Record { client, session, asked_ms, heard_ms, .. } = record;
        if record.happened == Happened::Closed {
            let_go.entry(*session).or_insert(*asked_ms);
        }
        let Some((request, answer, zxid)) = record.answered() else { continue };
        last_asked.insert(*session, *asked_ms);
        if let (Request::Write(Write::Ephemeral { path, .. }), Answer::Written { .. }) = (request, answer)
            && path == LOCK
        {
            holders.push(Holder { client, session: *session, zxid, from_ms: *heard_ms });
        }
    }
    holders.sort_by_key(|holder| holder.zxid);
    let until = |holder: &Holder<'_>| {
        let timeout_ms = u64::from(SESSION_TIMEOUT_MS.unsigned_abs());
        let believes = last_asked.get(&holder.session).map_or(0, |asked| asked + timeout_ms);
        let_go.get(&holder.session).map_or(believes, |gone: &u64| believes.min(*gone))
    };
    let mut broken = Vec::new();
    for (before, after) in holders.iter().zip(holders.iter().skip(1)) {
        if until(before) > after.from_ms {
            broken.push(format!(
                "lock: {} holds it from {} ms on, and {} believed until {} ms that it does",
                after.client,
                after.from_ms,
                before.client,
                until(before)
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::sample::{at, ephemeral, of_session};
    use super::*;

    fn held(client: &str, session: i64, asked_ms: u64, zxid: i64) -> Record {
        at(asked_ms, asked_ms + 10, ephemeral(client, session, LOCK, client, zxid))
    }

    #[test]
    fn a_lock_that_is_taken_after_its_holder_gave_it_up_is_right() {
        let closed = at(200, 200, of_session("c1", 1, Happened::Closed));
        assert_eq!(judge(&[held("c1", 1, 100, 5), closed, held("c2", 2, 300, 7)]), Vec::<String>::new());
        let timeout_ms = u64::from(SESSION_TIMEOUT_MS.unsigned_abs());
        assert_eq!(judge(&[held("c1", 1, 100, 5), held("c2", 2, 100 + timeout_ms, 7)]), Vec::<String>::new());
    }

    #[test]
    fn a_lock_that_two_believe_to_hold_is_found() {
        assert_eq!(judge(&[held("c1", 1, 100, 5), held("c2", 2, 2000, 7)]).len(), 1);
    }
}
