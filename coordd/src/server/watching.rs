//! Requests that leave, ask for or take away watches.
//!
//! Rule: a read leaves its watch only when it succeeds, but for `exists`, which leaves it on a missing znode, too (not
//! when access is refused). `addWatch`, `setWatches` and the like look at no ACL and no path (FinalRequestProcessor,
//! DataTree).

use std::sync::Arc;

use bytes::BytesMut;
use coordd_proto::{AddWatchMode, AuthId, ErrorCode, Reply, Request, Xid, Zxid, encode_event, encode_reply};
use coordd_tree::State;

use super::conn::Conn;
use super::hub::Watches;
use super::reads;
use crate::session::registry::Holder;
use crate::watch::{Modes, Side, catch_up};

/// Whether a request needs the watch table.
pub(crate) fn concerns(request: &Request<'_>) -> bool {
    match request {
        Request::Exists { watch, .. }
        | Request::GetData { watch, .. }
        | Request::GetChildren { watch, .. }
        | Request::GetChildren2 { watch, .. } => *watch,
        Request::SetWatches { .. }
        | Request::AddWatch { .. }
        | Request::RemoveWatches { .. }
        | Request::CheckWatches { .. } => true,
        _ => false,
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are the one request")]
pub(crate) fn run(
    watches: &mut Watches,
    conn: &Arc<Conn>,
    state: &State,
    zxid: Zxid,
    auth: &[AuthId],
    xid: Xid,
    request: &Request<'_>,
    out: &mut BytesMut,
) {
    let watcher = conn.watcher();
    let result = match request {
        Request::Exists { path, .. } => {
            let found = state.exists(path, auth);
            match found {
                Ok(_) => watches.table.add(watcher, Side::Data, path, Modes::STANDARD),
                Err(ErrorCode::NoNode) => {
                    watches.table.add(watcher, Side::Data, path, Modes::STANDARD.with(Modes::ABSENT));
                }
                Err(_) => {}
            }
            found.map(Reply::Stat)
        }
        Request::GetData { path, .. } | Request::GetChildren { path, .. } | Request::GetChildren2 { path, .. } => {
            let side = if matches!(request, Request::GetData { .. }) { Side::Data } else { Side::Child };
            if state.readable(path, auth) {
                watches.table.add(watcher, side, path, Modes::STANDARD);
            }
            return reads::run(state, zxid, conn.session(), auth, xid, request, out);
        }
        Request::AddWatch { path, mode } => {
            watches.table.add_persistent(watcher, path, *mode == AddWatchMode::PersistentRecursive);
            Ok(Reply::ErrorField(0))
        }
        Request::CheckWatches { path, kind } => found(watches.table.contains(watcher, path, *kind)),
        Request::RemoveWatches { path, kind } => found(watches.table.remove(watcher, path, *kind)),
        Request::SetWatches(again) => {
            // Events made up here carry zxid -1 and pass no ACL (DataTree.setWatches).
            catch_up::set_watches(&mut watches.table, watcher, state, again, |event, path| {
                encode_event(out, Zxid(-1), event, path);
            });
            Ok(Reply::Empty)
        }
        _ => Err(ErrorCode::Unimplemented),
    };
    encode_reply(out, xid, zxid, result.as_ref().map_err(|code| *code));
}

fn found(there: bool) -> Result<Reply<'static>, ErrorCode> {
    if there { Ok(Reply::Empty) } else { Err(ErrorCode::NoWatcher) }
}
