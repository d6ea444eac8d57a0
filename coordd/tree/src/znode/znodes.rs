//! All znodes, and the only way to change one.
//!
//! Rule: before a slot is written, a running snapshot may save it (`touch`); after, the digest holds its new terms.
//! What a change means for sessions, quotas and watches is not known here, see `effects`.

use std::sync::Arc;

use coordd_proto::{Stat, Zxid};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::arena::Arena;
use super::index::Index;
use super::{Node, NodeId, Owner};
use crate::acl::AclView;
use crate::acl::table::AclTable;
use crate::snapshot::Cut;
use crate::snapshot::row;

/// What a znode starts as.
pub(crate) struct NewNode<'a> {
    pub(crate) parent: NodeId,
    pub(crate) name: &'a [u8],
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) acl: &'a AclView,
    pub(crate) owner: Owner,
    pub(crate) zxid: Zxid,
    pub(crate) time_ms: i64,
}

#[derive(Debug)]
pub(crate) struct Znodes {
    pub(crate) arena: Arena,
    index: Index,
    /// Owners of the few znodes that have one. Searched, never walked.
    owners: HashMap<NodeId, Owner, RandomState>,
    /// When the lists of the few znodes were replaced that had theirs replaced. Searched, never walked.
    acl_zxids: HashMap<NodeId, Zxid, RandomState>,
    pub(crate) acls: AclTable,
    digest: u64,
    cut: Option<Arc<Cut>>,
}

impl Znodes {
    /// A tree of nothing but the root.
    pub(crate) fn new() -> Znodes {
        let mut znodes = Znodes::empty();
        znodes.arena.place(Node::new(b"", Some(b""), crate::acl::table::AclId::OPEN, false));
        znodes.add_terms(NodeId::ROOT);
        znodes
    }

    /// Not even a root: for a snapshot to fill.
    pub(crate) fn empty() -> Znodes {
        Znodes {
            arena: Arena::new(),
            index: Index::new(),
            owners: HashMap::default(),
            acl_zxids: HashMap::default(),
            acls: AclTable::new(),
            digest: 0,
            cut: None,
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> &Node {
        self.arena.get(id)
    }

    pub(crate) fn owner(&self, id: NodeId) -> Owner {
        if !self.get(id).is_owned() {
            return Owner::NOBODY;
        }
        self.owners.get(&id).copied().unwrap_or(Owner::NOBODY)
    }

    pub(crate) fn acl(&self, id: NodeId) -> &AclView {
        self.acls.view(self.get(id).acl)
    }

    /// The zxid at which the znode's list was replaced, if it was.
    pub(crate) fn acl_zxid(&self, id: NodeId) -> Option<Zxid> {
        self.acl_zxids.get(&id).copied()
    }

    /// Whether any znode has such a zxid.
    pub(crate) fn has_acl_zxids(&self) -> bool {
        !self.acl_zxids.is_empty()
    }

    pub(crate) fn stat(&self, id: NodeId) -> Stat {
        self.get(id).stat(self.owner(id).session_id())
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.child_by_hash(self.index.hash(parent, name), parent, name)
    }

    fn child_by_hash(&self, hash: u32, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.index.find(hash, |id| {
            let node = self.get(id);
            node.parent == parent && node.name() == name
        })
    }

    /// The znode at `path`. "" is the root, as in ZooKeeper; a path that breaks the rules is that of no znode.
    pub(crate) fn find(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() || path == "/" {
            return Some(NodeId::ROOT);
        }
        let mut at = NodeId::ROOT;
        for name in path.strip_prefix('/')?.split('/') {
            if name.is_empty() {
                return None;
            }
            at = self.child(at, name.as_bytes())?;
        }
        Some(at)
    }

    pub(crate) fn path(&self, id: NodeId) -> String {
        if id == NodeId::ROOT {
            return "/".to_owned();
        }
        let mut names = Vec::new();
        let mut at = id;
        while at != NodeId::ROOT {
            names.push(self.get(at).name_str());
            at = self.get(at).parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// Children in the order of their creation.
    pub(crate) fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.get(parent).first.some(), |&id| self.get(id).next.some())
    }

    /// `top` and everything below it, parents before children. Walks links: no recursion and no stack, however deep.
    pub(crate) fn subtree(&self, top: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(top), move |&id| {
            if let Some(first) = self.get(id).first.some() {
                return Some(first);
            }
            let mut at = id;
            while at != top {
                if let Some(next) = self.get(at).next.some() {
                    return Some(next);
                }
                at = self.get(at).parent;
            }
            None
        })
    }

    /// Adds a znode as its parent's last child. The parent's zxid and counters are the caller's to move.
    pub(crate) fn insert(&mut self, new: &NewNode<'_>) -> NodeId {
        self.save(self.arena.next_id());
        let owned = new.owner != Owner::NOBODY;
        let mut node = Node::new(new.name, new.data, self.acls.hold(new.acl), owned);
        (node.czxid, node.mzxid, node.pzxid) = (new.zxid, new.zxid, new.zxid);
        (node.ctime, node.mtime) = (new.time_ms, new.time_ms);
        node.parent = new.parent;
        let id = self.arena.place(node);
        if owned {
            self.owners.insert(id, new.owner);
        }
        match self.get(new.parent).first.some() {
            None => {
                self.touch(new.parent).first = id;
                self.touch(id).prev = id;
            }
            Some(first) => {
                let last = self.get(first).prev;
                self.touch(last).next = id;
                self.touch(id).prev = last;
                self.touch(first).prev = id;
            }
        }
        self.enter(id);
        id
    }

    /// Takes a childless znode out of its parent and the index. It keeps its slot until `free` or `relink`.
    pub(crate) fn unlink(&mut self, id: NodeId) {
        let node = self.get(id);
        let (parent, prev, next) = (node.parent, node.prev, node.next);
        let first = self.get(parent).first;
        if first == id {
            self.touch(parent).first = next;
        } else {
            self.touch(prev).next = next;
        }
        match next.some() {
            Some(next) => self.touch(next).prev = prev,
            None if first != id => self.touch(first).prev = prev,
            None => {}
        }
        let hash = self.index.hash(parent, self.get(id).name());
        self.index.remove(hash, id);
        self.drop_terms(id);
        self.update(parent, |parent| parent.children -= 1);
    }

    /// Undoes `unlink`, if everything that was done since is undone: the slot still knows its neighbours.
    pub(crate) fn relink(&mut self, id: NodeId) {
        let node = self.get(id);
        let (parent, prev, next) = (node.parent, node.prev, node.next);
        let first = self.get(parent).first;
        if first == next {
            self.touch(parent).first = id;
        } else {
            self.touch(prev).next = id;
        }
        match next.some() {
            Some(next) => self.touch(next).prev = id,
            None if first != NodeId::NONE => self.touch(first).prev = id,
            None => {}
        }
        self.enter(id);
    }

    fn enter(&mut self, id: NodeId) {
        let node = self.get(id);
        let parent = node.parent;
        let hash = self.index.hash(parent, node.name());
        self.index.insert(hash, id);
        self.add_terms(id);
        self.update(parent, |parent| parent.children += 1);
    }

    /// Gives the slot of an unlinked znode back.
    pub(crate) fn free(&mut self, id: NodeId) {
        self.save(id);
        let node = self.arena.get(id);
        if node.is_owned() {
            self.owners.remove(&id);
        }
        self.acl_zxids.remove(&id);
        self.acls.release(self.arena.get(id).acl);
        self.arena.free(id);
    }

    /// Changes a znode's facts.
    pub(crate) fn update(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        self.digest = self.digest.wrapping_sub(self.facts_term(id));
        change(self.touch(id));
        self.digest = self.digest.wrapping_add(self.facts_term(id));
    }

    pub(crate) fn set_data(&mut self, id: NodeId, data: Option<&[u8]>) {
        self.digest = self.digest.wrapping_sub(self.get(id).blob_digest(id));
        self.touch(id).set_data(data);
        self.digest = self.digest.wrapping_add(self.get(id).blob_digest(id));
    }

    /// Replaces a znode's list; `at`, where it is to be known, is when.
    pub(crate) fn set_acl(&mut self, id: NodeId, acl: &AclView, aversion: i32, at: Option<Zxid>) {
        let new = self.acls.hold(acl);
        let old = self.get(id).acl;
        self.digest = self.digest.wrapping_sub(self.facts_term(id));
        let node = self.touch(id);
        (node.acl, node.aversion) = (new, aversion);
        if let Some(at) = at {
            self.acl_zxids.insert(id, at);
        }
        self.digest = self.digest.wrapping_add(self.facts_term(id));
        self.acls.release(old);
    }

    /// Puts the next slot of a snapshot in place; its links are taken as they were.
    pub(crate) fn restore(&mut self, node: Node, owner: Owner, acl_zxid: Option<Zxid>) -> NodeId {
        let free = node.is_free();
        let id = self.arena.restore(node);
        if free {
            return id;
        }
        if owner != Owner::NOBODY {
            self.owners.insert(id, owner);
        }
        if let Some(at) = acl_zxid {
            self.acl_zxids.insert(id, at);
        }
        if id != NodeId::ROOT {
            let node = self.get(id);
            let hash = self.index.hash(node.parent, node.name());
            self.index.insert(hash, id);
        }
        self.add_terms(id);
        id
    }

    /// From now on slots are saved for `cut` before they change.
    pub(crate) fn start_cut(&mut self, cut: Arc<Cut>) {
        self.cut = Some(cut);
    }

    /// Whether `cut` is the one that slots are saved for.
    pub(crate) fn is_cut_by(&self, cut: &Arc<Cut>) -> bool {
        self.cut.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, cut))
    }

    /// Memory of arena, index and access control lists; names, data and owners not counted.
    pub(crate) fn table_bytes(&self) -> usize {
        let acl_zxids = self.acl_zxids.capacity() * (size_of::<(NodeId, Zxid)>() + 1);
        self.arena.bytes() + self.index.bytes() + acl_zxids + self.acls.bytes()
    }

    fn touch(&mut self, id: NodeId) -> &mut Node {
        self.save(id);
        self.arena.get_mut(id)
    }

    fn save(&self, id: NodeId) {
        if let Some(cut) = &self.cut
            && cut.wants(id)
        {
            cut.save(id, |out| row::encode(self, id, out));
        }
    }

    fn facts_term(&self, id: NodeId) -> u64 {
        let node = self.get(id);
        node.facts_digest(id, self.owner(id), self.acls.digest(node.acl), self.acl_zxid(id))
    }

    fn add_terms(&mut self, id: NodeId) {
        self.digest = self.digest.wrapping_add(self.facts_term(id)).wrapping_add(self.get(id).blob_digest(id));
    }

    fn drop_terms(&mut self, id: NodeId) {
        self.digest = self.digest.wrapping_sub(self.facts_term(id)).wrapping_sub(self.get(id).blob_digest(id));
    }
}
