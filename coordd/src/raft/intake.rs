//! The leader's one door to the log: every origin's writes go through this task, in the order of their streams.
//!
//! ```text
//!   own dispatcher ─┐
//!   stream of m2   ─┼─► Batch{term, commands, verdicts} ─► intake ─► raft.write(…).with_leader(term) ─► log
//!   stream of m3   ─┘                                         └─► verdict of each batch, in order
//! ```
//!
//! Rule: each write is pinned to the term its stream was opened for, and one that was not appended ends its stream.
//! Reason: in one term openraft can refuse a write and accept the next (`LeaseExpired`), and a write of a dead stream
//! must never land in a later term (raft-notes.md §3, §4.2). One task, because several contend in openraft's channel.

use std::sync::Arc;

use bytes::Bytes;
use openraft::impls::ProgressResponder;
use tokio::sync::{Notify, mpsc};

use super::types::{Proposal, TypeConfig};
use super::{Raft, applied::Applied};
use crate::clock;

/// Writes of one origin, in order, for one term.
pub(crate) struct Batch {
    pub term: u64,
    pub commands: Vec<Bytes>,
    pub stream: Arc<StreamState>,
}

/// Whether a stream of forwarded writes still stands.
#[derive(Debug, Default)]
pub(crate) struct StreamState {
    closed: std::sync::atomic::AtomicBool,
    notify: Notify,
}

impl StreamState {
    pub(crate) fn close(&self) {
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        self.notify.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(std::sync::atomic::Ordering::Acquire)
    }

    pub(crate) async fn closed(&self) {
        while !self.is_closed() {
            self.notify.notified().await;
        }
    }
}

pub(crate) type Intake = mpsc::Sender<Batch>;

/// Batches that may wait for the intake; the writes in them are bounded by their origins' windows.
const BATCHES_MAX: usize = 256;

type Done = openraft::alias::OneshotReceiverOf<TypeConfig, openraft::raft::ClientWriteResult<TypeConfig>>;
type Verdicts = mpsc::UnboundedSender<(Done, Arc<StreamState>)>;

pub(crate) fn start(raft: Raft, applied: Arc<Applied>) -> Intake {
    let (intake, batches) = mpsc::channel(BATCHES_MAX);
    let (verdicts, decided) = mpsc::unbounded_channel();
    tokio::spawn(close_refused_streams(decided));
    tokio::spawn(run(raft, applied, batches, verdicts));
    intake
}

async fn run(raft: Raft, applied: Arc<Applied>, mut batches: mpsc::Receiver<Batch>, verdicts: Verdicts) {
    let mut last_time_ms = 0;
    while let Some(batch) = batches.recv().await {
        if batch.stream.is_closed() {
            continue;
        }
        last_time_ms = clock::wall_ms().max(last_time_ms).max(applied.last_time_ms());
        if hand_over(&raft, batch, last_time_ms, &verdicts).await.is_err() {
            return;
        }
    }
}

/// Hands a batch to openraft in order; only its last write has a responder, apply finds out about the others.
async fn hand_over(raft: &Raft, batch: Batch, time_ms: i64, verdicts: &Verdicts) -> Result<(), ()> {
    let Batch { term, mut commands, stream } = batch;
    let Some(last) = commands.pop() else { return Ok(()) };
    for command in commands {
        raft.write(Proposal { time_ms, command }).with_leader(term).await.map_err(|_| stream.close())?;
    }
    let (responder, done) = ProgressResponder::<TypeConfig, _>::complete_only();
    let write = raft.write(Proposal { time_ms, command: last }).with_leader(term).responder(responder);
    write.await.map_err(|_| stream.close())?;
    let _ = verdicts.send((done, stream));
    Ok(())
}

/// Ends each stream whose batch was refused or discarded; its member sends again. Verdicts come in log order.
async fn close_refused_streams(mut verdicts: mpsc::UnboundedReceiver<(Done, Arc<StreamState>)>) {
    while let Some((done, stream)) = verdicts.recv().await {
        if !matches!(done.await, Ok(Ok(_))) {
            stream.close();
        }
    }
}
