//! Numbers that two servers choose for themselves, held against each other.
//!
//! ```text
//!   zxid      a ↔ b   one to one, order kept, and the same distance throughout (each change takes one on both sides)
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
    #[error("a gap: {0:#x} was {1:#x} before and is {2:#x} by now")]
    Gap(i64, i64, i64),
    #[error("a gap: {0:#x} and {1:#x} lie {2} apart, those before {3}")]
    Distance(i64, i64, i64, i64),
}

/// The pairs seen so far.
#[derive(Debug, Default)]
pub struct Relation {
    forward: BTreeMap<i64, i64>,
    backward: BTreeMap<i64, i64>,
    sessions: HashMap<i64, i64>,
    distance: Option<i64>,
}

impl Relation {
    /// Takes up a pair of zxids.
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
        let below = self.forward.range(..a).next_back().is_none_or(|(_, &known)| known < b);
        let above = self.forward.range(a..).next().is_none_or(|(_, &known)| b < known);
        if !below || !above {
            return Err(Misfit::Order(a, b));
        }
        self.forward.insert(a, b);
        self.backward.insert(b, a);
        let before = self.distance.replace(b - a).unwrap_or(b - a);
        if before == b - a { Ok(()) } else { Err(Misfit::Distance(a, b, b - a, before)) }
    }

    /// Takes up a pair of last-applied zxids, which a reply to a read carries: they too stand one to one, but where one
    /// side has applied something that the other has not, that is a gap and not another order.
    pub fn last_applied(&mut self, a: i64, b: i64) -> Result<(), Misfit> {
        let newest = |map: &BTreeMap<i64, i64>, at: i64| map.last_key_value().is_some_and(|(last, _)| *last <= at);
        match (self.forward.get(&a), self.backward.get(&b)) {
            (Some(&known), None) if newest(&self.backward, b) && newest(&self.forward, a) => {
                Err(Misfit::Gap(a, known, b))
            }
            (None, Some(&known)) if newest(&self.forward, a) && newest(&self.backward, b) => {
                Err(Misfit::Gap(b, known, a))
            }
            _ => self.zxid(a, b),
        }
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
    fn zxids_relate_one_to_one_and_in_order() {
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
    fn what_only_one_side_has_applied_is_a_gap() {
        let mut r = Relation::default();
        assert_eq!(r.zxid(5, 105), Ok(()));
        assert_eq!(r.last_applied(5, 106), Err(Misfit::Gap(5, 105, 106)));
        assert_eq!(r.last_applied(6, 105), Err(Misfit::Gap(105, 5, 6)));
        assert_eq!(r.zxid(6, 107), Err(Misfit::Distance(6, 107, 101, 100)));
        assert_eq!(r.last_applied(5, 106), Err(Misfit::Other(5, 105, 106)));
    }

    #[test]
    fn sessions_relate_by_who_opened_them() {
        let mut r = Relation::default();
        r.pair_sessions(7, 8);
        assert!(r.session(7, 8) && r.session(0, 0));
        assert!(!r.session(7, 9) && !r.session(0, 8));
    }
}
