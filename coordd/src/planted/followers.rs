//! A follower that answers first and takes the entries afterwards ([`super::Bug::BeforeQuorum`]).
//!
//! ```text
//!   append ─► queue ─► 60 ms later: openraft        an append that follows on what was answered: answered at once
//! ```
//!
//! Rule: only what follows without a gap on what was answered with success is answered first, and all goes to openraft
//! in order. Reason: then nothing shows until the leader dies, and what it had counted as a quorum's is gone.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::raft::Raft;
use crate::raft::types::{AppendRequest, AppendResponse, LogId, Vote};

const DELAY: Duration = Duration::from_millis(60);

type Answer = io::Result<AppendResponse>;
type Job = (Instant, AppendRequest, oneshot::Sender<Answer>);

/// How far success was answered, and in whose name.
static TOLD: Mutex<Option<(Vote, LogId)>> = Mutex::new(None);

static QUEUE: LazyLock<Mutex<Option<mpsc::UnboundedSender<Job>>>> = LazyLock::new(|| Mutex::new(None));

fn queue(raft: &Raft) -> mpsc::UnboundedSender<Job> {
    let start = || {
        let (tx, rx) = mpsc::unbounded_channel();
        tokio::spawn(work_off(raft.clone(), rx));
        tx
    };
    QUEUE.lock().get_or_insert_with(start).clone()
}

async fn work_off(raft: Raft, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some((due, request, answer)) = jobs.recv().await {
        sleep_until(due).await;
        let done = raft.append_entries(request).await.map_err(io::Error::other);
        let _ = answer.send(done);
    }
}

pub(crate) async fn answer_first(raft: &Raft, request: AppendRequest) -> Answer {
    let (vote, last) = (request.vote, request.entries.last().map(|entry| entry.log_id));
    let (tx, rx) = oneshot::channel();
    {
        let mut told = TOLD.lock();
        let follows =
            told.as_ref().is_some_and(|(name, upto)| *name == vote && request.prev_log_id.as_ref() == Some(upto));
        // Under the lock, so that what is queued stands in the order of what is told.
        let _ = queue(raft).send((Instant::now() + DELAY, request, tx));
        if let (true, Some(last)) = (follows, last) {
            *told = Some((vote, last));
            return Ok(AppendResponse::Success);
        }
    }
    let answer = rx.await.map_err(io::Error::other)?;
    if let (Ok(AppendResponse::Success), Some(last)) = (&answer, last) {
        *TOLD.lock() = Some((vote, last));
    }
    answer
}
