//! Which writes make the state grow: those are refused while memory or disk is short (design D21).
//!
//! Rule: a refused write never reaches the log; deletes, ACL changes and session ends always may. A multi counts as
//! growth if any of its operations does.

use coordd_proto::{MultiOp, OpCode, Request};

/// Whether a write may make the state larger.
pub(crate) fn may_grow(op: OpCode) -> bool {
    use OpCode::*;
    matches!(op, Create | Create2 | CreateContainer | CreateTtl | SetData | Multi)
}

/// Whether this write does; looks into a multi.
pub(crate) fn grows(op: OpCode, record: &[u8]) -> bool {
    if op != OpCode::Multi {
        return may_grow(op);
    }
    match Request::decode(op, record) {
        Ok(Request::Multi(ops)) => ops.iter().any(|op| matches!(op, MultiOp::Create(_) | MultiOp::SetData(_))),
        Ok(_) | Err(_) => false,
    }
}
