//! Reads entries: from memory while they are there, else from their segment, each checked.
//!
//! Rule: fewer entries than asked for only because of `max_bytes`; anything else is an error. Reason: a log that
//! answers short is taken at its word by replication. The disk is read without the lock; a segment may be purged and
//! used again meanwhile, so what does not check out is an error only if the entry is still held.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::error::ReadError;
use crate::format::{EntryId, RECORD_HEADER, Record, checked_record, record_length};
use crate::positions::Span;
use crate::shared::{Shared, State};
use crate::wal::LogEntry;

/// The longest stretch that is read from the disk at once.
const STRETCH_BYTES: u64 = 1 << 20;

pub(crate) fn read(shared: &Shared, range: Range<u64>, max_bytes: u64) -> Result<Vec<LogEntry>, ReadError> {
    let mut entries: Vec<LogEntry> = Vec::new();
    let mut left = max_bytes;
    let mut next = range.start;
    while next < range.end {
        let from_disk = {
            let state = shared.state.lock();
            check_held(&state, next)?;
            check_held(&state, range.end - 1)?;
            match state.cache.get(next) {
                Some(_) => {
                    take_cached(&state, next..range.end, left, &mut entries);
                    return Ok(entries);
                }
                None => {
                    let end = state.cache.first().filter(|first| *first > next).unwrap_or(range.end).min(range.end);
                    state.durable.positions.find(next, end, left.min(STRETCH_BYTES))
                }
            }
        };
        let span = from_disk.ok_or(ReadError::Absent { index: next, last: None })?;
        let read = match read_span(&span, next) {
            Ok(read) => read,
            Err(error) => {
                check_held(&shared.state.lock(), next)?;
                return Err(error);
            }
        };
        for entry in read {
            let bytes = entry.payload.len() as u64;
            if bytes > left && !entries.is_empty() {
                return Ok(entries);
            }
            left = left.saturating_sub(bytes);
            next = entry.id.index + 1;
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn check_held(state: &State, index: u64) -> Result<(), ReadError> {
    if let Some(purged) = state.view.purged.filter(|purged| index <= purged.index) {
        return Err(ReadError::Purged { index, purged: purged.index });
    }
    match (state.view.first(), state.view.last) {
        (Some(first), Some(last)) if (first..=last.index).contains(&index) => Ok(()),
        (first, last) => Err(ReadError::Absent { index, last: last.and(first).and(last).map(|last| last.index) }),
    }
}

fn take_cached(state: &State, range: Range<u64>, mut left: u64, entries: &mut Vec<LogEntry>) {
    for index in range {
        let Some((id, payload)) = state.cache.get(index) else { return };
        if payload.len() as u64 > left && !entries.is_empty() {
            return;
        }
        left = left.saturating_sub(payload.len() as u64);
        entries.push(LogEntry { id, payload: payload.clone() });
    }
}

/// The entries of a span; the first is `index`.
fn read_span(span: &Span, index: u64) -> Result<Vec<LogEntry>, ReadError> {
    let Span { segment, file, offsets } = span;
    let damaged =
        |index, offset: u32, found| ReadError::Damaged { index, segment: *segment, offset: u64::from(offset), found };
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return Err(damaged(index, 0, "no entry"));
    };
    let bytes = read_records(&**file, *first, *last)
        .map_err(|source| ReadError::Io { index, source })?
        .ok_or_else(|| damaged(index, *last, "a record longer than the file"))?;
    let mut entries = Vec::with_capacity(offsets.len());
    for (index, offset) in (index..).zip(offsets) {
        let start = (offset - first) as usize;
        match checked_record(&bytes[start..]) {
            Ok(Record::Entry { id, payload }) if id.index == index => {
                entries.push(LogEntry { id, payload: bytes.slice_ref(payload) });
            }
            Ok(_) => return Err(damaged(index, *offset, "another record")),
            Err(found) => return Err(damaged(index, *offset, found)),
        }
    }
    Ok(entries)
}

/// The bytes from the record at `first` to the end of the one at `last`.
fn read_records(file: &dyn DiskFile, first: u32, last: u32) -> std::io::Result<Option<Bytes>> {
    let headers = (last - first) as usize + RECORD_HEADER;
    let mut bytes = vec![0; headers];
    file.read_at(u64::from(first), &mut bytes)?;
    let length = record_length(&bytes[headers - RECORD_HEADER..]).unwrap_or(RECORD_HEADER);
    if u64::from(last) + length as u64 > file.len()? {
        return Ok(None);
    }
    bytes.resize(headers - RECORD_HEADER + length, 0);
    file.read_at(u64::from(first) + headers as u64, &mut bytes[headers..])?;
    Ok(Some(bytes.into()))
}

/// Fills the cache of a log that was just opened with its newest entries.
pub(crate) fn warm(shared: &Arc<Shared>) -> Result<(), ReadError> {
    let (first, last) = {
        let state = shared.state.lock();
        match (state.view.first(), state.view.last) {
            (Some(first), Some(last)) => (first, last.index),
            _ => return Ok(()),
        }
    };
    let max_bytes = shared.options.cache_bytes;
    let mut entries: Vec<LogEntry> = Vec::new();
    let mut bytes = 0;
    let mut end = last + 1;
    while end > first && bytes < max_bytes {
        let start = end.saturating_sub(1024).max(first);
        let mut block = Vec::new();
        while start + (block.len() as u64) < end {
            block.extend(read(shared, start + block.len() as u64..end, STRETCH_BYTES)?);
        }
        bytes += block.iter().map(|entry| entry.payload.len() as u64).sum::<u64>();
        entries.extend(block.into_iter().rev());
        end = start;
    }
    let mut state = shared.state.lock();
    for LogEntry { id, payload } in entries.into_iter().rev() {
        state.cache.push(EntryId { ..id }, payload, 0);
    }
    state.cache.shrink(max_bytes, 0);
    Ok(())
}
