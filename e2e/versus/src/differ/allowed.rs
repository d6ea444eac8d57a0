//! The differences between ZooKeeper and coordd that are wanted: each has a name and a reason; all others are defects.
//!
//! Rule: an entry says exactly what it allows: how many zxids more coordd takes for which thing. A zxid that one side
//! takes and the other does not, and that no entry accounts for, is a difference at the very next reply.
//!
//! What is not even generated, since it would part the two trees for good: deleteContainer (20) and createSession (-10)
//! sent by a client, which ZooKeeper takes and coordd refuses (no client sends them; they bypass ACLs and sessions);
//! `/zookeeper/config`, which a ZooKeeper that runs alone leaves empty and coordd fills as a quorum does;
//! a connection that is open while a stranger tries its session with a wrong password: ZooKeeper ends it, coordd does
//! not, since whoever knows a session id could cut off its owner;
//! createTTL with a ttl of 0, or without a TTL mode and with a negative one: ZooKeeper 3.9.5 logs it, fails to apply it
//! and every server of the ensemble ends; coordd answers BADARGUMENTS;
//! to an ensemble, a write whose record is cut short, or a multi with a create whose ACL is null: ZooKeeper 3.9.5 gives
//! it the last zxid again, and the leader and with it every server never commits anything any more;
//! addWatch and the like of a null path, which for coordd is an empty one, and for ZooKeeper a third that nobody has.

use super::side::Item;

/// A wanted difference.
pub struct Allowed {
    pub name: &'static str,
    pub reason: &'static str,
    /// The zxids that coordd takes and ZooKeeper does not, before the client sees this.
    takes: fn(&Item) -> i64,
}

pub const ALLOWED: &[Allowed] = &[Allowed {
    name: "zxid-of-attach",
    reason: "attaching a session again is an entry of the log, so that a stale connection is refused everywhere (D6)",
    takes: |item| i64::from(matches!(item, Item::Attached { .. } | Item::Refused)),
}];

impl Allowed {
    /// The zxids that this entry allows coordd for `item`.
    pub fn takes(&self, item: &Item) -> i64 {
        (self.takes)(item)
    }
}
