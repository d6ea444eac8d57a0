//! A snapshot for somebody outside: `coordd admin snapshot`.
//!
//! ```text
//!   asked ─► read barrier: all that was acknowledged is applied ─┬─► snapshot as new as that? ─ no ─► one is taken
//!   asked without a quorum ─► what is applied, however old ──────┘
//! ```
//!
//! Rule: what was acknowledged before the backup was asked for is in it, unless less was asked for by name. Reason: the
//! newest snapshot may be months old on a quiet ensemble, and what it lacks is missed only after a restore; but where a
//! quorum is lost nobody can promise more than one member has, and that is to be kept before anything else is tried.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::core::Core;
use super::member::Member;
use super::snapshot_io::{self, Pieces};
use super::snapshot_store::SnapshotMeta;
use crate::consensus;

const TAKE_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Member {
    /// Length and pieces of a snapshot that holds whatever was acknowledged before.
    ///
    /// # Errors
    /// When that cannot be known or none can be taken.
    pub async fn backup(&self) -> io::Result<(u64, Pieces)> {
        let core = self.formed().map_err(io::Error::other)?;
        if !consensus::caught_up(self).await {
            return Err(io::Error::other(
                "no leader confirms that this member knows all that was acknowledged, so its backup may lack some; if \
                 the quorum is lost, ask without it (coordd admin snapshot --without-quorum)",
            ));
        }
        newest(&core).await
    }

    /// The same of what is applied here: it may lack the newest of what was acknowledged.
    ///
    /// # Errors
    /// When none can be taken, or this member's state is known to be wrong.
    pub async fn backup_without_quorum(&self) -> io::Result<(u64, Pieces)> {
        let core = self.formed().map_err(io::Error::other)?;
        if let Some(divergence) = core.diverged.found.get() {
            return Err(io::Error::other(divergence.to_string()));
        }
        newest(&core).await
    }
}

/// A snapshot of all that is applied by now.
async fn newest(core: &Core) -> io::Result<(u64, Pieces)> {
    let (wanted, failed) = (core.applied.position().index, core.snapshots.failed());
    let until = Instant::now() + TAKE_MAX;
    while Instant::now() < until {
        let index_of = |meta: &SnapshotMeta| meta.last_log_id.as_ref().map_or(0, |id| id.index());
        if let Some(snapshot) = core.snapshots.current()?.filter(|snapshot| index_of(&snapshot.meta) >= wanted) {
            return snapshot_io::blocking(move || Pieces::of(snapshot.snapshot)).await;
        }
        if core.snapshots.failed() != failed {
            return Err(io::Error::other("no snapshot could be taken; this member's log says why"));
        }
        core.raft.trigger().snapshot().await.map_err(io::Error::other)?;
        sleep(LOOK_EVERY).await;
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no snapshot was taken within a minute"))
}
