//! The replicated state: what every member has after applying the same log.
//!
//! ```text
//!   log entry ── Command ──► State::apply(zxid, command) ──► Outcome   (for whoever asked)
//!                                    │                  └──► Change…   (for whoever watches)
//!                                    ├── znodes: arena, index, ACLs, quotas, reap index
//!                                    ├── sessions, origins, members, last zxid and time
//!                                    └── snapshot at one zxid, written while apply goes on
//! ```
//!
//! Rule: apply depends on (state, zxid, command) alone. No clock, no randomness, no order of a hash map, no option of
//! one member, no I/O. The lints of this crate forbid the types that would break it. Reason: members that applied the
//! same entries must agree to the bit, or the ensemble lies.

mod acl;
mod apply;
mod auth;
mod command;
mod digest;
mod effects;
mod look;
mod members;
mod origins;
mod outcome;
mod quota;
mod read;
mod reaping;
mod sessions;
mod snapshot;
mod state;
mod undo;
mod znode;

pub use acl::AclView;
pub use auth::{AuthIter, AuthList, AuthRef};
pub use command::{COMMAND_FORMAT, Command, CommandError, Op, Origin};
pub use look::ZnodeRef;
pub use members::MemberRow;
pub use outcome::{Change, ChangeKind, Outcome, Refusal, SessionInfo, SessionOutcome};
pub use quota::{Exceeded, QuotaExceeded, is_quota_text};
pub use reaping::{ReapCandidate, ReapLimits};
pub use sessions::SessionView;
pub use snapshot::{SNAPSHOT_FORMAT, SnapshotAborted, SnapshotError, SnapshotWriter};
pub use state::{FEATURE_LEVEL, State};
