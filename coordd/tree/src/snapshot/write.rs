//! Writes a snapshot piece by piece, between which apply goes on.
//!
//! Rule: `begin_snapshot` needs the state exclusively and takes time by the number of sessions and ACLs, not of znodes;
//! each `chunk` only shares it, for so few rows that nobody notices.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::acls::AclsWriter;
use super::{Cut, FRAME_MAX, MAGIC, SNAPSHOT_FORMAT, SNAPSHOT_FORMAT_1, SNAPSHOT_FORMAT_2, row, varint};
use crate::state::State;
use crate::znode::NodeId;

const ROWS_MAX: u32 = 512;
pub(super) const BYTES_MAX: usize = 256 * 1024;

/// The state was replaced, or a younger snapshot took this one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot was overtaken by another one or by a new state")]
pub struct SnapshotAborted;

/// What is to be written next.
#[derive(Debug)]
enum Next {
    /// What stands before the ACLs.
    Head(BytesMut),
    Acls,
    Rows,
    Nothing,
}

#[derive(Debug)]
pub struct SnapshotWriter {
    cut: Arc<Cut>,
    acls: AclsWriter,
    checksum: u32,
    next: Next,
}

impl State {
    /// Starts a snapshot of the state as it is now. `meta` is the caller's and comes back from `load`.
    pub fn begin_snapshot(&mut self, meta: Bytes) -> SnapshotWriter {
        self.begin_snapshot_of(&meta, u64::from(FRAME_MAX))
    }

    /// Where scalars, sessions and ACLs take more than `head_max` bytes, the ACLs stand in frames of their own.
    fn begin_snapshot_of(&mut self, meta: &[u8], head_max: u64) -> SnapshotWriter {
        let cut = Arc::new(Cut::new(self.znodes.arena.slots()));
        let mut acls = AclsWriter::of(&self.znodes.acls);
        let mut body = BytesMut::new();
        self.encode_head(&mut body);
        let whole = body.len() as u64 + acls.len();
        let (format, len) = if whole > head_max {
            acls = acls.in_frames();
            (SNAPSHOT_FORMAT, body.len() as u64)
        } else {
            (if self.znodes.has_acl_zxids() { SNAPSHOT_FORMAT_2 } else { SNAPSHOT_FORMAT_1 }, whole)
        };
        let mut head = BytesMut::new();
        head.put_slice(MAGIC);
        head.put_u32(format);
        frame(&mut head, |out| out.put_slice(meta));
        head.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
        head.put_slice(&body);
        self.znodes.start_cut(Arc::clone(&cut));
        SnapshotWriter { cut, acls, checksum: 0, next: Next::Head(head) }
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
    }
}

impl SnapshotWriter {
    /// Appends the next piece to `out`; false after the last one. `state` must be the one that the snapshot was begun
    /// on.
    pub fn chunk(&mut self, state: &State, out: &mut BytesMut) -> Result<bool, SnapshotAborted> {
        if matches!(self.next, Next::Nothing) {
            return Ok(false);
        }
        if !state.znodes.is_cut_by(&self.cut) {
            return Err(SnapshotAborted);
        }
        let start = out.len();
        self.next = self.piece(state, out);
        self.checksum = crc32c::crc32c_append(self.checksum, &out[start..]);
        if matches!(self.next, Next::Nothing) {
            out.put_u32(self.checksum);
            self.cut.end();
            return Ok(false);
        }
        Ok(true)
    }

    /// Appends the next piece; what comes behind it.
    fn piece(&mut self, state: &State, out: &mut BytesMut) -> Next {
        match &self.next {
            Next::Head(head) => {
                out.put_slice(head);
                Next::Acls
            }
            Next::Acls if self.acls.piece(out) => Next::Acls,
            Next::Acls => Next::Rows,
            Next::Rows if self.cut.cursor() < self.cut.high() => {
                frame(out, |out| self.rows(state, out));
                Next::Rows
            }
            Next::Rows | Next::Nothing => {
                out.put_u32(0);
                Next::Nothing
            }
        }
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
pub(super) fn frame(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    body(out);
    let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use coordd_proto::{Acl, AuthId, Perms, Zxid};

    use super::*;
    use crate::acl::AclView;
    use crate::znode::Owner;
    use crate::znode::znodes::NewNode;

    /// A state with many long lists, free numbers among them.
    fn with_lists() -> State {
        let mut state = State::new();
        let mut ids = Vec::new();
        for at in 0..2000 {
            let text = format!("{at}:{}", "x".repeat(at));
            let acl = AclView::new(vec![Acl { perms: Perms(at as i32), id: AuthId::new("digest", text) }]);
            let name = format!("n{at}");
            let (parent, owner) = (NodeId::ROOT, Owner::NOBODY);
            let new =
                NewNode { parent, name: name.as_bytes(), data: None, acl: &acl, owner, zxid: Zxid(1), time_ms: 0 };
            ids.push(state.znodes.insert(&new));
            state.appeared(ids[at], &format!("/{name}"));
        }
        for &id in ids.iter().step_by(7) {
            let path = state.znodes.path(id);
            state.remove(id, &path);
            state.znodes.free(id);
        }
        state
    }

    fn written(state: &mut State, head_max: u64) -> BytesMut {
        let mut writer = state.begin_snapshot_of(b"meta", head_max);
        let (mut out, mut largest) = (BytesMut::new(), 0);
        let mut more = true;
        while more {
            let start = out.len();
            more = writer.chunk(state, &mut out).unwrap();
            largest = largest.max(out.len() - start);
        }
        assert!(largest < 2 * BYTES_MAX, "made in one piece: {largest}");
        out
    }

    #[test]
    fn acls_that_are_too_long_for_one_frame_stand_in_several() {
        let mut state = with_lists();
        let one_frame = written(&mut state, u64::MAX);
        let several = written(&mut state, 1_000_000);
        assert_eq!((one_frame[11], several[11]), (1, 3));
        for bytes in [&one_frame, &several] {
            State::check_snapshot(&bytes[..]).unwrap();
            let (mut loaded, meta) = State::load(&bytes[..]).unwrap();
            assert_eq!((loaded.digest(), &meta[..]), (state.digest(), &b"meta"[..]));
            assert_eq!(loaded.znodes.acls.free_numbers(), state.znodes.acls.free_numbers());
            assert_eq!(written(&mut loaded, u64::MAX), one_frame, "and is written again as it was");
        }
    }

    #[test]
    fn a_frame_of_more_than_an_older_release_reads_is_not_written() {
        let mut state = with_lists();
        let mut head = BytesMut::new();
        state.encode_head(&mut head);
        let whole = head.len() as u64 + AclsWriter::of(&state.znodes.acls).len();
        assert_eq!((written(&mut state, whole)[11], written(&mut state, whole - 1)[11]), (1, 3));
    }

    fn fixture(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(name)
    }

    #[test]
    fn the_fixture_of_format_3_is_that_of_format_2_with_its_lists_in_frames() {
        let text = std::fs::read_to_string(fixture("snapshot-2.hex")).unwrap();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = text.lines().next().unwrap().as_bytes().chunks(2).map(byte).collect();
        let (mut state, _) = State::load(&bytes[..]).unwrap();
        let made: String = written(&mut state, 0).iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        let path = fixture("snapshot-3.hex");
        if !path.exists() && std::env::var_os("REWRITE").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), made);
    }
}
