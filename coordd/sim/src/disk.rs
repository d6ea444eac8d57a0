//! The disk of one member, over all of its lives.
//!
//! ```text
//!   power_loss ─► SimDisk::crash(Torn): un-synced sectors are there or not, as the seed says; all handles end
//!   fail_in_flush(k) ─► the same, between the write and the fdatasync of the k-th flush from now
//!   fill ─► not one byte more, up to make_room; files that are there can be written over
//!   lie ─► flushes say yes and do nothing, up to the next power loss (the planted defect)
//! ```
//!
//! Rule: all that a member keeps (identity, log, snapshots) is here, and what a crash takes is decided by the seed.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use coordd_wal::testing::{Loss, SimDisk};
use coordd_wal::{DirLock, Disk, DiskFile};

/// One member's disk; clones are the same disk, also across lives.
#[derive(Clone)]
pub(crate) struct MemberDisk(Arc<Inner>);

struct Inner {
    life: Mutex<SimDisk>,
    /// Flushes until the power fails in the midst of one; 0 = it does not.
    until_failure: AtomicU64,
    failed: AtomicBool,
    full: AtomicBool,
    loss_seed: AtomicU64,
    lies: Arc<AtomicBool>,
}

impl MemberDisk {
    pub(crate) fn new(seed: u64) -> MemberDisk {
        let disk = SimDisk::new();
        let inner = Arc::new(Inner {
            life: Mutex::new(disk.clone()),
            until_failure: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            full: AtomicBool::new(false),
            loss_seed: AtomicU64::new(seed),
            lies: Arc::default(),
        });
        let watched = Arc::downgrade(&inner);
        disk.before_sync(move || {
            if let Some(inner) = watched.upgrade() {
                inner.flushing();
            }
        });
        MemberDisk(inner)
    }

    /// The disk as this life of the member sees it.
    pub(crate) fn mount(&self) -> Arc<dyn Disk> {
        self.0.failed.store(false, Ordering::Relaxed);
        Arc::new(Mounted { disk: self.0.life().clone(), lies: self.0.lies.clone() })
    }

    /// The power fails now.
    pub(crate) fn power_loss(&self) {
        self.0.end_life();
    }

    /// The power fails in the midst of flush number `flushes` from now, counted from 1.
    pub(crate) fn fail_in_flush(&self, flushes: u64) {
        self.0.until_failure.store(flushes, Ordering::Relaxed);
    }

    /// Whether the power failed since the disk was mounted.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Leaves no room at all.
    pub(crate) fn fill(&self) {
        let life = self.0.life();
        life.set_capacity(life.used_bytes());
        self.0.full.store(true, Ordering::Relaxed);
    }

    pub(crate) fn make_room(&self) {
        self.0.life().set_capacity(u64::MAX);
        self.0.full.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    pub(crate) fn lie(&self) {
        self.0.lies.store(true, Ordering::Relaxed);
    }

    /// Changes and flushes so far: a number that differs as soon as two runs do.
    pub(crate) fn work(&self) -> (u64, u64) {
        let life = self.0.life();
        (life.operations(), life.syncs())
    }
}

impl Inner {
    fn life(&self) -> std::sync::MutexGuard<'_, SimDisk> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flushing(&self) {
        if self.until_failure.load(Ordering::Relaxed) > 0 && self.until_failure.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end_life();
        }
    }

    fn end_life(&self) {
        self.until_failure.store(0, Ordering::Relaxed);
        self.failed.store(true, Ordering::Relaxed);
        let seed = self.loss_seed.fetch_add(1, Ordering::Relaxed);
        // A disk that lies keeps what it lied about in a cache that is gone as a whole.
        let lied = self.lies.swap(false, Ordering::Relaxed);
        let loss = if lied { Loss::Everything } else { Loss::Torn { seed } };
        let mut life = self.life();
        *life = life.crash(loss);
    }
}

struct Mounted {
    disk: SimDisk,
    lies: Arc<AtomicBool>,
}

struct MountedFile {
    file: Arc<dyn DiskFile>,
    lies: Arc<AtomicBool>,
}

impl Mounted {
    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(MountedFile { file, lies: self.lies.clone() })
    }
}

impl Disk for Mounted {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.create(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.lies.load(Ordering::Relaxed) { Ok(()) } else { self.disk.sync_dir(dir) }
    }

    fn available_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.available_bytes(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<DirLock> {
        self.disk.lock(path)
    }
}

impl DiskFile for MountedFile {
    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> io::Result<()> {
        self.file.write_at(offset, buffers)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.lies.load(Ordering::Relaxed) { Ok(()) } else { self.file.sync_data() }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
