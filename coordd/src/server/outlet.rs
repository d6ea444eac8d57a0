//! The writing half of a client's socket, which the connection's task and apply share.
//!
//! ```text
//!   task parked, outbox filled by apply ─► apply writes at once ─► taken whole: nobody is woken
//!                                                              └► not taken: the task is woken for the rest
//!   task at work ─────────────────────────────────────────────► the task writes, apply only appends
//! ```
//!
//! Rule: one of the two writes, never both: apply only while the queue says that the task is parked, and under the
//! queue's lock. Reason: a reply or an event goes out without the task being scheduled for it, and the bytes stay in
//! order.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use crate::net::{self, OwnedWriteHalf};

/// Empty before the socket is there and after it is closed.
#[derive(Default)]
pub(crate) struct Outlet(Mutex<Option<OwnedWriteHalf>>);

impl Outlet {
    pub(crate) fn open(&self, half: OwnedWriteHalf) {
        *self.0.lock() = Some(half);
    }

    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }

    /// Writes what the socket takes; a closed one is `NotConnected`.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self.0.lock() {
            Some(half) => Pin::new(half).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.lock() {
            Some(half) => Pin::new(half).poll_shutdown(cx),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// How many bytes the socket took at once; none when it would have to wait or is broken, which its task will see.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> usize {
        self.0.lock().as_mut().map_or(0, |half| net::write_now(half, bytes).unwrap_or(0))
    }
}
