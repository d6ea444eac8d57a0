//! Bounds on what answers take: bytes on their way to sockets, and large ones being made.
//!
//! ```text
//!   encoded ─► hold(bytes) ─► Bytes that carry their permit ─► hyper's queue ─► socket took them ─► permit back
//! ```
//!
//! Rule: an encoded answer is counted until its last reader has let go of it, however slow; what does not fit is
//! refused. What may be large is made away from the workers, and by few at a time. Reason: the workers carry heartbeats
//! and every client, and memory is the members' (design D21).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit that bytes are counted in.
const UNIT: usize = 1024;
/// Large answers that are made at one time: each holds what it read and what it decoded.
const LARGE_AT_ONCE: usize = 2;
const LARGE_PATIENCE: Duration = Duration::from_secs(10);

/// So many bytes.
#[derive(Debug)]
pub(super) struct Flight(Arc<Semaphore>);

/// Bytes with the permit for them.
struct Held {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Flight {
    pub(super) fn new(bytes: usize) -> Flight {
        Flight(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    fn units(bytes: &[u8]) -> u32 {
        u32::try_from(bytes.len().div_ceil(UNIT).max(1)).unwrap_or(u32::MAX)
    }

    /// `bytes` again when there is no room.
    pub(super) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, Vec<u8>> {
        match self.0.clone().try_acquire_many_owned(Flight::units(&bytes)) {
            Ok(permit) => Ok(Bytes::from_owner(Held { bytes, _permit: permit })),
            Err(_) => Err(bytes),
        }
    }

    /// The same; waits a while for readers to make room.
    pub(super) async fn hold_within(&self, patience: Duration, bytes: Vec<u8>) -> Option<Bytes> {
        let acquired = self.0.clone().acquire_many_owned(Flight::units(&bytes));
        let permit = tokio::time::timeout(patience, acquired).await.ok()?.ok()?;
        Some(Bytes::from_owner(Held { bytes, _permit: permit }))
    }
}

/// Turns for large answers.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Turns {
        Turns(Arc::new(Semaphore::new(LARGE_AT_ONCE)))
    }
}

impl Turns {
    /// `None` when too many others are at it.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(LARGE_PATIENCE, self.0.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Does what takes long where it holds up no task; in the simulation at once. The turn goes with the work, which goes
/// on when whoever waits for it has gone.
pub(super) async fn aside<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<(T, OwnedSemaphorePermit)> {
    let work = move || (work(), turn);
    if cfg!(feature = "sim") { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_is_taken_until_its_work_has_ended_though_nobody_waits_for_it() {
        let turns = Turns::default();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let work = aside(turns.turn().await.unwrap(), move || {
            begun.send(()).unwrap();
            gone.recv().unwrap();
        });
        let waiter = tokio::spawn(work);
        begins.await.unwrap();
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert_eq!(turns.0.available_permits(), LARGE_AT_ONCE - 1);
        go.send(()).unwrap();
        let all = u32::try_from(LARGE_AT_ONCE).unwrap();
        turns.0.acquire_many(all).await.unwrap().forget();
    }

    #[tokio::test]
    async fn bytes_are_counted_until_the_last_of_their_readers_lets_go() {
        let flight = Flight::new(4 * UNIT);
        let held = flight.hold(vec![0; 3 * UNIT]).unwrap();
        let slice = held.slice(..10);
        drop(held);
        assert_eq!(flight.hold(vec![1; UNIT + 1]).unwrap_err().len(), UNIT + 1);
        let small = flight.hold(vec![1; 1]).unwrap();
        assert!(flight.hold_within(Duration::from_millis(10), vec![2; UNIT]).await.is_none());
        drop((slice, small));
        assert_eq!(flight.hold_within(Duration::from_millis(10), vec![2; 4 * UNIT]).await.unwrap().len(), 4 * UNIT);
    }
}
