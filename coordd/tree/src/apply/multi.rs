//! multi: all of its operations or none.
//!
//! ```text
//!   op 1 ─► op 2 ─► … ─► all through: one result each     results and stats are those of the moment of their operation
//!              └─ fails: everything before is taken back, and the reply (no error by itself) says
//!                        0 for those before, its code for the failed one, -2 for those behind
//! ```
//!
//! Rule: each operation sees what the earlier ones did; all share one zxid and one time. A moved session fails the
//! whole request, since its connection must close.

use std::borrow::Cow;

use coordd_proto::multi::{MultiOp, MultiResult};
use coordd_proto::{ErrorCode, OpCode};

use super::create;
use super::{Ask, change};
use crate::outcome::Change;
use crate::state::State;

pub(super) fn multi(
    state: &mut State,
    ask: &Ask<'_>,
    ops: &[MultiOp<'_>],
    changes: &mut Vec<Change>,
) -> Result<Vec<MultiResult<'static>>, ErrorCode> {
    let changes_before = changes.len();
    let mut results = Vec::with_capacity(ops.len());
    state.record_undo();
    for op in ops {
        match one(state, ask, op, changes) {
            Ok(result) => results.push(result),
            Err(code) => {
                state.take_back();
                changes.truncate(changes_before);
                if code == ErrorCode::SessionMoved {
                    return Err(code);
                }
                return Ok(failed(results.len(), code, ops.len()));
            }
        }
    }
    state.keep_changes();
    Ok(results)
}

fn failed(before: usize, code: ErrorCode, count: usize) -> Vec<MultiResult<'static>> {
    (0..count)
        .map(|at| match at.cmp(&before) {
            std::cmp::Ordering::Less => MultiResult::NotFailed,
            std::cmp::Ordering::Equal => MultiResult::Error(code),
            std::cmp::Ordering::Greater => MultiResult::Error(ErrorCode::RuntimeInconsistency),
        })
        .collect()
}

fn one(
    state: &mut State,
    ask: &Ask<'_>,
    op: &MultiOp<'_>,
    changes: &mut Vec<Change>,
) -> Result<MultiResult<'static>, ErrorCode> {
    match op {
        MultiOp::Create(create) => {
            let (path, stat) = create::create(state, ask, create, changes)?;
            Ok(match create.op {
                OpCode::Create => MultiResult::Create { path: Cow::Owned(path) },
                _ => MultiResult::Create2 { path: Cow::Owned(path), stat },
            })
        }
        MultiOp::Delete { path, version } => {
            change::delete(state, ask, path, *version, changes).map(|()| MultiResult::Delete)
        }
        MultiOp::SetData(set) => {
            change::set_data(state, ask, &set.path, set.data, set.version, changes).map(MultiResult::SetData)
        }
        MultiOp::Check { path, version } => change::check(state, ask, path, *version).map(|()| MultiResult::Check),
        // Decoding a multi lets no read through.
        MultiOp::GetData { .. } | MultiOp::GetChildren { .. } => Err(ErrorCode::Unimplemented),
    }
}
