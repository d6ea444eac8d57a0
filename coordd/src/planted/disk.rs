//! A disk that loses what was not flushed when its process is killed, and that can be slow.
//!
//! ```text
//!   write ─► kept in memory ── sync_data ──► the real file        kill -9: what is kept is gone, as if power failed
//! ```
//!
//! Rule: a file is one by its inode, however often it is opened. Reason: whoever reads it must see what was written.
//! Below it is the real disk with all its ways to write: a full or slow file system is met where users meet it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use coordd_wal::{DirLock, Disk, DiskFile, OsDisk};
use parking_lot::Mutex;

use super::{Bug, active, knobs};

/// How late bytes reach the file that were said to be there.
const LATE: Duration = Duration::from_millis(60);

pub(crate) fn disk() -> Arc<dyn Disk> {
    let keeps = std::env::var_os("COORDD_PLANTED").is_some();
    let disk = ForgetfulDisk { keeps, files: Arc::default() };
    if active(Bug::BeforeFsync) {
        let files = disk.files.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(LATE);
                let open: Vec<_> = files.lock().values().filter_map(Weak::upgrade).collect();
                open.iter().for_each(|file| drop(file.flush()));
            }
        });
    }
    Arc::new(disk)
}

type Files = Mutex<HashMap<u64, Weak<Kept>>>;

struct ForgetfulDisk {
    /// Without it bytes go straight to the file, so that a full file system is met where it would be met.
    keeps: bool,
    files: Arc<Files>,
}

/// A file and what was written to it since the last flush.
struct Kept {
    file: Arc<dyn DiskFile>,
    keeps: bool,
    unsynced: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl ForgetfulDisk {
    fn kept(&self, file: Arc<dyn DiskFile>, path: &Path) -> io::Result<Arc<Kept>> {
        let mut files = self.files.lock();
        files.retain(|_, file| file.strong_count() > 0);
        let inode = fs::metadata(path)?.ino();
        if let Some(known) = files.get(&inode).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let kept = Arc::new(Kept { file, keeps: self.keeps, unsynced: Mutex::default() });
        files.insert(inode, Arc::downgrade(&kept));
        Ok(kept)
    }
}

impl Kept {
    fn flush(&self) -> io::Result<()> {
        let mut unsynced = self.unsynced.lock();
        for (offset, bytes) in unsynced.iter() {
            self.file.write_at(*offset, &[IoSlice::new(bytes)])?;
        }
        unsynced.clear();
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

impl DiskFile for Kept {
    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> io::Result<()> {
        if !self.keeps {
            return self.file.write_at(offset, buffers);
        }
        self.unsynced.lock().push((offset, buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect()));
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let unsynced = self.unsynced.lock();
        if unsynced.is_empty() {
            return self.file.read_at(offset, buffer);
        }
        let end = unsynced.iter().map(|(at, bytes)| at + bytes.len() as u64).max().unwrap_or(0);
        let real = self.file.len()?;
        if offset + buffer.len() as u64 > real.max(end) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = usize::try_from(real.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        buffer.fill(0);
        self.file.read_at(offset, &mut buffer[..there])?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        for (at, bytes) in unsynced.iter() {
            let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(offset + buffer.len() as u64));
            if from < to {
                buffer[index(from - offset)..index(to - offset)]
                    .copy_from_slice(&bytes[index(from - at)..index(to - at)]);
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        thread::sleep(knobs::fsync_delay());
        if active(Bug::BeforeFsync) {
            return Ok(());
        }
        self.flush()?;
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        let end = self.unsynced.lock().iter().map(|(at, bytes)| at + bytes.len() as u64).max().unwrap_or(0);
        Ok(self.file.len()?.max(end))
    }
}

impl Disk for ForgetfulDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.kept(OsDisk.open(path)?, path)?)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let created = self.kept(OsDisk.create(path)?, path)?;
        created.unsynced.lock().clear();
        Ok(created)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.sync_dir(dir)
    }

    fn available_bytes(&self, dir: &Path) -> io::Result<u64> {
        OsDisk.available_bytes(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<DirLock> {
        OsDisk.lock(path)
    }
}
