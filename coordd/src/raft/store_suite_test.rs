//! openraft's own suite over our log and state machine, on the real disk seam with threads.

use std::sync::Arc;

use coordd_tree::State;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::applied::Applied;
use super::disks;
use super::log_store::LogStore;
use super::peer::roster::Roster;
use super::proposer::{Proposer, Window};
use super::state_machine::StateMachine;
use super::types::{StoredMembership, TypeConfig};
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
            last_applied: None,
            membership: StoredMembership::default(),
            changes: Vec::new(),
        };
        Ok((dir, disks.log.clone(), state_machine))
    }
}

#[test]
fn openrafts_own_suite_passes_on_our_log_and_state_machine() {
    // The suite starts a runtime of its own for each of its tests.
    let suite = Suite::<TypeConfig, LogStore, StateMachine, Builder, TempDir>::test_all(Builder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(suite).unwrap();
}
