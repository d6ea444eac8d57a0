//! A znode to look at while the state is held: itself, its children, and when what one sees of it was last changed.
//!
//! Rule: a reference says everything of the znode; whoever shows it to someone asks `readable` first, as the reads of
//! the protocol do (READ for data, Stat and the names of children). Reason: an answer made from many znodes must not
//! look each one up by its path.

use coordd_proto::{AuthId, Perms, Stat, Zxid};

use crate::auth::AuthRef;
use crate::quota;
use crate::state::State;
use crate::znode::NodeId;

/// A znode of a state.
#[derive(Clone, Copy, Debug)]
pub struct ZnodeRef<'a> {
    state: &'a State,
    id: NodeId,
}

impl State {
    /// The znode at `path`, whoever asks.
    pub fn znode(&self, path: &str) -> Option<ZnodeRef<'_>> {
        self.znodes.find(path).map(|id| ZnodeRef { state: self, id })
    }
}

impl<'a> ZnodeRef<'a> {
    /// The last component of its path; "" of the root.
    pub fn name(&self) -> &'a str {
        self.state.znodes.get(self.id).name_str()
    }

    pub fn data(&self) -> Option<&'a [u8]> {
        self.state.znodes.get(self.id).data()
    }

    pub fn stat(&self) -> Stat {
        self.state.znodes.stat(self.id)
    }

    /// Whether `auth` may read it.
    pub fn readable(&self, auth: &[AuthId]) -> bool {
        self.state.znodes.acl(self.id).permits(Perms::READ, auth.iter().map(AuthRef::from))
    }

    /// When who may see it was last settled: at its creation, or when its list was replaced since (known from feature
    /// level 2 on).
    pub fn acl_zxid(&self) -> Zxid {
        self.state.znodes.acl_zxid(self.id).unwrap_or_else(|| self.state.znodes.get(self.id).czxid)
    }

    /// Whether its data is a quota's usage, which apply rewrites without a zxid, a version or a change.
    pub fn is_usage(&self) -> bool {
        self.name() == quota::STATS && quota::target(&self.state.znodes.path(self.id), quota::STATS).is_some()
    }

    /// The newest zxid that the whole state has applied.
    pub fn last_zxid(&self) -> Zxid {
        self.state.last_zxid()
    }

    pub fn child_count(&self) -> usize {
        self.state.znodes.get(self.id).children as usize
    }

    pub fn child(&self, name: &str) -> Option<ZnodeRef<'a>> {
        let id = self.state.znodes.child(self.id, name.as_bytes())?;
        Some(ZnodeRef { state: self.state, id })
    }

    /// In the order of their creation.
    pub fn children(&self) -> impl Iterator<Item = ZnodeRef<'a>> + use<'a> {
        let state = self.state;
        state.znodes.children(self.id).map(move |id| ZnodeRef { state, id })
    }
}
