//! Opens what a member has on its disk, in the order in which it can be trusted.
//!
//! ```text
//!   identity says: member of an ensemble ── and the log has no segment ─► refused: what it promised is gone
//!   log ─► one more life in the identity ─► snapshots ─► an ordered recovery ─► do both agree? ─► consensus
//! ```
//!
//! Rule: the log is made, and made durable, before the first identity is written, and only a log that is not there is
//! made. Reason: so a member without a log has lost it; with an empty one it would vote again in terms in which it
//! voted, and elect a leader that lacks what it acknowledged (design D9: a lost disk is a new member). A snapshot
//! holds nothing but committed entries, so a tail of the log that contradicts it never was: a crash came before that
//! was cut.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use coordd_wal::{Disk, Options, Wal};

use super::flush::FlushMeter;
use super::identity::DiskIdentity;
use super::log_store::LogStore;
use super::snapshot_store::{SnapshotPolicy, SnapshotStore};
use super::{codec, reseed};
use crate::consensus::Meter;

/// How the disk is to be used.
pub struct DiskConfig {
    pub wal: Options,
    pub snapshots: SnapshotPolicy,
    pub meter: Arc<dyn Meter>,
}

/// What was found on the disk.
pub struct Disks {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) data_dir: PathBuf,
    pub(crate) identity: DiskIdentity,
    pub(crate) wal: Wal,
    pub(crate) log: LogStore,
    pub(crate) snapshots: Arc<SnapshotStore>,
    pub(crate) flushes: Arc<FlushMeter>,
    /// The disk held a part of consensus when it was opened: it is no empty disk.
    pub(crate) has_log: bool,
}

/// Refuses a directory whose log is gone though its member lived; must be asked before the log is opened, which makes
/// one.
fn refuse_lost_log(disk: &Arc<dyn Disk>, data_dir: &Path) -> io::Result<()> {
    let log = data_dir.join("log");
    if !DiskIdentity::has_lived(disk.clone(), data_dir)? || coordd_wal::exists(&**disk, &log)? {
        return Ok(());
    }
    let why = format!(
        "{} holds no log, but {} is a member's that had one: what it promised is lost with it. Is the log's volume \
         mounted? If it is gone, empty the whole directory, start again and run, where the others' admin ports are \
         reached: coordd admin replace",
        log.display(),
        data_dir.display()
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// Makes sure that snapshots and log together are a history without a gap and without two entries of one index.
fn reconcile(wal: &Wal, snapshots: &SnapshotStore) -> io::Result<()> {
    let newest = snapshots.current()?.and_then(|snapshot| snapshot.meta.last_log_id);
    let log = wal.state();
    if let Some(purged) = log.purged.filter(|purged| newest.is_none_or(|newest| newest.index() < purged.index)) {
        let has = newest.map_or_else(
            || "there is no sound snapshot".to_owned(),
            |id| format!("the newest sound snapshot ends at {}", id.index()),
        );
        let why = format!(
            "{has}, and the log begins after entry {}: what is between them is lost. Keep the directory for analysis \
             and replace the member by a new one with an empty disk (`coordd admin replace`)",
            purged.index
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let Some(newest) = newest else { return Ok(()) };
    let held = wal.id_of(newest.index()).filter(|held| log.first.is_some_and(|first| first <= held.index));
    if held.is_none_or(|held| held.term == codec::term_of(&newest)) {
        return Ok(());
    }
    tracing::info!(index = newest.index(), "cutting a tail off the log that the snapshot shows was never committed");
    let before = newest.index().checked_sub(1).filter(|before| wal.id_of(*before).is_some());
    let (done, cut) = std::sync::mpsc::channel();
    wal.truncate_after(before, Box::new(move |result| drop(done.send(result))));
    Ok(cut.recv().map_err(io::Error::other)??)
}

impl Disks {
    /// Locks and opens the log, then begins a new life, then looks at the snapshots.
    ///
    /// # Errors
    /// What is wrong, where, and what to do; nothing was changed then but, at most, the boot number.
    pub fn open(disk: Arc<dyn Disk>, data_dir: &Path, config: DiskConfig) -> io::Result<Disks> {
        refuse_lost_log(&disk, data_dir)?;
        let flushes = Arc::new(FlushMeter::new(config.meter.clone()));
        let began = Instant::now();
        let mut salt = [0; 8];
        crate::entropy::fill(&mut salt)?;
        let options = Options { salt: u64::from_be_bytes(salt), observer: Some(flushes.clone()), ..config.wal };
        let (wal, recovered) = Wal::open(disk.clone(), &data_dir.join("log"), options).map_err(io::Error::other)?;
        config.meter.log_read(began.elapsed());
        if recovered.torn_tail {
            tracing::info!("cut a torn tail off the log; nothing of it was acknowledged");
        }
        let mut identity = DiskIdentity::begin_life(disk.clone(), data_dir)?;
        let snapshots =
            SnapshotStore::open(disk.clone(), &data_dir.join("snapshots"), config.snapshots, config.meter.clone())?;
        reseed::carry_out(&disk, data_dir, &mut identity, &wal, &snapshots)?;
        reconcile(&wal, &snapshots)?;
        let log = LogStore::new(wal.clone(), &recovered, flushes.clone())?;
        let has_log = recovered.last.is_some() || recovered.vote.is_some() || snapshots.current()?.is_some();
        Ok(Disks {
            disk,
            data_dir: data_dir.to_owned(),
            identity,
            wal,
            log,
            snapshots: Arc::new(snapshots),
            flushes,
            has_log,
        })
    }
}

/// The disks of tests: small, of the operating system, and no snapshot unless it is asked for.
#[cfg(test)]
pub(super) fn open_small(dir: &Path) -> io::Result<Disks> {
    let wal = Options { segment_bytes: 1 << 20, min_free_bytes: 0, ..Options::default() };
    let snapshots = SnapshotPolicy { entries: u64::MAX, log_bytes: u64::MAX };
    let config = DiskConfig { wal, snapshots, meter: Arc::new(crate::consensus::Nobody) };
    Disks::open(Arc::new(coordd_wal::OsDisk), dir, config)
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use coordd_tree::State;
    use coordd_wal::{EntryId, Flush, NewEntry};
    use openraft::storage::RaftSnapshotBuilder;

    use super::super::applied::Applied;
    use super::super::snapshot_store::SnapshotMeta;
    use super::{open_small as open, *};
    use crate::raft::peer::Identity;

    fn become_member(disks: &mut Disks) {
        let disk_id = disks.identity.disk_id().to_owned();
        disks.identity.become_member(&Identity { ensemble_id: "e".into(), node_id: 3, disk_id }).unwrap();
    }

    #[test]
    fn a_member_whose_log_is_gone_refuses_to_start_however_often_it_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        become_member(&mut open(dir.path()).unwrap());
        open(dir.path()).unwrap();
        std::fs::remove_dir_all(dir.path().join("log")).unwrap();
        for _ in 0..2 {
            let refused = open(dir.path()).err().expect("an empty log would be taken for what was promised");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
            assert!(refused.to_string().contains("coordd admin replace"), "{refused}");
        }
        std::fs::create_dir(dir.path().join("log")).unwrap();
        assert!(open(dir.path()).is_err(), "an empty volume in its place is no log either");
    }

    #[test]
    fn a_disk_of_no_member_has_promised_nothing() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        std::fs::remove_dir_all(dir.path().join("log")).unwrap();
        open(dir.path()).unwrap();
    }

    /// A disk with entries 1 to 9 of term 4.
    fn with_a_log(dir: &Path) -> Disks {
        let disks = open(dir).unwrap();
        let entry = |index| NewEntry { index, term: 4, payload: |out: &mut BytesMut| out.put_u8(0) };
        let (done, flushed) = std::sync::mpsc::channel();
        disks.wal.append((1..10).map(entry), Flush::Behind, Box::new(move |result| done.send(result).unwrap()));
        flushed.recv().unwrap().unwrap();
        disks
    }

    async fn take_snapshot(disks: &Disks, term: u64, index: u64) {
        let meta = SnapshotMeta { last_log_id: Some(codec::log_id(term, index)), ..SnapshotMeta::default() };
        let applied = Arc::new(Applied::new(State::new()));
        disks.snapshots.builder(applied, meta).build_snapshot().await.unwrap();
    }

    #[tokio::test]
    async fn a_tail_that_a_newer_snapshot_contradicts_is_cut_and_one_that_it_does_not_stays() {
        let dir = tempfile::tempdir().unwrap();
        let disks = with_a_log(dir.path());
        take_snapshot(&disks, 4, 3).await;
        drop(disks);
        let disks = open(dir.path()).unwrap();
        assert_eq!(disks.wal.state().last, Some(EntryId { term: 4, index: 9 }));
        take_snapshot(&disks, 5, 6).await;
        drop(disks);
        assert_eq!(open(dir.path()).unwrap().wal.state().last, Some(EntryId { term: 4, index: 5 }));
    }

    #[tokio::test]
    async fn a_log_that_begins_behind_the_newest_sound_snapshot_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let disks = with_a_log(dir.path());
        take_snapshot(&disks, 4, 3).await;
        let (done, purged) = std::sync::mpsc::channel();
        disks.wal.purge_upto(EntryId { term: 4, index: 3 }, Box::new(move |result| done.send(result).unwrap()));
        purged.recv().unwrap().unwrap();
        drop(disks);
        drop(open(dir.path()).unwrap());
        std::fs::remove_dir_all(dir.path().join("snapshots")).unwrap();
        let refused = open(dir.path()).err().expect("entries 1 to 3 are nowhere");
        assert!(refused.to_string().contains("the log begins after entry 3"), "{refused}");
    }
}
