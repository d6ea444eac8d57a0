//! The last reads: everything that was ever written, from every member, after a sync.
//!
//! Rule: it begins when no fault is left and no worker works, and it goes through the client port as anybody does.
//! Reason: what counts is what a client finds.

use std::time::Duration;

use tokio::time::sleep;

use super::Stage;
use super::session::Session;
use super::worker::{SHARED, shared_path};
use crate::entropy::Dice;
use crate::history::{Happened, Request};
use crate::host::{MEMBERS, SESSION_TIMEOUT_MS};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const AT_ONCE: usize = 50;

/// The name under which the history has its reads.
pub(crate) fn name_at(member: &str) -> String {
    format!("last-{member}")
}

pub(crate) async fn audit(stage: Stage) -> turmoil::Result {
    while stage.working.get() > 0 {
        sleep(LOOK_EVERY).await;
    }
    // A session that its client gave up ends by itself, under a new leader after a full timeout more.
    sleep(Duration::from_millis(u64::from(SESSION_TIMEOUT_MS.unsigned_abs()) * 3)).await;
    let paths = paths(&stage);
    for member in MEMBERS {
        let mut session = Session::new(name_at(member), stage.clone(), Dice::new(stage.seed, 300), Some(member));
        loop {
            let mut link = session.attach().await;
            if session.sync(&mut link).await.is_err() {
                continue;
            }
            let mut whole = true;
            for some in paths.chunks(AT_ONCE) {
                let reads = some.iter().map(|path| Request::Get { path: path.clone(), watch: false }).collect();
                whole = whole && session.exchange(&mut link, reads).await.is_ok();
            }
            if whole && session.close(&mut link).await.is_ok() {
                break;
            }
        }
    }
    Ok(())
}

/// Every path that somebody tried to write.
fn paths(stage: &Stage) -> Vec<String> {
    let mut paths: Vec<String> = (0..SHARED).map(shared_path).collect();
    for record in stage.history.records() {
        if let Happened::Answered { request, .. } = record.happened {
            paths.extend(request.writes().iter().map(|write| write.path().to_owned()));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}
