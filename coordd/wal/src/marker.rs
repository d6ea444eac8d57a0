//! A small file that is there whole or not at all: a disk's identity is kept in one.
//!
//! ```text
//!   file = "coordMRK" │ version u32 │ crc u32 │ length u32 │ content    written: NAME.new, flush, rename, flush dir
//! ```
//!
//! Rule: a reader sees the old content or the new one; one that fails its check is an error, never taken for absent.
//! Reason: a member that took a damaged identity for an empty disk would join as another one.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::REPLACE;

const MAGIC: &[u8; 8] = b"coordMRK";
const VERSION: u32 = 1;
const HEADER: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error("{} is damaged: {found}; {REPLACE}", .path.display())]
    Damaged { path: PathBuf, found: &'static str },
    #[error(
        "{} has format version {found}, this release reads up to {VERSION}: run the release that wrote it",
        .path.display()
    )]
    Version { path: PathBuf, found: u32 },
    #[error("cannot {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// One such file. The content is the caller's.
#[derive(Clone)]
pub struct AtomicFile {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    name: String,
}

impl AtomicFile {
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, name: &str) -> Self {
        Self { disk, dir: dir.to_owned(), name: name.to_owned() }
    }

    /// Replaces the content; durable when this returns.
    pub fn write(&self, content: &[u8]) -> Result<(), MarkerError> {
        let (path, unfinished) = (self.path(), self.dir.join(format!("{}.new", self.name)));
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&(content.len() as u32).to_le_bytes());
        let crc = check(&header, content).to_le_bytes();
        header[12..16].copy_from_slice(&crc);
        let written = self.disk.create_dir(&self.dir).and_then(|()| {
            let file = self.disk.create(&unfinished)?;
            file.write_at(0, &[IoSlice::new(&header), IoSlice::new(content)])?;
            file.sync_data()?;
            self.disk.rename(&unfinished, &path)?;
            self.disk.sync_dir(&self.dir)
        });
        written.map_err(|source| MarkerError::Io { doing: "write", path, source })
    }

    /// The content; `None` if the file was never written.
    pub fn read(&self) -> Result<Option<Vec<u8>>, MarkerError> {
        let path = self.path();
        let bytes = self.disk.open(&path).and_then(|file| {
            let mut bytes = vec![0; file.len()? as usize];
            file.read_at(0, &mut bytes)?;
            Ok(bytes)
        });
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MarkerError::Io { doing: "read", path, source }),
        };
        let damaged = |found| MarkerError::Damaged { path: path.clone(), found };
        let (header, content) = bytes.split_at_checked(HEADER).ok_or_else(|| damaged("cut short"))?;
        if header[..8] != *MAGIC {
            return Err(damaged("no magic"));
        }
        let field = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let mut unchecked = header.to_vec();
        unchecked[12..16].fill(0);
        if field(12) != check(&unchecked, content) || field(16) as usize != content.len() {
            return Err(damaged("a wrong check"));
        }
        match field(8) {
            VERSION => Ok(Some(content.to_vec())),
            found => Err(MarkerError::Version { path, found }),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }
}

fn check(header: &[u8], content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(header), content)
}
