//! Bounds on what answers take: bytes on their way to sockets, and readings that are made at one time.
//!
//! ```text
//!   encoded ─► hold(bytes) ─► Bytes that carry their permit ─► hyper's queue ─► socket took them ─► permit back
//!                  └─ no room: forget them ─► reserve(as much) ─► read and encode again ─► hold, in that room
//! ```
//!
//! Rule: an encoded answer is counted until its last reader has let go of it, however slow; what does not fit is
//! refused or made again, and waits nowhere. Small answers have room of their own, so that no few large ones that are
//! read slowly stop them. What may be large is made away from the workers, and by few at a time. Reason: the workers
//! carry heartbeats and every client, and memory is the members' (design D21).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::timeout;

/// The unit that bytes are counted in.
const UNIT: usize = 1024;
/// What is no longer is small.
const SMALL_MAX: usize = 64 * 1024;
pub(super) const LARGE: usize = SMALL_MAX + 1;
/// Large answers that are made at one time: each holds what it read and what it decoded.
const LARGE_AT_ONCE: usize = 2;
pub(super) const LARGE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Pool {
    free: Arc<Semaphore>,
    units: usize,
}

impl Pool {
    fn new(bytes: usize) -> Pool {
        let units = bytes / UNIT;
        Pool { free: Arc::new(Semaphore::new(units)), units }
    }
}

/// So many bytes, of small answers and of large ones.
#[derive(Debug)]
pub(super) struct Flight {
    small: Pool,
    large: Pool,
}

/// Room for an answer that is about to be made.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    /// As much of it as that, if it is of `pool`.
    fn part(mut self, pool: &Pool, units: u32) -> Option<OwnedSemaphorePermit> {
        let same = Arc::ptr_eq(self.0.semaphore(), &pool.free);
        if same { self.0.split(units as usize) } else { None }
    }
}

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

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX)
}

impl Flight {
    pub(super) fn new(small: usize, large: usize) -> Flight {
        Flight { small: Pool::new(small), large: Pool::new(large) }
    }

    fn pool(&self, bytes: usize) -> &Pool {
        if bytes <= SMALL_MAX { &self.small } else { &self.large }
    }

    /// `bytes`, counted; without room they are forgotten, and how many they were is said.
    pub(super) fn hold(&self, mut bytes: Vec<u8>, room: Option<Room>) -> Result<Bytes, usize> {
        let (pool, units) = (self.pool(bytes.len()), units(bytes.len()));
        let permit = match room.and_then(|room| room.part(pool, units)) {
            Some(permit) => permit,
            None => pool.free.clone().try_acquire_many_owned(units).map_err(|_| bytes.len())?,
        };
        // It has grown by doubling.
        bytes.shrink_to_fit();
        Ok(Bytes::from_owner(Held { bytes, _permit: permit }))
    }

    /// Room for so many bytes, once readers have made it.
    pub(super) async fn reserve(&self, bytes: usize, patience: Duration) -> Option<Room> {
        let acquired = self.pool(bytes).free.clone().acquire_many_owned(units(bytes));
        timeout(patience, acquired).await.ok()?.ok().map(Room)
    }

    /// Whether something new of that size may be held for long: half is for what is held already and changes.
    pub(super) fn admits(&self, bytes: usize) -> bool {
        let pool = self.pool(bytes);
        pool.free.available_permits() > pool.units / 2
    }
}

/// Turns to read, decode and encode.
#[derive(Debug)]
pub(super) struct Turns {
    /// Unless each has its own.
    small: Option<Arc<Semaphore>>,
    large: Arc<Semaphore>,
}

/// One turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
    large: bool,
}

impl Turn {
    pub(super) fn is_large(&self) -> bool {
        self.large
    }
}

impl Turns {
    /// `small` says how many that are not large take turns on the workers, if they do; large ones are always few.
    pub(super) fn new(small: Option<usize>) -> Turns {
        let places = |count| Arc::new(Semaphore::new(count));
        Turns { small: small.map(places), large: places(LARGE_AT_ONCE) }
    }

    /// In the order of asking. Whoever has it must not wait for anything else, but for the second that a member takes
    /// to be confirmed.
    pub(super) async fn small(&self) -> Option<Turn> {
        let permit = match &self.small {
            None => None,
            Some(small) => {
                let permit = small.clone().acquire_owned().await.ok()?;
                // What else is ready goes first: so those that wait for this turn are not ready, and heartbeats pass.
                yield_now().await;
                Some(permit)
            }
        };
        Some(Turn { _permit: permit, large: false })
    }

    /// In the order of asking; `None` when too many others are at it for as long as the patience lasts, if it ends.
    pub(super) async fn large(&self, patience: Option<Duration>) -> Option<Turn> {
        let acquired = self.large.clone().acquire_owned();
        let permit = match patience {
            Some(patience) => timeout(patience, acquired).await.ok()?,
            None => acquired.await,
        };
        let permit = permit.ok()?;
        Some(Turn { _permit: Some(permit), large: true })
    }
}

/// Does what takes long where it holds up no task; in the simulation at once. The turn goes with the work, which goes
/// on when whoever waits for it has gone.
pub(super) async fn aside<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<(T, Turn)> {
    let work = move || (work(), turn);
    if cfg!(feature = "sim") { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_turn_is_taken_until_its_work_has_ended_though_nobody_waits_for_it() {
        let turns = Turns::new(None);
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let work = aside(turns.large(None).await.unwrap(), move || {
            begun.send(()).unwrap();
            gone.recv().unwrap();
        });
        let waiter = tokio::spawn(work);
        begins.await.unwrap();
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert_eq!(turns.large.available_permits(), LARGE_AT_ONCE - 1);
        go.send(()).unwrap();
        let all = u32::try_from(LARGE_AT_ONCE).unwrap();
        turns.large.acquire_many(all).await.unwrap().forget();
    }

    #[tokio::test]
    async fn bytes_are_counted_until_the_last_of_their_readers_lets_go() {
        let flight = Flight::new(4 * UNIT, 0);
        let held = flight.hold(vec![0; 3 * UNIT], None).unwrap();
        let slice = held.slice(..10);
        drop(held);
        assert_eq!(flight.hold(vec![1; UNIT + 1], None).unwrap_err(), UNIT + 1);
        let small = flight.hold(vec![1; 1], None).unwrap();
        assert!(flight.reserve(UNIT, SHORT).await.is_none());
        drop((slice, small));
        let room = flight.reserve(4 * UNIT, SHORT).await;
        assert!(flight.hold(vec![2; 1], None).is_err(), "the room is somebody's");
        assert_eq!(flight.hold(vec![2; 3 * UNIT], room).unwrap().len(), 3 * UNIT);
        assert!(flight.hold(vec![2; 4 * UNIT], None).is_ok(), "what is not used of it is given back");
    }

    #[tokio::test]
    async fn room_that_does_not_suffice_is_given_back_and_not_waited_in() {
        let flight = Flight::new(4 * UNIT, 200 * UNIT);
        let room = flight.reserve(2 * UNIT, SHORT).await;
        assert_eq!(flight.hold(vec![1; 4 * UNIT], room).unwrap().len(), 4 * UNIT);
        let room = flight.reserve(2 * UNIT, SHORT).await;
        assert!(flight.hold(vec![1; SMALL_MAX + 1], room).is_ok(), "it has become large");
    }

    #[tokio::test]
    async fn large_answers_that_nobody_takes_leave_room_for_small_ones_and_for_no_new_topic() {
        let flight = Flight::new(2 * SMALL_MAX, 4 * SMALL_MAX);
        assert!(flight.admits(SMALL_MAX + 1));
        let large: Vec<_> = (0..2).map(|_| flight.hold(vec![0; 2 * SMALL_MAX], None).unwrap()).collect();
        assert!(flight.hold(vec![0; SMALL_MAX + 1], None).is_err());
        assert!(flight.hold(vec![0; SMALL_MAX], None).is_ok());
        drop(large.into_iter().next());
        assert!(flight.hold(vec![0; SMALL_MAX + 1], None).is_ok());
        let half = flight.hold(vec![0; 2 * SMALL_MAX], None).unwrap();
        assert!(!flight.admits(SMALL_MAX + 1) && flight.admits(SMALL_MAX));
        drop(half);
        assert!(flight.admits(SMALL_MAX + 1));
    }

    #[tokio::test]
    async fn small_turns_are_as_many_as_was_said() {
        let turns = Turns::new(Some(2));
        let taken = (turns.small().await, turns.small().await);
        assert!(timeout(SHORT, turns.small()).await.is_err());
        assert!(timeout(SHORT, turns.large(None)).await.is_ok_and(|turn| turn.is_some_and(|turn| turn.is_large())));
        drop(taken);
        assert!(timeout(SHORT, turns.small()).await.is_ok());
    }
}
