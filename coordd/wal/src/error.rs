//! What can go wrong, as facts; the texts say what to do where a person must do something.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a queued operation did not become durable. Cheap to clone: one failure is told to many callbacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// Nothing of the operation is in the log; the log works on and takes it again when there is room.
    #[error("no space left for the log")]
    NoSpace,
    /// A write or flush failed: what the disk holds is unknown, so the log stops until the process is started anew.
    #[error("the log stopped because its disk failed: {0}")]
    Poisoned(Arc<str>),
    #[error("entry {attempted} does not follow the last entry {last}")]
    NotContiguous { last: u64, attempted: u64 },
    #[error("entry {0} is not in the log")]
    NoSuchEntry(u64),
    #[error("a record of {bytes} bytes does not fit a segment, which takes {capacity}")]
    TooLarge { bytes: u64, capacity: u64 },
    #[error("the payload of entry {0} took bytes away that were not its own")]
    BadPayload(u64),
    #[error("the log is closed")]
    Closed,
}

impl From<WalError> for io::Error {
    fn from(error: WalError) -> Self {
        let kind = match error {
            WalError::NoSpace => io::ErrorKind::StorageFull,
            WalError::TooLarge { .. } | WalError::NotContiguous { .. } | WalError::BadPayload(_) => {
                io::ErrorKind::InvalidInput
            }
            WalError::NoSuchEntry(_) => io::ErrorKind::NotFound,
            WalError::Poisoned(_) | WalError::Closed => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Why entries could not be read. Never answered by fewer entries instead.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("entry {index} was purged; the log begins after {purged}")]
    Purged { index: u64, purged: u64 },
    #[error(
        "entry {index} is not in the log; {}",
        match .last { Some(last) => format!("the last is {last}"), None => "it is empty".into() }
    )]
    Absent { index: u64, last: Option<u64> },
    #[error("entry {index} in segment {segment:016x} at offset {offset} is damaged: {found}; {REPLACE}")]
    Damaged { index: u64, segment: u64, offset: u64, found: &'static str },
    #[error("entry {index} could not be read")]
    Io {
        index: u64,
        #[source]
        source: io::Error,
    },
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Purged { .. } | ReadError::Absent { .. } => io::ErrorKind::NotFound,
            ReadError::Damaged { .. } => io::ErrorKind::InvalidData,
            ReadError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

pub(crate) const REPLACE: &str = "this member's disk cannot be trusted any more: keep the directory for analysis and \
     replace the member by a new one with an empty disk (`coordd admin replace`)";

/// Why a log directory was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    #[error("{} at offset {offset}: expected {expected}, found {found}; {REPLACE}", .file.display())]
    Damaged { file: PathBuf, offset: u64, expected: String, found: String },
    #[error(
        "{} has format version {found}, this release reads up to {newest}: run the release that wrote it",
        .file.display()
    )]
    Version { file: PathBuf, found: u32, newest: u32 },
    #[error("{option} is {value}, allowed is {allowed}")]
    Option { option: &'static str, value: u64, allowed: &'static str },
    #[error("no space left to create the log in {}", .0.display())]
    NoSpace(PathBuf),
    #[error("cannot {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}
