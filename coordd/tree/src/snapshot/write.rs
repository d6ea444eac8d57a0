//! Writes a snapshot piece by piece, between which apply goes on.
//!
//! Rule: `begin_snapshot` needs the state exclusively and takes time by the number of sessions and ACLs, not of znodes;
//! each `chunk` only shares it, for so few rows that nobody notices.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Cut, MAGIC, SNAPSHOT_FORMAT, SNAPSHOT_FORMAT_1, row, varint};
use crate::state::State;
use crate::znode::NodeId;

const ROWS_MAX: u32 = 512;
const BYTES_MAX: usize = 256 * 1024;

/// The state was replaced, or a younger snapshot took this one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot was overtaken by another one or by a new state")]
pub struct SnapshotAborted;

#[derive(Debug)]
pub struct SnapshotWriter {
    cut: Arc<Cut>,
    /// What stands before the rows, until it is written.
    head: Option<BytesMut>,
    checksum: u32,
    ended: bool,
}

impl State {
    /// Starts a snapshot of the state as it is now. `meta` is the caller's and comes back from `load`.
    pub fn begin_snapshot(&mut self, meta: Bytes) -> SnapshotWriter {
        let cut = Arc::new(Cut::new(self.znodes.arena.slots()));
        let mut head = BytesMut::new();
        head.put_slice(MAGIC);
        head.put_u32(if self.znodes.has_acl_zxids() { SNAPSHOT_FORMAT } else { SNAPSHOT_FORMAT_1 });
        frame(&mut head, |out| out.put_slice(&meta));
        frame(&mut head, |out| self.encode_head(out));
        self.znodes.start_cut(Arc::clone(&cut));
        SnapshotWriter { cut, head: Some(head), checksum: 0, ended: false }
    }

    fn encode_head(&self, out: &mut BytesMut) {
        varint::put_signed(out, self.last_zxid.0);
        varint::put_signed(out, self.last_time_ms);
        varint::put_signed(out, self.zxid_base);
        varint::put(out, u64::from(self.feature_level));
        varint::put(out, u64::from(self.znodes.arena.slots()));
        varint::put(out, u64::from(self.znodes.arena.free_head().0));
        out.put_u64(self.digest());
        varint::put(out, self.origins.iter().len() as u64);
        for (member, boot, seq) in self.origins.iter() {
            varint::put(out, member);
            varint::put(out, u64::from(boot));
            varint::put(out, seq);
        }
        varint::put(out, self.sessions.len() as u64);
        for (id, session) in self.sessions.iter() {
            varint::put_signed(out, id.0);
            varint::put_signed(out, i64::from(session.timeout_ms));
            varint::put(out, u64::from(session.attach));
            varint::put(out, session.member);
            out.put_slice(&session.password);
        }
        self.znodes.acls.encode(out);
    }
}

impl SnapshotWriter {
    /// Appends the next piece to `out`; false after the last one. `state` must be the one that the snapshot was begun
    /// on.
    pub fn chunk(&mut self, state: &State, out: &mut BytesMut) -> Result<bool, SnapshotAborted> {
        if self.ended {
            return Ok(false);
        }
        if !state.znodes.is_cut_by(&self.cut) {
            return Err(SnapshotAborted);
        }
        let start = out.len();
        match self.head.take() {
            Some(head) => out.put_slice(&head),
            None if self.cut.cursor() < self.cut.high() => frame(out, |out| self.rows(state, out)),
            None => out.put_u32(0),
        }
        let is_end = out.len() == start + 4;
        self.checksum = crc32c::crc32c_append(self.checksum, &out[start..]);
        if is_end {
            out.put_u32(self.checksum);
            self.ended = true;
            self.cut.end();
        }
        Ok(!self.ended)
    }

    /// Slots at the cut and how many of them are written.
    pub fn progress(&self) -> (u32, u32) {
        (self.cut.cursor().min(self.cut.high()), self.cut.high())
    }

    fn rows(&self, state: &State, out: &mut BytesMut) {
        let start = out.len();
        let first = self.cut.cursor();
        let end = first.saturating_add(ROWS_MAX).min(self.cut.high());
        let mut slot = first;
        while slot < end && out.len() - start < BYTES_MAX {
            let id = NodeId(slot);
            match self.cut.take_saved(id) {
                Some(saved) => out.put_slice(&saved),
                None => row::encode(&state.znodes, id, out),
            }
            slot += 1;
        }
        self.cut.advance_to(slot);
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        self.cut.end();
    }
}

/// Writes `body` behind its length.
fn frame(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    body(out);
    let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}
