//! Every entry is made use of where it allows something, and allows no more than it says.

use clap::Parser;

use super::compare::Comparison;
use super::fields::Field;
use super::*;
use crate::wire::{Event, op};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn reply_at(zxid: i64, fields: Vec<Field>) -> Outcome {
    vec![(0, Item::Reply { op: op::GET_DATA, xid: 1, err: 0, zxid, fields })]
}

fn reply(fields: Vec<Field>) -> Outcome {
    reply_at(5, fields)
}

fn names(order: Allowed, names: &[&str]) -> Field {
    Field::Names(order, names.iter().map(|name| (*name).to_owned()).collect())
}

/// What two sides may say, unlike in the way of this entry; none when it is not for the comparison.
fn unlike(allowed: Allowed) -> Option<(Outcome, Outcome)> {
    let opened = |id| (0, Item::Opened { id, timeout_ms: 4000 });
    let closing = |paths: [&str; 2]| {
        let event =
            |path: &&str| (0, Item::Event(Event { kind: Event::DELETED, state: 3, path: (*path).to_owned(), zxid: 5 }));
        let close = Item::Reply { op: op::CLOSE_SESSION, xid: 1, err: 0, zxid: 5, fields: Vec::new() };
        paths.iter().map(event).chain([(0, close)]).collect()
    };
    Some(match allowed {
        Allowed::ZxidOfAttach => {
            let after = |zxid| [vec![(0, Item::Attached { timeout_ms: 1 })], reply_at(zxid, Vec::new())].concat();
            (after(5), after(6))
        }
        Allowed::Zxids => (reply_at(5, Vec::new()), reply_at(95, Vec::new())),
        Allowed::SessionIds => (vec![opened(7)], vec![opened(8)]),
        Allowed::Times => (reply(vec![Field::Time(1_000)]), reply(vec![Field::Time(2_000)])),
        Allowed::OrderOfChildren | Allowed::OrderOfEphemerals | Allowed::OrderOfAcl | Allowed::OrderOfIdentities => {
            (reply(vec![names(allowed, &["a", "b"])]), reply(vec![names(allowed, &["b", "a"])]))
        }
        Allowed::OrderOfClosing => (closing(["/x", "/y"]), closing(["/y", "/x"])),
        Allowed::StrangerBesideOwner => {
            let left_out = || vec![(0, Item::LeftOut(allowed)), (0, Item::Refused)];
            (left_out(), left_out())
        }
        _ => return None,
    })
}

#[test]
fn every_entry_is_made_use_of_where_it_allows_something() {
    let mut uses = Uses::default();
    for for_ensembles in [false, true] {
        let mut script = Script::new(1, for_ensembles);
        script.by_ref().take(20_000).for_each(drop);
        uses.add(script.left_out());
    }
    let options = Line::parse_from(["differ"]).options;
    let plan = plan_of(&options, Kind::Coordd, Path::new("/x"), 1, &mut uses);
    assert!(plan.reap_interval_ms > 3_600_000, "no run is so long");
    for allowed in <Allowed as clap::ValueEnum>::value_variants() {
        if let Some((a, b)) = unlike(*allowed) {
            let mut comparison = Comparison::new(Kind::Zookeeper, Kind::Coordd);
            if *allowed == Allowed::ZxidOfAttach {
                assert!(comparison.step(0, &Step::Drain, reply(Vec::new()), reply(Vec::new())).is_empty());
            }
            let found = comparison.step(1, &Step::Drain, a, b);
            assert!(found.is_empty(), "{}: {found:?}", allowed.name());
            assert_eq!(comparison.uses().of(*allowed), 1, "{}", allowed.name());
            uses.add(comparison.uses());
        }
        assert!(uses.of(*allowed) > 0, "{} allows nothing", allowed.name());
        assert!(uses.lines().any(|line| line.contains(&allowed.name()) && line.contains(allowed.reason())));
    }
}

#[test]
fn an_order_that_does_not_count_hides_no_name_and_no_number() {
    let differ = |a, b| Comparison::default().step(0, &Step::Drain, reply(vec![a]), reply(vec![b])).len();
    let children = |list: &[&str]| names(Allowed::OrderOfChildren, list);
    assert_eq!(differ(children(&["a", "b"]), children(&["b", "a"])), 0);
    assert_eq!(differ(children(&["a", "b"]), children(&["a", "c"])), 1);
    assert_eq!(differ(children(&["a"]), children(&["a", "a"])), 1);
    assert_eq!(differ(Field::Time(0), Field::Time(1)), 1);
    assert_eq!(differ(Field::Time(1), Field::Time(121_000)), 1);
    assert_eq!(differ(Field::Session(1), Field::Session(2)), 1);
}

#[test]
fn what_is_not_asked_is_in_no_script() {
    for for_ensembles in [false, true] {
        let asked: Vec<_> = Script::new(5, for_ensembles).take(40_000).map(|step| format!("{step:?}")).collect();
        for refused in ["/zookeeper/config", "zookeeper_limits", "ttl: 0", "Raw { op: 20,", "Raw { op: -10,"] {
            assert!(!asked.iter().any(|step| step.contains(refused)), "{refused} is asked");
        }
    }
}
