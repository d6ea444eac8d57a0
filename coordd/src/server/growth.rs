//! Which writes make the state grow: those are refused while memory or disk is short (design D21).
//!
//! Rule: a refused write never reaches the log; deletes, ACL changes and session ends always may, but for a list of
//! ACLs that is no short one: lists fill memory as data do. A multi counts as growth if any of its operations does.

use coordd_proto::{MultiOp, Request};
use coordd_tree::AuthList;

use super::bounds;

/// A list of so many bytes takes a right from somebody; a longer one may be there to fill memory.
const SHORT_ACL_BYTES: usize = 1 << 10;

/// Whether a write that `auth` asks for may make the state larger.
pub(super) fn grows(request: &Request<'_>, auth: &AuthList) -> bool {
    match request {
        Request::Create(_) | Request::SetData(_) => true,
        Request::SetAcl { acl, .. } => bounds::acl_bytes(acl, auth) > SHORT_ACL_BYTES,
        Request::Multi(ops) => ops.iter().any(|op| matches!(op, MultiOp::Create(_) | MultiOp::SetData(_))),
        _ => false,
    }
}
