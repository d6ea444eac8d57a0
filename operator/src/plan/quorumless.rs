//! What is done while no majority of the voters is known to be there: next to nothing.
//!
//! Rule: no membership, no volume, no running member is touched. Only a pod that cannot run its older template is made
//! anew from the newest one, and only if its disk outlives it. Reason: whatever is there may be all that is left; but a
//! template that was wrong and is right again must be able to heal what it broke (operators.md §2, 30).

use super::{Decision, Ground, Hold, Operation, Reason, lost, roll};
use crate::names::annotation;
use crate::step::{RestartReason, Step};
use crate::world::{Asked, Pod, PodState};

use super::pods::WRONG_TOKEN;

pub(crate) fn decide(ground: &Ground<'_>, reason: Reason, why: &str) -> Decision {
    if let Some(step) = restart_broken(ground) {
        let mut decision = Decision::act(Operation::Rolling, step);
        decision.holds.push(Hold::new(reason, why));
        return decision;
    }
    let pods = &ground.world.pods;
    let refusing = pods.iter().filter(|pod| pod.asked == Asked::WrongToken).map(|pod| pod.name.as_str());
    let refusing: Vec<&str> = refusing.collect();
    if reason == Reason::QuorumUnknown && !refusing.is_empty() {
        let message = format!("{why}: {} cannot be asked: {WRONG_TOKEN}", refusing.join(", "));
        return Decision::stop(Reason::SecretMismatch, message);
    }
    let empty = |asked: &Asked| asked.answer().is_some_and(|answer| answer.node_id.is_none());
    if reason == Reason::QuorumLost && !pods.is_empty() && pods.iter().all(|pod| empty(&pod.asked)) {
        let why = "all members answer and all their disks are empty: the ensemble is lost, and none is founded under \
                   this name; delete the cluster and make a new one, from a snapshot if there is one";
        return Decision::stop(Reason::EnsembleLost, why);
    }
    let mut message = match reason {
        Reason::QuorumLost => format!(
            "{why}. Nothing is touched. Bring these members back; if they are lost for good, see {}",
            annotation::RECOVER_QUORUM
        ),
        _ => why.to_owned(),
    };
    let kept: Vec<_> = broken(ground).map(|pod| pod.name.as_str()).collect();
    if !kept.is_empty() {
        let pods = kept.join(", ");
        message =
            format!("{message}; {pods}: not made anew, for the volume claim is gone or going, and the disk with it");
    }
    Decision::stop(reason, message)
}

/// Pods that cannot run the older template they were made from.
pub(crate) fn broken<'a>(ground: &Ground<'a>) -> impl Iterator<Item = &'a Pod> {
    let newest = roll::newest(ground);
    ground.world.pods.iter().filter(move |pod| {
        matches!(pod.state, PodState::Broken { .. } | PodState::Unschedulable { .. })
            && pod.deleting.is_none()
            && pod.asked.answer().is_none()
            && newest.is_some_and(|newest| pod.revision != newest)
    })
}

/// Makes a pod anew that cannot run the older template it was made from. Not where its disk would end with it: that
/// may be one of those that the quorum needs.
fn restart_broken(ground: &Ground<'_>) -> Option<Step> {
    let pod = broken(ground).find(|pod| !lost::disk_ends_with(ground, pod))?;
    Some(roll::restart(pod, RestartReason::OutdatedAndBroken))
}
