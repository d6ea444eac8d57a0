//! Gives a volume up: first the claim, then the pod that holds on to it; Kubernetes makes both anew, empty.
//!
//! ```text
//!   claim there ─► delete claim ─► it waits for its pod ─► delete pod ─► new claim, new pod, empty disk, new identity
//! ```
//!
//! Rule: only claims that were made for this cluster, and only the very claim and pod that were looked at. Reason: the
//! other order would give the new pod the old disk; and a volume that somebody else brought is not ours to empty.

use super::{Decision, Ground, Operation, Reason};
use crate::step::{ClaimReason, Doomed, Grace, RestartReason, Step};
use crate::world::{Claim, Pod};

pub(crate) fn doomed_pod(pod: &Pod) -> Doomed {
    Doomed { name: pod.name.clone(), uid: pod.uid.clone(), resource_version: pod.resource_version.clone() }
}

pub(crate) fn delete_claim(claim: &Claim, pod: &str, why: ClaimReason) -> Step {
    let claim =
        Doomed { name: claim.name.clone(), uid: claim.uid.clone(), resource_version: claim.resource_version.clone() };
    Step::DeleteClaim { claim, pod: pod.to_owned(), why }
}

/// The next step to give up the volume of a pod that is alive.
pub(crate) fn volume(ground: &Ground<'_>, pod: &Pod, why: ClaimReason, operation: Operation) -> Decision {
    match ground.world.claim(pod.ordinal) {
        Some(claim) if !claim.ours => foreign(claim),
        Some(claim) if !claim.deleting => Decision::act(operation, delete_claim(claim, &pod.name, why)),
        _ if pod.deleting.is_some() => {
            let message = format!("{} is stopping, to come back with a new volume", pod.name);
            Decision::wait(operation, Reason::WaitingForMember, message)
        }
        _ => Decision::act(
            operation,
            Step::DeletePod { pod: doomed_pod(pod), why: RestartReason::VolumeGivenUp, grace: Grace::Full },
        ),
    }
}

pub(crate) fn foreign(claim: &Claim) -> Decision {
    let why = format!(
        "the claim {} was not made for this cluster, so its volume is not emptied; delete the claim and the pod if \
         nobody needs what it holds",
        claim.name
    );
    Decision::stop(Reason::ForeignDisk, why)
}

pub(crate) fn volume_is_going(pod: &Pod, operation: Operation) -> Decision {
    Decision::wait(operation, Reason::WaitingForMember, format!("{} is stopping, to come back empty", pod.name))
}
