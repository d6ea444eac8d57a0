//! Whether this member may answer clients now.
//!
//! Open until `w` after the *sending* of the newest report that a leader acknowledged; the check stands between reading
//! a request and writing its answer, so a member that was paused finds the gate closed when it wakes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::clock;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    open_until_ms: AtomicU64,
    opened: Notify,
    shut: AtomicBool,
}

impl Gate {
    pub(crate) fn is_open(&self) -> bool {
        clock::monotonic_ms() < self.open_until_ms.load(Ordering::Acquire)
    }

    pub(crate) fn open_until(&self, until_ms: u64) {
        self.open_until_ms.fetch_max(until_ms, Ordering::AcqRel);
        if self.shut.load(Ordering::SeqCst) {
            self.open_until_ms.store(0, Ordering::SeqCst);
        }
        self.opened.notify_waiters();
    }

    /// Never opens again.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        self.open_until_ms.store(0, Ordering::SeqCst);
    }

    /// Resolves when clients may be answered.
    pub(crate) async fn open(&self) {
        loop {
            let opened = self.opened.notified();
            if self.is_open() {
                return;
            }
            opened.await;
        }
    }
}
