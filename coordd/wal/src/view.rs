//! Which entries a log holds: where it begins, where it ends, and the term of each, without the entries.
//!
//! Rule: pure; the callers keep one view of what was asked for (readable at once) and one of what is durable, and both
//! change by the same three verbs. Reason: after a refused write the first is set back to the second, and recovery is
//! the second one replayed.

use std::collections::VecDeque;

use crate::format::EntryId;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) last: Option<EntryId>,
    pub(crate) purged: Option<EntryId>,
    /// (first index, term) of each run of entries of one term, ascending. Empty when no entry is held.
    runs: VecDeque<(u64, u64)>,
    /// Entries between the purged ones and the first run are unknown so far: they lay in segments that are gone.
    missing: bool,
}

impl View {
    /// As a segment's checkpoint says it; the entries before it are not known.
    pub(crate) fn at_checkpoint(last: Option<EntryId>, purged: Option<EntryId>) -> Self {
        Self { last, purged, runs: VecDeque::new(), missing: last != purged }
    }

    /// Whether entries that must be held are not known.
    pub(crate) fn has_gap(&self) -> bool {
        self.missing
    }

    /// The first entry that is held.
    pub(crate) fn first(&self) -> Option<u64> {
        self.runs.front().map(|run| run.0)
    }

    /// Where the next entry must go; `None` while any index may begin the log.
    pub(crate) fn next(&self) -> Option<u64> {
        self.last.map(|last| last.index + 1)
    }

    pub(crate) fn append(&mut self, id: EntryId) {
        if self.runs.back().is_none_or(|run| run.1 != id.term) {
            self.runs.push_back((id.index, id.term));
        }
        self.last = Some(id);
    }

    /// The id of a held entry, or of the last purged one.
    pub(crate) fn id_of(&self, index: u64) -> Option<EntryId> {
        if let Some(purged) = self.purged.filter(|purged| purged.index == index) {
            return Some(purged);
        }
        if self.last.is_none_or(|last| index > last.index) {
            return None;
        }
        let after = self.runs.partition_point(|run| run.0 <= index);
        let term = self.runs.get(after.checked_sub(1)?)?.1;
        Some(EntryId { index, term })
    }

    /// Drops the entries after `to`.
    pub(crate) fn truncate_after(&mut self, to: Option<EntryId>) {
        let next = to.map_or(0, |to| to.index + 1);
        while self.runs.back().is_some_and(|run| run.0 >= next) {
            self.runs.pop_back();
        }
        self.last = to;
        self.missing &= to != self.purged;
    }

    /// Drops the entries up to and with `upto`, which may lie after the last one.
    pub(crate) fn purge_upto(&mut self, upto: EntryId) {
        if self.purged.is_some_and(|purged| purged.index >= upto.index) {
            return;
        }
        self.purged = Some(upto);
        if self.last.is_none_or(|last| last.index <= upto.index) {
            self.last = Some(upto);
            self.runs.clear();
            self.missing = false;
            return;
        }
        self.missing &= self.runs.front().is_none_or(|run| run.0 > upto.index + 1);
        while self.runs.get(1).is_some_and(|run| run.0 <= upto.index + 1) {
            self.runs.pop_front();
        }
        if let Some(run) = self.runs.front_mut() {
            run.0 = run.0.max(upto.index + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u64, term: u64) -> EntryId {
        EntryId { index, term }
    }

    #[test]
    fn terms_survive_truncation_and_purge() {
        let mut view = View::default();
        for (index, term) in [(1, 1), (2, 1), (3, 2), (4, 4), (5, 4)] {
            view.append(id(index, term));
        }
        assert_eq!(view.id_of(3), Some(id(3, 2)));
        view.truncate_after(Some(id(3, 2)));
        assert_eq!((view.last, view.id_of(4)), (Some(id(3, 2)), None));
        view.append(id(4, 5));
        view.purge_upto(id(2, 1));
        assert_eq!((view.first(), view.id_of(1), view.id_of(2)), (Some(3), None, Some(id(2, 1))));
        assert_eq!(view.id_of(4), Some(id(4, 5)));
    }

    #[test]
    fn a_purge_beyond_the_end_moves_the_end() {
        let mut view = View::default();
        view.append(id(1, 1));
        view.purge_upto(id(9, 3));
        assert_eq!((view.first(), view.last, view.next()), (None, Some(id(9, 3)), Some(10)));
    }
}
