//! Numbers that two servers choose for themselves, held against each other.
//!
//! ```text
//!   zxid      a ↔ b   one to one, order kept, and b − a the same throughout, but for what b is known to take alone
//!   session   a ↔ b   by who opened them
//! ```

use std::collections::{BTreeMap, HashMap};

/// Why two numbers do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("one of {0:#x} and {1:#x} is special")]
    Special(i64, i64),
    #[error("{0:#x} was {1:#x} before, now it is {2:#x}")]
    Other(i64, i64, i64),
    #[error("{0:#x} and {1:#x} are not in the order of those before")]
    Order(i64, i64),
    #[error("{0:#x} and {1:#x} lie {2} apart where {3} were due")]
    Distance(i64, i64, i64, i64),
}

/// The pairs seen so far.
#[derive(Debug, Default)]
pub struct Relation {
    forward: BTreeMap<i64, i64>,
    backward: BTreeMap<i64, i64>,
    sessions: HashMap<i64, i64>,
    /// What the newest pair lay apart before `b` took any alone.
    base: Option<i64>,
    /// What b took alone so far, less what a did.
    alone: i64,
}

impl Relation {
    /// b takes so many zxids that a does not take, or fewer.
    pub fn takes_alone(&mut self, zxids: i64) {
        self.alone += zxids;
    }

    /// How far the newest pair must lie apart; the first pair decides it.
    fn due(&mut self, a: i64, b: i64) -> i64 {
        *self.base.get_or_insert(b - a - self.alone) + self.alone
    }

    /// Takes up a pair of zxids of changes.
    pub fn zxid(&mut self, a: i64, b: i64) -> Result<(), Misfit> {
        if a <= 0 || b <= 0 {
            return if a == b { Ok(()) } else { Err(Misfit::Special(a, b)) };
        }
        if let Some(&known) = self.forward.get(&a) {
            return if known == b { Ok(()) } else { Err(Misfit::Other(a, known, b)) };
        }
        if let Some(&known) = self.backward.get(&b) {
            return Err(Misfit::Other(b, known, a));
        }
        let newest = self.due(a, b);
        let below = self.forward.range(..a).next_back().map(|(a, b)| (*b, b - a));
        let above = self.forward.range(a..).next().map(|(a, b)| (*b, b - a));
        if below.is_some_and(|(before, _)| before >= b) || above.is_some_and(|(behind, _)| behind <= b) {
            return Err(Misfit::Order(a, b));
        }
        // An old change that is seen late lies between its neighbours in this, too.
        let from = below.map_or(newest - self.alone, |(_, apart)| apart);
        let to = above.map_or(newest, |(_, apart)| apart);
        if !(from.min(to)..=from.max(to)).contains(&(b - a)) {
            return Err(Misfit::Distance(a, b, b - a, to));
        }
        self.forward.insert(a, b);
        self.backward.insert(b, a);
        Ok(())
    }

    /// Takes up the zxids that two servers have applied last, which every reply carries.
    pub fn last_applied(&mut self, a: i64, b: i64) -> Result<(), Misfit> {
        if a <= 0 || b <= 0 {
            return if a == b { Ok(()) } else { Err(Misfit::Special(a, b)) };
        }
        let due = self.due(a, b);
        if b - a == due { Ok(()) } else { Err(Misfit::Distance(a, b, b - a, due)) }
    }

    /// Two sessions that were opened by the same step.
    pub fn pair_sessions(&mut self, a: i64, b: i64) {
        self.sessions.insert(a, b);
    }

    pub fn session(&self, a: i64, b: i64) -> bool {
        (a == 0 && b == 0) || self.sessions.get(&a) == Some(&b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxids_relate_one_to_one_in_order_and_at_one_distance() {
        let mut r = Relation::default();
        assert_eq!(r.zxid(5, 105), Ok(()));
        assert_eq!(r.zxid(9, 109), Ok(()));
        assert_eq!(r.zxid(5, 106), Err(Misfit::Other(5, 105, 106)));
        assert_eq!(r.zxid(6, 109), Err(Misfit::Other(109, 9, 6)));
        assert_eq!(r.zxid(7, 110), Err(Misfit::Order(7, 110)));
        assert_eq!(r.zxid(10, 111), Err(Misfit::Distance(10, 111, 101, 100)));
        assert_eq!(r.zxid(0, 7), Err(Misfit::Special(0, 7)));
        assert_eq!(r.zxid(-1, -1), Ok(()));
    }

    #[test]
    fn what_one_side_applies_and_the_other_does_not_shows_at_the_next_reply() {
        let mut r = Relation::default();
        assert_eq!(r.last_applied(5, 105), Ok(()));
        assert_eq!(r.last_applied(5, 106), Err(Misfit::Distance(5, 106, 101, 100)));
        assert_eq!(r.last_applied(6, 105), Err(Misfit::Distance(6, 105, 99, 100)));
    }

    #[test]
    fn what_one_side_is_known_to_take_alone_moves_the_newest_and_leaves_the_older() {
        let mut r = Relation::default();
        assert_eq!(r.last_applied(5, 105), Ok(()));
        assert_eq!(r.zxid(5, 105), Ok(()));
        r.takes_alone(2);
        assert_eq!(r.last_applied(5, 107), Ok(()));
        assert_eq!(r.last_applied(5, 106), Err(Misfit::Distance(5, 106, 101, 102)));
        assert_eq!(r.zxid(8, 110), Ok(()));
        assert_eq!((r.zxid(6, 107), r.zxid(7, 109)), (Ok(()), Ok(())), "changes that are seen late");
        assert_eq!(r.zxid(4, 105), Err(Misfit::Other(105, 5, 4)));
        assert_eq!(r.zxid(9, 112), Err(Misfit::Distance(9, 112, 103, 102)));
    }

    #[test]
    fn sessions_relate_by_who_opened_them() {
        let mut r = Relation::default();
        r.pair_sessions(7, 8);
        assert!(r.session(7, 8) && r.session(0, 0));
        assert!(!r.session(7, 9) && !r.session(0, 8));
    }
}
