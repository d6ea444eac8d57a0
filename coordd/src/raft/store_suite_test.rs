//! openraft's own suite over our log and state machine, on the real disk seam with threads.

use std::sync::Arc;

use coordd_proto::{SessionId, Zxid};
use coordd_tree::{Change, State};
use coordd_wal::{Options, OsDisk};
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::applied::Applied;
use super::disks::{DiskConfig, Disks};
use super::log_store::LogStore;
use super::peer::roster::Roster;
use super::proposer::{Proposer, Window};
use super::snapshot_store::SnapshotPolicy;
use super::state_machine::StateMachine;
use super::types::{StoredMembership, TypeConfig};
use crate::consensus::{ApplyHook, Meter};

struct Silence;

impl Meter for Silence {}

impl ApplyHook for Silence {
    fn changed(&self, _: &State, _: Zxid, _: &[Change]) {}
    fn session_ended(&self, _: SessionId) {}
    fn session_attached(&self, _: SessionId, _: u32) {}
    fn state_replaced(&self, _: &State) {}
    fn batch_done(&self) {}
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let wal = Options { segment_bytes: 1 << 20, min_free_bytes: 0, ..Options::default() };
        let snapshots = SnapshotPolicy { entries: u64::MAX, log_bytes: u64::MAX };
        let disks =
            Disks::open(Arc::new(OsDisk), dir.path(), DiskConfig { wal, snapshots, meter: Arc::new(Silence) }).unwrap();
        let state_machine = StateMachine {
            applied: Arc::new(Applied::new(State::new())),
            roster: Arc::new(Roster::default()),
            proposer: Arc::new(Proposer::new(1, 1, Window::default())),
            hook: Arc::new(Silence),
            meter: Arc::new(Silence),
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
