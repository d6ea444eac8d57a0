//! The newest change that an answer rests on: its ETag (ADR 0005).
//!
//! ```text
//!   shown: mzxid, list     named children: pzxid     hidden: list          the greatest of all is the answer's
//! ```
//!
//! Rule: of a znode that is shown, data and list count; of one that is not, its list alone, which is never older
//! than its creation; of one whose children are named, their list. What is gone counts by its parent. So the number is
//! one of the replicated state, never falls, and moves whenever the answer does. A quota's usage is rewritten without a
//! zxid, so it counts as changed by whatever was applied last.

use coordd_proto::Zxid;
use coordd_tree::ZnodeRef;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newest(Zxid);

impl Newest {
    pub(crate) fn none() -> Newest {
        Newest(Zxid::ZERO)
    }

    /// Whether the znode may be seen, and that it exists.
    pub(crate) fn access(&mut self, znode: ZnodeRef<'_>) {
        self.0 = self.0.max(znode.acl_zxid());
    }

    pub(crate) fn data(&mut self, znode: ZnodeRef<'_>) {
        self.access(znode);
        let changed = if znode.is_usage() { znode.last_zxid() } else { znode.stat().mzxid };
        self.0 = self.0.max(changed);
    }

    pub(crate) fn children(&mut self, znode: ZnodeRef<'_>) {
        self.access(znode);
        self.0 = self.0.max(znode.stat().pzxid);
    }

    /// The answer is another since the state was set back: recovered or restored, behind `base`.
    pub(crate) fn set_back(&mut self, base: i64) {
        self.0 = self.0.max(Zxid(base));
    }

    pub(crate) fn zxid(self) -> i64 {
        self.0.0
    }
}
