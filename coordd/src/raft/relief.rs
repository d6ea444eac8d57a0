//! A leader that is short of disk hands over to a voter that is not: everyone's writes go through its log.
//!
//! Rule: only to one that said it has room, and not again for a while, whatever came of it. Reason: two members whose
//! disks fill up together must not pass the leadership to and fro.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::sleep;

use super::core::Core;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) async fn run(core: Arc<Core>) {
    loop {
        sleep(LOOK_EVERY).await;
        let leads = core.leadership.leader().is_some_and(|leader| leader.id == core.me);
        if !leads || !core.door.is_short() {
            continue;
        }
        let voters: Vec<u64> = core.raft.metrics().borrow_watched().membership_config.voter_ids().collect();
        if voters.into_iter().all(|voter| voter == core.me || core.desk.is_short(voter)) {
            continue;
        }
        match core.transfer(None).await {
            Ok(leader) => tracing::warn!(leader, "this member is short of disk: handed leadership over"),
            Err(error) => tracing::warn!(%error, "this member is short of disk, and nobody takes the leadership"),
        }
        sleep(PAUSE).await;
    }
}
