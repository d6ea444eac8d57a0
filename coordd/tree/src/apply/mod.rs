//! From a command to what it does: check in ZooKeeper's order, then change.
//!
//! ```text
//!   Command ─► Client{op, record} ─► request decoded ─► create │ change │ multi ─► Reply or ErrorCode
//!           └► session, reap, feature level, zxid base
//! ```
//!
//! Rule: a check that fails leaves no trace but the zxid. A record that does not decode is MARSHALLINGERROR before
//! anything else is looked at, the session included.

mod change;
mod create;
mod multi;
mod reap;
mod session;

use std::borrow::Cow;

use bytes::Bytes;
use coordd_proto::reply::Reply;
use coordd_proto::request::{AclListRef, AclRef, Request};
use coordd_proto::{Acl, AuthId, ErrorCode, OpCode, Perms, SessionId, Zxid};

use crate::acl::{AclView, rules};
use crate::auth::AuthList;
use crate::command::{Command, Op};
use crate::effects::Moment;
use crate::outcome::{Change, Outcome};
use crate::state::State;
use crate::znode::NodeId;

/// Who asks, and when.
struct Ask<'a> {
    at: Moment,
    session: SessionId,
    attach: u32,
    auth: &'a AuthList,
}

impl Ask<'_> {
    fn check_session(&self, state: &State) -> Result<(), ErrorCode> {
        state.sessions.check(self.session, self.attach).map(|_| ())
    }

    fn check_acl(&self, state: &State, id: NodeId, wanted: Perms) -> Result<(), ErrorCode> {
        if state.znodes.acl(id).permits(wanted, self.auth.iter()) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }
}

/// The list to store for the one in a request.
fn acl_to_store(acl: &AclListRef<'_>, auth: &AuthList) -> Result<AclView, ErrorCode> {
    if acl.is_open_unsafe() {
        return Ok(AclView::OPEN);
    }
    // A null id is an empty one: kazoo sends `auth` with it. ZooKeeper cannot check it where the scheme reads it.
    let unreadable =
        |acl: AclRef<'_>| acl.id.is_none() && matches!(acl.scheme.as_deref(), Some("world" | "digest" | "ip"));
    if acl.iter().any(unreadable) {
        return Err(ErrorCode::MarshallingError);
    }
    let entry = |acl: AclRef<'_>| {
        let id = AuthId { scheme: acl.scheme?.into_owned(), id: acl.id.unwrap_or_default().into_owned() };
        Some(Acl { perms: acl.perms, id })
    };
    rules::fix(acl.iter().map(entry), auth)
}

pub(crate) fn run(state: &mut State, zxid: Zxid, command: &Command, changes: &mut Vec<Change>) -> Outcome {
    let at = Moment { zxid, time_ms: state.last_time_ms };
    match &command.op {
        Op::Client { op, record } => {
            let ask = Ask { at, session: command.session, attach: command.attach, auth: &command.auth };
            Outcome::Done(client(state, &ask, *op, record, changes))
        }
        Op::OpenSession { timeout_ms, password } => {
            session::open(state, zxid, command.origin.member, *timeout_ms, *password)
        }
        Op::AttachSession { password, timeout_ms, member } => {
            session::attach(state, command.session, *password, *timeout_ms, *member)
        }
        Op::CloseSession => session::close(state, zxid, command, changes),
        Op::ExpireSession { attach } => session::expire(state, zxid, command.session, *attach, changes),
        Op::Reap { path, czxid } => Outcome::Done(reap::reap(state, at, path, *czxid, changes).map(|()| Reply::Empty)),
        Op::RaiseFeatureLevel(level) => {
            state.raise_feature_level(at, *level, changes);
            Outcome::Done(Ok(Reply::Empty))
        }
        Op::SetZxidBase(base) => {
            state.raise_zxid_base(*base);
            Outcome::Done(Ok(Reply::Empty))
        }
    }
}

fn client(
    state: &mut State,
    ask: &Ask<'_>,
    op: OpCode,
    record: &Bytes,
    changes: &mut Vec<Change>,
) -> Result<Reply<'static>, ErrorCode> {
    let request = Request::decode(op, record).map_err(|_| ErrorCode::MarshallingError)?;
    match request {
        Request::Create(create) => {
            let (path, stat) = create::create(state, ask, &create, changes)?;
            Ok(match op {
                OpCode::Create => Reply::Path(Cow::Owned(path)),
                _ => Reply::PathStat(Cow::Owned(path), stat),
            })
        }
        Request::Delete { path, version } => change::delete(state, ask, &path, version, changes).map(|()| Reply::Empty),
        Request::SetData(set) => {
            change::set_data(state, ask, &set.path, set.data, set.version, changes).map(Reply::Stat)
        }
        Request::SetAcl { path, acl, version } => {
            change::set_acl(state, ask, &path, &acl, version, changes).map(Reply::Stat)
        }
        Request::Multi(ops) => multi::multi(state, ask, &ops, changes).map(Reply::Multi),
        // ZooKeeper's default; membership changes come through the admin API.
        Request::Reconfig { .. } => Err(ErrorCode::ReconfigDisabled),
        // Everything else is answered by the server and never proposed; from the log it has no effect.
        _ => Err(ErrorCode::Unimplemented),
    }
}
