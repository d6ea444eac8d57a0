//! A data directory that goes on alone: recovery of one survivor, and restore from a snapshot file.
//!
//! ```text
//!   recover: newest snapshot + every log entry ────┐
//!   restore: a snapshot file                       ┴─► state ─► zxid base raised ─► snapshot of a membership of one,
//!                                                                under a new ensemble id; the log is empty after it
//! ```
//!
//! Rule: recovery takes *every* entry that this disk holds, also those that it does not know to be committed, since the
//! lost quorum may have acknowledged them. It runs at start, before consensus, and may be cut off and repeated at any
//! point: the order stays on disk until all is done. Reason for the new id: members of the old ensemble that come back
//! must be refused.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use coordd_tree::{Command, State};
use coordd_wal::marker::AtomicFile;
use coordd_wal::{Disk, Wal};
use openraft::impls::EntryPayload;
use serde::{Deserialize, Serialize};

use super::codec::{self, damaged};
use super::identity::DiskIdentity;
use super::members;
use super::peer::Identity;
use super::snapshot_io;
use super::snapshot_store::{SnapshotFile, SnapshotMeta, SnapshotStore};
use super::types::{LogId, Membership, Node, NodeId, StoredMembership};
use super::zxid::zxid_of;
use crate::consensus::Nobody;

/// How far the zxid base is raised: beyond anything that a lost member can have given.
const ZXID_LEAP: i64 = 1 << 32;

/// What is to be done at the next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub ensemble_id: String,
    pub node_id: NodeId,
    pub node: Node,
}

fn order_file(disk: Arc<dyn Disk>, data_dir: &Path) -> AtomicFile {
    AtomicFile::new(disk, data_dir, "recover")
}

fn ordered(file: &AtomicFile) -> io::Result<Option<Order>> {
    let Some(order) = file.read().map_err(io::Error::other)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&order)?))
}

/// Writes the order down; it is carried out by [`carry_out`] at the next start. One that stands already stays, since
/// whoever gave it has its answer. The id of the ensemble that is to be.
pub(crate) fn give_order(disk: Arc<dyn Disk>, data_dir: &Path, order: Order) -> io::Result<String> {
    let file = order_file(disk, data_dir);
    if let Some(given) = ordered(&file)? {
        return Ok(given.ensemble_id);
    }
    file.write(&serde_json::to_vec(&order)?).map_err(io::Error::other)?;
    Ok(order.ensemble_id)
}

/// Carries a recovery out, if one was ordered.
pub(crate) fn carry_out(
    disk: &Arc<dyn Disk>,
    data_dir: &Path,
    identity: &mut DiskIdentity,
    wal: &Wal,
    snapshots: &SnapshotStore,
) -> io::Result<()> {
    let file = order_file(disk.clone(), data_dir);
    let Some(order) = ordered(&file)? else { return Ok(()) };
    tracing::warn!(ensemble_id = order.ensemble_id, "recovering: this member goes on alone as a new ensemble");
    let (state, last) = everything(wal, snapshots)?;
    seed(state, last, &order, snapshots)?;
    if let Some(last) = last {
        let (done, purged) = std::sync::mpsc::channel();
        let upto = coordd_wal::EntryId { index: last.index(), term: codec::term_of(&last) };
        wal.purge_upto(upto, Box::new(move |result| drop(done.send(result))));
        purged.recv().map_err(io::Error::other)??;
    }
    let disk_id = identity.disk_id().to_owned();
    identity.recover_as(&Identity { ensemble_id: order.ensemble_id, node_id: order.node_id, disk_id })?;
    disk.remove(&data_dir.join("recover"))?;
    disk.sync_dir(data_dir)
}

/// The state of the newest snapshot and all entries behind it.
fn everything(wal: &Wal, snapshots: &SnapshotStore) -> io::Result<(State, Option<LogId>)> {
    let (mut state, mut last) = match snapshots.current()? {
        Some(snapshot) => (snapshot_io::load(&snapshot.snapshot)?, snapshot.meta.last_log_id),
        None => (State::new(), None),
    };
    let log = wal.state();
    let Some(end) = log.first.and(log.last).map(|last| last.index + 1) else { return Ok((state, last)) };
    let mut next = last.as_ref().map_or_else(|| log.first.unwrap_or(0), |id| id.index() + 1);
    while next < end {
        for entry in wal.read(next..end, 1 << 20)? {
            next = entry.id.index + 1;
            last = Some(codec::log_id(entry.id.term, entry.id.index));
            apply(&mut state, entry.id.index, entry.id.term, entry.payload)?;
        }
    }
    Ok((state, last))
}

fn apply(state: &mut State, index: u64, term: u64, payload: Bytes) -> io::Result<()> {
    let zxid = zxid_of(state.zxid_base(), index);
    match codec::get_payload(payload)? {
        EntryPayload::Blank => state.noop(zxid),
        EntryPayload::Normal(proposal) => {
            let mut command = Command::decode(&proposal.command).map_err(|_| damaged("command"))?;
            command.time_ms = proposal.time_ms;
            state.apply(zxid, &command, &mut Vec::new());
        }
        EntryPayload::Membership(membership) => {
            let stored = StoredMembership::new(Some(codec::log_id(term, index)), membership);
            state.apply_membership(zxid, &members::rows(&stored), &mut Vec::new());
        }
    }
    Ok(())
}

/// Writes `state` as the newest snapshot of an ensemble of one.
fn seed(mut state: State, last: Option<LogId>, order: &Order, snapshots: &SnapshotStore) -> io::Result<()> {
    let last = last.unwrap_or_else(|| codec::log_id(0, 0));
    state.raise_zxid_base(state.zxid_base().saturating_add(ZXID_LEAP));
    let nodes = std::collections::BTreeMap::from([(order.node_id, order.node.clone())]);
    let membership = Membership::new(vec![[order.node_id].into()], nodes).map_err(io::Error::other)?;
    let stored = StoredMembership::new(Some(last), membership);
    // Nobody may propose first: the numbers of the old members, one of which may have this id, are not those of the
    // new.
    let zxid = zxid_of(state.zxid_base(), last.index());
    state.apply_membership(zxid, &[], &mut Vec::new());
    state.apply_membership(zxid, &members::rows(&stored), &mut Vec::new());
    let meta = SnapshotMeta { last_log_id: Some(last), last_membership: stored };
    let tmp = snapshots.create_tmp("building")?;
    let written = write_whole(state, &meta, &tmp).and_then(|()| snapshots.finish(tmp.clone(), &meta));
    written.map(drop).inspect_err(|_| snapshots.discard(&tmp))
}

fn write_whole(mut state: State, meta: &SnapshotMeta, tmp: &SnapshotFile) -> io::Result<()> {
    let mut writer = state.begin_snapshot(snapshot_io::encode_meta(meta));
    let mut offset = 0;
    loop {
        let mut chunk = BytesMut::new();
        let more = writer.chunk(&state, &mut chunk).map_err(io::Error::other)?;
        tmp.file.write_at(offset, &[io::IoSlice::new(&chunk)])?;
        offset += chunk.len() as u64;
        if !more {
            return Ok(());
        }
    }
}

/// Makes `data_dir` that of a new ensemble of one from a snapshot file; its id.
///
/// # Errors
/// When the directory holds a member already, or the file is not a whole snapshot.
pub fn restore(disk: Arc<dyn Disk>, file: &Path, data_dir: &Path, node: Node) -> io::Result<String> {
    disk.create_dir(data_dir)?;
    if !disk.list(data_dir)?.is_empty() {
        let why = format!("{} is not empty; restore needs an empty directory", data_dir.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    let snapshot = SnapshotFile { path: file.to_owned(), file: disk.open(file)? };
    let state = snapshot_io::load(&snapshot)?;
    // The new ensemble has no votes yet: its terms begin anew, and what it holds must not be of a later one.
    let last = snapshot_io::read_meta(&snapshot)?.last_log_id.map(|id| codec::log_id(0, id.index()));
    let policy = super::snapshot_store::SnapshotPolicy { entries: u64::MAX, log_bytes: u64::MAX };
    let snapshots = SnapshotStore::open(disk.clone(), &data_dir.join("snapshots"), policy, Arc::new(Nobody))?;
    let order = Order { ensemble_id: crate::entropy::random_id()?, node_id: 1, node };
    seed(state, last, &order, &snapshots)?;
    let (ensemble_id, disk_id) = (order.ensemble_id.clone(), order.node.disk_id);
    DiskIdentity::seed(disk, data_dir, &Identity { ensemble_id, node_id: 1, disk_id })?;
    Ok(order.ensemble_id)
}

#[cfg(test)]
mod tests {
    use coordd_wal::OsDisk;

    use super::*;

    #[test]
    fn an_order_that_is_given_again_before_the_restart_is_the_one_that_was_answered() {
        let dir = tempfile::tempdir().unwrap();
        let give = |id: &str| {
            let order = Order { ensemble_id: id.to_owned(), node_id: 1, node: Node::default() };
            give_order(Arc::new(OsDisk), dir.path(), order).unwrap()
        };
        assert_eq!((give("one"), give("other")), ("one".to_owned(), "one".to_owned()));
    }
}
