//! What must hold, one file each; pure judges of what the clients saw and the members show.
//!
//! ```text
//!   acknowledged  each acknowledged write is there at the end, at every member
//!   reads         each read is the state at the zxid that its answer names
//!   order         along a session zxids never fall, those of writes grow
//!   watches       an event comes before any answer that shows what it announces, and only to who asked
//!   multis        all of it or nothing
//!   sessions      an ephemeral lives as long as its session, which nobody ends while its client is there
//!   lock          no two clients believe that they hold it at one instant
//!   members       at one zxid all members have one state
//! ```

mod acknowledged;
mod lock;
pub(crate) mod members;
mod multis;
mod order;
mod reads;
#[cfg(test)]
mod sample;
mod sessions;
mod watches;

use crate::history::Record;
use crate::host::View;

/// All violations, in words.
pub(crate) fn judge(records: &[Record], views: &[(&'static str, Option<View>)]) -> Vec<String> {
    let mut broken = members::judge(views);
    broken.extend(acknowledged::judge(records));
    broken.extend(reads::judge(records));
    broken.extend(order::judge(records));
    broken.extend(watches::judge(records));
    broken.extend(multis::judge(records));
    broken.extend(sessions::judge(records));
    broken.extend(lock::judge(records));
    broken
}
