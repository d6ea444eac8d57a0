//! What may be taken away, and when.
//!
//! ```text
//!   source lost ──────────────────► nothing
//!   fewer than minEndpoints ──────► nothing, as long as it is so
//!   none at all ──────────────────► Keep: nothing; Drain: after the grace
//!   less than half of the most that was there within the last grace ───► after the grace
//!   else ─────────────────────────► at once
//! ```
//!
//! Rule: what is held is what would be taken away; what is new is written at once. The grace begins anew when the
//! source was lost in between, and when more is lost than it ended for; it goes on while a great loss is one of all and
//! not of all by turns, and until what is lost has gone. Reason: after a fault of the ensemble all sessions end, at
//! once or one after the other, and instances that are well come back within seconds; but one that crashes again and
//! again must not keep the dead of all others.

use std::time::Duration;

use crate::crd::projection::{EmptyPolicy, Guards};
use crate::world::Moment;

/// The guards of a projection, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub empty: EmptyPolicy,
    pub grace: Duration,
    pub hold_half: bool,
    pub min: usize,
}

impl Policy {
    pub fn of(guards: &Guards) -> Policy {
        Policy {
            empty: guards.empty_policy,
            grace: guards.empty_grace.or(Duration::from_secs(60)),
            hold_half: guards.hold_half_empty,
            min: usize::try_from(guards.min_endpoints).unwrap_or(0),
        }
    }
}

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldKind {
    /// Nothing is registered any more.
    Empty,
    /// Less than half of what was is.
    HalfEmpty,
    /// Fewer than `minEndpoints` are.
    Few,
    /// It is not known what is registered.
    SourceLost,
}

/// What is held, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub kind: HoldKind,
    /// How many endpoints are kept that are not registered.
    pub kept: usize,
    /// `None`: until something is registered.
    pub until: Option<Moment>,
}

/// A hold that began earlier: what has to be remembered between two plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: HoldKind,
    pub since: Moment,
    /// Since when nothing at all is registered.
    empty: Option<Moment>,
    /// Its grace has ended: how many were wanted and lost then.
    ended: Option<(usize, usize)>,
}

impl Held {
    /// What is held now, where `before` was.
    fn after(before: Option<Held>, kind: HoldKind, Change { wanted, lost, .. }: Change, now: Moment) -> Held {
        let is_few = |kind| kind == HoldKind::Few;
        let goes_on = |before: &Held| {
            let no_worse = |(then, gone): (usize, usize)| wanted >= then && lost <= gone;
            is_few(before.kind) == is_few(kind) && before.ended.is_none_or(no_worse)
        };
        let before = before.filter(goes_on);
        let empty = before.and_then(|before| before.empty).unwrap_or(now);
        Held {
            kind,
            since: before.map_or(now, |before| before.since),
            empty: (kind == HoldKind::Empty).then_some(empty),
            ended: None,
        }
    }
}

/// What is known of those that are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Whole,
    /// Some host names have no addresses yet: who is missing is not known, and what was held is as it was.
    Partly,
    Lost,
}

impl Sight {
    pub(super) fn of(reachable: bool) -> Sight {
        if reachable { Sight::Whole } else { Sight::Lost }
    }
}

/// How many endpoints were there at most, by when; the numbers only fall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks(Vec<(Moment, usize)>);

impl Peaks {
    /// The same with what is there now and without what was there longer ago than `grace`; and the most of it.
    pub(super) fn with(&self, there: usize, now: Moment, grace: Duration) -> (Peaks, usize) {
        let recent = self.0.iter().filter(|(when, count)| when.until(now) < grace && *count > there);
        let peaks: Vec<_> = recent.copied().chain([(now, there)]).collect();
        let most = peaks.first().map_or(there, |(_, count)| *count);
        (Peaks(peaks), most)
    }
}

/// How many endpoints there were at most lately, how many are wanted, and how many would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub most: usize,
    pub wanted: usize,
    pub lost: usize,
}

/// Whether those that are not wanted any more stay, and what is to be remembered of it.
pub(super) fn judge(
    policy: &Policy,
    change: Change,
    sight: Sight,
    before: Option<Held>,
    now: Moment,
) -> (Option<Hold>, Option<Held>) {
    let Change { most, wanted, lost } = change;
    let hold = |kind, until| Some(Hold { kind, kept: lost, until });
    if lost == 0 {
        return (None, None);
    }
    match sight {
        Sight::Whole => {}
        Sight::Partly => return (hold(HoldKind::SourceLost, None), before),
        Sight::Lost => return (hold(HoldKind::SourceLost, None), None),
    }
    let kind = match wanted {
        0 => HoldKind::Empty,
        wanted if policy.hold_half && wanted.saturating_mul(2) < most => HoldKind::HalfEmpty,
        wanted if wanted < policy.min => HoldKind::Few,
        _ => return (None, None),
    };
    let held = Held::after(before, kind, change, now);
    let since = held.empty.unwrap_or(held.since);
    let end = Moment(since.0.saturating_add(i64::try_from(policy.grace.as_millis()).unwrap_or(i64::MAX)));
    let keeps = wanted < policy.min || (kind == HoldKind::Empty && policy.empty == EmptyPolicy::Keep);
    if keeps {
        (hold(kind, None), Some(held))
    } else if now < end {
        (hold(kind, Some(end)), Some(held))
    } else {
        // It is remembered until it is written.
        (None, Some(Held { ended: Some((wanted, lost)), ..held }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy =
        Policy { empty: EmptyPolicy::Drain, grace: Duration::from_secs(60), hold_half: true, min: 0 };

    fn at(seconds: i64) -> Moment {
        Moment(seconds * 1000)
    }

    /// Whether it is held, and what is remembered.
    fn look(policy: &Policy, present: usize, wanted: usize, before: Option<Held>, now: i64) -> (bool, Option<Held>) {
        let change = Change { most: present, wanted, lost: present.saturating_sub(wanted) };
        let (hold, held) = judge(policy, change, Sight::Whole, before, at(now));
        (hold.is_some(), held)
    }

    #[test]
    fn a_small_loss_goes_at_once_and_a_great_one_after_the_grace() {
        assert_eq!(look(&POLICY, 10, 5, None, 0), (false, None));
        assert_eq!(look(&POLICY, 10, 11, None, 0), (false, None));
        let (held, memory) = look(&POLICY, 10, 4, None, 0);
        assert!(held);
        assert!(look(&POLICY, 10, 4, memory, 59).0);
        assert!(!look(&POLICY, 10, 4, memory, 60).0);
        assert!(!look(&Policy { hold_half: false, ..POLICY }, 10, 1, None, 0).0);
    }

    #[test]
    fn nothing_at_all_is_drained_after_the_grace_or_never() {
        let (_, memory) = look(&POLICY, 3, 0, None, 0);
        assert!(look(&POLICY, 3, 0, memory, 59).0);
        assert!(!look(&POLICY, 3, 0, memory, 60).0);
        let keep = Policy { empty: EmptyPolicy::Keep, ..POLICY };
        assert!(look(&keep, 3, 0, memory, 1_000_000).0);
        assert!(!look(&keep, 3, 2, memory, 1_000_000).0, "something is registered again");
    }

    #[test]
    fn the_grace_begins_anew_when_the_source_was_lost() {
        let change = Change { most: 3, wanted: 0, lost: 3 };
        let (_, memory) = judge(&POLICY, change, Sight::Whole, None, at(0));
        let (hold, memory) = judge(&POLICY, change, Sight::Lost, memory, at(70));
        assert_eq!((hold.unwrap().kind, memory), (HoldKind::SourceLost, None));
        let (hold, _) = judge(&POLICY, change, Sight::Whole, memory, at(80));
        assert_eq!(hold.unwrap().until, Some(at(140)));
    }

    #[test]
    fn one_that_comes_and_goes_does_not_keep_the_dead() {
        for period in [1, 7, 30, 45] {
            let (mut memory, mut now) = (None, 0);
            let drained = loop {
                let wanted = usize::try_from(now / period % 2).unwrap();
                let (held, after) = look(&POLICY, 10, wanted, memory, now);
                if !held {
                    break now;
                }
                (memory, now) = (after, now + 1);
                assert!(now < 1000, "every {period} s");
            };
            assert!((60..=120).contains(&drained), "every {period} s: after {drained} s");
        }
    }

    #[test]
    fn names_that_are_waited_for_hold_and_do_not_begin_the_grace_anew() {
        let change = Change { most: 10, wanted: 1, lost: 9 };
        let (_, mut memory) = judge(&POLICY, change, Sight::Whole, None, at(0));
        for seconds in 1..90 {
            let (hold, held) = judge(&POLICY, change, Sight::Partly, memory, at(seconds));
            assert_eq!(hold.unwrap().kind, HoldKind::SourceLost);
            memory = held;
        }
        assert_eq!(judge(&POLICY, change, Sight::Whole, memory, at(90)).0, None);
    }

    #[test]
    fn a_grace_that_has_ended_is_over_until_what_it_was_for_has_gone() {
        let (_, memory) = look(&POLICY, 10, 4, None, 0);
        let (held, memory) = look(&POLICY, 10, 4, memory, 60);
        assert!(!held);
        assert!(!look(&POLICY, 10, 4, memory, 61).0, "it could not be written");
        assert!(look(&POLICY, 10, 3, memory, 61).0, "another one is missing");
        assert_eq!(look(&POLICY, 4, 4, memory, 61), (false, None));
    }

    #[test]
    fn the_most_is_that_of_the_last_grace() {
        let grace = Duration::from_secs(60);
        let mut peaks = Peaks::default();
        for (seconds, there, expected) in
            [(0, 6, 6), (10, 10, 10), (20, 8, 10), (30, 4, 10), (69, 5, 10), (70, 5, 8), (80, 5, 5), (140, 1, 1)]
        {
            let (after, most) = peaks.with(there, at(seconds), grace);
            assert_eq!(most, expected, "after {seconds} s");
            peaks = after;
        }
        assert_eq!(peaks.with(1, at(140), Duration::ZERO), (Peaks(vec![(at(140), 1)]), 1));
    }

    #[test]
    fn fewer_than_the_least_take_nothing_away() {
        let policy = Policy { min: 5, hold_half: false, ..POLICY };
        let (held, few) = look(&policy, 6, 4, None, 0);
        assert!(held);
        assert!(look(&policy, 6, 4, few, 100_000).0);
        assert!(!look(&policy, 6, 5, None, 0).0);
    }

    proptest! {
        /// Over any history: what is registered less than half, or not at all, is not taken away before it has been so
        /// for the whole grace without a break, and never while the source is lost.
        #[test]
        fn no_great_loss_is_carried_out_before_its_time(
            history in prop::collection::vec((0_usize..8, 0_i64..50, prop::bool::weighted(0.8)), 1..60),
            keep in any::<bool>(),
        ) {
            let policy = Policy { empty: if keep { EmptyPolicy::Keep } else { EmptyPolicy::Drain }, ..POLICY };
            let (mut present, mut memory, mut now) = (7_usize, None, 0);
            // Since when the present loss has been seen in every look.
            let mut great_since: Option<i64> = None;
            for (wanted, pause, reachable) in history {
                now += pause;
                let lost = present.saturating_sub(wanted);
                let great = wanted == 0 || wanted * 2 < present;
                great_since = if reachable && lost > 0 && great { great_since.or(Some(now)) } else { None };
                let change = Change { most: present, wanted, lost };
                let (hold, held) = judge(&policy, change, Sight::of(reachable), memory, at(now));
                memory = held;
                if hold.is_none() && lost > 0 {
                    prop_assert!(reachable);
                    prop_assert!(!great || now - great_since.unwrap() >= 60);
                    prop_assert!(!(keep && wanted == 0));
                    great_since = None;
                }
                present = if hold.is_some() { present.max(wanted) } else { wanted };
                if let Some(until) = hold.and_then(|hold| hold.until) {
                    prop_assert!(until > at(now), "it is looked at again");
                }
            }
        }
    }
}
