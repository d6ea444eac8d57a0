//! Restarts members that run an older template, one at a time.
//!
//! ```text
//!   outdated and broken: at once ─► all updated ones well again? pause over? ─► followers, one by one ─► leadership
//!   to an updated one ─► the last
//! ```
//!
//! Rule: a member is stopped only if the others that are well are a majority; a restarted one that does not come back
//! in time stops the roll, and a person or a new template sets it going again. Reason: a roll that goes on after a
//! timeout kills one member after the other (operators.md §2, 23).

use std::time::Duration;

use super::{Confirmed, Decision, Ground, Hold, Operation, Reason, Row, Standing, discard, lost, pods};
use crate::crd::CoordinationClusterSpec;
use crate::step::{Grace, RestartReason, Step};
use crate::world::{Pod, PodState};

const TIMEOUT: Duration = Duration::from_secs(600);

/// How long a member may take to be well again before somebody has to look at it.
pub(crate) fn update_timeout(spec: &CoordinationClusterSpec) -> Duration {
    spec.update.timeout.or(TIMEOUT)
}

/// Revision of the newest template, if Kubernetes has seen it.
pub(crate) fn newest<'a>(ground: &Ground<'a>) -> Option<&'a str> {
    ground.world.stateful_set.there()?.update_revision.as_deref()
}

pub(crate) fn is_outdated(ground: &Ground<'_>, pod: &Pod) -> bool {
    newest(ground).is_some_and(|revision| pod.revision != revision)
}

pub(crate) fn restart(pod: &Pod, why: RestartReason) -> Step {
    Step::DeletePod { pod: discard::doomed_pod(pod), why, grace: Grace::Full }
}

fn outdated<'a>(ground: &Ground<'a>) -> impl Iterator<Item = &'a Pod> {
    let newest = newest(ground);
    let older = move |pod: &&Pod| newest.is_some_and(|newest| pod.revision != newest);
    ground.world.pods.iter().filter(|pod| pod.deleting.is_none()).filter(older)
}

/// Restarts an outdated member that does not work, or is not one yet: nothing is risked, and much may wait for it.
pub(crate) fn broken(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    let outside = |pod: &Pod| confirmed.rows.iter().all(|row| row.name != pod.name);
    let pod = outdated(ground).find(|pod| outside(pod) || is_down(confirmed, pod))?;
    Some(Decision::act(Operation::Rolling, restart(pod, RestartReason::OutdatedAndBroken)))
}

/// The next restart, or what it waits for; nothing while all run the newest template.
pub(crate) fn roll(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    if newest(ground).is_none() {
        return unseen(ground);
    }
    outdated(ground).next()?;
    if ground.downgrade {
        // It may stand in the template since a look in which nobody told the level.
        return None;
    }
    if let Some(decision) = settle(ground, confirmed) {
        return Some(decision);
    }
    let rows = confirmed.rows.iter().filter(|row| row.pod.is_some_and(|pod| is_outdated(ground, pod)));
    let next =
        rows.min_by_key(|row| (row.id == confirmed.leader_id, row.standing.is_well(), row.voter, row.ordinal))?;
    Some(stop(ground, confirmed, next))
}

/// Waits for Kubernetes to look at the newest template: until then nobody knows who runs it.
fn unseen(ground: &Ground<'_>) -> Option<Decision> {
    ground.world.stateful_set.there()?;
    let message = "Kubernetes has not looked at the newest template yet";
    let hold = Hold::new(Reason::WaitingForPods, message);
    Some(Decision { holds: vec![hold], ..Decision::default() })
}

fn is_down(confirmed: &Confirmed<'_>, pod: &Pod) -> bool {
    confirmed.rows.iter().any(|row| row.name == pod.name && matches!(row.standing, Standing::Down(_)))
}

/// Waits until all that were restarted are well again, and for the pause after that.
fn settle(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    for row in &confirmed.rows {
        let Some(pod) = row.pod else {
            let message = format!("{}: {}", row.name, row.standing.in_words());
            return Some(Decision::wait(Operation::Rolling, Reason::WaitingForMember, message));
        };
        let settled = row.standing.is_well() && pod.ready_since.is_some();
        if settled || (is_outdated(ground, pod) && pod.deleting.is_none()) {
            continue;
        }
        let away = pod.deleting.or_else(|| pod.away_since()).map_or(Duration::ZERO, |since| since.until(ground.now));
        let state = if row.standing.is_well() { "its pod is not ready".to_owned() } else { row.standing.in_words() };
        if away <= update_timeout(ground.spec) {
            let message = format!("{} has to serve before the next is restarted: {state}", row.name);
            return Some(Decision::wait(Operation::Rolling, Reason::WaitingForMember, message));
        }
        let message = format!(
            "{} has not served for longer than update.timeout ({state}); no other member is restarted. Set the spec \
             right, or repair the member",
            row.name
        );
        return Some(Decision::wait(Operation::Rolling, Reason::RollTimedOut, message));
    }
    pause(ground)
}

fn pause(ground: &Ground<'_>) -> Option<Decision> {
    let pause = ground.spec.update.pause_between.or(Duration::ZERO);
    let updated = ground.world.pods.iter().filter(|pod| !is_outdated(ground, pod));
    let last = updated.filter_map(|pod| pod.ready_since).max()?;
    if last.until(ground.now) >= pause {
        return None;
    }
    let text = &ground.spec.update.pause_between.0;
    let message = format!("the next member is restarted when all have served for {text} (update.pauseBetween)");
    Some(Decision::wait(Operation::Rolling, Reason::PauseBetween, message))
}

fn stop(ground: &Ground<'_>, confirmed: &Confirmed<'_>, row: &Row<'_>) -> Decision {
    let blocked = |why: &str| {
        let message = format!("{} is not restarted: {why}", row.name);
        Decision::wait(Operation::Rolling, Reason::RollBlocked, message)
    };
    if row.voter && !confirmed.bears_stop_of(row.id) {
        return blocked("too few other voters are well");
    }
    if row.voter && lost::volume_is_going(ground, row) && !confirmed.bears_loss_of(row.id) {
        return blocked("its volume claim is gone or going, so its disk would end, which the other voters do not bear");
    }
    if row.id == confirmed.leader_id && confirmed.voters().count() > 1 {
        return hand_over(ground, confirmed, Operation::Rolling);
    }
    match row.pod {
        Some(pod) => Decision::act(Operation::Rolling, restart(pod, RestartReason::Outdated)),
        None => Decision::default(),
    }
}

/// Moves leadership away from whoever has it: to a member that stays and is up to date, if one is well.
pub(crate) fn hand_over(ground: &Ground<'_>, confirmed: &Confirmed<'_>, operation: Operation) -> Decision {
    let stays = |row: &Row<'_>| {
        let fresh = row.pod.is_some_and(|pod| !is_outdated(ground, pod));
        fresh && row.ordinal.is_some_and(|ordinal| ordinal < ground.spec.replicas)
    };
    let leader = &confirmed.leader;
    let Some(next) = confirmed.successor(confirmed.leader_id, stays) else {
        let reason = if operation == Operation::Rolling { Reason::RollBlocked } else { Reason::ScaleBlocked };
        let message = format!("no other voter is well enough to lead instead of {}", leader.pod);
        return Decision::wait(operation, reason, message);
    };
    let step = Step::TransferLeader {
        leader: leader.clone(),
        from: leader.pod.clone(),
        to: next.id,
        to_pod: next.name.to_owned(),
    };
    Decision::act(operation, step)
}

/// Restarts a member, or who is to become one, that has not come up for long on a node that is well; perhaps it does
/// elsewhere. While members are outdated their restarts come first, but for a newcomer that breaks on the very template
/// that they would be given.
pub(crate) fn unstick(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    let rolling = ground.world.pods.iter().any(|pod| is_outdated(ground, pod));
    let members = confirmed.rows.iter().filter_map(|row| row.pod.filter(|_| matches!(row.standing, Standing::Down(_))));
    let members = members.filter(|_| !rolling).map(|pod| (pod, Operation::Replacing));
    let breaks = |pod: &Pod| matches!(pod.state, PodState::Broken { .. });
    let newcomers = pods::newcomers(ground, confirmed).filter(|pod| !rolling || breaks(pod));
    let newcomers = newcomers.map(|pod| (pod, Operation::ScalingUp));
    let (pod, operation) = members.chain(newcomers).find(|(pod, _)| pods::is_stuck(ground, pod))?;
    Some(Decision::act(operation, restart(pod, RestartReason::Stuck)))
}
