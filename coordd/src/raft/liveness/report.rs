//! The session heartbeat of this member: every 100 ms, to whoever leads.
//!
//! Contacts that were not acknowledged are sent again with the next report, merged with what came since. An
//! acknowledgement opens the gate until `bound` after the report was *sent*, once what the leader had committed then is
//! applied here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use coordd_proto::SessionId;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::expire::ContactDesk;
use super::gate::Gate;
use crate::clock;
use crate::consensus::{Contact, LocalSessions};
use crate::raft::applied::Applied;
use crate::raft::door::Door;
use crate::raft::leadership::Leadership;
use crate::raft::peer::call::{Answer, Call, ContactAnswer, ContactReport};
use crate::raft::peer::peers::Peers;

const EVERY: Duration = Duration::from_millis(100);

/// What the reporter works with.
pub(crate) struct Reporter {
    pub member: u64,
    pub boot: u32,
    pub bound_ms: u64,
    pub sessions: Arc<dyn LocalSessions>,
    pub gate: Arc<Gate>,
    pub applied: Arc<Applied>,
    pub peers: Arc<Peers>,
    pub leadership: Leadership,
    /// This member's own desk, for when it leads.
    pub desk: Arc<ContactDesk>,
    pub door: Arc<Door>,
}

/// Contacts that no leader has acknowledged, on this member's clock: session → (attach, last request, closed).
type Unacknowledged = HashMap<SessionId, (u32, u64, bool)>;

impl Reporter {
    pub(crate) async fn run(mut self) {
        let mut unacknowledged = Unacknowledged::new();
        let mut fresh = Vec::new();
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut leadership = self.leadership.clone();
            tokio::select! {
                _ = tick.tick() => {}
                // Where consensus has stopped nothing opens the gate again.
                changed = leadership.0.changed() => if changed.is_err() { return },
            }
            self.leadership.0.mark_unchanged();
            // Taken before the look at the sessions, and their contacts after it: a pause in between makes nobody
            // silent.
            let sent_ms = clock::monotonic_ms();
            self.sessions.collect(&mut fresh);
            let looked_ms = clock::monotonic_ms();
            for Contact { session, attach, silent_ms, grace_ms, closed } in fresh.drain(..) {
                // As if it had spoken later by what it is granted: the leader counts a timeout from there.
                let contact_ms = looked_ms.saturating_sub(u64::from(silent_ms)) + u64::from(grace_ms);
                unacknowledged.insert(session, (attach, contact_ms, closed));
            }
            if self.send(sent_ms, &unacknowledged).await {
                unacknowledged.clear();
            }
        }
    }

    async fn send(&self, sent_ms: u64, contacts: &Unacknowledged) -> bool {
        let Some(leader) = self.leadership.leader() else { return false };
        let contacts =
            contacts.iter().map(|(session, &(attach, at_ms, closed))| (session.0, attach, at_ms, closed)).collect();
        let report = ContactReport {
            boot: self.boot,
            sent_ms,
            bound_ms: self.bound_ms,
            grace_ms: self.sessions.grace_max_ms(),
            contacts,
            short_of_disk: self.door.is_short(),
        };
        let exchange = async {
            if leader.id == self.member {
                Some(self.desk.receive(self.member, &report).await)
            } else {
                match self.peers.call(leader.id, &Call::Contacts(report)).await {
                    Ok(Answer::Contacts(answer)) => Some(answer),
                    Ok(_) | Err(_) => None,
                }
            }
        };
        let bound = Duration::from_millis(self.bound_ms);
        let mut leadership = self.leadership.clone();
        let answer = tokio::select! {
            biased;
            answer = timeout(bound, exchange) => answer,
            // It may hang; its successor is to be asked at once.
            () = leadership.changed_from(leader) => return false,
        };
        match answer {
            Ok(Some(ContactAnswer::Acknowledged { read_index, most_are_short })) => {
                self.door.hear_of_the_others(most_are_short);
                if timeout(bound, self.applied.reached(read_index)).await.is_ok() {
                    self.gate.open_until(sent_ms + self.bound_ms);
                }
                true
            }
            Ok(Some(ContactAnswer::NotLeader | ContactAnswer::Wait) | None) | Err(_) => false,
        }
    }
}
