//! The leader's one door to the log: every origin's writes go through this task, in the order of their streams.
//!
//! ```text
//!   own dispatcher ─┐
//!   stream of m2   ─┼─► Batch{term, commands, stream} ─► intake ─ door ─► raft.write(…).with_leader(term) ─► log
//!   stream of m3   ─┘                                         └─► verdict of each batch, in order
//! ```
//!
//! Rule: each write is pinned to the term its stream was opened for, and one that was not appended ends its stream.
//! Reason: in one term openraft can refuse a write and accept the next (`LeaseExpired`), and a write of a dead stream
//! must never land in a later term (raft-notes.md §3, §4.2). One task, because several contend in openraft's channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, watch};

use super::codec;
use super::door::{Door, Pass};
use super::types::{Proposal, TypeConfig};
use super::{Raft, applied::Applied};
use crate::clock;

/// Writes of one origin, in order, for one term.
pub(crate) struct Batch {
    pub term: u64,
    pub commands: Vec<Bytes>,
    pub stream: Arc<StreamState>,
}

/// Id of the member whose writes were handed to openraft last: someone there waits for the next commit. 0: nobody's.
#[derive(Debug, Default)]
pub(crate) struct LastOrigin(AtomicU64);

impl LastOrigin {
    #[cfg(test)]
    pub(crate) fn of(member: u64) -> LastOrigin {
        LastOrigin(AtomicU64::new(member))
    }

    fn set(&self, member: u64) {
        self.0.store(member, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a stream of writes still stands, and whose it is.
#[derive(Debug)]
pub(crate) struct StreamState {
    origin: u64,
    closed: watch::Sender<bool>,
}

impl StreamState {
    pub(crate) fn of(origin: u64) -> StreamState {
        StreamState { origin, closed: watch::Sender::new(false) }
    }

    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(crate) async fn closed(&self) {
        // The sender is here, so it does not end otherwise.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}

/// The end of a stream that feeds it: when it is dropped, what waits of the stream is passed over.
pub(crate) struct Feeder(pub Arc<StreamState>);

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.close();
    }
}

pub(crate) type Intake = mpsc::Sender<Batch>;

/// Batches that may wait for the intake; the writes in them are bounded by their origins' windows.
const BATCHES_MAX: usize = 256;

type Done = openraft::alias::OneshotReceiverOf<TypeConfig, openraft::raft::ClientWriteResult<TypeConfig>>;
type Verdicts = mpsc::UnboundedSender<(Done, Arc<StreamState>, Pass)>;

pub(crate) fn start(raft: Raft, applied: Arc<Applied>, door: Arc<Door>, last_origin: Arc<LastOrigin>) -> Intake {
    let (intake, batches) = mpsc::channel(BATCHES_MAX);
    let (verdicts, decided) = mpsc::unbounded_channel();
    tokio::spawn(close_refused_streams(decided));
    let task = Task { raft, applied, door, verdicts, last_origin, last_time_ms: 0 };
    tokio::spawn(task.run(batches));
    intake
}

struct Task {
    raft: Raft,
    applied: Arc<Applied>,
    door: Arc<Door>,
    verdicts: Verdicts,
    last_origin: Arc<LastOrigin>,
    last_time_ms: i64,
}

impl Task {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(batch) = batches.recv().await {
            if self.take(batch).await.is_err() {
                return;
            }
        }
    }

    /// Takes a batch in, as far as there is room and then as room comes; a stream that ends meanwhile takes its rest
    /// along.
    async fn take(&mut self, batch: Batch) -> Result<(), ()> {
        let Batch { term, mut commands, stream } = batch;
        while !commands.is_empty() && !stream.is_closed() {
            let payloads = commands.iter().map(|command| codec::command_len(command) as u64);
            let (count, pass) = tokio::select! {
                biased;
                entered = self.door.enter(payloads) => entered,
                () = stream.closed() => return Ok(()),
            };
            let rest = commands.split_off(count);
            self.hand_over(term, commands, &stream, pass).await?;
            commands = rest;
        }
        Ok(())
    }

    /// Hands commands to openraft in order; only the last has a responder, apply finds out about the others.
    async fn hand_over(
        &mut self,
        term: u64,
        mut commands: Vec<Bytes>,
        stream: &Arc<StreamState>,
        pass: Pass,
    ) -> Result<(), ()> {
        let time_ms = clock::wall_ms().max(self.last_time_ms).max(self.applied.last_time_ms());
        self.last_time_ms = time_ms;
        let Some(last) = commands.pop() else { return Ok(()) };
        self.last_origin.set(stream.origin);
        for command in commands {
            let write = self.raft.write(Proposal { time_ms, command }).with_leader(term);
            write.await.map_err(|_| stream.close())?;
        }
        let (responder, done) = ProgressResponder::<TypeConfig, _>::complete_only();
        let write = self.raft.write(Proposal { time_ms, command: last }).with_leader(term).responder(responder);
        write.await.map_err(|_| stream.close())?;
        let _ = self.verdicts.send((done, stream.clone(), pass));
        Ok(())
    }
}

/// Ends each stream whose batch was refused or discarded; its member sends again. Verdicts come in log order.
async fn close_refused_streams(mut verdicts: mpsc::UnboundedReceiver<(Done, Arc<StreamState>, Pass)>) {
    while let Some((done, stream, _pass)) = verdicts.recv().await {
        if !matches!(done.await, Ok(Ok(_))) {
            stream.close();
        }
    }
}
