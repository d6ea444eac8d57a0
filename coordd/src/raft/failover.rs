//! A broken link to the leader is news: survivors elect in milliseconds, not when timers run out (design D17).
//!
//! ```text
//!   control link to leader P is down (redialed in vain) ─► forget P's lease ─► wait 50 ms × rank ─► pre-vote, and
//!   again until somebody leads                                                      (3 s, then the timers do it)
//!   nothing from the leader for the stall limit though its link stands ─► the same: it hangs
//! ```
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
use super::leadership::{Leader, Leadership};
use super::peer::control::News;
use super::removal::Removal;
use super::types::{NodeId, Vote};

/// Distance between the first attempts of two survivors.
const STAGGER: Duration = Duration::from_millis(50);
/// Waits between one survivor's attempts, times 2·rank + 1: a peer may see the break later than this member does.
const RETRIES_MS: [u64; 5] = [2, 4, 8, 15, 30];
/// After so long the timers of Raft have taken over.
const DRIVE_MAX: Duration = Duration::from_secs(3);

pub(crate) struct Failover {
    pub me: NodeId,
    pub raft: Raft,
    pub leadership: Leadership,
    /// A peer asked for this member's vote in vain because its log is shorter: this member should stand, now.
    pub ahead: Arc<Notify>,
}

impl Failover {
    /// Drives elections for the leaders whose links broke; `down` carries their ids.
    pub(crate) async fn run(self, mut down: mpsc::UnboundedReceiver<NodeId>) {
        while let Some(peer) = down.recv().await {
            let leader = self.leadership.leader();
            if let Some(leader) = leader.filter(|leader| leader.id == peer) {
                tracing::info!(
                    leader = peer,
                    term = leader.term,
                    "the link to the leader broke; standing for election"
                );
                let _ = timeout(DRIVE_MAX, self.replace(leader)).await;
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

/// Tells of a leader that hangs: it is the leader, its link stands, and nothing was heard of it for `limit`.
pub(crate) async fn watch_for_stalls(
    me: NodeId,
    mut leadership: Leadership,
    heard: Arc<super::heard::Heard>,
    limit: Duration,
    removal: Removal,
    down: mpsc::UnboundedSender<NodeId>,
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
        // What an older leader said, or did not say, is not held against this one.
        let silent = heard.silence().min(since.elapsed());
        if silent >= limit {
            tracing::info!(leader = leader.id, silent_ms = silent.as_millis(), "the leader hangs");
            let _ = down.send(leader.id);
            let _ = timeout(DRIVE_MAX, leadership.changed_from(leader)).await;
            continue;
        }
        sleep(limit - silent).await;
    }
}

/// Sorts what control links tell: broken links to the failover, removals to whoever stops the member.
pub(crate) async fn sort_news(
    mut news: mpsc::UnboundedReceiver<News>,
    down: mpsc::UnboundedSender<NodeId>,
    removal: Removal,
) {
    while let Some(news) = news.recv().await {
        match news {
            News::Down(peer) => {
                tracing::info!(peer, "link to peer is down");
                // A member that is out stands for nothing.
                if removal.as_of().is_none() {
                    let _ = down.send(peer);
                }
            }
            News::Up(peer) => tracing::info!(peer, "link to peer is up"),
            News::Removed { as_of } => removal.told(as_of),
            News::Refused(peer, why) => tracing::warn!(peer, %why, "peer refuses the link"),
        }
    }
}
