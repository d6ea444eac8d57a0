//! What is said of a projection, and when it is said anew.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::shelf::*;
use crate::crd::projection::{Rejection, condition};
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

/// A status of which all is well but these conditions, each as "Type Status Reason", told in these words.
fn but_for(conditions: &[&str], words: &str) -> ProjectionStatus {
    let well = ["SourceReachable True Connected", "NameConflict False NoConflict", "Synced True Synced"];
    let type_of = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let others = well.iter().filter(|one| !conditions.iter().any(|other| type_of(other) == type_of(one)));
    let condition = |text: &&str| {
        let [type_, status, reason] = text.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        let (message, last_transition_time) = (words.to_owned(), Time(Timestamp::UNIX_EPOCH));
        Condition { type_, status, reason, message, observed_generation: Some(1), last_transition_time }
    };
    let conditions = conditions.iter().chain(others).map(condition).collect();
    ProjectionStatus { conditions, services: 1, endpoints: 2, ready_endpoints: 2, ..Default::default() }
}

fn rejecting(znodes: &[&str]) -> ProjectionStatus {
    let one = |znode: &&str| Rejection { znode: (*znode).to_owned(), reason: "no port".to_owned() };
    let (rejections, rejected) = (znodes.iter().map(one).collect(), i32::try_from(znodes.len()).unwrap());
    ProjectionStatus { rejections, rejected, ..but_for(&[], "") }
}

/// What is told of a change of status: whether it is a warning, the reason, the note.
fn told(before: &ProjectionStatus, after: &ProjectionStatus) -> Vec<(bool, String, String)> {
    events(before, after).into_iter().map(|event| (event.warning, event.reason, event.note)).collect()
}

#[test]
fn each_transition_is_told_once_and_in_its_own_words() {
    let well = but_for(&[], "");
    let new = ProjectionStatus::default();
    let is = |condition: &str| but_for(&[condition], "why");
    let lost = is("SourceReachable False Lost");
    let renamed = is("NameConflict False Renamed");
    let conflict = but_for(&["NameConflict True ForeignObject", "Synced False NameConflict"], "why");
    for (before, after, warning, reason, note) in [
        (&well, &lost, true, "ProjectionSourceLost", "why; what was written stays"),
        (&lost, &well, false, "ProjectionSourceBack", ""),
        (&well, &conflict, true, "NameConflict", "why"),
        (&well, &renamed, true, "NameCollision", "why"),
        (&new, &well, false, "ProjectionSynced", "1 services, 2 endpoints, 2 of them ready"),
        (&conflict, &well, false, "ProjectionSynced", "1 services, 2 endpoints, 2 of them ready"),
        (&well, &is("Synced False EmptyHeld"), true, "ProjectionEmptyHeld", "why"),
        (&well, &is("Synced False HalfEmptyHeld"), true, "ProjectionHalfEmptyHeld", "why"),
        (&is("Synced False EmptyHeld"), &is("Synced False FewHeld"), true, "ProjectionFewHeld", "why"),
        (&well, &is("Synced False NotProjected"), true, "NotProjected", "why"),
        (&well, &is("Synced False WriteRefused"), true, "WriteRefused", "why"),
        (&well, &is("Synced Unknown NotSeen"), true, "NotSeen", "why"),
        (&well, &is("Synced False SecretNotFound"), true, "SecretNotFound", "why"),
        (&well, &rejecting(&["/a"]), true, "RegistrationRejected", "/a: no port"),
        (&rejecting(&["/b"]), &rejecting(&["/a", "/b"]), true, "RegistrationRejected", "/a: no port"),
    ] {
        assert_eq!(told(before, after), [(warning, reason.to_owned(), note.to_owned())]);
        assert!(told(after, after).is_empty(), "{reason} is told once");
    }
}

#[test]
fn what_is_waited_for_and_what_is_known_already_is_not_told() {
    let well = but_for(&[], "");
    let unknown = but_for(&["SourceReachable Unknown Connecting"], "");
    let waiting = but_for(&["Synced False Waiting"], "");
    for (before, after) in [
        (&ProjectionStatus::default(), &waiting),
        (&well, &waiting),
        (&unknown, &well),
        (&well, &but_for(&["Synced Unknown Stale"], "")),
        (&rejecting(&["/a"]), &rejecting(&["/a", "/b"])),
        (&rejecting(&["/a"]), &well),
    ] {
        assert!(told(before, after).is_empty(), "{before:?} {after:?}");
    }
}
