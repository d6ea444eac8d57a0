//! A segment file by name, and the one that is being written.
//!
//! ```text
//!   0000000000000007.log     a segment; the number is never used twice
//!   00000003.spare           zero-filled (or used before), flushed, waiting to become one
//!   00000004.tmp             a spare in the making; removed at open
//! ```
//!
//! Rule: a spare gets its header, is flushed, and only then gets its name as a segment, after everything in the segment
//! before it has been flushed. Reason: so a segment's header is always sound, and every segment but the newest is
//! whole.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::format::{SECTOR, SegmentHeader};
use crate::pool::Spare;

pub(crate) fn segment_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:016x}.log"))
}

pub(crate) fn spare_path(dir: &Path, spare: u64) -> PathBuf {
    dir.join(format!("{spare:08}.spare"))
}

pub(crate) fn unfinished_path(dir: &Path, spare: u64) -> PathBuf {
    dir.join(format!("{spare:08}.tmp"))
}

pub(crate) fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

pub(crate) fn spare_of(name: &str) -> Option<u64> {
    name.strip_suffix(".spare").or_else(|| name.strip_suffix(".tmp"))?.parse().ok()
}

/// The segment that is being written.
pub(crate) struct Current {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where the next batch goes.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Current {
    /// Makes a spare the newest segment.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, header: SegmentHeader, spare: &Spare) -> io::Result<Self> {
        spare.file.write_at(0, &[IoSlice::new(&header.encode())])?;
        spare.file.sync_data()?;
        disk.rename(&spare_path(dir, spare.number), &segment_path(dir, header.segment))?;
        disk.sync_dir(dir)?;
        Ok(Self { header, file: spare.file.clone(), offset: SECTOR, length: spare.file.len()? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offset == SECTOR
    }
}
