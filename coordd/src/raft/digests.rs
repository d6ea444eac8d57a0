//! The state's digest at certain log indexes, so that members can be compared at one of them (design D19).
//!
//! Rule: taken by apply, under its guard, right after the entry of that index. Reason: any later look would show
//! another index on each member. One entry in 64 costs next to nothing, and the newest 256 cover how far apart members
//! are.

use std::collections::VecDeque;

use parking_lot::Mutex;

const EVERY: u64 = 64;
const KEPT: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Digests {
    /// (log index, digest), ascending.
    newest: Mutex<VecDeque<(u64, u64)>>,
}

impl Digests {
    /// The entry at `index` was just applied.
    pub(crate) fn applied(&self, index: u64, digest: impl FnOnce() -> u64) {
        if !index.is_multiple_of(EVERY) {
            return;
        }
        let mut newest = self.newest.lock();
        if newest.len() == KEPT {
            newest.pop_front();
        }
        newest.push_back((index, digest()));
    }

    /// The state was replaced: what was taken of the old one is of no use.
    pub(crate) fn clear(&self) {
        self.newest.lock().clear();
    }

    pub(crate) fn newest(&self) -> Option<(u64, u64)> {
        self.newest.lock().back().copied()
    }

    pub(crate) fn at(&self, index: u64) -> Option<u64> {
        self.newest.lock().iter().rev().find(|(at, _)| *at == index).map(|(_, digest)| *digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_round_indexes_are_kept_and_only_the_newest_of_them() {
        let digests = Digests::default();
        for index in 1..=EVERY * (KEPT as u64 + 2) {
            digests.applied(index, || index + 7);
        }
        assert_eq!(digests.at(EVERY * 2), None, "too old");
        assert_eq!(digests.at(EVERY * 3), Some(EVERY * 3 + 7));
        assert_eq!(digests.at(EVERY * 3 + 1), None, "no round index");
        assert_eq!(digests.newest().map(|(index, _)| index), Some(EVERY * (KEPT as u64 + 2)));
        digests.clear();
        assert_eq!(digests.newest(), None);
    }
}
