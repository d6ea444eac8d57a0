//! Members whose node or volume is lost for good: a new volume, and so a new identity.
//!
//! ```text
//!   evidence (volume gone; node away) for replaceAfter ─► others are a majority? ─► claim ─► pod ─► empty ─► `heal`
//! ```
//!
//! Rule: a member is lost by what Kubernetes says of its node or its volume, never by its silence. Reason: a member
//! that cannot be asked may be well and voting; giving up its volume would turn a bad cable into a lost disk.

use std::time::Duration;

use super::hold::roughly;
use super::{Confirmed, Decision, Ground, Hold, Operation, Reason, Row, Standing, discard, roll};
use crate::step::{ClaimReason, Grace, RestartReason, Step};
use crate::world::{Claim, ClaimState, NodeState, Pod, PodState, Seen};

const REPLACE_AFTER: Duration = Duration::from_secs(600);
/// A claim is there before its pod, but they are watched apart: so long after the pod was made it has been seen.
const CLAIM_SEEN_AFTER: Duration = Duration::from_secs(60);

/// Replaces members whose claim is being deleted, or gone, while they still run: their disk ends with their pod, so it
/// had better end while the others can bear it.
pub(crate) fn going(ground: &Ground<'_>, confirmed: &Confirmed<'_>, notes: &mut Vec<Hold>) -> Option<Decision> {
    confirmed.rows.iter().find_map(|row| {
        let pod = row.pod.filter(|pod| pod.deleting.is_none() && row.standing != Standing::DiskLost)?;
        if !disk_ends_with(ground, pod) || !is_certain(ground, pod) {
            return None;
        }
        if !ground.spec.healing.enabled {
            let message = format!(
                "the volume claim of {} was deleted and its disk ends with its pod; spec.healing.enabled is false, so \
                 nothing is done about it",
                row.name
            );
            notes.push(Hold::new(Reason::HealingDisabled, message));
            return None;
        }
        if row.voter && !confirmed.bears_loss_of(row.id) {
            let message = format!(
                "the volume claim of {} was deleted and its disk ends with its pod, which the other voters do not \
                 bear; add members or bring the others back",
                row.name
            );
            notes.push(Hold::new(Reason::VolumeGoing, message));
            return None;
        }
        if row.id == confirmed.leader_id {
            return Some(roll::hand_over(ground, confirmed, Operation::Replacing));
        }
        Some(discard::volume(ground, pod, ClaimReason::Lost, Operation::Replacing))
    })
}

/// Whether a member's disk ends when its pod does.
pub(crate) fn volume_is_going(ground: &Ground<'_>, row: &Row<'_>) -> bool {
    match row.pod {
        Some(pod) => disk_ends_with(ground, pod),
        None => row.ordinal.and_then(|ordinal| ground.world.claim(ordinal)).is_some_and(|claim| claim.deleting),
    }
}

/// Whether the claim of a pod is being deleted, or is not there: gone without having waited for the pod, or not seen
/// yet. Either is reason enough not to stop that pod.
pub(crate) fn disk_ends_with(ground: &Ground<'_>, pod: &Pod) -> bool {
    ground.world.claim(pod.ordinal).map_or_else(|| pod.node.is_some(), |claim| claim.deleting)
}

/// Whether a claim that is not there would have been seen if it were.
fn is_certain(ground: &Ground<'_>, pod: &Pod) -> bool {
    ground.world.claim(pod.ordinal).is_some() || pod.created.until(ground.now) > CLAIM_SEEN_AFTER
}

/// A pod that is no member yet, and whose disk ends with it, is made anew before it becomes one.
pub(crate) fn anew(ground: &Ground<'_>, pod: &Pod, operation: Operation) -> Option<Decision> {
    if !disk_ends_with(ground, pod) {
        return None;
    }
    if is_certain(ground, pod) {
        return Some(discard::volume(ground, pod, ClaimReason::Lost, operation));
    }
    let message = format!("{}: its volume claim was not seen yet", pod.name);
    Some(Decision::wait(operation, Reason::WaitingForPods, message))
}

/// Why a member is held to be lost, and for how long it has been.
struct Evidence {
    why: String,
    lasts: Duration,
    /// Nobody will ever tell that its pod has ended.
    node_lost: bool,
}

pub(crate) fn replace(ground: &Ground<'_>, confirmed: &Confirmed<'_>, notes: &mut Vec<Hold>) -> Option<Decision> {
    confirmed.rows.iter().find_map(|row| {
        let evidence = evidence(ground, row)?;
        let patience = ground.spec.healing.replace_after.or(REPLACE_AFTER);
        let told = format!("{}: {}", row.name, evidence.why);
        if evidence.lasts < patience {
            let left = roughly(patience - evidence.lasts);
            let then = if ground.spec.healing.enabled { "replaced" } else { "held to be lost" };
            notes.push(Hold::new(Reason::WaitingForMember, format!("{told}; it is {then} within {left}")));
            return None;
        }
        if !ground.spec.healing.enabled {
            let message = format!("{told}; spec.healing.enabled is false, so nothing is done about it");
            notes.push(Hold::new(Reason::HealingDisabled, message));
            return None;
        }
        if row.voter && !confirmed.bears_loss_of(row.id) {
            notes.push(Hold::new(Reason::ScaleBlocked, format!("{told}; too few other voters are well to replace it")));
            return None;
        }
        give_up(ground, row, &evidence)
    })
}

fn give_up(ground: &Ground<'_>, row: &Row<'_>, evidence: &Evidence) -> Option<Decision> {
    let claim = ground.world.claim(row.ordinal?);
    if let Some(claim) = claim.filter(|claim| !claim.deleting) {
        if !claim.ours {
            return Some(discard::foreign(claim));
        }
        let step = discard::delete_claim(claim, row.name, ClaimReason::Lost);
        return Some(Decision::act(Operation::Replacing, step));
    }
    let grace = if evidence.node_lost { Grace::None } else { Grace::Full };
    match row.pod {
        Some(pod) if pod.deleting.is_none() || evidence.node_lost => {
            let why = if evidence.node_lost { RestartReason::NodeLost } else { RestartReason::VolumeGivenUp };
            let step = Step::DeletePod { pod: discard::doomed_pod(pod), why, grace };
            Some(Decision::act(Operation::Replacing, step))
        }
        _ => {
            let message = format!("{} is to come back with a new volume", row.name);
            Some(Decision::wait(Operation::Replacing, Reason::WaitingForMember, message))
        }
    }
}

/// What speaks for this member being lost for good.
fn evidence(ground: &Ground<'_>, row: &Row<'_>) -> Option<Evidence> {
    if !matches!(row.standing, Standing::Down(_) | Standing::Silent(_)) {
        return None;
    }
    let claim = ground.world.claim(row.ordinal?);
    if let Some(pod) = row.pod
        && let Some(evidence) = node_of_pod(ground, pod)
    {
        return Some(evidence);
    }
    let Some(claim) = claim else { return claim_gone(ground, row.pod?) };
    if claim.state == ClaimState::Lost {
        // A pod that found no node since has never been ready, and has no word on it from Kubernetes.
        let lasts = match row.pod {
            Some(pod) => pod.away_since().map_or(Duration::ZERO, |since| since.until(ground.now)),
            None => Duration::MAX,
        };
        return Some(Evidence { why: "its volume is gone".to_owned(), lasts, node_lost: false });
    }
    nodes_of_claim(ground, row.pod, claim)
}

/// A pod without a node does not hold its claim, which so goes at once; Kubernetes makes the next one with the next
/// pod.
fn claim_gone(ground: &Ground<'_>, pod: &Pod) -> Option<Evidence> {
    let since = pod.away_since().filter(|_| pod.node.is_none())?;
    let why = "its volume claim is gone".to_owned();
    Some(Evidence { why, lasts: since.until(ground.now), node_lost: false })
}

/// For how long a node is away; `None` while it is there or nothing is known of it.
fn away(ground: &Ground<'_>, node: &str) -> Option<Option<Duration>> {
    match ground.world.node(node) {
        Seen::There(node) => match node.state {
            NodeState::Ready => None,
            NodeState::NotReady { since } => Some(Some(since.until(ground.now))),
        },
        Seen::Gone => Some(None),
        Seen::Unknown(_) => None,
    }
}

fn node_of_pod(ground: &Ground<'_>, pod: &Pod) -> Option<Evidence> {
    let node = pod.node.as_deref()?;
    let (why, lasts) = match away(ground, node)? {
        Some(lasts) => (format!("its node {node} is away"), lasts),
        None => {
            let since = pod.away_since().or(pod.deleting)?;
            (format!("its node {node} is gone"), since.until(ground.now))
        }
    };
    Some(Evidence { why, lasts, node_lost: true })
}

/// A volume that can be used on lost nodes alone is lost with them.
fn nodes_of_claim(ground: &Ground<'_>, pod: Option<&Pod>, claim: &Claim) -> Option<Evidence> {
    let nodes = claim.only_on.there().filter(|nodes| !nodes.is_empty())?;
    let since = match pod.map(|pod| &pod.state) {
        Some(PodState::Unschedulable { since, .. }) => *since,
        _ => return None,
    };
    let mut lasts = since.until(ground.now);
    for node in nodes {
        if let Some(away) = away(ground, node)? {
            lasts = lasts.min(away);
        }
    }
    let why = format!("its volume is on {} alone, which is away", nodes.join(", "));
    Some(Evidence { why, lasts, node_lost: false })
}
