//! Snapshot files of this member: built beside apply, streamed to members far behind, loaded at start.
//!
//! ```text
//!   data_dir/snapshots/  <term>-<index>.snap   whole and checked      *.tmp   building or coming in; removed at start
//!   build: cut under the write guard ─► chunks under short read guards ─► fsync ─► read through ─► rename ─► fsync dir
//! ```
//!
//! Rule: a file gets its final name only when it is whole, flushed and its checksum holds; the newest two stay. Reason:
//! a torn snapshot must never be found at start, and an older one beside the log is the way back from a damaged newer
//! one. One that cannot be built, on a full disk or because a newer one was installed meanwhile, is missed and tried
//! again; it must not end consensus, which goes on without it.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use coordd_wal::{Disk, DiskFile};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::storage::RaftSnapshotBuilder;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::applied::Applied;
use super::flush::FlushMeter;
use super::types::TypeConfig;
use super::{Raft, codec, snapshot_io};
use crate::consensus::Meter;

pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotFile>;

const KEPT: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between a snapshot that could not be built and the next attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// An open snapshot file; stays readable when a newer one takes its place.
#[derive(Clone)]
pub(crate) struct SnapshotFile {
    pub path: PathBuf,
    pub file: Arc<dyn DiskFile>,
}

/// When a snapshot is due: so many entries or log bytes after the last one.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPolicy {
    pub entries: u64,
    pub log_bytes: u64,
}

pub struct SnapshotStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    policy: SnapshotPolicy,
    meter: Arc<dyn Meter>,
    newest: Mutex<Option<(SnapshotMeta, SnapshotFile)>>,
    /// Snapshots that could not be built.
    failed: AtomicU64,
}

fn file_name(meta: &SnapshotMeta) -> String {
    let (term, index) = meta.last_log_id.as_ref().map_or((0, 0), |id| (codec::term_of(id), id.index()));
    format!("{term:016x}-{index:016x}.snap")
}

impl SnapshotStore {
    /// Opens the directory, removes what a crash left half-done, and finds the newest snapshot that is sound.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        policy: SnapshotPolicy,
        meter: Arc<dyn Meter>,
    ) -> io::Result<SnapshotStore> {
        disk.create_dir(dir)?;
        let names = disk.list(dir)?;
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            disk.remove(&dir.join(name))?;
        }
        let mut newest = None;
        for name in names.iter().rev().filter(|name| name.ends_with(".snap")) {
            let path = dir.join(name);
            let file = SnapshotFile { file: disk.open(&path)?, path };
            match snapshot_io::check(&file).and_then(|()| snapshot_io::read_meta(&file)) {
                Ok(meta) => {
                    newest = Some((meta, file));
                    break;
                }
                Err(error) => {
                    tracing::error!(file = %file.path.display(), %error, "snapshot is damaged, trying an older one")
                }
            }
        }
        let (newest, failed) = (Mutex::new(newest), AtomicU64::new(0));
        Ok(SnapshotStore { disk, dir: dir.to_owned(), policy, meter, newest, failed })
    }

    pub(crate) fn current(&self) -> io::Result<Option<Snapshot>> {
        let newest = self.newest.lock();
        Ok(newest.as_ref().map(|(meta, snapshot)| Snapshot { meta: meta.clone(), snapshot: snapshot.clone() }))
    }

    pub(crate) fn last_index(&self) -> u64 {
        let newest = self.newest.lock();
        newest.as_ref().and_then(|(meta, _)| meta.last_log_id.as_ref()).map_or(0, |id| id.index())
    }

    /// A file that gets its name when it is whole.
    pub(crate) fn create_tmp(&self, purpose: &str) -> io::Result<SnapshotFile> {
        let path = self.dir.join(format!("{purpose}-{}.tmp", crate::entropy::random_id()?));
        Ok(SnapshotFile { file: self.disk.create(&path)?, path })
    }

    /// Flushes a whole temporary file, reads it through as a start would, and gives it its name: then the log behind
    /// it may go.
    pub(crate) fn finish(&self, tmp: SnapshotFile, meta: &SnapshotMeta) -> io::Result<SnapshotFile> {
        tmp.file.sync_data()?;
        snapshot_io::check(&tmp)?;
        let path = self.dir.join(file_name(meta));
        self.disk.rename(&tmp.path, &path)?;
        self.disk.sync_dir(&self.dir)?;
        let finished = SnapshotFile { path, ..tmp };
        let mut newest = self.newest.lock();
        if newest.as_ref().is_none_or(|(known, _)| known.last_log_id <= meta.last_log_id) {
            *newest = Some((meta.clone(), finished.clone()));
        }
        drop(newest);
        self.remove_old()?;
        Ok(finished)
    }

    /// Makes a snapshot this store's newest; one that lies elsewhere is copied in.
    pub(crate) fn adopt(&self, meta: &SnapshotMeta, snapshot: &SnapshotFile) -> io::Result<()> {
        if self.newest.lock().as_ref().is_some_and(|(known, _)| known == meta) {
            return Ok(());
        }
        let tmp = self.create_tmp("copied")?;
        let copied = snapshot_io::copy(snapshot, &tmp).and_then(|()| self.finish(tmp.clone(), meta));
        copied.map(drop).inspect_err(|_| self.discard(&tmp))
    }

    pub(crate) fn discard(&self, tmp: &SnapshotFile) {
        if let Err(error) = self.disk.remove(&tmp.path) {
            tracing::warn!(file = %tmp.path.display(), %error, "cannot remove a snapshot that came to nothing");
        }
    }

    fn remove_old(&self) -> io::Result<()> {
        let names = self.disk.list(&self.dir)?;
        let whole: Vec<&String> = names.iter().filter(|name| name.ends_with(".snap")).collect();
        for name in whole.iter().rev().skip(KEPT) {
            self.disk.remove(&self.dir.join(name))?;
        }
        Ok(())
    }

    pub(crate) fn builder(self: &Arc<Self>, applied: Arc<Applied>, meta: SnapshotMeta) -> SnapshotBuilder {
        let head: Bytes = snapshot_io::encode_meta(&meta);
        let cut = applied.state.write().begin_snapshot(head);
        SnapshotBuilder { store: self.clone(), applied, meta, cut: Some(cut) }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Acquire)
    }

    /// Watches the log and asks for a snapshot when one is due.
    pub(crate) fn take_when_due(self: Arc<Self>, raft: Raft, flushes: Arc<FlushMeter>) {
        tokio::spawn(async move {
            let mut bytes_at_last = 0;
            loop {
                sleep(LOOK_EVERY).await;
                let last = raft.metrics().borrow_watched().last_applied.as_ref().map_or(0, |id| id.index());
                let entries = last.saturating_sub(self.last_index());
                let bytes = flushes.bytes().saturating_sub(bytes_at_last);
                if entries == 0 || (entries < self.policy.entries && bytes < self.policy.log_bytes) {
                    continue;
                }
                let bytes_now = flushes.bytes();
                let started = (self.last_index(), self.failed());
                if raft.trigger().snapshot().await.is_err() {
                    return;
                }
                while (self.last_index(), self.failed()) == started
                    && raft.metrics().borrow_watched().running_state.is_ok()
                {
                    sleep(LOOK_EVERY).await;
                }
                match self.failed() == started.1 {
                    true => bytes_at_last = bytes_now,
                    false => sleep(RETRY_PAUSE).await,
                }
            }
        });
    }
}

/// Builds one snapshot of the state as it was when the builder was made.
pub(crate) struct SnapshotBuilder {
    store: Arc<SnapshotStore>,
    applied: Arc<Applied>,
    meta: SnapshotMeta,
    cut: Option<coordd_tree::SnapshotWriter>,
}

/// In the place of a file that was not made.
struct NoFile;

impl DiskFile for NoFile {
    fn write_at(&self, _: u64, _: &[IoSlice<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn len(&self) -> io::Result<u64> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl SnapshotBuilder {
    async fn build(&mut self) -> io::Result<SnapshotFile> {
        let cut = self.cut.take().ok_or_else(|| io::Error::other("a snapshot builder builds once"))?;
        let tmp = self.store.create_tmp("building")?;
        let finished = match snapshot_io::write(&tmp, &self.applied, cut).await {
            Ok(()) => {
                let (store, tmp, meta) = (self.store.clone(), tmp.clone(), self.meta.clone());
                snapshot_io::blocking(move || store.finish(tmp, &meta)).await
            }
            Err(error) => Err(error),
        };
        finished.inspect_err(|_| self.store.discard(&tmp))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let began = Instant::now();
        match self.build().await {
            Ok(snapshot) => {
                self.store.meter.snapshot_taken(began.elapsed());
                tracing::info!(index = self.store.last_index(), "took a snapshot");
                Ok(Snapshot { meta: self.meta.clone(), snapshot })
            }
            Err(error) => {
                tracing::warn!(%error, "no snapshot could be taken; trying again later");
                self.store.failed.fetch_add(1, Ordering::Release);
                self.store.meter.snapshot_failed();
                // openraft takes an error for the end, and passes over a snapshot that is not newer than what it has.
                let snapshot = SnapshotFile { path: PathBuf::new(), file: Arc::new(NoFile) };
                Ok(Snapshot { meta: SnapshotMeta::default(), snapshot })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use coordd_tree::State;
    use coordd_wal::testing::SimDisk;

    use super::*;
    use crate::consensus::Nobody;

    fn store(disk: &SimDisk) -> Arc<SnapshotStore> {
        store_with(disk, Arc::new(Nobody))
    }

    fn store_with(disk: &SimDisk, meter: Arc<dyn Meter>) -> Arc<SnapshotStore> {
        let policy = SnapshotPolicy { entries: u64::MAX, log_bytes: u64::MAX };
        let opened = SnapshotStore::open(Arc::new(disk.clone()), Path::new("snapshots"), policy, meter);
        Arc::new(opened.unwrap())
    }

    /// Counts failures.
    #[derive(Default)]
    struct Failures(AtomicU64);

    impl Meter for Failures {
        fn snapshot_failed(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn meta(index: u64) -> SnapshotMeta {
        SnapshotMeta { last_log_id: Some(codec::log_id(1, index)), ..SnapshotMeta::default() }
    }

    #[tokio::test]
    async fn a_newest_file_that_is_damaged_anywhere_is_passed_over_for_an_older_one() {
        let disk = SimDisk::new();
        let first = store(&disk);
        for index in [7, 8] {
            let applied = Arc::new(Applied::new(State::new()));
            first.builder(applied, meta(index)).build_snapshot().await.unwrap();
        }
        assert_eq!(store(&disk).last_index(), 8);
        let newest = Path::new("snapshots").join(file_name(&meta(8)));
        let last = disk.contents(&newest).unwrap().len() as u64 - 6;
        disk.flip(&newest, last, 1).unwrap();
        assert_eq!(store(&disk).last_index(), 7);
    }

    #[tokio::test]
    async fn a_snapshot_that_cannot_be_read_back_gets_no_name_and_the_last_one_stays() {
        let disk = SimDisk::new();
        let (store, applied) = (store(&disk), Arc::new(Applied::new(State::new())));
        store.builder(applied.clone(), meta(7)).build_snapshot().await.unwrap();
        let bad = disk.clone();
        disk.before_sync(move || {
            let names = bad.list(Path::new("snapshots")).unwrap();
            let unnamed = names.iter().filter(|name| name.ends_with(".tmp"));
            unnamed.for_each(|name| bad.flip(&Path::new("snapshots").join(name), 40, 1).unwrap());
        });
        let missed = store.builder(applied.clone(), meta(8)).build_snapshot().await.unwrap();
        assert_eq!((missed.meta, store.failed(), store.last_index()), (SnapshotMeta::default(), 1, 7));
        assert_eq!(disk.list(Path::new("snapshots")).unwrap(), [file_name(&meta(7))]);
    }

    #[tokio::test]
    async fn a_snapshot_that_finds_no_room_is_missed_and_not_the_end() {
        let disk = SimDisk::new();
        let failures = Arc::new(Failures::default());
        let (store, applied) = (store_with(&disk, failures.clone()), Arc::new(Applied::new(State::new())));
        disk.set_capacity(0);
        let missed = store.builder(applied.clone(), meta(7)).build_snapshot().await.unwrap();
        assert_eq!(missed.meta, SnapshotMeta::default(), "openraft takes this for no news");
        assert_eq!((store.failed(), store.last_index()), (1, 0));
        assert_eq!(failures.0.load(Ordering::Relaxed), 1);
        disk.set_capacity(u64::MAX);
        let taken = store.builder(applied, meta(8)).build_snapshot().await.unwrap();
        assert_eq!((taken.meta, store.failed(), store.last_index()), (meta(8), 1, 8));
        assert_eq!(disk.list(Path::new("snapshots")).unwrap(), [file_name(&meta(8))], "nothing half-done stays");
    }

    #[tokio::test]
    async fn a_snapshot_that_an_installed_one_overtook_is_missed_and_not_the_end() {
        let (store, applied) = (store(&SimDisk::new()), Arc::new(Applied::new(State::new())));
        let mut builder = store.builder(applied.clone(), meta(7));
        *applied.state.write() = State::new();
        assert_eq!(builder.build_snapshot().await.unwrap().meta, SnapshotMeta::default());
        assert_eq!((store.failed(), store.last_index()), (1, 0));
    }
}
