//! The state as bytes: written while apply goes on, equal to the state at one zxid.
//!
//! ```text
//!   magic:8 │ format:u32 │ frame{ meta } │ frame{ scalars, origins, sessions, ACLs } │ frame{ rows }… │ 0:u32 │ crc
//!   format 3:                              frame{ scalars, origins, sessions } │ frame{ ACLs }… │ 0:u32 │ …
//!   frame = length:u32 │ bytes          row = one slot of the arena, free ones too, in the order of slots
//!
//!   slots   0 ········ cursor ········ high │ younger than the cut
//!           written    │ a write here first saves the slot as it was at the cut
//! ```
//!
//! Rule: two members at the same zxid write the same bytes; the format comes first and the checksum last, and whatever
//! does not check out is an error that says what is wrong. Reason for the cursor: no copy of the tree, no stop, memory
//! only for the slots that change ahead of the cursor.

mod acls;
mod cut;
mod load;
pub(crate) mod row;
mod varint;
mod write;

pub(crate) use cut::Cut;
pub use load::SnapshotError;
pub use write::{SnapshotAborted, SnapshotWriter};

const MAGIC: &[u8; 8] = b"coorddSN";

/// The newest format; all up to it are read. It is written where the ACLs are too long for one frame, which no release
/// could ever read.
pub const SNAPSHOT_FORMAT: u32 = 3;
/// Written where a znode has a row that format 1 does not know (the zxid of its list), so that a release of before the
/// feature level can read all that it may meet.
const SNAPSHOT_FORMAT_2: u32 = 2;
const SNAPSHOT_FORMAT_1: u32 = 1;

/// No frame is longer: rows are cut at some 256 KiB plus one znode, and so are the ACLs where they would not fit.
const FRAME_MAX: u32 = 1 << 30;
