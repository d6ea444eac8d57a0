//! A disk in memory that does to a log what disks do: forget, tear, fill, fail, rot.
//!
//! ```text
//!   write ─► live bytes, sector dirty ──sync_data──► durable bytes
//!   create, rename, remove ─► live names, pending ──sync_dir──► durable names
//!   power_loss: durable + a seeded choice of the dirty sectors + a seeded prefix of the pending names
//! ```
//!
//! Rule: everything is decided by what the test orders and by its seed, so a run repeats exactly. A handle from before
//! a crash only fails; the disk that a crash returns is the one to open the log on again.

mod state;

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use state::State;

use crate::disk::{DirLock, Disk, DiskFile};

/// What a crash does to bytes that were written and not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process died, the machine lives: nothing is lost.
    Nothing,
    /// All of it is gone.
    Everything,
    /// Each sector of it is there or not.
    Torn { seed: u64 },
}

type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
    /// Handles of an earlier life fail.
    life: u64,
}

struct Shared {
    state: Mutex<State>,
    before_sync: Mutex<Option<Hook>>,
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared { state: Mutex::new(State::default()), before_sync: Mutex::new(None) }),
            life: 0,
        }
    }
}

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends this life of the disk; the returned one has what survived.
    pub fn crash(&self, loss: Loss) -> Self {
        let life = self.shared.state.lock().crash(loss);
        Self { shared: self.shared.clone(), life }
    }

    /// Every operation from number `operation` on fails (counting those that change something, from now, from 0);
    /// that one itself still takes effect if `performed`.
    pub fn die_at(&self, operation: u64, performed: bool) {
        let mut state = self.shared.state.lock();
        state.die_at = Some((state.operations + operation, performed));
    }

    /// How many operations changed something so far.
    pub fn operations(&self) -> u64 {
        self.shared.state.lock().operations
    }

    pub fn syncs(&self) -> u64 {
        self.shared.state.lock().syncs
    }

    /// The next `count` flushes fail with EIO and, as Linux does, leave the pages clean though they were not written.
    pub fn fail_syncs(&self, count: u64) {
        self.shared.state.lock().failing_syncs = count;
    }

    /// The next `count` writes fail with EIO.
    pub fn fail_writes(&self, count: u64) {
        self.shared.state.lock().failing_writes = count;
    }

    /// Bytes that all files together may have; writes beyond it put what fits and fail with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.shared.state.lock().capacity = bytes;
    }

    /// While on, even overwriting fails with ENOSPC after half of the bytes, as on a copy-on-write file system.
    pub fn set_overwrites_need_room(&self, on: bool) {
        self.shared.state.lock().overwrites_fail = on;
    }

    pub fn used_bytes(&self) -> u64 {
        self.shared.state.lock().used_bytes()
    }

    /// Runs before each flush, without any lock: a slow disk, or a test that wants to act meanwhile.
    pub fn before_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.shared.before_sync.lock() = Some(Arc::new(hook));
    }

    /// Flips the bits of `mask` in a byte on the disk.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        self.shared.state.lock().edit(path, |bytes| bytes[offset as usize] ^= mask)
    }

    /// Overwrites bytes on the disk.
    pub fn overwrite(&self, path: &Path, offset: u64, with: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.shared.state.lock().edit(path, |bytes| bytes[offset..offset + with.len()].copy_from_slice(with))
    }

    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.shared.state.lock().contents(path)
    }

    /// Takes a file away, durably.
    pub fn vanish(&self, path: &Path) -> io::Result<()> {
        self.shared.state.lock().vanish(path)
    }

    /// Takes all files away, durably: a lost disk.
    pub fn vanish_all(&self) {
        self.shared.state.lock().vanish_all();
    }

    fn state(&self) -> io::Result<parking_lot::MutexGuard<'_, State>> {
        let state = self.shared.state.lock();
        if state.life == self.life { Ok(state) } else { Err(io::Error::other("the disk has crashed")) }
    }

    fn file(&self, inode: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), inode })
    }

    fn run_hook(&self) {
        let hook = self.shared.before_sync.lock().clone();
        if let Some(hook) = hook {
            hook();
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state()?.inode_of(path)?;
        Ok(self.file(inode))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state()?.changing(|state| Ok(state.create(path)))?;
        Ok(self.file(inode))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Ok(self.state()?.list(dir))
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.state().map(|_| ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state()?.changing(|state| state.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state()?.changing(|state| state.remove(path))
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.state()?.changing(State::sync_names)
    }

    fn available_bytes(&self, _dir: &Path) -> io::Result<u64> {
        self.state().map(|state| state.capacity.saturating_sub(state.used_bytes()))
    }

    fn lock(&self, path: &Path) -> io::Result<DirLock> {
        if !self.state()?.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Ok(mut state) = self.disk.state() {
            state.locks.remove(&self.path);
        }
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        self.disk.state()?.changing(|state| state.write(self.inode, offset as usize, &bytes))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.state()?.read(self.inode, offset as usize, buffer)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.run_hook();
        self.disk.state()?.changing(|state| state.sync(self.inode))
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.state()?.length(self.inode)
    }
}
