//! The disk as the log sees it: the seam where tests put a disk that tears, fills, fails and forgets.
//!
//! Rule: what was written is durable only after `sync_data`, and a name (created, renamed, removed) only after
//! `sync_dir`; a write either reports an error or has put all its bytes into the file. Reason: nothing more than this
//! is promised by a file system, so nothing more may be relied on.

mod direct;
mod os;

use std::any::Any;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use os::OsDisk;

/// Held as long as this process owns a directory.
pub type DirLock = Box<dyn Any + Send + Sync>;

pub trait Disk: Send + Sync + 'static {
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Creates a file, emptying it if it is there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// The names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates a directory and its parents durably; fine if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that a process without privileges may still write in this directory's file system.
    fn available_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Takes the lock file `path` for this process, or fails with `WouldBlock` when another holder has it.
    fn lock(&self, path: &Path) -> io::Result<DirLock>;
}

pub trait DiskFile: Send + Sync + 'static {
    /// Writes all the buffers, one after the other, from `offset` on.
    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> io::Result<()>;
    /// Fills `buffer` from `offset` on, or fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
