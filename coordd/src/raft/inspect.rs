//! The log of a member that is stopped, entry by entry, as apply would see it.
//!
//! Rule: it decides nothing and knows no commit index: whoever reads must know up to where the entries are committed.
//! It opens the log as a start does, so the member must not run. Reason: tests count what each member accepted (design
//! D7), and an ensemble that disagrees with itself is examined from its disks.

use std::io;
use std::path::Path;
use std::sync::Arc;

use coordd_proto::Zxid;
use coordd_tree::{Command, MemberRow};
use coordd_wal::{EntryId, LogEntry, Mode, Options, OsDisk, Wal};
use openraft::impls::EntryPayload;

use super::types::StoredMembership;
use super::{codec, members, zxid};

/// Payload bytes that one read returns.
const READ_BYTES_MAX: u64 = 8 << 20;
/// Of the segment that opening prepares.
const SEGMENT_BYTES: u64 = 1 << 20;

/// What an entry asks of the state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    Nothing,
    Members(Vec<MemberRow>),
    Command(Command),
}

/// One entry of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logged {
    pub id: EntryId,
    pub asked: Asked,
}

impl Logged {
    /// Its zxid, in an ensemble whose zxids count from `base`.
    pub fn zxid(&self, base: i64) -> Zxid {
        zxid::zxid_of(base, self.id.index)
    }
}

/// All entries that the log in `data_dir` holds, in order.
///
/// # Errors
/// When the log is in use, damaged, or holds what this release does not know.
pub fn entries(data_dir: &Path) -> io::Result<Vec<Logged>> {
    let options = Options { mode: Mode::Inline, segment_bytes: SEGMENT_BYTES, ..Options::default() };
    let opened = Wal::open(Arc::new(OsDisk), &data_dir.join("log"), options);
    let (wal, _) = opened.map_err(io::Error::other)?;
    let (mut logged, state) = (Vec::new(), wal.state());
    let Some((first, last)) = state.first.zip(state.last) else { return Ok(logged) };
    let mut next = first;
    while next <= last.index {
        let read = wal.read(next..last.index + 1, READ_BYTES_MAX).map_err(io::Error::other)?;
        next += read.len() as u64;
        for entry in read {
            logged.push(decode(entry)?);
        }
    }
    Ok(logged)
}

fn decode(LogEntry { id, payload }: LogEntry) -> io::Result<Logged> {
    let asked = match codec::get_payload(payload)? {
        EntryPayload::Blank => Asked::Nothing,
        EntryPayload::Normal(proposal) => {
            let command = Command::decode(&proposal.command).map_err(io::Error::other)?;
            Asked::Command(Command { time_ms: proposal.time_ms, ..command })
        }
        EntryPayload::Membership(membership) => {
            let stored = StoredMembership::new(Some(codec::log_id(id.term, id.index)), membership);
            Asked::Members(members::rows(&stored))
        }
    };
    Ok(Logged { id, asked })
}
