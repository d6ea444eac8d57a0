//! Which sessions are alive, decided so that no two clients ever believe that they hold one ephemeral (design D8).
//!
//! ```text
//!   member: report (every 100 ms: who spoke, who fell silent) ──► leader: deadlines ─ due ─► ExpireSession in the log
//!   member: gate   (answers clients only within w of an acknowledged report) ◄── acknowledged after a quorum round
//! ```
//!
//! Rule: a client holds its session for alive until `timeout` after it *sent* the last request that was answered;
//! nobody expires it before. Every clock is monotonic and compared only with itself. The six rules and why they
//! suffice: raft-notes.md §7; beside them
//!   - a connection whose session was silent for its timeout is closed, not answered (its member may have said so
//!     already);
//!   - while expiries of a silent member's sessions are under way, that member's reports are not acknowledged;
//!   - an expiry that was decided in one term is void in the next, whose leader gave every session a full timeout.

pub(crate) mod deadlines;
pub(crate) mod expire;
pub(crate) mod gate;
pub(crate) mod report;
