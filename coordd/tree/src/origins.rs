//! Which command of each member is the next (design D7).
//!
//! ```text
//!   row(member) = (boot, seq) of its last accepted command      a row for each member of the ensemble, none for others
//!   accept (b, s)  iff  b = boot and s = seq + 1, or b > boot and s = 1
//! ```
//!
//! Rule: each command of a member takes effect once and in order, however often it was sent; everything else is refused
//! without a trace. Member ids are never given twice, so a row may go with its member.

use std::collections::BTreeMap;

use crate::command::Origin;
use crate::digest::Hash;
use crate::outcome::Refusal;

#[derive(Debug, Default)]
pub(crate) struct Origins {
    last: BTreeMap<u64, (u32, u64)>,
}

impl Origins {
    pub(crate) fn accept(&mut self, origin: Origin) -> Result<(), Refusal> {
        let last = self.last.get_mut(&origin.member).ok_or(Refusal::NotAMember)?;
        let (boot, seq) = *last;
        let next = if origin.boot > boot { 1 } else { seq.saturating_add(1) };
        if origin.boot < boot || origin.seq < next {
            return Err(Refusal::Repeated);
        }
        if origin.seq > next {
            return Err(Refusal::Hole);
        }
        *last = (origin.boot, origin.seq);
        Ok(())
    }

    /// Exactly `members` may propose from now on.
    pub(crate) fn set_members(&mut self, members: impl Iterator<Item = u64>) {
        let old = std::mem::take(&mut self.last);
        self.last = members.map(|member| (member, old.get(&member).copied().unwrap_or_default())).collect();
    }

    pub(crate) fn last(&self, member: u64) -> Option<(u32, u64)> {
        self.last.get(&member).copied()
    }

    pub(crate) fn restore(&mut self, member: u64, boot: u32, seq: u64) {
        self.last.insert(member, (boot, seq));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u32, u64)> {
        self.last.iter().map(|(&member, &(boot, seq))| (member, boot, seq))
    }

    pub(crate) fn fold(&self, hash: Hash) -> Hash {
        self.iter().fold(hash, |h, (member, boot, seq)| h.word(member).word(u64::from(boot)).word(seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let mut origins = Origins::default();
        origins.set_members([1, 2].into_iter());
        origins
    }

    fn at(member: u64, boot: u32, seq: u64) -> Origin {
        Origin { member, boot, seq }
    }

    #[test]
    fn each_number_is_accepted_once_and_in_order() {
        let mut o = origins();
        assert_eq!(o.accept(at(1, 1, 2)), Err(Refusal::Hole));
        assert_eq!(o.accept(at(1, 1, 1)), Ok(()));
        assert_eq!(o.accept(at(1, 1, 1)), Err(Refusal::Repeated));
        assert_eq!(o.accept(at(1, 1, 3)), Err(Refusal::Hole));
        assert_eq!(o.accept(at(1, 1, 2)), Ok(()));
        assert_eq!(o.accept(at(2, 1, 1)), Ok(()));
        assert_eq!(o.last(1), Some((1, 2)));
    }

    #[test]
    fn a_new_life_starts_at_one_and_ends_the_older_ones() {
        let mut o = origins();
        assert_eq!(o.accept(at(1, 3, 1)), Ok(()));
        assert_eq!(o.accept(at(1, 5, 2)), Err(Refusal::Hole));
        assert_eq!(o.accept(at(1, 3, 2)), Ok(()));
        assert_eq!(o.accept(at(1, 5, 1)), Ok(()));
        assert_eq!(o.accept(at(1, 3, 3)), Err(Refusal::Repeated));
    }

    #[test]
    fn only_members_propose_and_a_member_that_left_is_none() {
        let mut o = origins();
        o.accept(at(1, 1, 1)).unwrap();
        o.accept(at(2, 1, 1)).unwrap();
        assert_eq!(o.accept(at(3, 1, 1)), Err(Refusal::NotAMember));
        o.set_members([2, 3].into_iter());
        assert_eq!(o.accept(at(1, 1, 2)), Err(Refusal::NotAMember));
        assert_eq!((o.last(2), o.last(3), o.last(1)), (Some((1, 1)), Some((0, 0)), None));
    }
}
