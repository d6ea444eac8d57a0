//! openraft's own suite over our log and state machine, on the real disk seam with threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use coordd_tree::State;
use futures_util::stream;
use openraft::StorageError;
use openraft::impls::EntryPayload;
use openraft::storage::RaftStateMachine;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::applied::Applied;
use super::codec;
use super::disks;
use super::log_store::LogStore;
use super::peer::roster::Roster;
use super::proposer::{Proposer, Window};
use super::state_machine::StateMachine;
use super::types::{Entry, StoredMembership, TypeConfig};
use crate::consensus::Nobody;

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let disks = disks::open_small(dir.path()).unwrap();
        let state_machine = StateMachine {
            applied: Arc::new(Applied::new(State::new())),
            roster: Arc::new(Roster::default()),
            proposer: Arc::new(Proposer::new(1, 1, Window::default())),
            hook: Arc::new(Nobody),
            meter: Arc::new(Nobody),
            sessions: mpsc::unbounded_channel().0,
            snapshots: disks.snapshots.clone(),
            log: disks.log.clone(),
            last_applied: None,
            membership: StoredMembership::default(),
            changes: Vec::new(),
        };
        Ok((dir, disks.log.clone(), state_machine))
    }
}

/// Counts the turns of another task on the only worker while so many entries are applied in one go.
async fn turns_of_others_while_applying(entries: u64) -> usize {
    let (_dir, _log, mut state_machine) = Builder.build().await.unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let blank = |index| Ok((Entry { log_id: codec::log_id(1, index), payload: EntryPayload::Blank }, None));
    state_machine.apply(stream::iter((1..=entries).map(blank))).await.unwrap();
    other.abort();
    turns.load(Ordering::Relaxed)
}

#[tokio::test]
async fn apply_gives_way_once_however_much_was_committed() {
    // If it did so for each batch, a member with many busy readers would apply 64 entries in a round of them all.
    assert_eq!(turns_of_others_while_applying(1).await, 1);
    assert_eq!(turns_of_others_while_applying(10_000).await, 1);
}

#[test]
fn openrafts_own_suite_passes_on_our_log_and_state_machine() {
    // The suite starts a runtime of its own for each of its tests.
    let suite = Suite::<TypeConfig, LogStore, StateMachine, Builder, TempDir>::test_all(Builder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(suite).unwrap();
}
