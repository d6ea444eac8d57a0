//! Opening: what the disk says, and whether to believe it.
//!
//! ```text
//!   segments   … 6 │ 7 │ 8        the unbroken run of numbers that ends at the newest; older ones are left-overs
//!   batches    … 40 41 │ 42 43 │ 44 45 ??? zeros        numbered without gap across segments
//!                                      └─ a torn tail?  only in the newest segment, and only if no later batch follows
//! ```
//!
//! Rule: the newest batch may be cut, nothing else. The argument:
//! 1. Batch n+1 is written only after the fdatasync of batch n returned; segment k+1 gets its name only after the last
//!    fdatasync of segment k. So at a crash at most one batch, the newest, may be partly on the disk, in any of its
//!    sectors and in any order; it was not acknowledged, and cutting it loses nothing.
//! 2. Batches begin at sectors and their headers are salted, so all later batches in the segment can be found though
//!    one before them is unreadable, and nothing else is taken for one. Any of them proves by (1) that the unreadable
//!    one had been flushed: damage, not a tear. Across segments the header's `first_batch` proves the same.
//! 3. Damage is refused: what an acknowledged batch held is lost here, and a member that forgets what it promised can
//!    elect a leader without committed entries. The cure is a new member.
//! 4. What was cut must not come back: its header sector is wiped and flushed before anything is written there.
//! 5. What was kept must be durable: after kill -9 the newest batch may be in the page cache only, or be there as clean
//!    though its flush failed. It is written again and flushed before it counts.
//!
//! Not told apart: damage to the very newest batch of a log that was not closed looks as a tear does. A clean close
//! seals the log by one more batch, so there even that is found. A lost newest segment shows only in what replication
//! knows; an empty directory is reported as `created` (by `exists` before it is opened), and the marker (`marker.rs`)
//! tells whether that may be.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{DirLock, Disk, DiskFile};
use crate::durable::Durable;
use crate::error::OpenError;
use crate::format::{
    BATCH_HEADER, BatchHeader, EntryId, HeaderError, Record, SECTOR, SegmentHeader, VERSION, decode_record,
};
use crate::options::Options;
use crate::pool::{Pool, Spare};
use crate::segment::{Current, segment_of, segment_path, spare_of, spare_path};
use crate::writer::{Writer, segment_salt};

/// What an opened log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub vote: Option<Bytes>,
    pub committed: Option<Bytes>,
    pub purged: Option<EntryId>,
    pub last: Option<EntryId>,
    /// There was no log: this directory is new, or its content is gone.
    pub created: bool,
    /// An unacknowledged batch at the end was cut.
    pub torn_tail: bool,
}

pub(crate) struct Opened {
    pub(crate) durable: Durable,
    pub(crate) writer: Writer,
    pub(crate) pool: Pool,
    pub(crate) recovered: Recovered,
    pub(crate) lock: DirLock,
}

/// A segment's sound header and all its bytes.
struct Image {
    path: PathBuf,
    header: SegmentHeader,
    bytes: Vec<u8>,
}

/// Where the sound batches of a segment end.
struct End {
    offset: usize,
    next_batch: u64,
    /// Where the last batch begins.
    last: Option<usize>,
}

/// Whether there is a log in `dir`, sound or not; false too when the directory itself is not there.
pub fn exists(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    match disk.list(dir) {
        Ok(names) => Ok(names.iter().any(|name| segment_of(name).is_some())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn recover(disk: Arc<dyn Disk>, dir: &Path, options: &Options) -> Result<Opened, OpenError> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { doing, path, source }
    };
    disk.create_dir(dir).map_err(io("create", dir))?;
    let lock = disk.lock(&dir.join("lock")).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(dir.to_owned()),
        _ => io("lock", dir)(error),
    })?;
    let names = disk.list(dir).map_err(io("list", dir))?;
    let pool = Pool::new(disk.clone(), dir.to_owned(), options, spares(&*disk, dir, &names, options)?);
    let (leftovers, run) = newest_run(&names);
    let mut durable = Durable::default();
    let (current, next_batch, torn_tail) = if run.is_empty() {
        (create_first(&*disk, dir, options, &pool, &mut durable)?, 1, false)
    } else {
        replay(&*disk, dir, &run, &mut durable)?
    };
    for segment in leftovers {
        let path = segment_path(dir, segment);
        disk.remove(&path).map_err(io("remove", &path))?;
    }
    disk.sync_dir(dir).map_err(io("flush", dir))?;
    if !current.is_empty() {
        pool.retire(durable.positions.retire(current.header.segment));
    }
    let recovered = Recovered {
        vote: durable.vote.clone(),
        committed: durable.committed.clone(),
        purged: durable.view.purged,
        last: durable.view.last,
        created: run.is_empty(),
        torn_tail,
    };
    let writer = Writer { disk, dir: dir.to_owned(), current, next_batch, unwiped: false };
    Ok(Opened { durable, writer, pool, recovered, lock })
}

/// The segment numbers before the last gap, and those after it.
fn newest_run(names: &[String]) -> (Vec<u64>, Vec<u64>) {
    let mut segments: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
    segments.sort_unstable();
    let gap = segments.windows(2).rposition(|pair| pair[0] + 1 != pair[1]);
    let run = segments.split_off(gap.map_or(0, |gap| gap + 1));
    (segments, run)
}

/// The whole spares that are there; what is unfinished or of another size is removed.
fn spares(disk: &dyn Disk, dir: &Path, names: &[String], options: &Options) -> Result<Vec<Spare>, OpenError> {
    let mut ready = Vec::new();
    for name in names {
        let Some(number) = spare_of(name) else { continue };
        let path = dir.join(name);
        let io = |source| OpenError::Io { doing: "open", path: path.clone(), source };
        let file = disk.open(&path).map_err(io)?;
        if path == spare_path(dir, number) && file.len().map_err(io)? == options.segment_bytes {
            ready.push(Spare { number, file });
        } else {
            disk.remove(&path).map_err(io)?;
        }
    }
    Ok(ready)
}

fn create_first(
    disk: &dyn Disk,
    dir: &Path,
    options: &Options,
    pool: &Pool,
    durable: &mut Durable,
) -> Result<Current, OpenError> {
    let header = SegmentHeader { segment: 1, salt: segment_salt(options.salt, 1), first_batch: 1 };
    let current = pool.take().and_then(|spare| Current::create(disk, dir, header, &spare));
    let current = current.map_err(|source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoSpace(dir.to_owned()),
        _ => OpenError::Io { doing: "create a segment in", path: dir.to_owned(), source },
    })?;
    durable.positions.add_segment(1, current.file.clone());
    Ok(current)
}

/// Replays a run of segments and makes the newest one ready for the next batch.
fn replay(disk: &dyn Disk, dir: &Path, run: &[u64], durable: &mut Durable) -> Result<(Current, u64, bool), OpenError> {
    let mut end: Option<(PathBuf, End)> = None;
    let mut newest = None;
    for segment in run {
        let (image, file) = load(disk, segment_path(dir, *segment), *segment)?;
        match &end {
            Some((path, end)) if end.next_batch != image.header.first_batch => {
                let next = image.header.first_batch;
                let expected = format!("batches {} to {}, which were flushed", end.next_batch, next - 1);
                return Err(damaged(path, end.offset, expected, "none that can be read"));
            }
            _ => {}
        }
        let base = end.is_none();
        durable.positions.add_segment(*segment, file.clone());
        let segment_end = replay_segment(&image, durable, base)?;
        end = Some((image.path.clone(), segment_end));
        newest = Some((image, file));
    }
    let (Some((path, end)), Some((image, file))) = (end, newest) else {
        return Err(damaged(dir, 0, "a segment".into(), "none"));
    };
    check_whole(&path, run, &end, durable)?;
    let torn = check_tail(&image, &end)?;
    let io = |source| OpenError::Io { doing: "flush", path: path.clone(), source };
    settle(&*file, &image, &end, torn).map_err(io)?;
    let length = image.bytes.len() as u64;
    Ok((Current { header: image.header, file, offset: end.offset as u64, length }, end.next_batch, torn))
}

fn load(disk: &dyn Disk, path: PathBuf, segment: u64) -> Result<(Image, Arc<dyn DiskFile>), OpenError> {
    let io = |source| OpenError::Io { doing: "read", path: path.clone(), source };
    let file = disk.open(&path).map_err(io)?;
    let mut bytes = vec![0; file.len().map_err(io)? as usize];
    file.read_at(0, &mut bytes).map_err(io)?;
    let header = SegmentHeader::decode(&bytes).map_err(|error| match error {
        HeaderError::Version(found) => OpenError::Version { file: path.clone(), found, newest: VERSION },
        HeaderError::Damaged(found) => damaged(&path, 0, "a segment header".into(), found),
    })?;
    if header.segment != segment {
        return Err(damaged(&path, 0, format!("segment {segment:x}"), &format!("segment {:x}", header.segment)));
    }
    Ok((Image { path, header, bytes }, file))
}

fn replay_segment(image: &Image, durable: &mut Durable, base: bool) -> Result<End, OpenError> {
    let mut end = End { offset: SECTOR as usize, next_batch: image.header.first_batch, last: None };
    while let Some((batch, body)) = batch_at(image, end.offset).filter(|(batch, _)| batch.batch == end.next_batch) {
        let mut rest = body;
        for number in 0..batch.count {
            let offset = end.offset + BATCH_HEADER + body.len() - rest.len();
            let first = end.last.is_none() && number == 0;
            let applied = decode_record(rest).and_then(|(record, length)| {
                if first != matches!(record, Record::Checkpoint(_)) {
                    return Err("a checkpoint out of place, or none");
                }
                durable.apply(record, offset as u64, base && first).map(|()| length)
            });
            let length = applied.map_err(|found| damaged(&image.path, offset, "the next record".into(), found))?;
            rest = &rest[length..];
        }
        end.last = Some(end.offset);
        end.offset += batch.span() as usize;
        end.next_batch += 1;
    }
    Ok(end)
}

fn batch_at(image: &Image, offset: usize) -> Option<(BatchHeader, &[u8])> {
    let bytes = image.bytes.get(offset..)?;
    let batch = BatchHeader::decode(&image.header, bytes)?;
    Some((batch, batch.body(&image.header, bytes)?))
}

/// Refuses a log whose entries do not reach back to where it was purged.
fn check_whole(path: &Path, run: &[u64], end: &End, durable: &Durable) -> Result<(), OpenError> {
    let view = &durable.view;
    if end.last.is_none() && run.len() == 1 && end.next_batch != 1 {
        return Err(damaged(path, end.offset, "the checkpoint that the log begins with".into(), "no batch"));
    }
    if view.has_gap() {
        let begin = view.purged.map_or_else(|| "the first one".into(), |purged| format!("{}", purged.index + 1));
        let found = view.first().map_or_else(|| "none".into(), |first| format!("nothing before entry {first}"));
        return Err(damaged(path, 0, format!("older segments with the entries from {begin} on"), &found));
    }
    Ok(())
}

/// Whether a torn batch lies at the end of the newest segment; refuses if a later batch proves that it is none.
fn check_tail(image: &Image, end: &End) -> Result<bool, OpenError> {
    let tail = image.bytes.get(end.offset..).unwrap_or_default();
    for (number, sector) in tail.chunks(SECTOR as usize).enumerate() {
        let later = BatchHeader::decode(&image.header, sector).filter(|batch| batch.batch > end.next_batch);
        if let Some(later) = later {
            let at = end.offset + number * SECTOR as usize;
            let expected = format!("batch {}, which was flushed", end.next_batch);
            return Err(damaged(&image.path, end.offset, expected, &format!("batch {} at {at}", later.batch)));
        }
    }
    Ok(BatchHeader::decode(&image.header, tail).is_some())
}

/// Makes what was kept durable and what was cut gone (steps 4 and 5 above).
fn settle(file: &dyn DiskFile, image: &Image, end: &End, torn: bool) -> io::Result<()> {
    if let Some(last) = end.last {
        file.write_at(last as u64, &[IoSlice::new(&image.bytes[last..end.offset])])?;
    }
    let wiped = image.bytes.get(end.offset..).unwrap_or_default();
    if torn || wiped.iter().take(SECTOR as usize).any(|byte| *byte != 0) {
        file.write_at(end.offset as u64, &[IoSlice::new(&[0; SECTOR as usize])])?;
    }
    file.sync_data()
}

fn damaged(file: &Path, offset: usize, expected: String, found: &str) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), offset: offset as u64, expected, found: found.to_owned() }
}
