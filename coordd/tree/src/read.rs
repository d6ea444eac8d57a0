//! Reads: borrowed from the state, checked as ZooKeeper checks them (FinalRequestProcessor.java).
//!
//! Rule: no znode first, no permission second. A path is not examined: one that breaks the rules is the path of no
//! znode, and only `exists` looks for NUL.

use coordd_proto::{Acl, AuthId, ErrorCode, Perms, SessionId, Stat};

use crate::acl::AclView;
use crate::auth::AuthRef;
use crate::reaping::{ReapCandidate, ReapLimits};
use crate::sessions::SessionView;
use crate::state::State;
use crate::znode::NodeId;

fn refs(auth: &[AuthId]) -> impl Iterator<Item = AuthRef<'_>> + Clone {
    auth.iter().map(AuthRef::from)
}

impl State {
    fn find_for(&self, path: &str, wanted: Perms, auth: &[AuthId]) -> Result<NodeId, ErrorCode> {
        let id = self.znodes.find(path).ok_or(ErrorCode::NoNode)?;
        if self.znodes.acl(id).permits(wanted, refs(auth)) { Ok(id) } else { Err(ErrorCode::NoAuth) }
    }

    pub fn get_data(&self, path: &str, auth: &[AuthId]) -> Result<(Option<&[u8]>, Stat), ErrorCode> {
        let id = self.find_for(path, Perms::READ, auth)?;
        Ok((self.znodes.get(id).data(), self.znodes.stat(id)))
    }

    pub fn exists(&self, path: &str, auth: &[AuthId]) -> Result<Stat, ErrorCode> {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        self.find_for(path, Perms::READ, auth).map(|id| self.znodes.stat(id))
    }

    /// Names of the children in the order of their creation.
    pub fn children(
        &self,
        path: &str,
        auth: &[AuthId],
    ) -> Result<(impl Iterator<Item = &str> + use<'_>, Stat), ErrorCode> {
        let id = self.find_for(path, Perms::READ, auth)?;
        Ok((self.znodes.children(id).map(|child| self.znodes.get(child).name_str()), self.znodes.stat(id)))
    }

    /// The list; who may not administrate the znode does not see the hashes of passwords in it.
    pub fn get_acl(&self, path: &str, auth: &[AuthId]) -> Result<(Vec<Acl>, Stat), ErrorCode> {
        let id = self.find_for(path, Perms(Perms::READ.0 | Perms::ADMIN.0), auth)?;
        let view = self.znodes.acl(id);
        let mut list = view.to_list();
        if !view.permits(Perms::ADMIN, refs(auth)) {
            list.iter_mut().filter(|acl| acl.id.scheme == "digest").for_each(|acl| redact(&mut acl.id.id));
        }
        Ok((list, self.znodes.stat(id)))
    }

    /// How many znodes stand below `path`. Walks them, unless that is all there are.
    pub fn all_children_number(&self, path: &str, auth: &[AuthId]) -> Result<i32, ErrorCode> {
        let id = self.find_for(path, Perms::READ, auth)?;
        // ZooKeeper counts the paths that begin with `path/`; of an empty path "/" itself is one.
        let itself = usize::from(!path.is_empty());
        let all = if id == NodeId::ROOT { self.znode_count() } else { self.znodes.subtree(id).count() };
        Ok(i32::try_from(all - itself).unwrap_or(i32::MAX))
    }

    /// Paths of the session's ephemerals that start with `prefix`, character by character; "" and "/" are all.
    pub fn ephemerals_of(&self, session: SessionId, prefix: &str) -> Vec<String> {
        let all = matches!(prefix.trim(), "" | "/");
        let nodes = self.sessions.get(session).into_iter().flat_map(|session| &session.ephemerals);
        nodes.map(|&id| self.znodes.path(id)).filter(|path| all || path.starts_with(prefix)).collect()
    }

    /// The znode's stat whoever asks: for a watch that catches up.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.znodes.find(path).map(|id| self.znodes.stat(id))
    }

    /// The znode's list.
    pub fn acl(&self, path: &str) -> Option<AclView> {
        self.znodes.find(path).map(|id| self.znodes.acl(id).clone())
    }

    /// Whether the znode is there and `auth` may read it.
    pub fn readable(&self, path: &str, auth: &[AuthId]) -> bool {
        self.find_for(path, Perms::READ, auth).is_ok()
    }

    pub fn session(&self, id: SessionId) -> Option<SessionView> {
        self.sessions.get(id).map(|session| session.view(id))
    }

    /// All sessions by rising id.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView> + '_ {
        self.sessions.views()
    }

    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether `password` is the session's.
    pub fn is_password_of(&self, id: SessionId, password: &[u8]) -> bool {
        self.sessions.get(id).is_some_and(|session| session.password == password)
    }

    pub fn znode_count(&self) -> usize {
        self.znodes.arena.live() as usize
    }

    pub fn ephemerals_count(&self) -> usize {
        self.sessions.ephemerals()
    }

    /// Lengths of all paths and data, as ZooKeeper's `approximate_data_size`.
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// Memory that the znodes take, for `max_tree_bytes`: their tables exactly, names, data and lists by their length.
    pub fn bytes_used(&self) -> u64 {
        self.znodes.table_bytes() as u64 + self.data_size
    }

    /// Containers and TTL znodes that the leader should propose to reap.
    pub fn reapable(&self, now_ms: i64, limits: ReapLimits) -> Vec<ReapCandidate> {
        self.reaping.due(&self.znodes, now_ms, limits)
    }
}

fn redact(id: &mut String) {
    if let Some(colon) = id.find(':') {
        id.replace_range(colon + 1.., "x");
    }
}
