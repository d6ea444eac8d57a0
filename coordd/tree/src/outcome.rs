//! What apply says of a command, and what it says it changed.
//!
//! Rule: a refusal of what was asked is a value (`Done(Err(code))`), and takes effect everywhere alike. Changes stand
//! in the order in which they happened; that a parent's children changed follows from `Created` and `Deleted`.

use coordd_proto::ErrorCode;
use coordd_proto::SessionId;
use coordd_proto::reply::Reply;

use crate::acl::AclView;

#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The origin's rule forbids it: no effect, no reply; only the zxid is used up.
    Refused(Refusal),
    Done(Result<Reply<'static>, ErrorCode>),
    Session(SessionOutcome),
}

/// Why a command's number is not its origin's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The origin is no member (any more).
    NotAMember,
    /// Applied before, or of an earlier life of the member.
    Repeated,
    /// Earlier commands of the origin are missing: the stream has a hole and must be sent again.
    Hole,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionOutcome {
    Opened(SessionInfo),
    Attached(SessionInfo),
    /// Closed by its client or expired, with all its ephemerals.
    Ended(SessionId),
    /// An expiry that came too late: the session was attached anew or is gone.
    Unchanged,
}

/// What a connection must know of its session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionInfo {
    pub id: SessionId,
    pub timeout_ms: i32,
    pub password: [u8; 16],
    pub attach: u32,
}

/// What happened to one znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub kind: ChangeKind,
    pub path: Box<str>,
    /// The znode's list before the change; of a created one its own.
    pub acl: AclView,
    pub parent_acl: AclView,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    Created,
    Deleted,
    DataChanged,
    /// Who may see it changed. ZooKeeper's watches do not fire on it.
    AclChanged,
}
