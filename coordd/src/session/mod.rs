//! Sessions as this member sees them: who is connected here, and when each was last heard of.
//!
//! ```text
//!   connection ── request read ──► Heard ──► Registry::collect ──► session heartbeat to the leader (every 100 ms)
//!   apply ── ended, attached elsewhere ──► Registry ──► the connection closes
//! ```
//!
//! Rule: what a session *is* (id, timeout, password, attach number) stands in the replicated state; here stands only
//! who holds it by a socket. Reason: a member that dies takes nothing of a session with it.

pub mod heard;
pub mod registry;
