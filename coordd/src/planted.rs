//! Bugs and hardships that a test puts into a member, in a build of their own (feature `planted`).
//!
//! ```text
//!   feature off (every build that users get):  active(_) is the constant false, the hardships are constant zeros
//!   feature on:   COORDD_PLANTED=NAME          one bug of `Bug`, or `none`; un-synced bytes are lost by kill -9
//!                 COORDD_PLANTED_DIR=DIR       DIR/clock_offset_ms, DIR/fsync_delay_ms, DIR/apply_delay_ms (a batch is
//!                                              applied up to so much later: members lag): read anew all the time
//! ```
//!
//! Rule: each bug is one line where the right code stands, behind `active`. Reason: the checker of `cargo versus` is
//! itself checked by bugs that it must find (`coordd-versus planted`), and a bug that is far from the code that it
//! breaks shows nothing.

#[cfg(feature = "planted")]
mod disk;
#[cfg(feature = "planted")]
mod followers;
#[cfg(feature = "planted")]
mod knobs;

use std::io;
use std::sync::Arc;

use coordd_tree::{Command, State};

use crate::raft::Raft;
use crate::raft::types::{AppendRequest, AppendResponse};
use crate::server::Conn;

/// What can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A follower says that it has entries which it will only take in a while.
    BeforeQuorum,
    /// The log says that bytes are on the disk which are not.
    BeforeFsync,
    /// A watch event leaves some milliseconds after the change that it tells of.
    EventAfterReply,
    /// A session's older connection goes on writing after a newer one has taken over.
    StaleAttach,
    /// A new leader expires every session.
    ExpireOnLeaderChange,
    /// A write is sent to the leader twice now and then, and what arrives twice is applied twice.
    AppliedTwice,
    /// A snapshot lacks sessions.
    SnapshotForgets,
    /// Two entries get one zxid.
    ZxidTwice,
}

#[cfg(not(feature = "planted"))]
mod switches {
    use coordd_wal::Disk;

    use super::*;

    /// Whether the bug is there.
    pub(crate) const fn active(_: Bug) -> bool {
        false
    }

    /// What the wall clock is wrong by.
    pub(crate) const fn clock_offset_ms() -> i64 {
        0
    }

    /// The disk of this member.
    pub(crate) fn disk() -> Arc<dyn Disk> {
        Arc::new(coordd_wal::OsDisk)
    }

    /// Takes a leader's entries in.
    pub(crate) async fn append(raft: &Raft, request: AppendRequest) -> io::Result<AppendResponse> {
        raft.append_entries(request).await.map_err(io::Error::other)
    }

    /// Comes to a batch late.
    pub(crate) async fn lag() {}

    pub(crate) const fn bend(_: &State, _: &mut Command) {}

    pub(crate) const fn forget_sessions(_: &mut State) {}

    pub(crate) const fn holds_back(_: &Arc<Conn>, _: &[u8]) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
mod switches {
    use std::sync::LazyLock;
    use std::time::Duration;

    use coordd_tree::Op;

    use super::*;
    pub(crate) use crate::planted::disk::disk;
    pub(crate) use crate::planted::knobs::clock_offset_ms;

    const EVENT_DELAY: Duration = Duration::from_millis(20);

    static PLANTED: LazyLock<Option<Bug>> = LazyLock::new(|| {
        let name = std::env::var("COORDD_PLANTED").unwrap_or_default();
        tracing::warn!(bug = name, "this build has switches for bugs: it is for tests and loses data by order");
        Some(match name.as_str() {
            "before-quorum" => Bug::BeforeQuorum,
            "before-fsync" => Bug::BeforeFsync,
            "event-after-reply" => Bug::EventAfterReply,
            "stale-attach" => Bug::StaleAttach,
            "expire-on-leader-change" => Bug::ExpireOnLeaderChange,
            "applied-twice" => Bug::AppliedTwice,
            "snapshot-forgets" => Bug::SnapshotForgets,
            "zxid-twice" => Bug::ZxidTwice,
            _ => return None,
        })
    });

    pub(crate) fn active(bug: Bug) -> bool {
        *PLANTED == Some(bug)
    }

    pub(crate) async fn append(raft: &Raft, request: AppendRequest) -> io::Result<AppendResponse> {
        if active(Bug::BeforeQuorum) {
            return followers::answer_first(raft, request).await;
        }
        raft.append_entries(request).await.map_err(io::Error::other)
    }

    /// Comes to a batch late.
    pub(crate) async fn lag() {
        let most = knobs::apply_delay();
        if !most.is_zero() {
            let mut share = [0];
            crate::entropy::fill(&mut share).expect("the system gives random bytes");
            tokio::time::sleep(most.mul_f64(f64::from(share[0]) / 255.0)).await;
        }
    }

    /// Lets a command pass that the state would refuse.
    pub(crate) fn bend(state: &State, command: &mut Command) {
        if active(Bug::StaleAttach)
            && matches!(command.op, Op::Client { .. })
            && let Some(session) = state.session(command.session)
        {
            command.attach = session.attach;
        }
        if active(Bug::AppliedTwice)
            && let Some((boot, seq)) = state.origin_last(command.origin.member)
            && command.origin.boot == boot
            && command.origin.seq <= seq
        {
            command.origin.seq = seq + 1;
        }
    }

    /// Takes every other session out of a state that was loaded.
    pub(crate) fn forget_sessions(state: &mut State) {
        if active(Bug::SnapshotForgets) {
            state.forget_every_other_session();
        }
    }

    /// Sends the event later; whether it does.
    pub(crate) fn holds_back(conn: &Arc<Conn>, event: &[u8]) -> bool {
        if active(Bug::EventAfterReply) {
            let (conn, event) = (conn.clone(), event.to_vec());
            tokio::spawn(async move {
                tokio::time::sleep(EVENT_DELAY).await;
                conn.queue().out.extend_from_slice(&event);
                conn.wake();
            });
        }
        active(Bug::EventAfterReply)
    }
}

pub(crate) use switches::*;
