//! Counts what a log makes each member's state accept: every (member, boot, sequence) once and in order.
//!
//! ```text
//!   (index, origin, accepted?) … ─► per (member, boot): 1, 2, 3, … without a gap, a double or a step back
//!                                   refused ones are counted: they are what was sent again
//! ```
//!
//! Rule: it knows nothing of the table that decides (`tree::origins`); it only checks the decisions.

use std::collections::BTreeMap;

use coordd_tree::Origin;

/// What the decisions came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// (member, boot) → how many were accepted.
    pub accepted: BTreeMap<(u64, u32), u64>,
    pub refused: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    OutOfOrder {
        index: u64,
        origin: Origin,
        expected: u64,
    },
    /// A life went on after the member's next one had begun.
    OlderLife {
        index: u64,
        origin: Origin,
    },
    /// It was next and was refused.
    Lost {
        index: u64,
        origin: Origin,
    },
}

impl Tally {
    pub(crate) fn add(&mut self, index: u64, origin: Origin, accepted: bool) -> Result<(), Wrong> {
        let newest = self.accepted.keys().filter(|(member, _)| *member == origin.member).map(|(_, boot)| *boot).max();
        let older = newest.is_some_and(|newest| origin.boot < newest);
        let expected = self.accepted.get(&(origin.member, origin.boot)).copied().unwrap_or(0) + 1;
        if !accepted {
            self.refused += 1;
            return if origin.seq == expected && !older { Err(Wrong::Lost { index, origin }) } else { Ok(()) };
        }
        if older {
            return Err(Wrong::OlderLife { index, origin });
        }
        if origin.seq != expected {
            return Err(Wrong::OutOfOrder { index, origin, expected });
        }
        self.accepted.insert((origin.member, origin.boot), expected);
        Ok(())
    }
}

fn tally(decisions: &[(u64, u32, u64, bool)]) -> Result<Tally, Wrong> {
    let mut tally = Tally::default();
    for (index, &(member, boot, seq, accepted)) in decisions.iter().enumerate() {
        tally.add(index as u64, Origin { member, boot, seq }, accepted)?;
    }
    Ok(tally)
}

#[test]
fn a_sound_history_passes_and_what_was_sent_again_is_counted() {
    let sound = [
        (1, 1, 1, true),
        (2, 1, 1, true),
        (1, 1, 2, true),
        (1, 1, 1, false),
        (1, 1, 4, false),
        (1, 1, 3, true),
        (1, 2, 1, true),
        (1, 1, 4, false),
    ];
    let tally = tally(&sound).unwrap();
    assert_eq!(tally.refused, 3);
    assert_eq!(tally.accepted, [((1, 1), 3), ((1, 2), 1), ((2, 1), 1)].into());
}

#[test]
fn each_planted_failure_is_found() {
    let at = |member, boot, seq| Origin { member, boot, seq };
    let double = tally(&[(1, 1, 1, true), (1, 1, 1, true)]);
    assert_eq!(double, Err(Wrong::OutOfOrder { index: 1, origin: at(1, 1, 1), expected: 2 }));
    let gap = tally(&[(1, 1, 1, true), (1, 1, 3, true)]);
    assert_eq!(gap, Err(Wrong::OutOfOrder { index: 1, origin: at(1, 1, 3), expected: 2 }));
    let late_start = tally(&[(1, 4, 2, true)]);
    assert_eq!(late_start, Err(Wrong::OutOfOrder { index: 0, origin: at(1, 4, 2), expected: 1 }));
    let swapped = tally(&[(1, 1, 1, true), (1, 1, 3, true), (1, 1, 2, true)]);
    assert_eq!(swapped, Err(Wrong::OutOfOrder { index: 1, origin: at(1, 1, 3), expected: 2 }));
    let dead = tally(&[(1, 1, 1, true), (1, 2, 1, true), (1, 1, 2, true)]);
    assert_eq!(dead, Err(Wrong::OlderLife { index: 2, origin: at(1, 1, 2) }));
    let lost = tally(&[(1, 1, 1, true), (1, 1, 2, false)]);
    assert_eq!(lost, Err(Wrong::Lost { index: 1, origin: at(1, 1, 2) }));
}
