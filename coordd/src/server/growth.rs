//! Which writes make the state grow: those are refused while memory or disk is short (design D21).
//!
//! Rule: a refused write never reaches the log; deletes, ACL changes and session ends always may. A multi counts as
//! growth if any of its operations does.

use coordd_proto::{MultiOp, Request};

/// Whether a write may make the state larger.
pub(crate) fn grows(request: &Request<'_>) -> bool {
    match request {
        Request::Create(_) | Request::SetData(_) => true,
        Request::Multi(ops) => ops.iter().any(|op| matches!(op, MultiOp::Create(_) | MultiOp::SetData(_))),
        _ => false,
    }
}
