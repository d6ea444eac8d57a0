//! How the log tells what became of an operation.

use crate::error::WalError;

/// Called exactly once: after the flush that covers the operation, in the order of the operations; or with the error.
/// It runs on the thread that flushed and holds up the next flush, so it only hands the news on.
pub type Done = Box<dyn FnOnce(Result<(), WalError>) + Send>;

/// What one flush carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    pub operations: u64,
    pub bytes: u64,
}

/// Watches the writer: for metrics, and to stop the process when the disk fails. It brings its own clock, so that the
/// log itself reads none.
pub trait FlushObserver: Send + Sync + 'static {
    /// The batch is written; its fdatasync begins.
    fn flush_begins(&self) {}
    fn flush_ended(&self, _flushed: Flushed) {}
    /// The log has stopped for good. The process should end: what it believes may not be on its disk.
    fn poisoned(&self, error: &WalError);
}
