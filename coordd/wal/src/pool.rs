//! Spare segments: prepared ahead, so that a flush overwrites bytes that the file already has.
//!
//! ```text
//!   purged segment ──retire──► used again ──┐
//!   no spare ──► create, zero, flush, name ─┴─► spare ──take──► the writer's next segment
//! ```
//!
//! Rule: one spare is always ready while the disk allows it. Reason: overwriting allocated bytes makes fdatasync a
//! third cheaper (nothing but data to write) and cannot run out of space; and when the disk is full there is still a
//! segment for what frees it.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::disk::{Disk, DiskFile};
use crate::options::Options;
use crate::positions::Retired;
use crate::segment::{segment_path, spare_path, unfinished_path};

/// Spares that are kept ready; retired segments beyond them are unlinked.
const SPARES: usize = 1;
const RECYCLED: usize = 2;
/// How often free space is looked at while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Zeros are flushed in steps, so that the log's own flushes never wait for a whole segment of them.
const FILL_STEP: u64 = 1 << 20;
/// Bytes of one write while a spare is filled.
const FILL_WRITE: u64 = 64 << 10;

pub(crate) struct Spare {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

pub(crate) struct Pool {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    min_free_bytes: u64,
    recycle: bool,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    ready: Vec<Spare>,
    retired: Vec<Retired>,
    next_spare: u64,
    available: u64,
    closing: bool,
}

impl Pool {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, options: &Options, ready: Vec<Spare>) -> Self {
        let next_spare = ready.iter().map(|spare| spare.number + 1).max().unwrap_or(0);
        let available = disk.available_bytes(&dir).unwrap_or(0);
        let state = State { ready, retired: Vec::new(), next_spare, available, closing: false };
        Self {
            disk,
            dir,
            segment_bytes: options.segment_bytes,
            min_free_bytes: options.min_free_bytes,
            recycle: options.recycle,
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    /// A spare; if none is ready it is made now.
    pub(crate) fn take(&self) -> io::Result<Spare> {
        let mut spare = self.pop();
        if spare.is_none() {
            self.work_off_retired();
            spare = self.pop();
        }
        self.wake.notify_one();
        spare.map_or_else(|| self.make(), Ok)
    }

    pub(crate) fn give_back(&self, spare: Spare) {
        self.state.lock().ready.push(spare);
    }

    /// Hands over segments that hold nothing any more.
    pub(crate) fn retire(&self, retired: Vec<Retired>) {
        if !retired.is_empty() {
            self.state.lock().retired.extend(retired);
            self.wake.notify_one();
        }
    }

    /// Free bytes of the disk and those in spares; and whether writes should be accepted.
    pub(crate) fn room(&self) -> (u64, bool) {
        let state = self.state.lock();
        let spare_bytes = state.ready.len() as u64 * self.segment_bytes;
        (state.available + spare_bytes, !state.ready.is_empty() && state.available >= self.min_free_bytes)
    }

    pub(crate) fn has_spare(&self) -> bool {
        !self.state.lock().ready.is_empty()
    }

    /// Does what is due: reuses or unlinks the retired, prepares a spare, looks at the free space. A failure leaves the
    /// log without a spare, which `room` shows, and is tried again at the next look.
    pub(crate) fn upkeep(&self) {
        self.work_off_retired();
        let wanted = self.state.lock().ready.len() < SPARES;
        if let Some(spare) = wanted.then(|| self.make()).and_then(io::Result::ok) {
            self.give_back(spare);
        }
        let available = self.disk.available_bytes(&self.dir).unwrap_or(0);
        self.state.lock().available = available;
    }

    /// The helper thread.
    pub(crate) fn run(&self) {
        loop {
            self.upkeep();
            let mut state = self.state.lock();
            if state.closing {
                return;
            }
            if state.retired.is_empty() && state.ready.len() >= SPARES {
                self.wake.wait_for(&mut state, LOOK_EVERY);
            } else if state.retired.is_empty() {
                // The disk is full: not in a loop.
                self.wake.wait_for(&mut state, LOOK_EVERY / 4);
            }
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
    }

    fn work_off_retired(&self) {
        let retired = std::mem::take(&mut self.state.lock().retired);
        let any = !retired.is_empty();
        let mut recycled = Vec::new();
        for Retired { segment, file } in retired {
            let path = segment_path(&self.dir, segment);
            let wanted = self.recycle
                && self.state.lock().ready.len() + recycled.len() < RECYCLED
                && file.len().is_ok_and(|length| length == self.segment_bytes);
            let number = self.next_number();
            if wanted && self.disk.rename(&path, &spare_path(&self.dir, number)).is_ok() {
                recycled.push(Spare { number, file });
            } else {
                // What cannot be unlinked now is found and unlinked at the next open.
                let _ = self.disk.remove(&path);
            }
        }
        if any && self.disk.sync_dir(&self.dir).is_ok() {
            self.state.lock().ready.extend(recycled);
        }
    }

    fn pop(&self) -> Option<Spare> {
        self.state.lock().ready.pop()
    }

    fn next_number(&self) -> u64 {
        let mut state = self.state.lock();
        state.next_spare += 1;
        state.next_spare - 1
    }

    fn make(&self) -> io::Result<Spare> {
        let number = self.next_number();
        let unfinished = unfinished_path(&self.dir, number);
        let made = self.disk.create(&unfinished).and_then(|file| {
            self.fill(&*file)?;
            self.disk.rename(&unfinished, &spare_path(&self.dir, number))?;
            self.disk.sync_dir(&self.dir)?;
            Ok(Spare { number, file })
        });
        if made.is_err() {
            // Gives the space back; if even that fails, the next open removes the file.
            let _ = self.disk.remove(&unfinished);
        }
        made
    }

    /// In short writes: where they go through the page cache, a kernel that knows large folios makes one of each, and
    /// every later write into such a folio walks all of it.
    fn fill(&self, file: &dyn DiskFile) -> io::Result<()> {
        let zeros = vec![0; FILL_WRITE as usize];
        let mut offset = 0;
        while offset < self.segment_bytes {
            let step = (self.segment_bytes - offset).min(FILL_WRITE);
            file.write_at(offset, &[IoSlice::new(&zeros[..step as usize])])?;
            offset += step;
            if offset.is_multiple_of(FILL_STEP) || offset == self.segment_bytes {
                file.sync_data()?;
            }
        }
        Ok(())
    }
}
