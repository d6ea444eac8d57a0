//! create, create2, createContainer, createTTL (PrepRequestProcessor.pRequest2TxnCreate).
//!
//! ```text
//!   flags ─► ttl ─► session ─► '/' and NUL ─► ACL ─► parent ─► CREATE on it
//!         ─► whole path ─► exists ─► ephemeral parent ─► quota
//! ```
//!
//! Rule: the first that fails is the answer, in exactly this order. A sequence number is the count of children ever
//! created under the parent; at 2^31-1 it would come back, so sequential creates end there with NODEEXISTS.

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
    if args.op == OpCode::CreateContainer {
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

/// Whether the hard limits of the quota above `path` let it grow; a limit of either kind that is exceeded is noted.
pub(super) fn check_quota(state: &mut State, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
    let Some(target) = state.quotas.over(path) else { return Ok(()) };
    let text = |path: String| {
        let id = state.znodes.find(&path)?;
        Some(QuotaText::parse(state.znodes.get(id).data()))
    };
    let (Some(limits), Some(usage)) = (text(quota::limits_path(target)), text(quota::stats_path(target))) else {
        return Ok(());
    };
    let Some(exceeded) = limits.exceeded(target, &usage, count, bytes) else { return Ok(()) };
    let refused = exceeded.hard;
    state.exceeded = Some(exceeded);
    if refused { Err(ErrorCode::QuotaExceeded) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use coordd_proto::{Acl, Reply, Writer, Zxid};

    use super::*;
    use crate::{AuthList, Command, MemberRow, Op, Origin, Outcome};

    fn create(state: &mut State, seq: u64, path: &str, flags: i32) -> Outcome {
        create_by(OpCode::Create, state, seq, path, flags)
    }

    fn create_by(op: OpCode, state: &mut State, seq: u64, path: &str, flags: i32) -> Outcome {
        let mut out = BytesMut::new();
        let record = &mut Writer::new(&mut out);
        record.string(path);
        record.buffer(None);
        Acl::encode_list(&[Acl::world(Perms::ALL)], record);
        record.i32(flags);
        apply(state, seq, Op::Client { op, record: out.freeze() })
    }

    fn with_one_session() -> State {
        let mut state = State::new();
        let row = MemberRow { id: 1, voter: true, peer_addr: String::new(), client_addr: String::new() };
        state.apply_membership(Zxid(0), &[row], &mut Vec::new());
        apply(&mut state, 1, Op::OpenSession { timeout_ms: 1, password: [0; 16] });
        state
    }

    fn apply(state: &mut State, seq: u64, op: Op) -> Outcome {
        let origin = Origin { member: 1, boot: 1, seq };
        let session = coordd_proto::SessionId(1);
        let command = Command { origin, time_ms: 0, session, attach: 1, auth: AuthList::default(), op };
        state.apply(Zxid(seq.cast_signed()), &command, &mut Vec::new())
    }

    #[test]
    fn sequential_creates_end_where_numbers_would_come_back() {
        let mut state = with_one_session();
        state.znodes.update(NodeId::ROOT, |root| root.creates = i32::MAX - 1);
        let created = |name: &str| Outcome::Done(Ok(Reply::Path(name.to_owned().into())));
        assert_eq!(create(&mut state, 2, "/s-", 2), created("/s-2147483646"));
        assert_eq!(create(&mut state, 3, "/s-", 2), Outcome::Done(Err(ErrorCode::NodeExists)));
        assert_eq!(create(&mut state, 4, "/plain", 0), created("/plain"));
        assert_eq!(state.znodes.get(NodeId::ROOT).creates, i32::MAX);
        assert_eq!(state.znodes.get(NodeId::ROOT).pzxid, Zxid(4));
    }

    #[test]
    fn the_opcode_makes_a_container_and_the_flags_alone_do_not() {
        let mut state = with_one_session();
        create(&mut state, 2, "/plain", 4);
        create_by(OpCode::CreateContainer, &mut state, 3, "/container", 4);
        let is_container = |path: &str| state.znodes.owner(state.znodes.find(path).unwrap()).is_container();
        assert_eq!((is_container("/plain"), is_container("/container")), (false, true));
    }

    #[test]
    fn a_null_id_is_no_acl_where_the_scheme_reads_it() {
        let mut state = with_one_session();
        for scheme in ["world", "digest", "ip"] {
            let mut out = BytesMut::new();
            let record = &mut Writer::new(&mut out);
            record.string("/a");
            record.buffer(None);
            record.i32(1);
            record.i32(31);
            record.string(scheme);
            record.i32(-1);
            record.i32(0);
            let op = Op::Client { op: OpCode::Create, record: out.freeze() };
            let seq = u64::try_from(state.last_zxid().0).unwrap() + 1;
            assert_eq!(apply(&mut state, seq, op), Outcome::Done(Err(ErrorCode::MarshallingError)), "{scheme}");
        }
    }

    #[test]
    fn a_record_that_ends_early_is_a_marshalling_error_whoever_sends_it() {
        let mut state = State::new();
        let row = MemberRow { id: 1, voter: true, peer_addr: String::new(), client_addr: String::new() };
        state.apply_membership(Zxid(0), &[row], &mut Vec::new());
        let op = Op::Client { op: OpCode::Create, record: Bytes::from_static(b"\0\0\0\x09/short") };
        assert_eq!(apply(&mut state, 1, op), Outcome::Done(Err(ErrorCode::MarshallingError)));
        assert_eq!(state.last_zxid(), Zxid(1));
    }
}
