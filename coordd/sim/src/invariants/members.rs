//! At one zxid all members have one state.
//!
//! Rule: a member that is not there has no state that could be right. Reason: at the end every fault is over.

use crate::host::View;

/// Whether all are there and show the same zxid and digest.
pub(crate) fn agree(views: &[(&'static str, Option<View>)]) -> bool {
    judge(views).is_empty()
}

pub(super) fn judge(views: &[(&'static str, Option<View>)]) -> Vec<String> {
    let shown = |view: &View| (view.zxid, view.digest);
    let first = views.first().and_then(|(_, view)| view.as_ref()).map(shown);
    let differs = views.iter().filter(|(_, view)| first.is_none() || view.as_ref().map(shown) != first);
    differs
        .map(|(name, view)| match view {
            None => format!("members: {name} is down at the end"),
            Some(view) => format!("members: {name} has {:016x} at {:#x}, others do not", view.digest, view.zxid),
        })
        .collect()
}
