//! Events: what `kubectl describe` tells of the past. Only of what has changed, never of a reconcile.
//!
//! Rule: one list of reasons, from the difference of two statuses and from the step that was done. Reason: an event
//! for each look drowns the one that matters.

use super::conditions::NOT_SERVING;
use crate::crd::{ClusterStatus, condition};
use crate::plan::{self, Reason};
use crate::step::{ClaimReason, RemoveReason, RestartReason, Step};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub warning: bool,
    pub reason: String,
    pub note: String,
}

fn normal(reason: &str, note: impl Into<String>) -> Event {
    Event { warning: false, reason: reason.to_owned(), note: note.into() }
}

fn warning(reason: &str, note: impl Into<String>) -> Event {
    Event { warning: true, reason: reason.to_owned(), note: note.into() }
}

/// The event of a step that was done; records and numbers of pods speak through the status.
pub fn of_step(step: &Step) -> Option<Event> {
    let note = step.to_string();
    match step {
        Step::Record(_) | Step::SetReplicas { .. } | Step::Bootstrap { .. } => None,
        Step::AddLearner { .. } => Some(normal("MemberAdded", note)),
        Step::Promote { .. } => Some(normal("MemberPromoted", note)),
        Step::Remove { why: RemoveReason::ScaledDown, .. } => Some(normal("MemberRemoved", note)),
        Step::Remove { why: RemoveReason::Replaced | RemoveReason::LearnerLost, .. } => {
            Some(warning("MemberReplaced", note))
        }
        Step::TransferLeader { .. } => Some(normal("LeaderTransferred", note)),
        Step::DeletePod { why: RestartReason::Outdated, .. } => Some(normal("MemberRestarted", note)),
        Step::DeletePod { why, .. } => {
            let why = match why {
                RestartReason::Outdated | RestartReason::OutdatedAndBroken => "it could not run its older template",
                RestartReason::VolumeGivenUp => "its volume was given up",
                RestartReason::Stuck => "it did not come up",
                RestartReason::NodeLost => "its node is lost",
            };
            Some(warning("MemberRestarted", format!("{note}: {why}")))
        }
        Step::DeleteClaim { why, .. } => {
            let why = match why {
                ClaimReason::ScaledDown => {
                    return Some(normal("VolumeDeleted", format!("{note}: its member was removed")));
                }
                ClaimReason::Removed => "its disk does not belong to the ensemble any more",
                ClaimReason::Lost => "its node or its volume is lost",
                ClaimReason::Ordered => "it was ordered",
                ClaimReason::NeverFounded => "the founding that it was part of was cut off",
            };
            Some(warning("VolumeDeleted", format!("{note}: {why}")))
        }
        Step::Recover { .. } => Some(warning("QuorumGivenUp", note)),
    }
}

fn status_of<'a>(status: &'a ClusterStatus, type_: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((&found.status, &found.reason, &found.message))
}

/// The events of what has changed between two statuses.
pub fn changes(before: &ClusterStatus, after: &ClusterStatus) -> Vec<Event> {
    let mut events = Vec::new();
    records(before, after, &mut events);
    quorum(before, after, &mut events);
    operations(before, after, &mut events);
    trouble(before, after, &mut events);
    events
}

fn records(before: &ClusterStatus, after: &ClusterStatus, events: &mut Vec<Event>) {
    let founded = |status: &ClusterStatus| status.bootstrap.as_ref().and_then(|record| record.ensemble_id.clone());
    if let (None, Some(id)) = (founded(before), founded(after)) {
        events.push(normal("Bootstrapped", format!("ensemble {id} was founded")));
    }
    if let Some(now) = after.recovery.as_ref().filter(|_| before.recovery != after.recovery) {
        events.push(match &now.to {
            None => warning("RecoveryOrdered", format!("{} is to go on alone from {}", now.survivor, now.from)),
            Some(to) => warning("QuorumRecovered", format!("{} went on alone as ensemble {to}", now.survivor)),
        });
    }
}

/// What the column QUORUM says when nobody more may be lost.
const NONE_LEFT: &str = "tolerates 0";

fn quorum(before: &ClusterStatus, after: &ClusterStatus, events: &mut Vec<Event>) {
    let (was, is) = (status_of(before, condition::AVAILABLE), status_of(after, condition::AVAILABLE));
    let lost = |seen: Option<(&str, &str, &str)>| seen.is_some_and(|(_, reason, _)| reason == "QuorumLost");
    if lost(is) && !lost(was) {
        events.push(warning("QuorumLost", is.map_or("", |(.., message)| message)));
    }
    // Voters that are there again elect for a moment before one of them leads.
    let there = |(status, reason, _): (&str, &str, &str)| {
        status == "True" || reason == NOT_SERVING || reason == Reason::Electing.to_string()
    };
    if lost(was) && is.is_some_and(there) {
        events.push(normal("QuorumRestored", is.map_or("", |(.., message)| message)));
    }
    if let (Some(old), Some(new)) = (&before.leader, &after.leader)
        && old != new
    {
        events.push(normal("LeaderChanged", format!("{new} leads instead of {old}")));
    }
    // While members are restarted one by one the margin falls and rises, as ordered; that is no alarm.
    let bare = |status: &ClusterStatus| {
        status.quorum.as_deref() == Some(NONE_LEFT)
            && status_of(status, condition::DEGRADED).is_some_and(|(status, ..)| status != "False")
    };
    if bare(after) && !bare(before) && after.voting_members.is_some_and(|voters| voters >= 3) {
        events.push(warning("QuorumMarginZero", "the loss of one more member stops the ensemble"));
    }
}

fn operations(before: &ClusterStatus, after: &ClusterStatus, events: &mut Vec<Event>) {
    let name = |status: &ClusterStatus| status.operation.as_ref().map(|operation| operation.type_.clone());
    let (was, is) = (name(before), name(after));
    if was == is {
        return;
    }
    if let Some(was) = was {
        events.push(normal(&format!("{was}Ended"), format!("{was} has ended")));
    }
    if let Some(is) = is {
        events.push(normal(&format!("{is}Started"), format!("{is} has begun")));
    }
}

/// How many members the spec asked for when this status was written.
fn wanted(status: &ClusterStatus) -> Option<i32> {
    status.members_ready.as_deref()?.split_once('/')?.1.parse().ok()
}

fn trouble(before: &ClusterStatus, after: &ClusterStatus, events: &mut Vec<Event>) {
    let (was, is) = (status_of(before, condition::DEGRADED), status_of(after, condition::DEGRADED));
    if let Some(("True", reason, message)) = is
        && was.is_none_or(|(status, old, _)| status != "True" || old != reason)
        && reason != "QuorumLost"
    {
        events.push(warning(reason, message));
    }
    if let Some(even) = wanted(after).filter(|now| now % 2 == 0 && wanted(before) != Some(*now)) {
        events.push(warning(&Reason::EvenReplicas.to_string(), plan::even(even)));
    }
    let on =
        |status: &ClusterStatus| status_of(status, condition::HIBERNATED).is_some_and(|(status, ..)| status == "True");
    match (on(before), on(after)) {
        (false, true) => events.push(normal("Hibernated", "all members are stopped, their volumes are kept")),
        (true, false) => events.push(normal("Resumed", "members are started again")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, ask, claim, healthy, operator, pod};
    use super::super::{Scene, status, unseen};
    use super::*;
    use crate::crd::CoordinationClusterSpec;
    use crate::plan::plan;
    use crate::world::{Peer, Seen, World};

    /// A healthy cluster of four, the last of which is a member too.
    fn four() -> World {
        let mut world = healthy();
        let Seen::There(set) = &mut world.stateful_set else { panic!() };
        set.replicas = 4;
        world.pods.push(pod(3));
        world.claims.push(claim(3));
        let fourth = Peer { id: 4, name: "orders-3".into(), voter: true, lag: Some(0) };
        ask(&mut world, |answer| answer.peers.push(fourth.clone()));
        world
    }

    #[test]
    fn an_even_number_is_served_and_warned_about_once_when_it_is_asked_for() {
        let (three, four_wanted) = (
            CoordinationClusterSpec::default(),
            CoordinationClusterSpec { replicas: 4, ..CoordinationClusterSpec::default() },
        );
        let look = |before: &ClusterStatus, spec: &CoordinationClusterSpec, generation: i64, world: &World| {
            let plan = plan(spec, world, &operator(), NOW);
            let after = status(&Scene { spec, generation, before, world, plan: &plan, now: NOW });
            let told = changes(before, &after).iter().filter(|event| event.reason == "EvenReplicas").count();
            (after, told)
        };
        let (settled, told) = look(&ClusterStatus::default(), &three, 4, &healthy());
        assert_eq!(told, 0);
        let (growing, told) = look(&settled, &four_wanted, 5, &healthy());
        assert_eq!(
            (told, growing.state.as_deref()),
            (1, Some("ScalingUp")),
            "when it is asked for, and not when it is there"
        );
        let (grown, told) = look(&growing, &four_wanted, 5, &four());
        assert_eq!((told, grown.quorum.as_deref(), grown.state.as_deref()), (0, Some("tolerates 1"), Some("Running")));
        let ready = grown.conditions.iter().find(|one| one.type_ == condition::READY).unwrap();
        assert!(ready.status == "True" && ready.message.contains("an odd number is better"), "{}", ready.message);
        let (changed, told) = look(&grown, &four_wanted, 6, &four());
        assert_eq!(told, 0, "something else was changed");
        let (_, told) = look(&unseen(&changed, "forbidden", NOW), &four_wanted, 6, &four());
        assert_eq!(told, 0, "it could not be looked at for a while");
        assert_eq!(look(&ClusterStatus::default(), &four_wanted, 1, &four()).1, 1, "made with four");
    }
}
