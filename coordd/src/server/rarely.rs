//! Lines of one kind in the log: one a second at most, and each says how many were left out before it.
//!
//! Rule: no lock, and whoever writes no line pays two loads. Reason: apply asks this, with everybody waiting.

use std::sync::atomic::{AtomicU64, Ordering};

const ONE_LINE_MS: u64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Rarely {
    next_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Rarely {
    /// Whether a line may be written at `now_ms` of the monotonic clock, and how many were not since the last.
    pub(super) fn turn(&self, now_ms: u64) -> Option<u64> {
        if now_ms < self.next_ms.load(Ordering::Relaxed) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.next_ms.store(now_ms + ONE_LINE_MS, Ordering::Relaxed);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_says_how_many_were_left_out() {
        let lines = Rarely::default();
        assert_eq!(lines.turn(10), Some(0));
        assert_eq!(lines.turn(500), None);
        assert_eq!(lines.turn(1009), None);
        assert_eq!(lines.turn(1010), Some(2));
    }
}
