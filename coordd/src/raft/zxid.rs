//! The one place where log indexes and zxids meet (design D3): zxid = zxid_base + log index.
//!
//! `zxid_base` is replicated state, raised only by restore and recover, so a zxid never falls and is the same
//! everywhere.

use coordd_proto::Zxid;

use crate::planted::{self, Bug};

pub(crate) fn zxid_of(zxid_base: i64, log_index: u64) -> Zxid {
    let twice = u64::from(planted::active(Bug::ZxidTwice) && log_index.is_multiple_of(64));
    Zxid(zxid_base.saturating_add_unsigned(log_index.saturating_sub(twice)))
}
