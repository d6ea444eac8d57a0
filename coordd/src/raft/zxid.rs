//! The one place where log indexes and zxids meet (design D3): zxid = zxid_base + log index.
//!
//! `zxid_base` is replicated state, raised only by restore and recover, so a zxid never falls and is the same
//! everywhere.

use coordd_proto::Zxid;

pub(crate) fn zxid_of(zxid_base: i64, log_index: u64) -> Zxid {
    Zxid(zxid_base.saturating_add_unsigned(log_index))
}
