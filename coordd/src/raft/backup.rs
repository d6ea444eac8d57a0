//! A snapshot for somebody outside: `coordd admin snapshot`.
//!
//! ```text
//!   asked ─► read barrier: all that was acknowledged is applied here ─► snapshot as new as that? ─ no ─► one is taken
//! ```
//!
//! Rule: what was acknowledged before the backup was asked for is in it. Reason: the newest snapshot may be months old
//! on a quiet ensemble, and what it lacks is missed only after a restore.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

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
                "no leader confirms that this member knows all that was acknowledged, so its backup may lack some",
            ));
        }
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
}
