//! The reads of the protocol: a decoded request, the state, and the answer appended to the outbox.
//!
//! Rule: the body is encoded from the state's own bytes into the outbox, with nothing in between. No path is validated:
//! a malformed path is a znode that is not there, as in ZooKeeper (FinalRequestProcessor). Only `exists` refuses a NUL.

use std::borrow::Cow;

use bytes::BytesMut;
use coordd_proto::{
    AuthId, ClientInfo, ErrorCode, MultiOp, MultiResult, Reply, ReplyHeader, Request, SessionId, Writer, Xid, Zxid,
    begin_frame, encode_reply, end_frame,
};
use coordd_tree::State;

use super::auth;

/// Answers `request` from `state`.
pub(crate) fn run(
    state: &State,
    zxid: Zxid,
    session: SessionId,
    auth: &[AuthId],
    xid: Xid,
    request: &Request<'_>,
    out: &mut BytesMut,
) {
    if let Request::GetChildren { path, .. } | Request::GetChildren2 { path, .. } = request {
        return children(state, zxid, auth, xid, path, matches!(request, Request::GetChildren2 { .. }), out);
    }
    let result = read(state, session, auth, request);
    encode_reply(out, xid, zxid, result.as_ref().map_err(|code| *code));
}

fn read<'a>(
    state: &'a State,
    session: SessionId,
    auth: &[AuthId],
    request: &'a Request<'_>,
) -> Result<Reply<'a>, ErrorCode> {
    Ok(match request {
        Request::GetData { path, .. } => {
            let (data, stat) = state.get_data(path, auth)?;
            Reply::Data(data.map(Cow::Borrowed), stat)
        }
        Request::Exists { path, .. } => Reply::Stat(state.exists(path, auth)?),
        Request::Ping => Reply::Empty,
        Request::GetAcl { path } => {
            let (acl, stat) = state.get_acl(path, auth)?;
            Reply::Acl(acl.into(), stat)
        }
        Request::GetEphemerals { prefix } => {
            let paths = state.ephemerals_of(session, prefix);
            Reply::Paths(paths.into_iter().map(Cow::Owned).collect())
        }
        Request::GetAllChildrenNumber { path } => Reply::Count(state.all_children_number(path, auth)?),
        Request::WhoAmI => Reply::WhoAmI(who(auth)),
        _ => return Err(ErrorCode::Unimplemented),
    })
}

/// Names go from the tree into the outbox one by one: a znode may have a million of them.
fn children(state: &State, zxid: Zxid, auth: &[AuthId], xid: Xid, path: &str, with_stat: bool, out: &mut BytesMut) {
    let (names, stat) = match state.children(path, auth) {
        Ok(found) => found,
        Err(code) => return encode_reply(out, xid, zxid, Err(code)),
    };
    let start = begin_frame(out);
    let mut w = Writer::new(out);
    ReplyHeader { xid, zxid, error: 0 }.encode(&mut w);
    w.i32(stat.num_children);
    names.for_each(|name| w.string(name));
    if with_stat {
        stat.encode(&mut w);
    }
    end_frame(out, start);
}

/// One part of a multiRead.
pub(crate) fn one_of_many<'a>(state: &'a State, auth: &[AuthId], op: &MultiOp<'_>) -> MultiResult<'a> {
    let result = match op {
        MultiOp::GetData { path } => {
            state.get_data(path, auth).map(|(data, stat)| MultiResult::Data(data.map(Cow::Borrowed), stat))
        }
        MultiOp::GetChildren { path } => {
            state.children(path, auth).map(|(names, _)| MultiResult::Children(names.map(Cow::Borrowed).collect()))
        }
        _ => Err(ErrorCode::Unimplemented),
    };
    result.unwrap_or_else(MultiResult::Error)
}

fn who(auth: &[AuthId]) -> Vec<ClientInfo> {
    auth.iter().map(|id| ClientInfo { scheme: id.scheme.clone(), user: auth::user_name(id).to_owned() }).collect()
}
