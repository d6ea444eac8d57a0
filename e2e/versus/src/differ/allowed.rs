//! The differences between ZooKeeper and coordd that are wanted: each has a name and a reason; all others are defects.
//!
//! What is not even generated, since it would part the two trees for good: deleteContainer (20) and createSession (-10)
//! sent by a client, which ZooKeeper takes and coordd refuses (no client sends them; they bypass ACLs and sessions);
//! `/zookeeper/config`, which a ZooKeeper that runs alone leaves empty and coordd fills as a quorum does;
//! a connection that is open while a stranger tries its session with a wrong password: ZooKeeper ends it, coordd does
//! not, since whoever knows a session id could cut off its owner;
//! createTTL with a ttl of 0, or without a TTL mode and with a negative one: ZooKeeper 3.9.5 logs it, fails to apply it
//! and every server of the ensemble ends; coordd answers BADARGUMENTS.

use super::compare::Difference;

/// A wanted difference.
pub struct Allowed {
    pub name: &'static str,
    pub reason: &'static str,
    matches: fn(&Difference) -> bool,
}

pub const ALLOWED: &[Allowed] = &[Allowed {
    name: "zxid-gap",
    reason: "Raft writes entries of its own (one blank entry per election, membership), each of which is a zxid (D3)",
    matches: |d| d.why.starts_with("zxid: a gap"),
}];

/// The entry that covers a difference.
pub fn entry(difference: &Difference) -> Option<&'static Allowed> {
    ALLOWED.iter().find(|allowed| (allowed.matches)(difference))
}
