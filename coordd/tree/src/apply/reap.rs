//! Deletes a container or TTL znode that the leader found due, if it still is.
//!
//! Rule: the leader looked at an older state. The znode must be the same one (czxid), still childless, still of such a
//! kind; a TTL must be over at the command's time, because a set in between started it anew.

use coordd_proto::{ErrorCode, Zxid};

use crate::effects::Moment;
use crate::outcome::Change;
use crate::reaping::ttl_is_over;
use crate::state::State;

pub(super) fn reap(
    state: &mut State,
    at: Moment,
    path: &str,
    czxid: Zxid,
    changes: &mut Vec<Change>,
) -> Result<(), ErrorCode> {
    let id = state.znodes.find(path).ok_or(ErrorCode::NoNode)?;
    let node = state.znodes.get(id);
    if node.children > 0 {
        return Err(ErrorCode::NotEmpty);
    }
    let owner = state.znodes.owner(id);
    let due = owner.is_container() || ttl_is_over(node, owner, at.time_ms);
    if node.czxid != czxid || !due {
        return Err(ErrorCode::BadVersion);
    }
    state.delete_node(at.zxid, id, path, changes);
    Ok(())
}
