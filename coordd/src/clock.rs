//! The two clocks of a member.
//!
//! ```text
//!   wall_ms()      stamps entries (ctime, mtime, TTL); may jump, is never compared with a deadline
//!   monotonic_ms() measures silence and deadlines; only ever compared with itself, on this member
//! ```
//!
//! Reason: a clock that an administrator sets back or forward by an hour must expire nothing (design D5).
//! In the simulation both are its own: how long it has run, and that after a fixed date.

#[cfg(not(feature = "sim"))]
use std::sync::LazyLock;
use std::time::Duration;

#[cfg(not(feature = "sim"))]
use tokio::time::Instant;

use crate::planted;

/// Milliseconds since the Unix epoch.
pub fn wall_ms() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX).saturating_add(planted::clock_offset_ms())
}

#[cfg(not(feature = "sim"))]
fn since_epoch() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(feature = "sim")]
fn since_epoch() -> Duration {
    turmoil::since_epoch().unwrap_or_default()
}

/// Milliseconds since an arbitrary moment before this member started; never falls.
#[cfg(not(feature = "sim"))]
pub fn monotonic_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(Instant::now().saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(feature = "sim")]
pub fn monotonic_ms() -> u64 {
    u64::try_from(turmoil::sim_elapsed().unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
