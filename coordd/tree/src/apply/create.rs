//! create, create2, createContainer, createTTL (PrepRequestProcessor.pRequest2TxnCreate).
//!
//! ```text
//!   flags ─► ttl ─► session ─► '/' and NUL ─► ACL ─► parent ─► CREATE on it ─► whole path ─► exists ─► ephemeral parent ─► quota
//! ```
//!
//! Rule: the first that fails is the answer, in exactly this order. A sequence number is the count of children ever created
//! under the parent; at 2^31-1 it would come back, so sequential creates end there with NODEEXISTS.

use std::borrow::Cow;

use coordd_proto::path::validate_path;
use coordd_proto::request::Create;
use coordd_proto::{CreateMode, ErrorCode, OpCode, Perms, Stat};

use super::{Ask, acl_to_store};
use crate::effects::NewZnode;
use crate::outcome::Change;
use crate::quota::{self, QuotaText};
use crate::state::State;
use crate::znode::{NodeId, Owner};

pub(super) fn create(
    state: &mut State,
    ask: &Ask<'_>,
    args: &Create<'_>,
    changes: &mut Vec<Change>,
) -> Result<(String, Stat), ErrorCode> {
    let mode = CreateMode::from_wire(args.flags).ok_or(ErrorCode::BadArguments)?;
    let owner = owner_of(mode, args, ask)?;
    ask.check_session(state)?;
    let slash = args.path.rfind('/').ok_or(ErrorCode::BadArguments)?;
    if args.path.contains('\0') {
        return Err(ErrorCode::BadArguments);
    }
    let acl = acl_to_store(&args.acl, ask.auth)?;
    let parent = state.znodes.find(&args.path[..slash]).ok_or(ErrorCode::NoNode)?;
    ask.check_acl(state, parent, Perms::CREATE)?;
    let path = sequenced(state, parent, mode, &args.path)?;
    validate_path(&path).map_err(|_| ErrorCode::BadArguments)?;
    if state.znodes.find(&path).is_some() {
        return Err(ErrorCode::NodeExists);
    }
    if state.znodes.owner(parent).is_ephemeral() {
        return Err(ErrorCode::NoChildrenForEphemerals);
    }
    check_quota(state, &path, 1, args.data.map_or(0, <[u8]>::len) as i64)?;
    let new = NewZnode { parent, path: &path, data: args.data, acl: &acl, owner };
    let id = state.create_node(ask.at, &new, changes);
    Ok((path.into_owned(), state.znodes.stat(id)))
}

/// What the znode becomes. ZooKeeper lets the opcode decide for containers and the flags for everything else.
fn owner_of(mode: CreateMode, args: &Create<'_>, ask: &Ask<'_>) -> Result<Owner, ErrorCode> {
    if mode.has_ttl() {
        return Owner::ttl(args.ttl_ms).ok_or(ErrorCode::BadArguments);
    }
    if args.ttl_ms >= 0 {
        return Err(ErrorCode::BadArguments);
    }
    if args.op == OpCode::CreateContainer || mode == CreateMode::Container {
        return Ok(Owner::CONTAINER);
    }
    Ok(if mode.is_ephemeral() { Owner::session(ask.session) } else { Owner::NOBODY })
}

fn sequenced<'a>(state: &State, parent: NodeId, mode: CreateMode, path: &'a str) -> Result<Cow<'a, str>, ErrorCode> {
    if !mode.is_sequential() {
        return Ok(Cow::Borrowed(path));
    }
    match state.znodes.get(parent).creates {
        i32::MAX => Err(ErrorCode::NodeExists),
        number => Ok(Cow::Owned(format!("{path}{number:010}"))),
    }
}

/// Whether the hard limits of the quota above `path` let it grow.
pub(super) fn check_quota(state: &State, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
    let Some(target) = state.quotas.over(path) else { return Ok(()) };
    let text = |path: String| {
        let id = state.znodes.find(&path)?;
        Some(QuotaText::parse(state.znodes.get(id).data()))
    };
    let (Some(limits), Some(usage)) = (text(quota::limits_path(target)), text(quota::stats_path(target))) else {
        return Ok(());
    };
    let over = |limit: Option<i64>, used: i64, more: i64| {
        more != 0 && limit.is_some_and(|limit| used.saturating_add(more) > limit)
    };
    if over(limits.count_hard_limit(), usage.count(), count) || over(limits.byte_hard_limit(), usage.bytes(), bytes) {
        return Err(ErrorCode::QuotaExceeded);
    }
    Ok(())
}
