//! One znode in 96 bytes, beside the allocation that holds its name and data.
//!
//! Rule: what few znodes have (an owner) stands in a table beside the arena and costs the others one bit here.

use coordd_proto::{SessionId, Stat, Zxid};

use crate::acl::table::AclId;
use crate::digest::Hash;
use crate::znode::Owner;

/// A slot of the arena. Slots are reused; an id is good only while its znode lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) const ROOT: NodeId = NodeId(0);
    /// No znode: the end of a list.
    pub(crate) const NONE: NodeId = NodeId(u32::MAX);

    pub(crate) fn some(self) -> Option<NodeId> {
        (self != NodeId::NONE).then_some(self)
    }
}

const NULL_DATA: u32 = 1 << 31;
const OWNED: u32 = 1 << 30;
const FREE: u32 = 1 << 29;
const NAME_LEN: u32 = FREE - 1;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) czxid: Zxid,
    pub(crate) mzxid: Zxid,
    pub(crate) pzxid: Zxid,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    /// Children ever created here: the next sequence number. What clients see as cversion is derived from it.
    pub(crate) creates: i32,
    pub(crate) aversion: i32,
    pub(crate) parent: NodeId,
    pub(crate) first: NodeId,
    /// The next sibling; in a free slot the next free slot.
    pub(crate) next: NodeId,
    /// The previous sibling; that of the first child is the last child.
    pub(crate) prev: NodeId,
    pub(crate) children: u32,
    pub(crate) acl: AclId,
    name_len_and_flags: u32,
    blob: Box<[u8]>,
}

const _: () = assert!(size_of::<Node>() == 96);

impl Node {
    pub(crate) fn new(name: &[u8], data: Option<&[u8]>, acl: AclId, owned: bool) -> Node {
        let flags = if owned { OWNED } else { 0 };
        let mut node = Node { acl, ..Node::free(NodeId::NONE) };
        node.name_len_and_flags = (name.len() as u32 & NAME_LEN) | flags | null_flag(data);
        node.blob = [name, data.unwrap_or_default()].concat().into_boxed_slice();
        node
    }

    pub(crate) fn free(next_free: NodeId) -> Node {
        Node {
            czxid: Zxid::ZERO,
            mzxid: Zxid::ZERO,
            pzxid: Zxid::ZERO,
            ctime: 0,
            mtime: 0,
            version: 0,
            creates: 0,
            aversion: 0,
            parent: NodeId::NONE,
            first: NodeId::NONE,
            next: next_free,
            prev: NodeId::NONE,
            children: 0,
            acl: AclId::OPEN,
            name_len_and_flags: FREE,
            blob: Box::default(),
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.name_len_and_flags & FREE != 0
    }

    /// Whether the owners table has a row for this znode.
    pub(crate) fn is_owned(&self) -> bool {
        self.name_len_and_flags & OWNED != 0
    }

    fn name_len(&self) -> usize {
        (self.name_len_and_flags & NAME_LEN) as usize
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.blob[..self.name_len()]
    }

    /// The name as text; names are checked when a znode is created.
    pub(crate) fn name_str(&self) -> &str {
        std::str::from_utf8(self.name()).unwrap_or_default()
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        (self.name_len_and_flags & NULL_DATA == 0).then(|| &self.blob[self.name_len()..])
    }

    pub(crate) fn data_len(&self) -> usize {
        self.blob.len() - self.name_len()
    }

    pub(crate) fn set_data(&mut self, data: Option<&[u8]>) {
        let name_len = self.name_len();
        let bytes = data.unwrap_or_default();
        if bytes.len() == self.data_len() {
            self.blob[name_len..].copy_from_slice(bytes);
        } else {
            self.blob = [self.name(), bytes].concat().into_boxed_slice();
        }
        self.name_len_and_flags = self.name_len_and_flags & !NULL_DATA | null_flag(data);
    }

    /// As clients see it.
    pub(crate) fn stat(&self, owner: SessionId) -> Stat {
        let children = self.children.cast_signed();
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: self.aversion,
            ephemeral_owner: owner,
            data_length: i32::try_from(self.data_len()).unwrap_or(i32::MAX),
            num_children: children,
            pzxid: self.pzxid,
        }
    }

    /// The digest's term for the facts.
    pub(crate) fn facts_digest(&self, id: NodeId, owner: Owner, acl: u64, acl_zxid: Option<Zxid>) -> u64 {
        let both = |a: i32, b: i32| u64::from(a.cast_unsigned()) << 32 | u64::from(b.cast_unsigned());
        let facts = Hash::new(1)
            .word(u64::from(id.0) << 32 | u64::from(self.parent.0))
            .pair(self.czxid.0.cast_unsigned(), self.mzxid.0.cast_unsigned())
            .pair(self.pzxid.0.cast_unsigned(), self.ctime.cast_unsigned())
            .pair(self.mtime.cast_unsigned(), both(self.version, self.creates))
            .pair(both(self.aversion, self.children.cast_signed()), owner.raw().cast_unsigned())
            .word(acl);
        acl_zxid.map_or(facts, |at| facts.signed(at.0)).finish()
    }

    /// The digest's term for name and data.
    pub(crate) fn blob_digest(&self, id: NodeId) -> u64 {
        Hash::new(2).word(u64::from(id.0) << 32 | u64::from(self.name_len_and_flags)).bytes(&self.blob).finish()
    }
}

fn null_flag(data: Option<&[u8]>) -> u32 {
    if data.is_none() { NULL_DATA } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_data_stay_apart_through_sets() {
        let mut node = Node::new("né".as_bytes(), None, AclId::OPEN, false);
        assert_eq!((node.name_str(), node.data(), node.data_len()), ("né", None, 0));
        node.set_data(Some(b""));
        assert_eq!(node.data(), Some(&b""[..]));
        node.set_data(Some(b"abc"));
        node.set_data(Some(b"xyz"));
        assert_eq!((node.name_str(), node.data()), ("né", Some(&b"xyz"[..])));
        node.set_data(None);
        assert_eq!((node.name_str(), node.data()), ("né", None));
    }

    #[test]
    fn the_clients_cversion_counts_creates_and_deletes() {
        let mut node = Node::new(b"a", None, AclId::OPEN, false);
        (node.creates, node.children) = (3, 1);
        assert_eq!(node.stat(SessionId::NONE).cversion, 5);
        (node.creates, node.children) = (0, 2);
        assert_eq!(node.stat(SessionId::NONE).cversion, -2);
        (node.creates, node.children) = (i32::MAX, 0);
        assert_eq!(node.stat(SessionId::NONE).cversion, -2);
    }
}
