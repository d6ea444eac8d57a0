//! What is said of a projection, and when it is said anew.

use super::shelf::*;
use crate::crd::projection::condition;
use crate::crd::{ProjectionStatus, ServiceProjection};
use crate::projection::*;
use crate::world::Moment;

fn say(shelf: &mut Shelf, projection: &mut ServiceProjection, world: &World, seconds: i64) -> ProjectionStatus {
    let plan = shelf.plan(projection, world, seconds);
    let now = Moment(seconds * 1000);
    let said = status(&Scene { projection, world, plan: &plan, refused: &None, now });
    projection.status = Some(said.clone());
    said
}

fn views(zxid: i64) -> Views {
    Views::Service(view("/services/orders", zxid, vec![up("10.0.0.1")]))
}

fn is(status: &ProjectionStatus, type_: &str) -> String {
    let found = status.conditions.iter().find(|one| one.type_ == type_).unwrap();
    format!("{} {}", found.status, found.reason)
}

#[test]
fn of_a_spec_that_is_new_nothing_good_is_said_before_its_first_answer() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(7), 0);
    let known = shelf.world(views(7));
    assert_eq!(is(&say(&mut shelf, &mut projection, &known, 0), condition::SYNCED), "True Synced");
    projection.metadata.generation = Some(2);
    projection.spec.path = "/services/other".to_owned();
    let waiting = shelf.world(Views::Service(View::Waiting));
    for seconds in [1, 2, 3] {
        let said = say(&mut shelf, &mut projection, &waiting, seconds);
        assert_eq!(said.observed_generation, Some(2));
        assert_eq!(is(&said, condition::SYNCED), "False Waiting", "after {seconds} s");
        assert_eq!(is(&said, condition::READY), "False Waiting", "after {seconds} s");
    }
    shelf.settle(&projection, &views(8), 4);
    let known = shelf.world(views(8));
    assert_eq!(is(&say(&mut shelf, &mut projection, &known, 4), condition::READY), "True Projected");
}

#[test]
fn what_stood_in_the_way_of_a_new_spec_is_no_answer() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(7), 0);
    let known = shelf.world(views(7));
    say(&mut shelf, &mut projection, &known, 0);
    projection.metadata.generation = Some(2);
    let waiting = shelf.world(Views::Service(View::Waiting));
    let closed = Source::Closed { reason: "SecretNotFound", why: "it is not there".to_owned() };
    let closed = World { source: closed, ..waiting.clone() };
    for (seconds, world, reason) in [(1, &waiting, "Waiting"), (2, &closed, "SecretNotFound"), (3, &waiting, "Waiting")]
    {
        let said = say(&mut shelf, &mut projection, world, seconds);
        for type_ in [condition::SYNCED, condition::READY] {
            assert_eq!(is(&said, type_), format!("False {reason}"), "after {seconds} s");
        }
    }
    projection.status = Some(blind(&projection, "forbidden", Moment(4_000)));
    assert_eq!(is(&say(&mut shelf, &mut projection, &waiting, 5), condition::SYNCED), "False Waiting");
    say(&mut shelf, &mut projection, &known, 6);
    assert_eq!(is(&say(&mut shelf, &mut projection, &waiting, 7), condition::SYNCED), "True Synced", "it was known");
}

#[test]
fn an_operator_that_is_started_anew_does_not_begin_to_count_anew_how_long_the_source_is_lost() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(7), 0);
    let known = shelf.world(views(7));
    say(&mut shelf, &mut projection, &known, 0);
    let lost = |shelf: &Shelf, since: i64| {
        let source = Source::Lost { since: Moment(since * 1000), why: "refused".to_owned() };
        World { source, ..shelf.world(Views::Service(View::Waiting)) }
    };
    let world = lost(&shelf, 100);
    assert_eq!(is(&say(&mut shelf, &mut projection, &world, 110), condition::SOURCE_REACHABLE), "False Lost");
    // Each operator has seen it for a second only.
    for (seconds, ready) in [(200, "True Projected"), (409, "True Projected"), (411, "Unknown Stale")] {
        shelf.memory = Memory::default();
        let world = lost(&shelf, seconds - 1);
        let said = say(&mut shelf, &mut projection, &world, seconds);
        assert_eq!(is(&said, condition::READY), ready, "after {seconds} s");
    }
}

#[test]
fn while_nothing_can_be_seen_that_is_said_and_the_rest_stands() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(7), 0);
    let known = shelf.world(views(7));
    say(&mut shelf, &mut projection, &known, 0);
    let said = blind(&projection, "forbidden", Moment(9_000));
    assert_eq!(is(&said, condition::SYNCED), "Unknown NotSeen");
    assert_eq!(
        (said.endpoints, said.zxid, is(&said, condition::SOURCE_REACHABLE)),
        (1, Some(7), "True Connected".to_owned())
    );
    projection.status = Some(said.clone());
    assert_eq!(blind(&projection, "forbidden", Moment(99_000)), said, "it is said once");
}

#[test]
fn what_changes_in_the_znodes_alone_is_told_once_a_minute() {
    let (mut projection, mut shelf) = (one_service(), Shelf::default());
    shelf.settle(&projection, &views(1), 0);
    let mut told = Vec::new();
    for seconds in 0..=150 {
        let world = shelf.world(views(seconds + 1));
        let before = projection.status.clone();
        if Some(say(&mut shelf, &mut projection, &world, seconds)) != before {
            told.push((seconds, projection.status.as_ref().unwrap().zxid));
        }
    }
    assert_eq!(told, [(0, Some(1)), (60, Some(61)), (120, Some(121))]);
    let more = Views::Service(view("/services/orders", 200, vec![up("10.0.0.1"), up("10.0.0.2")]));
    shelf.settle(&projection, &more, 151);
    let world = shelf.world(more);
    assert_eq!(say(&mut shelf, &mut projection, &world, 151).zxid, Some(200), "with another change at once");
}
