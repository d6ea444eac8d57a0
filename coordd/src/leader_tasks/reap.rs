//! Deletes containers that emptied and TTL znodes that ran out (ContainerManager.java).
//!
//! Rule: a candidate is only proposed; apply checks it again against the state it finds. At most 10,000 a minute, as in
//! ZooKeeper, spread evenly, so that a crowd of them stands before nobody's writes.

use std::sync::Arc;
use std::time::Duration;

use coordd_proto::SessionId;
use coordd_tree::{AuthList, Op, ReapCandidate, ReapLimits};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::clock;
use crate::consensus::{Consensus, Nobody, Role, Write, WriteSink};

const PER_MINUTE_MAX: usize = 10_000;
const SLICE: usize = 50;
/// Containers that never had a child are kept, as in ZooKeeper 3.9.
const LIMITS: ReapLimits = ReapLimits { candidates_max: PER_MINUTE_MAX, never_used_ms: None };

/// Looks for candidates every `check_every`, for as long as the process lives.
pub fn start(consensus: Arc<dyn Consensus>, check_every: Duration) {
    tokio::spawn(async move {
        let mut tick = interval(check_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if consensus.status().borrow().role != Role::Leader {
                continue;
            }
            let candidates = consensus.state().read().reapable(clock::wall_ms(), LIMITS);
            propose(&*consensus, candidates).await;
        }
    });
}

async fn propose(consensus: &dyn Consensus, candidates: Vec<ReapCandidate>) {
    let nobody: Arc<dyn WriteSink> = Arc::new(Nobody);
    let pause =
        Duration::from_secs(60) * u32::try_from(SLICE).unwrap_or(1) / u32::try_from(PER_MINUTE_MAX).unwrap_or(1);
    for (i, slice) in candidates.chunks(SLICE).enumerate() {
        if i > 0 {
            sleep(pause).await;
        }
        let write = |candidate: &ReapCandidate| Write {
            session: SessionId::NONE,
            attach: 0,
            auth: AuthList::default(),
            op: Op::Reap { path: candidate.path.clone(), czxid: candidate.czxid },
            sink: nobody.clone(),
        };
        consensus.propose(&mut slice.iter().map(write).collect());
    }
}
