//! The door to the log: nothing goes to openraft for which the log is not certain to have room.
//!
//! ```text
//!   a leader's entries ─┐            room is certain ─► openraft ─► log
//!                       ├─► door ──┤
//!   clients' writes ────┘            none ─► they wait outside, and go in by themselves when there is some
//! ```
//!
//! Rule: what passed has its bytes kept until it is in the log or came to nothing; a rest is kept for what does not
//! come by the door: votes, and the entries that openraft makes itself. Reason: openraft takes an append that fails for
//! the end, and a vote that becomes durable for the word that all before it is; so entries that find no room must not
//! be inside. Outside nothing of them was promised, and votes and heartbeats pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use coordd_wal::Wal;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Kept for votes and openraft's own entries, unless an eighth of a segment is less.
const KEPT_BYTES: u64 = 1 << 20;
/// An ordinary entry with its batch; the door is shut while not even this would pass.
const ORDINARY_BYTES: u64 = 4 << 10;
/// How often room is looked for, at first and at last.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// A door that is shut for less is only waiting for the next segment to be prepared.
const SHUT_AFTER: u32 = 5;

pub(crate) struct Door {
    wal: Wal,
    /// Below so much disk this member is short of it.
    disk_bytes_min: u64,
    inside: Mutex<u64>,
    left: Notify,
    /// What the entry that waits in front takes; 0 while none waits.
    wanted: AtomicU64,
    shut: AtomicBool,
    /// Most voters are short of disk, as the leader says.
    most_are_short: AtomicBool,
}

/// What passed; given back when it is in the log or will never be.
pub(crate) struct Pass {
    door: Arc<Door>,
    bytes: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        *self.door.inside.lock() -= self.bytes;
        self.door.left.notify_waiters();
    }
}

/// Nobody waits in front any more.
struct Waits<'d>(&'d Door);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.wanted.store(0, Ordering::Relaxed);
    }
}

impl Door {
    pub(crate) fn new(wal: Wal, disk_bytes_min: u64) -> Door {
        Door {
            wal,
            disk_bytes_min,
            inside: Mutex::new(0),
            left: Notify::new(),
            wanted: AtomicU64::new(0),
            shut: AtomicBool::new(false),
            most_are_short: AtomicBool::new(false),
        }
    }

    fn kept(&self) -> u64 {
        (self.wal.append_span_max() / 8).min(KEPT_BYTES)
    }

    /// Lets as many of the entries in as there is room for now: how many, if any. `payloads`: their bytes, in order.
    pub(crate) fn try_enter(self: &Arc<Self>, payloads: impl Iterator<Item = u64>) -> Option<(usize, Pass)> {
        self.try_enter_keeping(self.kept(), payloads)
    }

    /// The same for entries that openraft made on another member: they may use what is kept here.
    pub(crate) fn try_enter_first(self: &Arc<Self>, payloads: impl Iterator<Item = u64>) -> Option<(usize, Pass)> {
        self.try_enter_keeping(0, payloads)
    }

    fn try_enter_keeping(self: &Arc<Self>, kept: u64, payloads: impl Iterator<Item = u64>) -> Option<(usize, Pass)> {
        let mut inside = self.inside.lock();
        let room = self.wal.certain_bytes().saturating_sub(kept + *inside);
        let (mut count, mut bytes) = (0, 0);
        let mut payload_bytes = 0;
        for payload in payloads {
            payload_bytes += payload;
            let span = Wal::append_span(payload_bytes, count as u64 + 1);
            if span > room {
                break;
            }
            (count, bytes) = (count + 1, span);
        }
        *inside += bytes;
        (count > 0).then(|| (count, Pass { door: self.clone(), bytes }))
    }

    /// Waits until at least the first of the entries may pass.
    pub(crate) async fn enter(self: &Arc<Self>, payloads: impl Iterator<Item = u64> + Clone) -> (usize, Pass) {
        let first = payloads.clone().next().map_or(0, |payload| Wal::append_span(payload, 1));
        let mut pause = LOOK_EVERY.0;
        let waits = Waits(self);
        loop {
            let left = self.left.notified();
            if let Some(entered) = self.try_enter(payloads.clone()) {
                drop(waits);
                return entered;
            }
            self.wanted.store(first, Ordering::Relaxed);
            tokio::select! {
                () = left => {}
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LOOK_EVERY.1);
        }
    }

    fn lacks_room(&self) -> bool {
        let wanted = self.wanted.load(Ordering::Relaxed).max(ORDINARY_BYTES);
        self.wal.certain_bytes() < self.kept() + wanted
    }

    /// Whether entries wait in front, and not for a moment only.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    /// Whether this member's disk is about to be full, or is.
    pub(crate) fn is_short(&self) -> bool {
        self.is_shut() || self.wal.free_bytes() < self.disk_bytes_min
    }

    pub(crate) fn most_are_short(&self) -> bool {
        self.most_are_short.load(Ordering::Relaxed)
    }

    pub(crate) fn hear_of_the_others(&self, most_are_short: bool) {
        self.most_are_short.store(most_are_short, Ordering::Relaxed);
    }

    /// Why it is shut, in words for an operator.
    pub(crate) fn why_shut(&self) -> Option<String> {
        if !self.is_shut() {
            return None;
        }
        let (wanted, most) = (self.wanted.load(Ordering::Relaxed), self.wal.append_span_max() - self.kept());
        if wanted > most {
            return Some(format!(
                "an entry of {wanted} bytes fits no log segment of this member, which takes {most}: start it again \
                 with a larger log_segment_bytes"
            ));
        }
        let free = self.wal.free_bytes();
        Some(format!(
            "the disk of this member is full ({free} bytes free): its log takes no entry until there is room, and goes \
             on by itself then"
        ))
    }

    /// Finds out when the door shuts and opens, and says so.
    pub(crate) async fn watch(self: Arc<Self>) {
        let (mut lacking, mut was_short) = (0, false);
        loop {
            sleep(WATCH_EVERY).await;
            lacking = if self.lacks_room() { lacking + 1 } else { 0 };
            let shut = lacking >= SHUT_AFTER;
            let was_shut = self.shut.swap(shut, Ordering::Relaxed);
            let short = self.is_short();
            match (self.why_shut(), short) {
                (Some(why), _) if !was_shut => tracing::warn!(why, "the log takes no entries"),
                (None, _) if was_shut => tracing::warn!("the log takes entries again"),
                (None, true) if !was_short => {
                    tracing::warn!(free = self.wal.free_bytes(), "the disk is short: creates and sets are refused here")
                }
                (None, false) if was_short => tracing::warn!("the disk has room again"),
                (Some(_), _) | (None, _) => {}
            }
            was_short = short;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::{BufMut, BytesMut};
    use coordd_wal::testing::SimDisk;
    use coordd_wal::{Flush, Mode, NewEntry, Options};
    use tokio::time::timeout;

    use super::*;

    const SEGMENT: u64 = 8 << 10;

    /// A door to a log on a disk with room for so many segments.
    fn door(disk: &SimDisk, segments: u64) -> Arc<Door> {
        disk.set_capacity(segments * SEGMENT);
        let options = Options { mode: Mode::Inline, segment_bytes: SEGMENT, min_free_bytes: 0, ..Options::default() };
        let (wal, _) = Wal::open(Arc::new(disk.clone()), Path::new("/log"), options).unwrap();
        Arc::new(Door::new(wal, 0))
    }

    /// Puts entry `index` of so many bytes into the log; whether it is there.
    fn append(door: &Door, index: u64, bytes: u64) -> bool {
        let (tell, told) = std::sync::mpsc::channel();
        let payload = move |out: &mut BytesMut| out.put_bytes(7, usize::try_from(bytes).unwrap());
        let entry = NewEntry { index, term: 1, payload };
        door.wal.append([entry], Flush::Behind, Box::new(move |done| drop(tell.send(done))));
        told.recv().unwrap().is_ok()
    }

    /// Appends what passes until nothing does: how many entries.
    fn fill(door: &Arc<Door>, bytes: u64) -> u64 {
        let mut last = 0;
        while let Some((1, pass)) = door.try_enter([bytes].into_iter()) {
            last += 1;
            assert!(append(door, last, bytes), "what passes finds room");
            drop(pass);
        }
        last
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_in_front_and_goes_in_when_there_is_some() {
        let disk = SimDisk::new();
        let door = door(&disk, 3);
        let last = fill(&door, 500);
        assert!(last > 10, "{last} entries");
        let waits = timeout(Duration::from_millis(100), door.enter([500].into_iter())).await;
        assert!(waits.is_err(), "there is no room for it");
        assert!(door.lacks_room());
        disk.set_capacity(10 * SEGMENT);
        let (count, _pass) = timeout(Duration::from_secs(10), door.enter([500].into_iter())).await.unwrap();
        assert_eq!(count, 1);
        assert!(append(&door, last + 1, 500));
    }

    #[tokio::test]
    async fn what_is_inside_has_its_room_and_gives_it_back() {
        let disk = SimDisk::new();
        let door = door(&disk, 2);
        let many = std::iter::repeat_n(1000, 20);
        let (count, pass) = door.try_enter(many.clone()).unwrap();
        assert!((2..8).contains(&count), "{count} of a thousand bytes each in a segment of eight");
        assert!(door.try_enter(many.clone()).is_none(), "all of it is spoken for");
        let goes_in = tokio::spawn({
            let door = door.clone();
            async move { door.enter(std::iter::repeat_n(1000, 20)).await.0 }
        });
        tokio::task::yield_now().await;
        drop(pass);
        assert_eq!(timeout(Duration::from_secs(10), goes_in).await.unwrap().unwrap(), count);
    }

    #[tokio::test]
    async fn votes_and_what_openraft_makes_itself_find_room_in_what_is_kept() {
        let disk = SimDisk::new();
        let door = door(&disk, 3);
        let last = fill(&door, 60);
        assert!(door.try_enter_first([60].into_iter()).is_some());
        let (tell, told) = std::sync::mpsc::channel();
        door.wal.save_vote(b"a vote", Box::new(move |done| drop(tell.send(done))));
        assert_eq!(told.recv().unwrap(), Ok(()));
        assert!(append(&door, last + 1, 2), "a blank entry");
    }

    #[tokio::test]
    async fn it_is_shut_when_room_is_lacking_for_a_while_and_says_why() {
        let disk = SimDisk::new();
        let door = door(&disk, 3);
        tokio::spawn(door.clone().watch());
        sleep(WATCH_EVERY * (SHUT_AFTER + 2)).await;
        assert_eq!(door.why_shut(), None);
        fill(&door, 500);
        sleep(WATCH_EVERY * (SHUT_AFTER + 2)).await;
        assert!(door.is_short() && door.why_shut().unwrap().contains("is full"));
        disk.set_capacity(10 * SEGMENT);
        sleep(WATCH_EVERY * 2).await;
        assert_eq!(door.why_shut(), None);
        let larger_than_a_segment = door.enter([9000].into_iter());
        assert!(timeout(WATCH_EVERY * (SHUT_AFTER + 2), larger_than_a_segment).await.is_err());
        sleep(WATCH_EVERY * 2).await;
        assert_eq!(door.why_shut(), None, "nobody waits any more");
    }

    #[tokio::test]
    async fn an_entry_that_fits_no_segment_is_named_with_the_cure() {
        let door = door(&SimDisk::new(), 10);
        tokio::spawn(door.clone().watch());
        let waits = tokio::spawn({
            let door = door.clone();
            async move { drop(door.enter([9000].into_iter()).await) }
        });
        sleep(WATCH_EVERY * (SHUT_AFTER + 2)).await;
        assert!(door.why_shut().unwrap().contains("log_segment_bytes"));
        waits.abort();
    }
}
