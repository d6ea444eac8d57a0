//! Every byte that the log writes, on one page. All numbers little-endian; the tags must be kept stable.
//!
//! ```text
//!   segment  = header, 512 B │ batch │ batch │ …                each batch begins at a multiple of 512 (a sector)
//!   header   = "coordWAL" │ version u32 │ crc u32 │ segment u64 │ salt u64 │ first batch u64 │ zeros
//!   batch    = crc u32 │ length u32 │ body crc u32 │ count u32 │ batch u64 │ segment u64 │ body, `length` B │ zeros
//!   body     = record │ record │ …   `count` of them; in a segment's first batch the first record is a checkpoint
//!   record   = crc u32 │ length u32 │ kind u8 │ what the kind says, `length` bytes
//! ```
//!
//! Rule: a batch's two checks are seeded with the segment's salt and cover the segment's number, so what an earlier use
//! of the file, another log or a client's payload left behind never parses. A batch counts whole or not at all. A
//! record's own check (kind, length, content) serves single reads. Reason for the sectors: a torn write of one batch
//! cannot touch an earlier one.

use bytes::{BufMut, Bytes, BytesMut};
use crc32c::{crc32c, crc32c_append};

pub(crate) const SECTOR: u64 = 512;
pub(crate) const VERSION: u32 = 1;
pub(crate) const BATCH_HEADER: usize = 32;
pub(crate) const RECORD_HEADER: usize = 9;
const MAGIC: &[u8; 8] = b"coordWAL";

/// An entry's place in the log and the term of the leader that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    pub index: u64,
    pub term: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) segment: u64,
    pub(crate) salt: u64,
    pub(crate) first_batch: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged(&'static str),
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR as usize);
        out.put_slice(MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(0);
        out.put_u64_le(self.segment);
        out.put_u64_le(self.salt);
        out.put_u64_le(self.first_batch);
        out.resize(SECTOR as usize, 0);
        let crc = crc32c(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(bytes) = bytes.get(..SECTOR as usize) else { return Err(HeaderError::Damaged("a file cut short")) };
        if bytes[..8] != *MAGIC {
            return Err(HeaderError::Damaged("no magic"));
        }
        let mut unchecked = bytes.to_vec();
        unchecked[12..16].fill(0);
        if crc32c(&unchecked) != u32_at(bytes, 12) {
            return Err(HeaderError::Damaged("a wrong check"));
        }
        match u32_at(bytes, 8) {
            VERSION => {}
            version => return Err(HeaderError::Version(version)),
        }
        Ok(Self { segment: u64_at(bytes, 16), salt: u64_at(bytes, 24), first_batch: u64_at(bytes, 32) })
    }

    /// Seeds the checks of this segment's batches.
    fn seed(&self) -> u32 {
        crc32c_append(crc32c(&self.salt.to_le_bytes()), &self.segment.to_le_bytes())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) batch: u64,
    pub(crate) count: u32,
    pub(crate) length: u32,
    body_crc: u32,
}

impl BatchHeader {
    pub(crate) fn of<'a>(
        segment: &SegmentHeader,
        batch: u64,
        count: u32,
        body: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let (mut length, mut body_crc) = (0, segment.seed());
        for part in body {
            length += part.len() as u32;
            body_crc = crc32c_append(body_crc, part);
        }
        Self { batch, count, length, body_crc }
    }

    pub(crate) fn encode(&self, segment: &SegmentHeader) -> [u8; BATCH_HEADER] {
        let mut out = [0; BATCH_HEADER];
        out[4..8].copy_from_slice(&self.length.to_le_bytes());
        out[8..12].copy_from_slice(&self.body_crc.to_le_bytes());
        out[12..16].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.batch.to_le_bytes());
        out[24..32].copy_from_slice(&segment.segment.to_le_bytes());
        let crc = crc32c_append(segment.seed(), &out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The batch header at the start of `bytes`, if there is a sound one of this segment.
    pub(crate) fn decode(segment: &SegmentHeader, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..BATCH_HEADER)?;
        if u64_at(bytes, 24) != segment.segment || crc32c_append(segment.seed(), &bytes[4..]) != u32_at(bytes, 0) {
            return None;
        }
        let (length, body_crc) = (u32_at(bytes, 4), u32_at(bytes, 8));
        Some(Self { batch: u64_at(bytes, 16), count: u32_at(bytes, 12), length, body_crc })
    }

    /// The body that follows the header in `bytes`, if it is whole and sound.
    pub(crate) fn body<'a>(&self, segment: &SegmentHeader, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let body = bytes.get(BATCH_HEADER..BATCH_HEADER + self.length as usize)?;
        (crc32c_append(segment.seed(), body) == self.body_crc).then_some(body)
    }

    /// Bytes from this batch's start to the next one's.
    pub(crate) fn span(&self) -> u64 {
        (BATCH_HEADER as u64 + u64::from(self.length)).next_multiple_of(SECTOR)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Entry = 1,
    Vote = 2,
    Committed = 3,
    TruncateAfter = 4,
    PurgeUpto = 5,
    Checkpoint = 6,
}

/// The log's state where a segment begins, so that older segments may go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Checkpoint {
    pub(crate) last: Option<EntryId>,
    pub(crate) purged: Option<EntryId>,
    pub(crate) vote: Option<Bytes>,
    pub(crate) committed: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Entry {
        id: EntryId,
        payload: &'a [u8],
    },
    Vote(&'a [u8]),
    Committed(&'a [u8]),
    /// What the last entry is from now on.
    TruncateAfter(Option<EntryId>),
    PurgeUpto(EntryId),
    Checkpoint(Checkpoint),
}

/// Bytes of an entry's record beside its payload.
pub(crate) const ENTRY_OVERHEAD: usize = RECORD_HEADER + 16;

/// Appends a record whose content is what `content` puts. False if `content` took away what was there before.
pub(crate) fn put_record(out: &mut BytesMut, kind: Kind, content: impl FnOnce(&mut BytesMut)) -> bool {
    let start = out.len();
    out.put_bytes(0, RECORD_HEADER);
    content(out);
    if out.len() < start + RECORD_HEADER {
        return false;
    }
    let length = (out.len() - start - RECORD_HEADER) as u32;
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    out[start + 8] = kind as u8;
    let crc = crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    true
}

pub(crate) fn put_id(out: &mut BytesMut, id: EntryId) {
    out.put_u64_le(id.index);
    out.put_u64_le(id.term);
}

pub(crate) fn put_optional_id(out: &mut BytesMut, id: Option<EntryId>) {
    out.put_u8(u8::from(id.is_some()));
    put_id(out, id.unwrap_or(EntryId { index: 0, term: 0 }));
}

pub(crate) fn put_checkpoint(out: &mut BytesMut, checkpoint: &Checkpoint) {
    put_record(out, Kind::Checkpoint, |out| {
        put_optional_id(out, checkpoint.last);
        put_optional_id(out, checkpoint.purged);
        for blob in [&checkpoint.vote, &checkpoint.committed] {
            let bytes = blob.as_deref().unwrap_or_default();
            out.put_u8(u8::from(blob.is_some()));
            out.put_u32_le(bytes.len() as u32);
            out.put_slice(bytes);
        }
    });
}

/// Length of the record that `bytes` begin with, header included, from its header alone.
pub(crate) fn record_length(bytes: &[u8]) -> Option<usize> {
    (bytes.len() >= RECORD_HEADER).then(|| RECORD_HEADER + u32_at(bytes, 4) as usize)
}

/// The record that `bytes` begin with, its check verified.
pub(crate) fn checked_record(bytes: &[u8]) -> Result<Record<'_>, &'static str> {
    let record = record_length(bytes).and_then(|n| bytes.get(..n)).ok_or("a record cut short")?;
    if crc32c(&record[4..]) != u32_at(record, 0) {
        return Err("a record with a wrong check");
    }
    decode_record(record).map(|(record, _)| record)
}

/// The record that `bytes` begin with and its length; the caller has verified the bytes.
pub(crate) fn decode_record(bytes: &[u8]) -> Result<(Record<'_>, usize), &'static str> {
    let length = record_length(bytes).ok_or("a record cut short")?;
    let mut content = bytes.get(RECORD_HEADER..length).ok_or("a record cut short")?;
    let content = &mut content;
    let record = match bytes[8] {
        1 => Record::Entry { id: take_id(content)?, payload: std::mem::take(content) },
        2 => Record::Vote(std::mem::take(content)),
        3 => Record::Committed(std::mem::take(content)),
        4 => Record::TruncateAfter(take_optional_id(content)?),
        5 => Record::PurgeUpto(take_id(content)?),
        6 => Record::Checkpoint(Checkpoint {
            last: take_optional_id(content)?,
            purged: take_optional_id(content)?,
            vote: take_optional_blob(content)?,
            committed: take_optional_blob(content)?,
        }),
        _ => return Err("a record of unknown kind"),
    };
    if content.is_empty() { Ok((record, length)) } else { Err("a record with bytes left over") }
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> Result<&'a [u8], &'static str> {
    from.split_off(..count).ok_or("a record cut short")
}

fn take_id(from: &mut &[u8]) -> Result<EntryId, &'static str> {
    let bytes = take(from, 16)?;
    Ok(EntryId { index: u64_at(bytes, 0), term: u64_at(bytes, 8) })
}

fn take_optional_id(from: &mut &[u8]) -> Result<Option<EntryId>, &'static str> {
    let present = take(from, 1)?[0] == 1;
    Ok(Some(take_id(from)?).filter(|_| present))
}

fn take_optional_blob(from: &mut &[u8]) -> Result<Option<Bytes>, &'static str> {
    let present = take(from, 1)?[0] == 1;
    let length = u32_at(take(from, 4)?, 0);
    Ok(Some(Bytes::copy_from_slice(take(from, length as usize)?)).filter(|_| present))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}
