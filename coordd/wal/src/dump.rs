//! A log directory as text: for people, and for tests that compare text.
//!
//! ```text
//!   segment 1 from batch 1
//!     512 batch 1: 2 records, 153 bytes
//!       checkpoint last - purged -
//!       entry 1 term 1: 64 bytes
//!     1024 end
//! ```
//!
//! Rule: it changes nothing and judges nothing; it shows each segment up to the first batch that is not sound.

use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::format::{BatchHeader, EntryId, Record, SECTOR, SegmentHeader, decode_record};
use crate::segment::{segment_of, segment_path};

pub fn dump(disk: &dyn Disk, dir: &Path) -> io::Result<String> {
    let mut out = String::new();
    for segment in disk.list(dir)?.iter().filter_map(|name| segment_of(name)) {
        let file = disk.open(&segment_path(dir, segment))?;
        let mut bytes = vec![0; file.len()? as usize];
        file.read_at(0, &mut bytes)?;
        let _ = match SegmentHeader::decode(&bytes) {
            Ok(header) => {
                let _ = writeln!(out, "segment {} from batch {}", header.segment, header.first_batch);
                batches(&mut out, &header, &bytes)
            }
            Err(error) => writeln!(out, "segment {segment}: no header: {error:?}"),
        };
    }
    Ok(out)
}

fn batches(out: &mut String, header: &SegmentHeader, bytes: &[u8]) -> std::fmt::Result {
    let mut offset = SECTOR as usize;
    while let Some(rest) = bytes.get(offset..)
        && let Some(batch) = BatchHeader::decode(header, rest)
    {
        let Some(mut body) = batch.body(header, rest) else {
            return writeln!(out, "  {offset} batch {}: not whole", batch.batch);
        };
        writeln!(out, "  {offset} batch {}: {} records, {} bytes", batch.batch, batch.count, batch.length)?;
        while !body.is_empty() {
            match decode_record(body) {
                Ok((record, length)) => {
                    writeln!(out, "    {}", describe(&record))?;
                    body = &body[length..];
                }
                Err(found) => return writeln!(out, "    {found}"),
            }
        }
        offset += batch.span() as usize;
    }
    writeln!(out, "  {offset} end")
}

fn describe(record: &Record<'_>) -> String {
    match record {
        Record::Entry { id, payload } => format!("entry {} term {}: {} bytes", id.index, id.term, payload.len()),
        Record::Vote(bytes) => format!("vote: {} bytes", bytes.len()),
        Record::Committed(bytes) => format!("committed: {} bytes", bytes.len()),
        Record::TruncateAfter(to) => format!("truncate after {}", show(*to)),
        Record::PurgeUpto(upto) => format!("purge up to {}", show(Some(*upto))),
        Record::Checkpoint(at) => format!("checkpoint last {} purged {}", show(at.last), show(at.purged)),
    }
}

fn show(id: Option<EntryId>) -> String {
    id.map_or_else(|| "-".into(), |id| format!("{} term {}", id.index, id.term))
}
