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
                open(&self.gate, &self.applied, sent_ms, self.bound_ms, read_index).await;
                true
            }
            Ok(Some(ContactAnswer::NotLeader | ContactAnswer::Wait) | None) | Err(_) => false,
        }
    }
}

/// Opens the gate by an acknowledgement of the report that was sent at `sent_ms`, once what it names is applied here.
/// Not later than the bound: nothing is left of it then.
async fn open(gate: &Gate, applied: &Applied, sent_ms: u64, bound_ms: u64, read_index: u64) {
    if timeout(Duration::from_millis(bound_ms), applied.reached(read_index)).await.is_ok() {
        gate.open_until(sent_ms + bound_ms);
    }
}

#[cfg(test)]
mod tests {
    use coordd_tree::State;
    use tokio::time::advance;

    use super::*;
    use crate::raft::applied::{Position, Seen};

    const BOUND_MS: u64 = 250;

    fn apply(applied: &Applied, index: u64) {
        applied.publish(Position { term: 1, index }, Seen::of(&State::new()));
    }

    /// A moment that is behind the start of the clock, whichever test of this process read it first.
    async fn some_time() -> u64 {
        advance(Duration::from_secs(60)).await;
        clock::monotonic_ms()
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_answers_within_the_bound_of_when_it_sent_the_report_and_not_of_when_it_was_acknowledged() {
        let (gate, applied) = (Gate::default(), Applied::new(State::new()));
        let sent_ms = some_time().await;
        assert!(!gate.is_open(), "nobody has acknowledged anything");
        advance(Duration::from_millis(200)).await;
        open(&gate, &applied, sent_ms, BOUND_MS, 0).await;
        assert!(gate.is_open());
        advance(Duration::from_millis(BOUND_MS - 200 - 1)).await;
        assert!(gate.is_open());
        advance(Duration::from_millis(1)).await;
        assert!(!gate.is_open(), "a pause that ends now finds it shut");
        open(&gate, &applied, sent_ms, BOUND_MS, 0).await;
        assert!(!gate.is_open(), "an acknowledgement that comes so late opens nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_leader_had_committed_is_applied_before_a_client_is_answered() {
        let (gate, applied) = (Gate::default(), Applied::new(State::new()));
        let sent_ms = some_time().await;
        apply(&applied, 6);
        let opens = open(&gate, &applied, sent_ms, BOUND_MS, 7);
        tokio::pin!(opens);
        assert!(timeout(Duration::from_millis(100), &mut opens).await.is_err() && !gate.is_open());
        apply(&applied, 7);
        opens.await;
        assert!(gate.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_acknowledgement_extends_what_an_older_one_opened_and_never_shortens_it() {
        let (gate, applied) = (Gate::default(), Applied::new(State::new()));
        let sent_ms = some_time().await;
        open(&gate, &applied, sent_ms + 100, BOUND_MS, 0).await;
        open(&gate, &applied, sent_ms, BOUND_MS, 0).await;
        advance(Duration::from_millis(BOUND_MS + 99)).await;
        assert!(gate.is_open());
        gate.shut();
        open(&gate, &applied, sent_ms + 200, BOUND_MS, 0).await;
        assert!(!gate.is_open(), "shut for good");
    }
}
