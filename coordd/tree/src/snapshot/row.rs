//! One slot of the arena as bytes: most numbers as their distance from a neighbour, so that a row is little more than
//! name and data.

use bytes::{BufMut, BytesMut};
use coordd_proto::Zxid;

use super::{SnapshotError, varint};
use crate::acl::table::AclId;
use crate::znode::{Node, NodeId, Owner, Znodes};

const FREE: u8 = 0;
const PLAIN: u8 = 1;
const OWNED: u8 = 2;
/// Beside one of the two above, since format 2.
const WITH_ACL_ZXID: u8 = 4;

pub(crate) fn encode(znodes: &Znodes, id: NodeId, out: &mut BytesMut) {
    if id.0 >= znodes.arena.slots() {
        return;
    }
    let node = znodes.get(id);
    if node.is_free() {
        out.put_u8(FREE);
        put_id(out, node.next);
        return;
    }
    let acl_zxid = znodes.acl_zxid(id);
    let kind = if node.is_owned() { OWNED } else { PLAIN };
    out.put_u8(kind | if acl_zxid.is_some() { WITH_ACL_ZXID } else { 0 });
    if node.is_owned() {
        out.put_i64(znodes.owner(id).raw());
    }
    if let Some(at) = acl_zxid {
        out.put_i64(at.0);
    }
    for link in [node.parent, node.first, node.next, node.prev] {
        put_id(out, link);
    }
    varint::put(out, u64::from(node.children));
    varint::put(out, u64::from(node.acl.0));
    varint::put_signed(out, node.czxid.0);
    varint::put_signed(out, node.mzxid.0.wrapping_sub(node.czxid.0));
    varint::put_signed(out, node.pzxid.0.wrapping_sub(node.czxid.0));
    varint::put_signed(out, node.ctime);
    varint::put_signed(out, node.mtime.wrapping_sub(node.ctime));
    for count in [node.version, node.creates, node.aversion] {
        varint::put_signed(out, i64::from(count));
    }
    varint::put_bytes(out, node.name());
    out.put_u8(u8::from(node.data().is_some()));
    if let Some(data) = node.data() {
        varint::put_bytes(out, data);
    }
}

/// A slot with what stands beside the arena.
pub(super) struct Row {
    pub(super) node: Node,
    pub(super) owner: Owner,
    pub(super) acl_zxid: Option<Zxid>,
}

/// `knows_acl_zxids`: the file's format has them.
pub(super) fn decode(from: &mut &[u8], knows_acl_zxids: bool) -> Result<Row, SnapshotError> {
    let kind = take_u8(from)?;
    let with_acl_zxid = kind & WITH_ACL_ZXID != 0;
    let owner = match kind & !WITH_ACL_ZXID {
        _ if with_acl_zxid && !knows_acl_zxids => return Err(SnapshotError::BadRow),
        FREE if !with_acl_zxid => {
            let node = Node::free(get_id(from)?);
            return Ok(Row { node, owner: Owner::NOBODY, acl_zxid: None });
        }
        PLAIN => Owner::NOBODY,
        OWNED => Owner::from_raw(take_i64(from)?),
        _ => return Err(SnapshotError::BadRow),
    };
    let acl_zxid = if with_acl_zxid { Some(Zxid(take_i64(from)?)) } else { None };
    let (parent, first, next, prev) = (get_id(from)?, get_id(from)?, get_id(from)?, get_id(from)?);
    let children = varint::get_u32(from)?;
    let acl = AclId(varint::get_u32(from)?);
    let czxid = varint::get_signed(from)?;
    let mzxid = czxid.wrapping_add(varint::get_signed(from)?);
    let pzxid = czxid.wrapping_add(varint::get_signed(from)?);
    let ctime = varint::get_signed(from)?;
    let mtime = ctime.wrapping_add(varint::get_signed(from)?);
    let mut count = || i32::try_from(varint::get_signed(from)?).map_err(|_| SnapshotError::BadRow);
    let (version, creates, aversion) = (count()?, count()?, count()?);
    let name = varint::get_bytes(from)?;
    let data = if take_u8(from)? == 0 { None } else { Some(varint::get_bytes(from)?) };
    let mut node = Node::new(name, data, acl, owner != Owner::NOBODY);
    (node.parent, node.first, node.next, node.prev) = (parent, first, next, prev);
    (node.czxid, node.mzxid, node.pzxid) = (Zxid(czxid), Zxid(mzxid), Zxid(pzxid));
    (node.ctime, node.mtime) = (ctime, mtime);
    (node.version, node.creates, node.aversion) = (version, creates, aversion);
    node.children = children;
    Ok(Row { node, owner, acl_zxid })
}

fn put_id(out: &mut BytesMut, id: NodeId) {
    varint::put(out, u64::from(id.0.wrapping_add(1)));
}

fn get_id(from: &mut &[u8]) -> Result<NodeId, SnapshotError> {
    Ok(NodeId(varint::get_u32(from)?.wrapping_sub(1)))
}

fn take_u8(from: &mut &[u8]) -> Result<u8, SnapshotError> {
    bytes::Buf::try_get_u8(from).map_err(|_| SnapshotError::BadRow)
}

fn take_i64(from: &mut &[u8]) -> Result<i64, SnapshotError> {
    bytes::Buf::try_get_i64(from).map_err(|_| SnapshotError::BadRow)
}
