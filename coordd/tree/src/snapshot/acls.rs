//! The table of ACLs as bytes: numbers and their order of reuse come back as they were.
//!
//! ```text
//!   part = count │ { holders │ count │ { perms │ scheme │ id }… }… │ count │ free number…
//!   format 1, 2: one part, the rest of the head       format 3: frame{ part }… │ 0:u32, each part some 256 KiB
//! ```
//!
//! Rule: what is taken under the guard is a reference to each list; the bytes are made piece by piece afterwards.
//! Reason: the lists may be as large as all data together.

use bytes::{BufMut, BytesMut};
use coordd_proto::{Acl, AuthId, Perms};

use super::write::{BYTES_MAX, frame};
use super::{SnapshotError, varint};
use crate::acl::AclView;
use crate::acl::table::AclTable;

/// The table as it was at the cut, on its way out.
#[derive(Debug)]
pub(super) struct AclsWriter {
    entries: Vec<(AclView, u32)>,
    free: Vec<u32>,
    /// How many entries are written.
    written: usize,
    /// Each piece is a part in a frame of its own; else all pieces together are one part.
    framed: bool,
}

impl AclsWriter {
    pub(super) fn of(table: &AclTable) -> AclsWriter {
        let entries = table.entries_after_open().map(|(view, holders)| (view.clone(), holders)).collect();
        AclsWriter { entries, free: table.free_numbers().to_vec(), written: 0, framed: false }
    }

    pub(super) fn in_frames(self) -> AclsWriter {
        AclsWriter { framed: true, ..self }
    }

    /// Bytes of the whole table as one part.
    pub(super) fn len(&self) -> u64 {
        let counts = varint::len(self.entries.len() as u64) + varint::len(self.free.len() as u64);
        let lists: u64 = self.entries.iter().map(|entry| entry_len(entry) as u64).sum();
        let free: u64 = self.free.iter().map(|&id| varint::len(u64::from(id)) as u64).sum();
        counts as u64 + lists + free
    }

    /// Appends the next piece to `out`; false after the last one.
    pub(super) fn piece(&mut self, out: &mut BytesMut) -> bool {
        let until = self.end_of_piece();
        let more = until < self.entries.len();
        if self.framed {
            frame(out, |out| self.part(until, out));
            if !more {
                out.put_u32(0);
            }
        } else {
            if self.written == 0 {
                varint::put(out, self.entries.len() as u64);
            }
            self.put_entries(until, out);
            if !more {
                self.put_free(out);
            }
        }
        self.written = until;
        more
    }

    fn end_of_piece(&self) -> usize {
        let (mut until, mut bytes) = (self.written, 0);
        while until < self.entries.len() && bytes < BYTES_MAX {
            bytes += entry_len(&self.entries[until]);
            until += 1;
        }
        until
    }

    fn part(&self, until: usize, out: &mut BytesMut) {
        varint::put(out, (until - self.written) as u64);
        self.put_entries(until, out);
        if until == self.entries.len() { self.put_free(out) } else { varint::put(out, 0) }
    }

    fn put_entries(&self, until: usize, out: &mut BytesMut) {
        for (view, holders) in &self.entries[self.written..until] {
            varint::put(out, u64::from(*holders));
            let list = view.entries().unwrap_or_default();
            varint::put(out, list.len() as u64);
            for acl in list {
                varint::put_signed(out, i64::from(acl.perms.0));
                varint::put_bytes(out, acl.id.scheme.as_bytes());
                varint::put_bytes(out, acl.id.id.as_bytes());
            }
        }
    }

    fn put_free(&self, out: &mut BytesMut) {
        varint::put(out, self.free.len() as u64);
        self.free.iter().for_each(|&id| varint::put(out, u64::from(id)));
    }
}

/// What `put_entries` writes for one.
fn entry_len((view, holders): &(AclView, u32)) -> usize {
    let text = |text: &str| varint::len(text.len() as u64) + text.len();
    let one = |acl: &Acl| varint::len_signed(i64::from(acl.perms.0)) + text(&acl.id.scheme) + text(&acl.id.id);
    let list = view.entries().unwrap_or_default();
    varint::len(u64::from(*holders)) + varint::len(list.len() as u64) + list.iter().map(one).sum::<usize>()
}

impl AclTable {
    /// Puts the next part in place.
    pub(super) fn take_in(&mut self, from: &mut &[u8]) -> Result<(), SnapshotError> {
        for _ in 0..varint::get(from)? {
            let holders = varint::get_u32(from)?;
            let mut list = Vec::new();
            for _ in 0..varint::get(from)? {
                let perms = i32::try_from(varint::get_signed(from)?).map_err(|_| SnapshotError::BadRow)?;
                let id = AuthId::new(varint::get_string(from)?, varint::get_string(from)?);
                list.push(Acl { perms: Perms(perms), id });
            }
            self.restore(AclView::new(list), holders);
        }
        for _ in 0..varint::get(from)? {
            let id = varint::get_u32(from)?;
            self.restore_free(id);
        }
        Ok(())
    }
}
