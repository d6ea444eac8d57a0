//! Writes past the page cache, for whole sectors.
//!
//! ```text
//!   buffers of any place and length ─► staged pages, each aligned ─► one write to the device, up to a step at a time
//! ```
//!
//! Rule: what is not a run of whole sectors, and every write of a file that once refused one, goes through the page
//! cache. Reason: a flush finds nothing to write back, a good part of what a short one costs; and a log that is
//! written once and seldom read takes no memory of those who share the machine.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::format::SECTOR;

const PAGE: usize = 4096;
/// Pages of one write to the device.
const STEP: usize = 64;

/// Aligned as every device that takes direct writes of sectors asks for.
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Page([u8; PAGE]);

thread_local! {
    /// Of the thread and not of the file: a log keeps its old segments open, and writes few of them at a time.
    static STAGED: RefCell<Vec<Page>> = const { RefCell::new(Vec::new()) };
}

/// A second descriptor of a file, for its direct writes.
pub(super) struct Direct {
    file: File,
    /// The device asked for longer sectors once, and will again.
    refused: AtomicBool,
}

impl Direct {
    /// None where the file system knows no direct writes.
    pub(super) fn open(path: &Path) -> Option<Direct> {
        let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let file = OpenOptions::new().write(true).custom_flags(flags).open(path).ok()?;
        Some(Direct { file, refused: AtomicBool::new(false) })
    }

    /// Writes all the buffers from `offset` on and says so; if not, the page cache has to take them all.
    pub(super) fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> io::Result<bool> {
        let length: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        let is_whole = offset.is_multiple_of(SECTOR) && (length as u64).is_multiple_of(SECTOR);
        if !is_whole || self.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        STAGED.with_borrow_mut(|staged| self.write_staged(offset, length, buffers, staged))
    }

    fn write_staged(
        &self,
        mut offset: u64,
        length: usize,
        buffers: &[IoSlice<'_>],
        staged: &mut Vec<Page>,
    ) -> io::Result<bool> {
        let (mut rest, mut source) = (length, Source { buffers, taken: 0 });
        while rest > 0 {
            let step = rest.min(STEP * PAGE);
            source.fill(staged, step);
            if !self.put(offset, staged, step)? {
                return Ok(false);
            }
            (offset, rest) = (offset + step as u64, rest - step);
        }
        Ok(true)
    }

    fn put(&self, offset: u64, pages: &[Page], length: usize) -> io::Result<bool> {
        let mut slices = [IoSlice::new(&[]); STEP];
        let count = length.div_ceil(PAGE);
        for (number, page) in pages[..count].iter().enumerate() {
            slices[number] = IoSlice::new(&page.0[..PAGE.min(length - number * PAGE)]);
        }
        match rustix::io::pwritev(&self.file, &slices[..count], offset) {
            // A short one is a disk that is full or a signal: the other path tells which.
            Ok(written) => Ok(written == length),
            Err(Errno::INTR) => Ok(false),
            // A device of longer sectors.
            Err(Errno::INVAL) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What is left of the buffers.
struct Source<'b> {
    buffers: &'b [IoSlice<'b>],
    taken: usize,
}

impl Source<'_> {
    /// Copies the next `length` bytes into pages, as many as they need.
    fn fill(&mut self, pages: &mut Vec<Page>, length: usize) {
        pages.resize(length.div_ceil(PAGE).max(pages.len()), Page([0; PAGE]));
        let mut done = 0;
        while done < length {
            let buffer = &self.buffers[0][self.taken..];
            let room = PAGE - done % PAGE;
            let count = buffer.len().min(room).min(length - done);
            pages[done / PAGE].0[done % PAGE..][..count].copy_from_slice(&buffer[..count]);
            (done, self.taken) = (done + count, self.taken + count);
            if self.taken == self.buffers[0].len() {
                (self.buffers, self.taken) = (&self.buffers[1..], 0);
            }
        }
    }
}

#[cfg(test)]
#[path = "direct_tests.rs"]
mod tests;
