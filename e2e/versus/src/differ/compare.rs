//! Two outcomes of one step held against each other.

use std::collections::HashSet;
use std::fmt;

use super::allowed::{Allowed, Uses};
use super::fields::Field;
use super::generate::Step;
use super::relate::Relation;
use super::side::{Item, Outcome};
use crate::servers::Kind;
use crate::wire::op;

/// Two servers that disagree.
#[derive(Debug, Clone)]
pub struct Difference {
    pub index: usize,
    pub step: Step,
    pub session: usize,
    pub a: Option<Item>,
    pub b: Option<Item>,
    pub why: String,
}

impl Difference {
    /// The same for differences that likely have one cause.
    pub fn kind(&self) -> String {
        let brief = |item: &Option<Item>| match item {
            Some(Item::Reply { op, err, .. }) => format!("op {op} err {err}"),
            Some(Item::Event(event)) => format!("event {}", event.kind),
            Some(other) => format!("{other:?}"),
            None => "nothing".to_owned(),
        };
        let why: String = self.why.chars().filter(|c| !c.is_ascii_hexdigit()).take(40).collect();
        format!("{} / {}: {why}", brief(&self.a), brief(&self.b))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "step {} session {}: {}", self.index, self.session, self.why)?;
        writeln!(f, "  step {:?}", self.step)?;
        writeln!(f, "  a    {:?}", self.a)?;
        write!(f, "  b    {:?}", self.b)
    }
}

/// What is known of the two servers so far.
#[derive(Debug, Default)]
pub struct Comparison {
    relation: Relation,
    /// Which of the sides are coordd and may do what `allowed.rs` names.
    coordd: (bool, bool),
    uses: Uses,
    /// zxids of closed sessions, whose ephemerals go in no order that is specified.
    closed_a: HashSet<i64>,
    closed_b: HashSet<i64>,
}

/// The largest distance of two servers' clocks for the same change.
const CLOCK_MS: i64 = 120_000;

impl Comparison {
    pub fn new(a: Kind, b: Kind) -> Self {
        Comparison { coordd: (a == Kind::Coordd, b == Kind::Coordd), ..Comparison::default() }
    }

    /// How often each wanted difference was met.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Accounts for the zxid that coordd takes alone when a session is attached again.
    fn attached(&mut self) {
        let alone = i64::from(self.coordd.1) - i64::from(self.coordd.0);
        if alone != 0 {
            self.relation.takes_alone(alone);
            self.uses.count(Allowed::ZxidOfAttach);
        }
    }

    /// Every disagreement of one step.
    pub fn step(&mut self, index: usize, step: &Step, mut a: Outcome, mut b: Outcome) -> Vec<Difference> {
        let moved = [order_closings(&mut a, &mut self.closed_a), order_closings(&mut b, &mut self.closed_b)];
        if moved.contains(&true) {
            self.uses.count(Allowed::OrderOfClosing);
        }
        let mut found = Vec::new();
        let mut differ = |session: usize, a: Option<&Item>, b: Option<&Item>, why: String| {
            let (a, b) = (a.cloned(), b.cloned());
            found.push(Difference { index, step: step.clone(), session, a, b, why });
        };
        for i in 0..a.len().max(b.len()) {
            match (a.get(i), b.get(i)) {
                (Some((session_a, x)), Some((session_b, y))) if session_a == session_b => {
                    for why in self.items(x, y) {
                        differ(*session_a, Some(x), Some(y), why);
                    }
                }
                (x, y) => {
                    let session = x.or(y).map_or(0, |(session, _)| *session);
                    differ(session, x.map(|x| &x.1), y.map(|y| &y.1), "one has more to say".to_owned());
                    break;
                }
            }
        }
        found
    }

    fn items(&mut self, a: &Item, b: &Item) -> Vec<String> {
        let mut why = Vec::new();
        match a {
            Item::Attached { .. } | Item::Refused => self.attached(),
            Item::LeftOut(allowed) => self.uses.count(*allowed),
            _ => {}
        }
        match (a, b) {
            (Item::Opened { id: a, timeout_ms: ta }, Item::Opened { id: b, timeout_ms: tb }) => {
                self.relation.pair_sessions(*a, *b);
                self.unlike(Allowed::SessionIds, a, b);
                if ta != tb {
                    why.push(format!("timeouts {ta} and {tb}"));
                }
            }
            (Item::Event(x), Item::Event(y)) => {
                if (x.kind, x.state, &x.path) != (y.kind, y.state, &y.path) {
                    why.push("events differ".to_owned());
                }
                self.zxids(x.zxid, y.zxid, &mut why);
            }
            (
                Item::Reply { op, err, zxid, fields, .. },
                Item::Reply { op: op_b, err: err_b, zxid: zxid_b, fields: fields_b, .. },
            ) => {
                if (op, err) != (op_b, err_b) || fields.len() != fields_b.len() {
                    why.push("replies differ".to_owned());
                }
                if let Err(misfit) = self.relation.last_applied(*zxid, *zxid_b) {
                    why.push(format!("zxid: {misfit}"));
                }
                self.unlike(Allowed::Zxids, zxid, zxid_b);
                for (x, y) in fields.iter().zip(fields_b) {
                    self.fields(x, y, &mut why);
                }
            }
            (a, b) if a == b => {}
            _ => why.push("different things happened".to_owned()),
        }
        why
    }

    /// Two that agree by another measure; counted where they are not the same anyway.
    fn unlike<T: PartialEq>(&mut self, allowed: Allowed, a: &T, b: &T) {
        if a != b {
            self.uses.count(allowed);
        }
    }

    fn zxids(&mut self, a: i64, b: i64, why: &mut Vec<String>) {
        if let Err(misfit) = self.relation.zxid(a, b) {
            why.push(format!("zxid: {misfit}"));
        }
        self.unlike(Allowed::Zxids, &a, &b);
    }

    fn fields(&mut self, a: &Field, b: &Field, why: &mut Vec<String>) {
        match (a, b) {
            (Field::Zxid(a), Field::Zxid(b)) => self.zxids(*a, *b, why),
            (Field::Session(a), Field::Session(b)) if self.relation.session(*a, *b) => {
                self.unlike(Allowed::SessionIds, a, b);
            }
            (Field::Time(a), Field::Time(b)) if (*a == 0) == (*b == 0) && (a - b).abs() < CLOCK_MS => {
                self.unlike(Allowed::Times, a, b);
            }
            (Field::Names(order, a), Field::Names(order_b, b)) if order == order_b && sorted(a) == sorted(b) => {
                self.unlike(*order, a, b);
            }
            (a, b) if a == b => {}
            (a, b) => why.push(format!("{a:?} and {b:?}")),
        }
    }
}

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_unstable();
    names
}

/// Sorts what one closed session set off; each session's run of such events by itself. Whether anything moved.
fn order_closings(outcome: &mut Outcome, closed: &mut HashSet<i64>) -> bool {
    closed.extend(outcome.iter().filter_map(|(_, item)| match item {
        Item::Reply { op: op::CLOSE_SESSION, zxid, .. } => Some(*zxid),
        _ => None,
    }));
    let of_closing = |item: &(usize, Item)| match &item.1 {
        Item::Event(event) if closed.contains(&event.zxid) => Some((item.0, event.zxid)),
        _ => None,
    };
    let place = |(_, item): &(usize, Item)| match item {
        Item::Event(event) => (event.path.clone(), event.kind),
        _ => (String::new(), 0),
    };
    let mut moved = false;
    for run in outcome.chunk_by_mut(|x, y| of_closing(x).is_some() && of_closing(x) == of_closing(y)) {
        moved |= !run.is_sorted_by_key(place);
        run.sort_by_key(place);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Event;

    fn event(kind: i32, path: &str, zxid: i64) -> (usize, Item) {
        (0, Item::Event(Event { kind, state: 3, path: path.to_owned(), zxid }))
    }

    fn reply(op: i32, zxid: i64) -> (usize, Item) {
        (0, Item::Reply { op, xid: 1, err: 0, zxid, fields: Vec::new() })
    }

    fn differences(a: Outcome, b: Outcome) -> usize {
        Comparison::default().step(0, &Step::Drain, a, b).len()
    }

    #[test]
    fn an_event_behind_the_reply_instead_of_before_it_is_a_difference() {
        let (e, r) = (event(3, "/a", 5), reply(op::SET_DATA, 5));
        assert_eq!(differences(vec![e.clone(), r.clone()], vec![e.clone(), r.clone()]), 0);
        assert_ne!(differences(vec![e.clone(), r.clone()], vec![r, e]), 0);
    }

    #[test]
    fn a_missing_or_doubled_event_is_a_difference() {
        let (e, r) = (event(3, "/a", 5), reply(op::SET_DATA, 5));
        assert_ne!(differences(vec![e.clone(), r.clone()], vec![r.clone()]), 0);
        assert_ne!(differences(vec![e.clone(), r.clone()], vec![e.clone(), e, r]), 0);
    }

    #[test]
    fn only_the_events_of_a_closed_session_may_come_in_another_order() {
        let (x, y) = (event(2, "/x", 5), event(2, "/y", 5));
        assert_ne!(differences(vec![x.clone(), y.clone()], vec![y.clone(), x.clone()]), 0);
        let close = reply(op::CLOSE_SESSION, 5);
        assert_eq!(differences(vec![x.clone(), y.clone(), close.clone()], vec![y, x, close]), 0);
    }

    #[test]
    fn a_change_that_takes_no_zxid_on_one_side_is_a_difference() {
        let mut comparison = Comparison::default();
        assert!(comparison.step(0, &Step::Drain, vec![reply(5, 5)], vec![reply(5, 95)]).is_empty());
        assert_eq!(comparison.step(1, &Step::Drain, vec![reply(5, 7)], vec![reply(5, 96)]).len(), 1);
    }

    #[test]
    fn attaching_a_session_takes_one_zxid_more_in_coordd_and_no_other_number() {
        let after = |kinds: (Kind, Kind), zxid| {
            let mut comparison = Comparison::new(kinds.0, kinds.1);
            assert!(comparison.step(0, &Step::Drain, vec![reply(5, 5)], vec![reply(5, 95)]).is_empty());
            let outcome = |zxid| vec![(0, Item::Attached { timeout_ms: 1 }), reply(4, zxid)];
            comparison.step(1, &Step::Drain, outcome(5), outcome(zxid)).len()
        };
        let (z, c) = (Kind::Zookeeper, Kind::Coordd);
        assert_eq!((after((z, c), 96), after((z, c), 95), after((z, c), 97)), (0, 1, 1));
        assert_eq!((after((c, z), 94), after((c, c), 95), after((c, c), 96)), (0, 0, 1));
    }
}
