//! A durable log of opaque records, in one ordered stream, behind a `Disk` that tests can make fail.
//!
//! ```text
//!   append ─┐                                        ┌─► done, done, done        (in order, after the flush)
//!   vote ───┼─► queue ─► writer: drain ─► one write ─► one fdatasync
//!   truncate┘     │                          │
//!                 └─► readable at once       └─► segment 7 │ header │ batch 41 │ batch 42 │ zeros …
//!                     (cache)                    spare       zero-filled ahead, or an old segment used again
//! ```
//!
//! Rule: `done(Ok)` means that the bytes have been through fdatasync, and so has everything that was queued before
//! them; batch n+1 is written only after batch n has been flushed. Reason: this is the whole argument by which recovery
//! tells a torn tail, which is cut, from damage, which it refuses (`recovery.rs`). A failed flush is never tried again:
//! the kernel may have dropped the pages, so the log stops for good.
//! This crate knows nothing of Raft libraries, znodes or runtimes: an entry is an index, a term and bytes.

mod cache;
pub mod disk;
mod done;
mod dump;
mod durable;
mod error;
mod format;
pub mod marker;
mod options;
mod pool;
mod positions;
mod read;
mod recovery;
mod segment;
mod shared;
#[cfg(feature = "testing")]
pub mod testing;
mod view;
mod wal;
mod writer;

pub use disk::{DirLock, Disk, DiskFile, OsDisk};
pub use done::{Done, FlushObserver, Flushed};
pub use dump::dump;
pub use error::{OpenError, ReadError, WalError};
pub use format::EntryId;
pub use options::{Flush, Mode, Options};
pub use recovery::{Recovered, exists};
pub use wal::{LogEntry, LogState, NewEntry, Wal};
