//! A broken link to the leader is news: survivors elect in milliseconds, not when timers run out (design D17).
//!
//! ```text
//!   control link to leader P is down (redialed in vain) ─► forget P's lease ─► wait 50 ms × rank ─► pre-vote, and
//!   again until somebody leads                                                      (3 s, then the timers do it)
//!   nothing from the leader for the stall limit though its link stands ─► the same until it is heard again: it hangs
//! ```
//!
//! A member that has just started hears nothing until its leader has dialled it anew; that is no silence. One whose
//! hanging leader is heard again stops standing: it would ask on, and at last unseat a leader that all can hear.
//!
//! A survivor that refuses another's pre-vote because its own log is longer does not wait for its turn: only it, or one
//! that is level with it, can win.
//!
//! Rule: only a member's *own* link to the leader lets it forget the lease, and the election is an ordinary pre-vote.
//! So a single cut cable changes nothing: the others still see the leader and refuse. Steps and measurements:
//! raft-notes.md §1.

use std::sync::Arc;
use std::time::Duration;

use openraft::raft::TransferLeaderRequest;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::Raft;
use super::heard::Heard;
use super::leadership::{Leader, Leadership};
use super::peer::control::News;
use super::removal::Removal;
use super::types::{NodeId, Vote};

/// Distance between the first attempts of two survivors.
const STAGGER: Duration = Duration::from_millis(50);
/// Waits between one survivor's attempts, times 2·rank + 1: a peer may see the break later than this member does.
const RETRIES_MS: [u64; 5] = [2, 4, 8, 15, 30];
/// Whether a leader that hung is heard again is looked at so often.
const LISTENS: Duration = Duration::from_millis(5);
/// After so long the timers of Raft have taken over.
const DRIVE_MAX: Duration = Duration::from_secs(3);

/// What became of a peer; if it leads, this member stands in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lost {
    /// This member's own link to it broke.
    Link(NodeId),
    /// It is the leader, and says nothing.
    Voice(NodeId),
}

pub(crate) struct Failover {
    pub me: NodeId,
    pub raft: Raft,
    pub leadership: Leadership,
    pub heard: Arc<Heard>,
    /// A peer asked for this member's vote in vain because its log is shorter: this member should stand, now.
    pub ahead: Arc<Notify>,
}

impl Failover {
    /// Drives elections in the place of leaders that were lost.
    pub(crate) async fn run(self, mut down: mpsc::UnboundedReceiver<Lost>) {
        while let Some(lost) = down.recv().await {
            let (Lost::Link(peer) | Lost::Voice(peer)) = lost;
            let leader = self.leadership.leader();
            let Some(leader) = leader.filter(|leader| leader.id == peer) else { continue };
            match lost {
                Lost::Link(_) => {
                    tracing::info!(
                        leader = peer,
                        term = leader.term,
                        "the link to the leader broke; standing for election"
                    );
                    let _ = timeout(DRIVE_MAX, self.replace(leader)).await;
                }
                Lost::Voice(_) => {
                    tracing::info!(leader = peer, term = leader.term, "the leader hangs; standing for election");
                    tokio::select! {
                        _ = timeout(DRIVE_MAX, self.replace(leader)) => {}
                        () = heard_again(&self.heard) => tracing::info!(leader = peer, "the leader is heard again"),
                    }
                }
            }
        }
    }

    async fn replace(&self, lost: Leader) {
        self.forget_lease(lost).await;
        let rank = self.rank(lost.id);
        self.ahead_within(STAGGER * rank).await;
        let mut term = self.leadership.view().term;
        for attempt in 0.. {
            let view = self.leadership.view();
            if view.leader.is_some_and(|leader| leader != lost) {
                return;
            }
            if view.term == term {
                if self.raft.trigger().elect(true).await.is_err() {
                    return;
                }
                let wait = RETRIES_MS[usize::min(attempt, RETRIES_MS.len() - 1)];
                self.changed_within(Duration::from_millis(wait) * (2 * rank + 1)).await;
            } else {
                term = view.term;
                self.changed_within(Duration::from_millis(100) + STAGGER * rank).await;
            }
        }
    }

    /// Waits, but not longer than until something changes.
    async fn changed_within(&self, wait: Duration) {
        let mut leadership = self.leadership.clone();
        leadership.0.mark_unchanged();
        tokio::select! {
            _ = leadership.0.changed() => {}
            () = self.ahead_within(wait) => {}
        }
    }

    /// Waits, but not longer than until this member is known to be ahead of one that stands.
    async fn ahead_within(&self, wait: Duration) {
        let _ = timeout(wait, self.ahead.notified()).await;
    }

    async fn forget_lease(&self, leader: Leader) {
        let vote = Vote::new_committed(leader.term, leader.id);
        // `to` is not this member, so openraft does one thing: it drops the lease, if `vote` is still the present one.
        let request = TransferLeaderRequest::new(vote, leader.id, None);
        if let Err(error) = self.raft.handle_transfer_leader(request).await {
            tracing::debug!(%error, "cannot drop the leader's lease");
        }
    }

    /// This member's place among the voters without the lost one; learners come last and openraft ignores them.
    fn rank(&self, lost: NodeId) -> u32 {
        let voters = self.raft.voter_ids().filter(|id| *id != lost && *id < self.me);
        u32::try_from(voters.count()).unwrap_or(u32::MAX)
    }
}

/// Resolves once a leader is heard from now on.
async fn heard_again(heard: &Heard) {
    let began = Instant::now();
    while heard.silence() >= began.elapsed() {
        sleep(LISTENS).await;
    }
}

/// How long a leader that is known for so long has said nothing. What an older one said, or did not say, is not held
/// against it, nor that it has not found a member yet that has just started.
fn silence(heard: &Heard, known_for: Duration) -> Duration {
    if heard.ever() { heard.silence().min(known_for) } else { Duration::ZERO }
}

/// Tells of a leader that hangs: it is the leader, its link stands, and nothing was heard of it for `limit`.
pub(crate) async fn watch_for_stalls(
    me: NodeId,
    mut leadership: Leadership,
    heard: Arc<Heard>,
    limit: Duration,
    removal: Removal,
    down: mpsc::UnboundedSender<Lost>,
) {
    let mut known = None;
    loop {
        // Nobody sends anything to a member that is out.
        removal.over().await;
        let leader = leadership.wait_for_leader().await;
        if leader.id == me {
            leadership.changed_from(leader).await;
            continue;
        }
        let since = match known {
            Some((before, since)) if before == leader => since,
            _ => Instant::now(),
        };
        known = Some((leader, since));
        let silent = silence(&heard, since.elapsed());
        if silent >= limit {
            tracing::debug!(leader = leader.id, silent_ms = silent.as_millis(), "nothing from the leader");
            let _ = down.send(Lost::Voice(leader.id));
            let _ = timeout(DRIVE_MAX, leadership.changed_from(leader)).await;
            continue;
        }
        sleep(limit - silent).await;
    }
}

/// Sorts what control links tell: broken links to the failover, removals to whoever stops the member.
pub(crate) async fn sort_news(
    mut news: mpsc::UnboundedReceiver<News>,
    down: mpsc::UnboundedSender<Lost>,
    removal: Removal,
) {
    while let Some(news) = news.recv().await {
        match news {
            News::Down(peer) => {
                tracing::info!(peer, "link to peer is down");
                // A member that is out stands for nothing.
                if removal.as_of().is_none() {
                    let _ = down.send(Lost::Link(peer));
                }
            }
            News::Up(peer) => tracing::info!(peer, "link to peer is up"),
            News::Removed { as_of } => removal.told(as_of),
            News::Refused(peer, why) => tracing::warn!(peer, %why, "peer refuses the link"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leader_is_silent_only_once_it_has_spoken_and_only_since_it_leads() {
        let heard = Heard::default();
        assert_eq!(silence(&heard, Duration::from_secs(60)), Duration::ZERO, "it has not found this member yet");
        heard.now();
        sleep(Duration::from_millis(20)).await;
        let silent = silence(&heard, Duration::from_secs(60));
        assert!(silent >= Duration::from_millis(19) && silent < Duration::from_secs(60), "{silent:?}");
        assert_eq!(silence(&heard, Duration::from_millis(5)), Duration::from_millis(5), "it leads for so long");
    }

    #[tokio::test]
    async fn a_leader_is_heard_again_by_what_it_says_from_then_on() {
        let heard = Heard::default();
        heard.now();
        sleep(Duration::from_millis(20)).await;
        assert!(timeout(Duration::from_millis(60), heard_again(&heard)).await.is_err(), "by what it said before");
        let again = heard_again(&heard);
        tokio::pin!(again);
        assert!(timeout(Duration::from_millis(20), &mut again).await.is_err());
        heard.now();
        assert!(timeout(Duration::from_secs(5), again).await.is_ok());
    }
}
