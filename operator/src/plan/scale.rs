//! More or fewer members, one at a time.
//!
//! ```text
//!   up:    pods ─► empty member: learner ─► caught up ─► voter (`heal`)
//!   down:  highest ordinal: leadership away ─► vote out ─► pod ─► volume, by policy
//! ```
//!
//! Rule: in either direction a majority of the new voters is well, and the ensemble is whole again before the next.
//! A pod goes after its vote, a volume after its pod. Reason: each other order has left ensembles without a quorum, or
//! with a member that nobody knows (operators.md §2, 2 and 3).

use std::time::Duration;

use super::{Confirmed, Decision, Ground, Operation, Reason, Row, discard, heal, lost, pods, roll};
use crate::crd::RetentionPolicy;
use crate::step::{ClaimReason, RemoveReason};

/// Finishes what a removal has begun: pods and volumes that no member needs.
pub(crate) fn finish(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    if !ground.valid {
        return None;
    }
    let needed = confirmed.pods_needed().max(ground.spec.replicas);
    let set = ground.world.stateful_set.there()?;
    if set.replicas > needed {
        return Some(Decision::act(Operation::ScalingDown, pods::set_replicas(set, needed)));
    }
    if ground.spec.storage.retention.when_scaled == RetentionPolicy::Retain {
        return None;
    }
    let idle = ground.world.claims.iter().find(|claim| {
        claim.ordinal >= needed
            && claim.ours
            && !claim.deleting
            && ground.world.pod(&ground.world.name.pod(claim.ordinal)).is_none()
    })?;
    let pod = ground.world.name.pod(idle.ordinal);
    Some(Decision::act(Operation::ScalingDown, discard::delete_claim(idle, &pod, ClaimReason::ScaledDown)))
}

/// Pods that stop because no member needs them: scaled down is who has no pod and no volume too many.
pub(crate) fn leaving(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    let needed = confirmed.pods_needed().max(ground.spec.replicas);
    let pod = ground.world.pods.iter().find(|pod| ground.valid && pod.ordinal >= needed)?;
    let message = format!("{} is stopping", pod.name);
    let lasts = pod.deleting.map_or(Duration::ZERO, |since| since.until(ground.now));
    if lasts <= roll::update_timeout(ground.spec) {
        return Some(Decision::wait(Operation::ScalingDown, Reason::WaitingForPods, message));
    }
    // Its node is away, perhaps for good: no reason to call the members anything but ready.
    Some(Decision::stop(Reason::WaitingForPods, message))
}

/// The next step towards as many voters as the spec wants.
pub(crate) fn scale(ground: &Ground<'_>, id: &str, confirmed: &Confirmed<'_>) -> Option<Decision> {
    if !ground.valid {
        return None;
    }
    match missing(ground, confirmed) {
        Some(name) => up(ground, id, confirmed, &name),
        None => down(ground, confirmed),
    }
}

/// The lowest pod that the spec wants as a member and that is none.
fn missing(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<String> {
    let mut wanted = (0..ground.spec.replicas).map(|ordinal| ground.world.name.pod(ordinal));
    wanted.find(|name| !confirmed.rows.iter().any(|row| row.name == name))
}

/// One who is to become a member and does not come up: the scaling goes on, and nothing waits for it.
pub(crate) fn overdue(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    let name = missing(ground, confirmed).filter(|_| ground.valid)?;
    ground.world.pod(&name).filter(|pod| pods::is_overdue(ground, pod))?;
    Some(Decision { operation: Some(Operation::ScalingUp), ..Decision::default() })
}

fn up(ground: &Ground<'_>, id: &str, confirmed: &Confirmed<'_>, name: &str) -> Option<Decision> {
    if let Some(learner) = confirmed.learners().next() {
        let why = format!("{} is not a voter yet: {}", learner.name, learner.standing.in_words());
        return Some(Decision::wait(Operation::ScalingUp, Reason::WaitingForMember, why));
    }
    let pod = ground.world.pod(name);
    if pod.is_some_and(|pod| pods::is_overdue(ground, pod)) {
        // It is told as broken, and a roll need not wait for it.
        return None;
    }
    let next = pod.and_then(|pod| heal::bring_in(ground, id, confirmed, pod, Operation::ScalingUp));
    Some(next.unwrap_or_else(|| {
        let why = format!("{name}: {}", pods::why_silent(pod));
        Decision::wait(Operation::ScalingUp, Reason::WaitingForPods, why)
    }))
}

fn down(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    let surplus = |row: &&Row<'_>| row.ordinal.is_some_and(|ordinal| ordinal >= ground.spec.replicas);
    let last = confirmed.voters().filter(surplus).max_by_key(|row| row.ordinal)?;
    let going = |row: &Row<'_>| row.id != last.id && lost::volume_is_going(ground, row);
    if !confirmed.bears_removal_of(last.id) || confirmed.voters().any(going) {
        let why = format!("too few other voters are well to take {} out", last.name);
        return Some(Decision::wait(Operation::ScalingDown, Reason::ScaleBlocked, why));
    }
    if last.id == confirmed.leader_id {
        return Some(roll::hand_over(ground, confirmed, Operation::ScalingDown));
    }
    Some(Decision::act(Operation::ScalingDown, heal::remove(confirmed, last, RemoveReason::ScaledDown)))
}
