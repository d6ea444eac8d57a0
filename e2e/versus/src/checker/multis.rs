//! A multi happens wholly or not at all, also one whose outcome nobody was told.
//!
//! ```text
//!   /pair/N/left and /pair/N/right are only ever set together ─► what is of one version is of one zxid in both
//! ```
//!
//! Reason: the timeline looks at one path at a time and lets each part of an unknown multi happen by itself.

use std::collections::HashMap;

use coordd_proto::Stat;

use super::{Findings, Promise};
use crate::history::{Answer, Call, History, parent};

pub(super) fn check(history: &History, findings: &mut Findings) {
    let mut zxids: HashMap<(String, i32), i64> = HashMap::new();
    for (path, stat) in history.calls().flat_map(stats_of) {
        if !(path.ends_with("/left") || path.ends_with("/right")) || stat.version == 0 {
            continue;
        }
        let first = *zxids.entry((parent(path).to_owned(), stat.version)).or_insert(stat.mzxid.0);
        if first != stat.mzxid.0 {
            let text = format!("{path} is of version {} at {}, its other half at {first:#x}", stat.version, stat.mzxid);
            findings.add(Promise::AllOrNothing, text);
        }
    }
}

fn stats_of(call: &Call) -> Vec<(&str, Stat)> {
    let stat_of = |answer: &Answer| match answer {
        Answer::Stat(stat) | Answer::Data { stat, .. } => Some(*stat),
        _ => None,
    };
    call.outcomes().into_iter().filter_map(|(op, answer)| Some((op.path(), stat_of(&answer)?))).collect()
}
