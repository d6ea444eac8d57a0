//! What happens to the whole state when one znode appears, changes or goes.
//!
//! ```text
//!   create ─► znode linked ─► owner's session, reap index, quota's usage, sizes ─► Change
//!   delete ─► the same, backwards             set ─► data, reap index, quota's usage, sizes ─► Change
//! ```
//!
//! Rule: these never refuse. Every check stands before them, in `apply`. What they do is noted for a multi that may
//! have to take it back.

use coordd_proto::Zxid;

use crate::acl::AclView;
use crate::outcome::{Change, ChangeKind};
use crate::quota::{self, QuotaText};
use crate::state::State;
use crate::undo::Undo;
use crate::znode::znodes::NewNode;
use crate::znode::{Node, NodeId, Owner};

/// When an effect happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) zxid: Zxid,
    pub(crate) time_ms: i64,
}

/// A znode to create at `path`; its last component is its name.
pub(crate) struct NewZnode<'a> {
    pub(crate) parent: NodeId,
    pub(crate) path: &'a str,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) acl: &'a AclView,
    pub(crate) owner: Owner,
}

impl State {
    pub(crate) fn create_node(&mut self, at: Moment, new: &NewZnode<'_>, changes: &mut Vec<Change>) -> NodeId {
        let &NewZnode { parent, path, data, acl, owner } = new;
        let parent_acl = self.znodes.acl(parent).clone();
        let name = path.rsplit('/').next().unwrap_or_default().as_bytes();
        let Moment { zxid, time_ms } = at;
        self.leave_reaping(parent);
        let Node { creates: parent_creates, pzxid: parent_pzxid, .. } = *self.znodes.get(parent);
        let id = self.znodes.insert(&NewNode { parent, name, data, acl, owner, zxid, time_ms });
        self.znodes.update(parent, |parent| {
            parent.creates = parent.creates.saturating_add(1);
            parent.pzxid = zxid;
        });
        self.note(|| Undo::Created { id, parent_creates, parent_pzxid });
        self.appeared(id, path);
        self.use_quota(path, 1, data.map_or(0, <[u8]>::len) as i64);
        changes.push(Change { kind: ChangeKind::Created, path: path.into(), acl: acl.clone(), parent_acl });
        id
    }

    pub(crate) fn delete_node(&mut self, zxid: Zxid, id: NodeId, path: &str, changes: &mut Vec<Change>) {
        let node = self.znodes.get(id);
        let (parent, bytes) = (node.parent, node.data_len() as i64);
        let acl = self.znodes.acl(id).clone();
        let parent_acl = self.znodes.acl(parent).clone();
        let parent_pzxid = self.znodes.get(parent).pzxid;
        self.remove(id, path);
        self.znodes.update(parent, |parent| parent.pzxid = parent.pzxid.max(zxid));
        match &mut self.undo {
            Some(undo) => undo.push(Undo::Deleted { id, parent_pzxid }),
            None => self.znodes.free(id),
        }
        self.use_quota(path, -1, -bytes);
        changes.push(Change { kind: ChangeKind::Deleted, path: path.into(), acl, parent_acl });
    }

    pub(crate) fn set_node(
        &mut self,
        at: Moment,
        id: NodeId,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        changes: &mut Vec<Change>,
    ) {
        let growth = data.map_or(0, <[u8]>::len) as i64 - self.znodes.get(id).data_len() as i64;
        let (acl, parent_acl) = self.acls_of(id);
        self.note_data(id);
        self.write_data(id, data, |node| {
            (node.version, node.mzxid, node.mtime) = (version, at.zxid, at.time_ms);
        });
        self.use_quota(path, 0, growth);
        changes.push(Change { kind: ChangeKind::DataChanged, path: path.into(), acl, parent_acl });
    }

    /// The list of `id` is about to be replaced.
    pub(crate) fn note_acl_change(&self, id: NodeId, path: &str, changes: &mut Vec<Change>) {
        let (acl, parent_acl) = self.acls_of(id);
        changes.push(Change { kind: ChangeKind::AclChanged, path: path.into(), acl, parent_acl });
    }

    fn acls_of(&self, id: NodeId) -> (AclView, AclView) {
        let parent = self.znodes.get(id).parent.some();
        (self.znodes.acl(id).clone(), parent.map_or(AclView::OPEN, |parent| self.znodes.acl(parent).clone()))
    }

    /// Takes a childless znode out of everything but its slot.
    pub(crate) fn remove(&mut self, id: NodeId, path: &str) {
        let parent = self.znodes.get(id).parent;
        let owner = self.znodes.owner(id);
        self.leave_reaping(id);
        if owner.is_ephemeral() {
            self.sessions.drop_ephemeral(owner.session_id(), id);
        }
        self.data_size -= size(path, self.znodes.get(id));
        self.quotas.went(path);
        self.leave_reaping(parent);
        self.znodes.unlink(id);
        self.enter_reaping(parent);
    }

    /// The opposite of `remove`.
    pub(crate) fn put_back(&mut self, id: NodeId, path: &str) {
        self.leave_reaping(self.znodes.get(id).parent);
        self.znodes.relink(id);
        self.appeared(id, path);
    }

    /// Replaces data and facts together; sizes and the reap index follow.
    pub(crate) fn write_data(&mut self, id: NodeId, data: Option<&[u8]>, facts: impl FnOnce(&mut Node)) {
        self.leave_reaping(id);
        self.data_size -= self.znodes.get(id).data_len() as u64;
        self.znodes.set_data(id, data);
        self.znodes.update(id, facts);
        self.data_size += self.znodes.get(id).data_len() as u64;
        self.enter_reaping(id);
    }

    /// What follows from a znode that is linked: not the tree itself. Also how a loaded snapshot is taken in.
    pub(crate) fn appeared(&mut self, id: NodeId, path: &str) {
        let owner = self.znodes.owner(id);
        if owner.is_ephemeral() {
            self.sessions.add_ephemeral(owner.session_id(), id);
        }
        self.data_size += size(path, self.znodes.get(id));
        self.quotas.appeared(path);
        self.enter_reaping(id);
    }

    fn leave_reaping(&mut self, id: NodeId) {
        let node = self.znodes.get(id);
        if node.is_owned() {
            self.reaping.leave(id, node, self.znodes.owner(id));
        }
    }

    fn enter_reaping(&mut self, id: NodeId) {
        let node = self.znodes.get(id);
        if node.is_owned() {
            self.reaping.enter(id, node, self.znodes.owner(id));
        }
    }

    fn note(&mut self, entry: impl FnOnce() -> Undo) {
        if let Some(undo) = &mut self.undo {
            undo.push(entry());
        }
    }

    fn note_data(&mut self, id: NodeId) {
        let node = self.znodes.get(id);
        if let Some(undo) = &mut self.undo {
            let data = node.data().map(Box::from);
            undo.push(Undo::DataSet { id, data, version: node.version, mzxid: node.mzxid, mtime: node.mtime });
        }
    }

    /// The znode at `path` grew; the usage of the quota above it, if any, is rewritten in place.
    fn use_quota(&mut self, path: &str, count: i64, bytes: i64) {
        if let Some(target) = quota::target(path, quota::STATS)
            && count > 0
        {
            self.count_usage(path, target);
        }
        let Some(target) = self.quotas.over(path) else { return };
        let Some(stats) = self.znodes.find(&quota::stats_path(target)) else { return };
        let mut usage = QuotaText::parse(self.znodes.get(stats).data());
        usage.add(count, bytes);
        self.write_usage(stats, &usage);
    }

    /// A stats znode was created: what it counts is counted.
    fn count_usage(&mut self, stats_path: &str, target: &str) {
        let Some(stats) = self.znodes.find(stats_path) else { return };
        let (mut count, mut bytes) = (0, 0);
        for id in self.znodes.find(target).into_iter().flat_map(|top| self.znodes.subtree(top)) {
            count += 1;
            bytes += self.znodes.get(id).data_len() as i64;
        }
        self.write_usage(stats, &QuotaText::usage(count, bytes));
    }

    fn write_usage(&mut self, stats: NodeId, usage: &QuotaText) {
        self.note_data(stats);
        self.write_data(stats, Some(usage.print().as_bytes()), |_| {});
    }
}

/// What ZooKeeper's `approximate_data_size` counts.
fn size(path: &str, node: &Node) -> u64 {
    (path.len() + node.data_len()) as u64
}
