//! delete, setData, setACL, check: what is asked of a znode that is there.
//!
//! Rule: the order of checks is ZooKeeper's, and each function reads from top to bottom in that order. Three that
//! surprise: no DELETE on the parent comes before a missing znode, an invalid ACL before a missing znode, a quota
//! before the version.

use coordd_proto::path::validate_path;
use coordd_proto::request::AclListRef;
use coordd_proto::{ErrorCode, Perms, Stat};

use super::create::check_quota;
use super::{Ask, acl_to_store};
use crate::outcome::Change;
use crate::state::{ACL_ZXIDS, State};

const SPECIAL: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

fn checked_path(path: &str) -> Result<(), ErrorCode> {
    validate_path(path).map_err(|_| ErrorCode::BadArguments)
}

/// Whether `current` is what the client expects; -1 expects anything.
fn check_version(expected: i32, current: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == current { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

/// The version after `current`. It skips -1 when it wraps, as ZooKeeper 3.10 does: -1 would mean "any" in later checks.
fn next_version(current: i32) -> i32 {
    // /zookeeper/config stands at -1 on purpose and goes to 0 from there.
    if current == -2 { 0 } else { current.wrapping_add(1) }
}

pub(super) fn delete(
    state: &mut State,
    ask: &Ask<'_>,
    path: &str,
    version: i32,
    changes: &mut Vec<Change>,
) -> Result<(), ErrorCode> {
    ask.check_session(state)?;
    let slash = path.rfind('/').ok_or(ErrorCode::BadArguments)?;
    if path.contains('\0') || SPECIAL.contains(&path) {
        return Err(ErrorCode::BadArguments);
    }
    let parent = state.znodes.find(&path[..slash]).ok_or(ErrorCode::NoNode)?;
    ask.check_acl(state, parent, Perms::DELETE)?;
    let id = state.znodes.find(path).ok_or(ErrorCode::NoNode)?;
    let node = state.znodes.get(id);
    check_version(version, node.version)?;
    if node.children > 0 {
        return Err(ErrorCode::NotEmpty);
    }
    state.delete_node(ask.at.zxid, id, path, changes);
    Ok(())
}

pub(super) fn set_data(
    state: &mut State,
    ask: &Ask<'_>,
    path: &str,
    data: Option<&[u8]>,
    version: i32,
    changes: &mut Vec<Change>,
) -> Result<Stat, ErrorCode> {
    ask.check_session(state)?;
    checked_path(path)?;
    let id = state.znodes.find(path).ok_or(ErrorCode::NoNode)?;
    ask.check_acl(state, id, Perms::WRITE)?;
    let node = state.znodes.get(id);
    let (current, len) = (node.version, node.data_len());
    check_quota(state, path, 0, data.map_or(0, <[u8]>::len) as i64 - len as i64)?;
    check_version(version, current)?;
    let next = next_version(current);
    state.set_node(ask.at, id, path, data, next, changes);
    Ok(state.znodes.stat(id))
}

pub(super) fn set_acl(
    state: &mut State,
    ask: &Ask<'_>,
    path: &str,
    acl: &AclListRef<'_>,
    version: i32,
    changes: &mut Vec<Change>,
) -> Result<Stat, ErrorCode> {
    ask.check_session(state)?;
    checked_path(path)?;
    let acl = acl_to_store(acl, ask.auth)?;
    let id = state.znodes.find(path).ok_or(ErrorCode::NoNode)?;
    ask.check_acl(state, id, Perms::ADMIN)?;
    let aversion = state.znodes.get(id).aversion;
    check_version(version, aversion)?;
    let at = (state.feature_level >= ACL_ZXIDS).then_some(ask.at.zxid);
    state.note_acl_change(id, path, changes);
    state.znodes.set_acl(id, &acl, next_version(aversion), at);
    Ok(state.znodes.stat(id))
}

pub(super) fn check(state: &State, ask: &Ask<'_>, path: &str, version: i32) -> Result<(), ErrorCode> {
    ask.check_session(state)?;
    checked_path(path)?;
    let id = state.znodes.find(path).ok_or(ErrorCode::NoNode)?;
    ask.check_acl(state, id, Perms::READ)?;
    check_version(version, state.znodes.get(id).version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_never_becomes_any() {
        assert_eq!((next_version(0), next_version(i32::MAX), next_version(-2)), (1, i32::MIN, 0));
        assert_eq!(next_version(-1), 0);
    }
}
