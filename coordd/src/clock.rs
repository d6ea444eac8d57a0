//! The two clocks of a member.
//!
//! ```text
//!   wall_ms()      stamps entries (ctime, mtime, TTL); may jump, is never compared with a deadline
//!   monotonic_ms() measures silence and deadlines; only ever compared with itself, on this member
//! ```
//!
//! Reason: a clock that an administrator sets back or forward by an hour must expire nothing (design D5).

use std::sync::LazyLock;

use tokio::time::Instant;

/// Milliseconds since the Unix epoch.
pub fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since an arbitrary moment before this member started; never falls.
pub fn monotonic_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(Instant::now().saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX)
}
