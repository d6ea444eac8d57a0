//! Members that have lost their disk, and those that take their place.
//!
//! ```text
//!   voter without its disk ─► its pod, empty: learner ─► caught up ─► lost voter out ─► learner gets its vote
//! ```
//!
//! Rule: an empty disk is a new member with a new id; the lost id goes only when the new one has caught up. Reason: a
//! disk that forgot what it acknowledged must never vote under the old name, and the margin must not fall below what
//! the loss itself left.

use std::time::Duration;

use super::ensemble::majority;
use super::hold::behind;
use super::{Confirmed, Decision, Ground, Hold, Operation, Reason, Row, Standing, discard, lost, pods, roll};
use crate::step::{ClaimReason, RemoveReason, Step};
use crate::world::{Answer, Pod, PodState};

/// A member that has just started, or whose leader has changed, follows again within this.
const ASTRAY_MAX: Duration = Duration::from_secs(60);

/// Notes what is wrong with members that nothing can be done about yet.
pub(crate) fn notes(ground: &Ground<'_>, confirmed: &Confirmed<'_>, notes: &mut Vec<Hold>) {
    for row in &confirmed.rows {
        let broken = row.pod.is_some_and(|pod| matches!(pod.state, PodState::Broken { .. }));
        let away = row.pod.and_then(Pod::away_since).map_or(Duration::ZERO, |since| since.until(ground.now));
        let reason = match &row.standing {
            Standing::Well | Standing::Behind(_) | Standing::DiskLost => continue,
            Standing::Silent(_) => Reason::MemberUnreachable,
            Standing::Astray(_) if away > ASTRAY_MAX => Reason::MemberBroken,
            Standing::Down(_) if broken => Reason::MemberBroken,
            Standing::Astray(_) | Standing::Down(_) => Reason::WaitingForMember,
        };
        notes.push(Hold::new(reason, format!("{}: {}", row.name, row.standing.in_words())));
    }
    notes.extend(pods::newcomers(ground, confirmed).filter_map(|pod| pods::broken(ground, pod)));
}

/// Leads learners to their vote, or out.
pub(crate) fn learners(ground: &Ground<'_>, confirmed: &Confirmed<'_>) -> Option<Decision> {
    confirmed.learners().find_map(|row| learner(ground, confirmed, row))
}

fn learner(ground: &Ground<'_>, confirmed: &Confirmed<'_>, row: &Row<'_>) -> Option<Decision> {
    let replaced = confirmed.voters().find(|old| old.name == row.name && old.standing == Standing::DiskLost);
    let operation = if replaced.is_some() { Operation::Replacing } else { Operation::ScalingUp };
    if row.standing == Standing::DiskLost {
        return Some(Decision::act(operation, remove(confirmed, row, RemoveReason::LearnerLost)));
    }
    let unwanted = ground.valid && row.ordinal.is_some_and(|ordinal| ordinal >= ground.spec.replicas);
    if unwanted && replaced.is_none() {
        return Some(Decision::act(Operation::ScalingDown, remove(confirmed, row, RemoveReason::ScaledDown)));
    }
    match &row.standing {
        Standing::Well => Some(match replaced {
            Some(old) => make_room(confirmed, old),
            None => promote(confirmed, row),
        }),
        Standing::Behind(lag) if !row.pod.is_some_and(|pod| roll::is_outdated(ground, pod)) => {
            let lag = lag.map_or_else(|| "nothing is known of it yet".to_owned(), behind);
            Some(Decision::wait(operation, Reason::LearnerCatchingUp, format!("{} is catching up: {lag}", row.name)))
        }
        _ => None,
    }
}

/// Takes the lost voter out, now that the one in its place has caught up.
fn make_room(confirmed: &Confirmed<'_>, old: &Row<'_>) -> Decision {
    if confirmed.bears_removal_of(old.id) {
        return Decision::act(Operation::Replacing, remove(confirmed, old, RemoveReason::Replaced));
    }
    let why = format!("too few other voters are well to take the lost {} (id {}) out", old.name, old.id);
    Decision::wait(Operation::Replacing, Reason::ScaleBlocked, why)
}

fn promote(confirmed: &Confirmed<'_>, row: &Row<'_>) -> Decision {
    let voters = confirmed.voters().count();
    if confirmed.well_without(None) + 1 < majority(voters + 1) {
        let why = format!("too few voters are well to give {} its vote", row.name);
        return Decision::wait(Operation::ScalingUp, Reason::ScaleBlocked, why);
    }
    let step = Step::Promote {
        leader: confirmed.leader.clone(),
        pod: row.name.to_owned(),
        id: row.id,
        membership_index: confirmed.membership_index,
    };
    Decision::act(Operation::ScalingUp, step)
}

pub(crate) fn remove(confirmed: &Confirmed<'_>, row: &Row<'_>, why: RemoveReason) -> Step {
    Step::Remove {
        leader: confirmed.leader.clone(),
        pod: row.name.to_owned(),
        id: row.id,
        membership_index: confirmed.membership_index,
        why,
    }
}

/// Brings a new member in where a voter's disk is lost.
pub(crate) fn voters(ground: &Ground<'_>, id: &str, confirmed: &Confirmed<'_>) -> Option<Decision> {
    confirmed.voters().filter(|row| row.standing == Standing::DiskLost).find_map(|row| {
        let pod = row.pod?;
        if let Some(new) = confirmed.row_of(pod) {
            // Somebody has given the new one its vote already.
            return new.voter.then(|| make_room(confirmed, row));
        }
        bring_in(ground, id, confirmed, pod, Operation::Replacing)
    })
}

/// The next step to make a pod outside of the ensemble a learner: add it if its disk is empty, else empty the disk.
pub(crate) fn bring_in(
    ground: &Ground<'_>,
    id: &str,
    confirmed: &Confirmed<'_>,
    pod: &Pod,
    operation: Operation,
) -> Option<Decision> {
    let answer = pod.asked.answer()?;
    if pod.deleting.is_some() {
        return Some(discard::volume_is_going(pod, operation));
    }
    if let Some(decision) = lost::anew(ground, pod, operation) {
        return Some(decision);
    }
    if can_be_added(answer, id) {
        let step = Step::AddLearner {
            leader: confirmed.leader.clone(),
            pod: pod.name.clone(),
            peer_addr: ground.world.name.peer_addr(&pod.name),
            membership_index: confirmed.membership_index,
        };
        return Some(Decision::act(operation, step));
    }
    if !ground.spec.healing.enabled {
        let why = format!(
            "{} holds the disk of {}; spec.healing.enabled is false, so delete its claim and its pod by hand",
            pod.name,
            whose(answer, id)
        );
        return Some(Decision::stop(Reason::HealingDisabled, why));
    }
    Some(discard::volume(ground, pod, ClaimReason::Removed, operation))
}

/// Whether a member has an empty disk, or one that was given to it by this ensemble just now.
fn can_be_added(answer: &Answer, id: &str) -> bool {
    answer.node_id.is_none() || (answer.ensemble_id.as_deref() == Some(id) && !answer.has_log)
}

fn whose(answer: &Answer, id: &str) -> String {
    match (&answer.ensemble_id, answer.node_id) {
        (Some(ensemble), _) if ensemble != id => format!("another ensemble, {ensemble}"),
        (_, Some(node)) => format!("member {node}, which was removed"),
        _ => "nobody".to_owned(),
    }
}
