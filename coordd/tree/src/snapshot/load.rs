//! Reads a snapshot back into a state.
//!
//! Rule: nothing of it is believed before the checksum over all of it has matched, and the state's digest is summed
//! anew and compared with the one that was written. Until then only lengths and numbers are used that were checked
//! here.

use std::io::{self, Read};

use bytes::Bytes;
use coordd_proto::{SessionId, Zxid};

use super::{FRAME_MAX, MAGIC, SNAPSHOT_FORMAT, SNAPSHOT_FORMAT_1, row, varint};
use crate::sessions::Session;
use crate::state::State;
use crate::znode::{NodeId, Znodes};

/// Why bytes are no snapshot to go on from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("reading the snapshot failed: {0}")]
    Io(#[from] io::Error),
    #[error("this is no snapshot of coordd")]
    NotASnapshot,
    #[error("snapshot format {0} is not known here; it was written by a newer release")]
    UnknownFormat(u32),
    #[error("the snapshot is damaged: a frame of {0} bytes")]
    FrameTooLong(u32),
    #[error("the snapshot is damaged: a row does not decode")]
    BadRow,
    #[error("the snapshot is damaged: {found} slots where {expected} were written")]
    SlotsMissing { found: u32, expected: u32 },
    #[error("the snapshot is damaged: checksum {found:#010x}, written was {expected:#010x}")]
    Checksum { found: u32, expected: u32 },
    #[error("the snapshot reads back as another state: digest {found:#018x}, written was {expected:#018x}")]
    Digest { found: u64, expected: u64 },
}

/// A reader that sums up what it read.
struct Checked<R> {
    inner: R,
    checksum: u32,
    frame: Vec<u8>,
}

impl<R: Read> Checked<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next frame; empty at the end of frames.
    fn frame(&mut self) -> Result<&[u8], SnapshotError> {
        let len = self.u32()?;
        if len > FRAME_MAX {
            return Err(SnapshotError::FrameTooLong(len));
        }
        self.frame.clear();
        let read = self.inner.by_ref().take(u64::from(len)).read_to_end(&mut self.frame)?;
        if read < len as usize {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &self.frame);
        Ok(&self.frame)
    }

    /// Reads on to behind the end of frames.
    fn pass_frames(&mut self) -> Result<(), SnapshotError> {
        while !self.frame()?.is_empty() {}
        Ok(())
    }

    /// Compares the sum of all that was read with the one that follows it.
    fn checksum_holds(&mut self) -> Result<(), SnapshotError> {
        let found = self.checksum;
        let expected = self.u32()?;
        if found == expected { Ok(()) } else { Err(SnapshotError::Checksum { found, expected }) }
    }
}

struct Head {
    state: State,
    slots: u32,
    digest: u64,
}

impl State {
    /// Reads a snapshot: the state, and what the caller gave as `meta` when it was begun.
    pub fn load(reader: impl Read) -> Result<(State, Bytes), SnapshotError> {
        let mut from = Checked { inner: reader, checksum: 0, frame: Vec::new() };
        let (format, meta) = read_meta(&mut from)?;
        let Head { mut state, slots, digest } = read_head(&mut from, format)?;
        loop {
            let mut rows = from.frame()?;
            if rows.is_empty() {
                break;
            }
            while !rows.is_empty() {
                let row::Row { node, owner, acl_zxid } = row::decode(&mut rows, format > SNAPSHOT_FORMAT_1)?;
                if !state.znodes.acls.holds(node.acl) {
                    return Err(SnapshotError::BadRow);
                }
                state.znodes.restore(node, owner, acl_zxid);
            }
        }
        from.checksum_holds()?;
        let found = state.znodes.arena.slots();
        if found != slots {
            return Err(SnapshotError::SlotsMissing { found, expected: slots });
        }
        state.take_in();
        if state.digest() != digest {
            return Err(SnapshotError::Digest { found: state.digest(), expected: digest });
        }
        Ok((state, meta))
    }

    /// Reads a snapshot through and believes its checksum, without making a state of it: that takes no memory.
    pub fn check_snapshot(reader: impl Read) -> Result<(), SnapshotError> {
        let mut from = Checked { inner: reader, checksum: 0, frame: Vec::new() };
        let (format, _) = read_meta(&mut from)?;
        if has_acls_in_frames(format) {
            from.pass_frames()?;
        }
        from.pass_frames()?;
        from.checksum_holds()
    }

    /// Reads no more of a snapshot than its `meta`.
    pub fn peek_meta(reader: impl Read) -> Result<Bytes, SnapshotError> {
        read_meta(&mut Checked { inner: reader, checksum: 0, frame: Vec::new() }).map(|(_, meta)| meta)
    }

    /// Everything that follows from the znodes: owners' sessions, quotas, reap index, sizes. Parents come before
    /// children, so that the length of each path follows from its parent's and depth costs nothing.
    fn take_in(&mut self) {
        self.data_size = self.znodes.get(NodeId::ROOT).data_len() as u64;
        let mut path_lens = vec![0u64; self.znodes.arena.slots() as usize];
        let all: Vec<NodeId> = self.znodes.subtree(NodeId::ROOT).skip(1).collect();
        for id in all {
            let node = self.znodes.get(id);
            let path_len = path_lens[node.parent.0 as usize] + 1 + node.name().len() as u64;
            path_lens[id.0 as usize] = path_len;
            if node.is_owned() || node.name().starts_with(b"zookeeper_") {
                let path = self.znodes.path(id);
                self.appeared(id, &path);
            } else {
                self.data_size += path_len + node.data_len() as u64;
            }
        }
    }
}

/// The format, and what the one who began the snapshot gave.
fn read_meta<R: Read>(from: &mut Checked<R>) -> Result<(u32, Bytes), SnapshotError> {
    if from.array::<8>()? != *MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    let format = from.u32()?;
    if !(SNAPSHOT_FORMAT_1..=SNAPSHOT_FORMAT).contains(&format) {
        return Err(SnapshotError::UnknownFormat(format));
    }
    from.frame().map(|meta| (format, Bytes::copy_from_slice(meta)))
}

fn read_head<R: Read>(from: &mut Checked<R>, format: u32) -> Result<Head, SnapshotError> {
    let mut body = from.frame()?;
    let mut head = read_scalars(&mut body)?;
    let acls = &mut head.state.znodes.acls;
    if !has_acls_in_frames(format) {
        acls.take_in(&mut body)?;
        return Ok(head);
    }
    loop {
        let mut part = from.frame()?;
        if part.is_empty() {
            return Ok(head);
        }
        acls.take_in(&mut part)?;
    }
}

fn has_acls_in_frames(format: u32) -> bool {
    format >= SNAPSHOT_FORMAT
}

/// All of the head but the ACLs.
fn read_scalars(from: &mut &[u8]) -> Result<Head, SnapshotError> {
    let mut state = State::with_znodes(Znodes::empty());
    state.last_zxid = Zxid(varint::get_signed(from)?);
    state.last_time_ms = varint::get_signed(from)?;
    state.zxid_base = varint::get_signed(from)?;
    state.feature_level = varint::get_u32(from)?;
    let slots = varint::get_u32(from)?;
    state.znodes.arena.set_free_head(NodeId(varint::get_u32(from)?));
    let digest = u64::from_be_bytes(take(from)?);
    for _ in 0..varint::get(from)? {
        let (member, boot, seq) = (varint::get(from)?, varint::get_u32(from)?, varint::get(from)?);
        state.origins.restore(member, boot, seq);
    }
    for _ in 0..varint::get(from)? {
        let id = SessionId(varint::get_signed(from)?);
        let timeout_ms = i32::try_from(varint::get_signed(from)?).map_err(|_| SnapshotError::BadRow)?;
        let (attach, member) = (varint::get_u32(from)?, varint::get(from)?);
        let ephemerals = Default::default();
        state.sessions.insert(id, Session { timeout_ms, password: take(from)?, attach, member, ephemerals });
    }
    Ok(Head { state, slots, digest })
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], SnapshotError> {
    let (bytes, rest) = from.split_first_chunk::<N>().ok_or(SnapshotError::BadRow)?;
    *from = rest;
    Ok(*bytes)
}
