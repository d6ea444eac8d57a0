//! How many pods there are.
//!
//! ```text
//!   raise: at once, to whatever the spec or any member's membership asks for     hibernate: 0
//!   lower: only to what the confirmed membership needs (`scale`)
//! ```
//!
//! Rule: more pods are always safe, since an empty disk forms nothing; fewer are not. Reason: a pod that is taken from
//! a voter costs its vote.

use super::{Confirmed, Decision, Ground, Hold, Operation, Reason, lost, roll};
use crate::step::Step;
use crate::world::{Asked, Pod, PodState, Seen, StatefulSet};

/// Number of pods as it is, or to begin with.
pub(crate) fn present(ground: &Ground<'_>) -> i32 {
    match &ground.world.stateful_set {
        Seen::There(set) => set.replicas,
        Seen::Gone | Seen::Unknown(_) if ground.spec.hibernate => 0,
        Seen::Gone | Seen::Unknown(_) => wanted(ground, None),
    }
}

pub(crate) fn set_replicas(set: &StatefulSet, to: i32) -> Step {
    Step::SetReplicas { from: set.replicas, to, uid: set.uid.clone(), resource_version: set.resource_version.clone() }
}

/// Highest ordinal of any member that any member knows of, and one more.
fn known_members(ground: &Ground<'_>) -> i32 {
    let answers = ground.world.pods.iter().filter_map(|pod| pod.asked.answer());
    let names = answers.flat_map(|answer| answer.peers.iter()).map(|peer| peer.name.as_str());
    names.filter_map(|name| ground.world.name.ordinal_of(name)).max().map_or(0, |ordinal| ordinal + 1)
}

/// How many pods the members need that anybody remembers; where no member does, the volumes tell.
fn remembered(ground: &Ground<'_>) -> i32 {
    match known_members(ground) {
        0 => kept_volumes(ground),
        known => known,
    }
}

/// Highest ordinal of any volume that was kept, and one more.
fn kept_volumes(ground: &Ground<'_>) -> i32 {
    let kept = ground.world.claims.iter().filter(|claim| claim.ours && !claim.deleting);
    kept.map(|claim| claim.ordinal).max().map_or(0, |ordinal| ordinal + 1)
}

/// Number of pods that there should be at least.
fn wanted(ground: &Ground<'_>, confirmed: Option<&Confirmed<'_>>) -> i32 {
    let Some(bootstrap) = &ground.world.bootstrap else { return 0 };
    if bootstrap.ensemble_id.is_none() {
        return bootstrap.members;
    }
    let needed = confirmed.map_or_else(|| remembered(ground), Confirmed::pods_needed);
    let at_rest = ground.world.stateful_set.there().is_none_or(|set| set.replicas == 0);
    // Without a quorum the spec's number matters only to an ensemble that comes back from nothing.
    if ground.valid && (confirmed.is_some() || at_rest) { needed.max(ground.spec.replicas) } else { needed }
}

/// Raises the number of pods, if that is called for.
pub(crate) fn raise(ground: &Ground<'_>, confirmed: Option<&Confirmed<'_>>) -> Option<Decision> {
    let set = ground.world.stateful_set.there()?;
    let wanted = wanted(ground, confirmed);
    let founded = ground.world.bootstrap.as_ref().is_some_and(|record| record.ensemble_id.is_some());
    let operation = match (founded, set.replicas) {
        (false, _) => Operation::Founding,
        (true, 0) => Operation::Resuming,
        (true, _) => Operation::ScalingUp,
    };
    (set.replicas < wanted).then(|| Decision::act(operation, set_replicas(set, wanted)))
}

/// All pods away and all volumes kept, if that is what the user wants.
pub(crate) fn hibernate(ground: &Ground<'_>) -> Option<Decision> {
    if !ground.spec.hibernate {
        return None;
    }
    // A disk whose claim was deleted ends with its pod; first it is replaced.
    let going = |pod: &Pod| lost::disk_ends_with(ground, pod);
    let founded = ground.world.bootstrap.as_ref().is_some_and(|record| record.ensemble_id.is_some());
    match ground.world.stateful_set.there() {
        Some(set) if set.replicas > 0 && founded && ground.world.pods.iter().any(going) => None,
        Some(set) if set.replicas > 0 => Some(Decision::act(Operation::Hibernating, set_replicas(set, 0))),
        _ if !ground.world.pods.is_empty() => Some(Decision::wait(
            Operation::Hibernating,
            Reason::WaitingForPods,
            format!("{} pods are still stopping", ground.world.pods.len()),
        )),
        _ => Some(Decision::stop(Reason::Hibernated, "all members are stopped; set spec.hibernate to false to resume")),
    }
}

/// Pods that are to become members, by the number that the spec or the membership asks for, and are none yet.
pub(crate) fn newcomers<'a>(ground: &Ground<'a>, confirmed: &Confirmed<'_>) -> impl Iterator<Item = &'a Pod> {
    let wanted = confirmed.pods_needed().max(ground.spec.replicas);
    let outside = move |pod: &&Pod| confirmed.rows.iter().all(|row| row.name != pod.name);
    ground.world.pods.iter().filter(move |pod| pod.ordinal < wanted).filter(outside)
}

/// Whether a pod that does not come up has had its time; a member that runs and does not answer may be well.
pub(crate) fn is_overdue(ground: &Ground<'_>, pod: &Pod) -> bool {
    pod.deleting.is_none()
        && pod.asked.answer().is_none()
        && !matches!(pod.state, PodState::Running | PodState::Ended)
        && pod.away_since().is_some_and(|since| since.until(ground.now) > roll::update_timeout(ground.spec))
}

/// Whether another pod in its place may come up: it has found a node, and does not on that one.
pub(crate) fn is_stuck(ground: &Ground<'_>, pod: &Pod) -> bool {
    is_overdue(ground, pod) && matches!(pod.state, PodState::Broken { .. } | PodState::Starting)
}

/// That a pod which is no member yet does not come up, if somebody has to hear of it.
pub(crate) fn broken(ground: &Ground<'_>, pod: &Pod) -> Option<Hold> {
    let broken = matches!(pod.state, PodState::Broken { .. }) && pod.asked.answer().is_none();
    let told = pod.deleting.is_none() && (broken || is_overdue(ground, pod));
    told.then(|| Hold::new(Reason::MemberBroken, format!("{}: {}", pod.name, why_silent(Some(pod)))))
}

/// Why a pod's member does not answer, in words.
pub(crate) fn why_silent(pod: Option<&Pod>) -> String {
    let Some(pod) = pod else { return "it has no pod yet".to_owned() };
    if pod.deleting.is_some() {
        return "it is stopping".to_owned();
    }
    match (&pod.state, &pod.asked) {
        (PodState::Unschedulable { why, .. }, _) => format!("no node for it: {why}"),
        (PodState::Broken { why, .. }, _) => why.clone(),
        (PodState::Ended, _) => "its pod has ended".to_owned(),
        (PodState::Starting, _) | (_, Asked::NotYet) => "it is starting".to_owned(),
        (PodState::Running, Asked::Silent(why)) => format!("it does not answer: {why}"),
        (PodState::Running, Asked::WrongToken) => WRONG_TOKEN.to_owned(),
        (PodState::Running, Asked::Answered(answer)) => {
            answer.not_serving.clone().unwrap_or_else(|| "it answers".to_owned())
        }
    }
}

/// What is wrong when a member refuses the operator's token.
pub(crate) const WRONG_TOKEN: &str =
    "it refuses the operator's token, so the Secret was replaced; delete all pods of the cluster at once";
