//! The conditions: what `kubectl wait` and alerts are built on.
//!
//! Rule: each says True, False or Unknown of one thing, with a reason that is part of the API and a message that says
//! what to do; `Unknown` whenever it could not be seen. Reason: a condition that guesses is worse than none
//! (operators.md §2, 14 and 18).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Picture, Scene, time};
use crate::crd::condition;
use crate::plan::{Operation, Reason, Row, Standing, Weight};
use crate::world::{ClaimState, Seen};

/// True, False or Unknown, why in one word, and in many.
struct Verdict {
    status: &'static str,
    reason: String,
    message: String,
}

fn verdict(status: &'static str, reason: impl ToString, message: impl Into<String>) -> Verdict {
    Verdict { status, reason: reason.to_string(), message: message.into() }
}

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";

pub(super) fn conditions(scene: &Scene<'_>, picture: &Picture<'_>) -> Vec<Condition> {
    let available = available(scene, picture);
    let members = members_ready(scene, picture);
    let degraded = degraded(scene, picture);
    let ready = ready(scene, &available, &members, &degraded);
    let verdicts = [
        (condition::READY, ready),
        (condition::AVAILABLE, available),
        (condition::MEMBERS_READY, members),
        (condition::MEMBERS_UPDATED, members_updated(scene)),
        (condition::PROGRESSING, progressing(scene)),
        (condition::DEGRADED, degraded),
        (condition::DATA_VOLUMES_READY, volumes(scene, picture)),
        (condition::PAUSED, flag(scene.spec.paused, "PausedBySpec", "Running")),
        (condition::HIBERNATED, flag(hibernated(scene), "HibernatedBySpec", "Running")),
    ];
    verdicts.into_iter().map(|(type_, verdict)| dated(scene, type_, verdict)).collect()
}

/// With the time at which its status last changed.
fn dated(scene: &Scene<'_>, type_: &str, verdict: Verdict) -> Condition {
    let before = scene.before.conditions.iter().find(|one| one.type_ == type_ && one.status == verdict.status);
    Condition {
        type_: type_.to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason,
        message: verdict.message,
        observed_generation: Some(scene.generation),
        last_transition_time: before.map_or_else(|| time(scene.now), |before| before.last_transition_time.clone()),
    }
}

fn flag(on: bool, yes: &str, no: &str) -> Verdict {
    if on { verdict(TRUE, yes, "") } else { verdict(FALSE, no, "") }
}

fn hibernated(scene: &Scene<'_>) -> bool {
    scene.spec.hibernate && scene.world.pods.is_empty()
}

fn available(scene: &Scene<'_>, picture: &Picture<'_>) -> Verdict {
    match picture {
        _ if hibernated(scene) => verdict(FALSE, "Hibernated", "all members are stopped"),
        Picture::NotFounded => verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Lost(why) => verdict(FALSE, Reason::QuorumLost, why),
        Picture::Unknown(why) => verdict(UNKNOWN, "MembersUnreachable", why),
        Picture::Confirmed(confirmed) => {
            let (well, voters) = (confirmed.well_without(None), confirmed.voters().count());
            verdict(
                TRUE,
                "QuorumConfirmed",
                format!("{} leads; {well} of {voters} voters are well", confirmed.leader.pod),
            )
        }
    }
}

fn ill<'a, 'b>(rows: impl Iterator<Item = &'a Row<'b>>) -> Vec<&'a Row<'b>>
where
    'b: 'a,
{
    rows.filter(|row| !row.standing.is_well() || row.pod.is_none_or(|pod| pod.ready_since.is_none())).collect()
}

fn in_words(rows: &[&Row<'_>]) -> String {
    let one = |row: &&Row<'_>| match &row.standing {
        Standing::Well => format!("{}: its pod is not ready", row.name),
        standing => format!("{}: {}", row.name, standing.in_words()),
    };
    rows.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn members_ready(scene: &Scene<'_>, picture: &Picture<'_>) -> Verdict {
    let wanted = scene.spec.replicas;
    let confirmed = match picture {
        Picture::NotFounded => return verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Lost(why) => return verdict(FALSE, Reason::QuorumLost, why),
        Picture::Unknown(why) => return verdict(UNKNOWN, "MembersUnreachable", why),
        Picture::Confirmed(confirmed) => confirmed,
    };
    let ill = ill(confirmed.rows.iter());
    let voters = confirmed.voters().count();
    if ill.is_empty() && voters == usize::try_from(wanted).unwrap_or(0) {
        return verdict(TRUE, "AllMembersReady", format!("all {wanted} members serve"));
    }
    let silent = |row: &&&Row<'_>| matches!(row.standing, Standing::Silent(_));
    if !ill.is_empty() && ill.iter().all(|row| silent(&row)) {
        return verdict(UNKNOWN, "MembersUnreachable", in_words(&ill));
    }
    let message = if ill.is_empty() { format!("{voters} of {wanted} members vote") } else { in_words(&ill) };
    verdict(FALSE, "MembersNotReady", message)
}

fn members_updated(scene: &Scene<'_>) -> Verdict {
    let invalid =
        scene.plan.holds.iter().find(|hold| {
            matches!(hold.reason, Reason::InvalidSpec | Reason::UnknownVersion | Reason::DowngradeRefused)
        });
    if let Some(hold) = invalid {
        return verdict(FALSE, hold.reason, &*hold.message);
    }
    let newest = match &scene.world.stateful_set {
        Seen::There(set) => set.update_revision.as_deref(),
        Seen::Gone => return verdict(UNKNOWN, "NotCreated", "there is no StatefulSet yet"),
        Seen::Unknown(why) => return verdict(UNKNOWN, "NotObserved", &**why),
    };
    let Some(newest) = newest else {
        return verdict(UNKNOWN, "NotObserved", "Kubernetes has not seen the newest template yet");
    };
    let pods = scene.world.pods.len();
    let updated = scene.world.pods.iter().filter(|pod| pod.revision == newest).count();
    let message = format!("{updated} of {pods} members run the newest template");
    if updated == pods { verdict(TRUE, "AllUpdated", message) } else { verdict(FALSE, "Outdated", message) }
}

fn progressing(scene: &Scene<'_>) -> Verdict {
    let plan = scene.plan;
    let first = plan.holds.first();
    if let Some(step) = &plan.step {
        let operation = plan.operation.map_or("Working", Operation::name);
        return verdict(TRUE, operation, step.to_string());
    }
    match (plan.operation, first) {
        (_, Some(hold)) if hold.reason.weight() == Weight::Stuck => verdict(FALSE, hold.reason, &*hold.message),
        (Some(operation), Some(hold)) => verdict(TRUE, operation.name(), &*hold.message),
        (Some(operation), None) => verdict(TRUE, operation.name(), ""),
        (None, Some(hold)) if hold.reason.weight() != Weight::Advice => verdict(FALSE, hold.reason, &*hold.message),
        (None, _) => verdict(FALSE, "Settled", "there is nothing to do"),
    }
}

fn degraded(scene: &Scene<'_>, picture: &Picture<'_>) -> Verdict {
    let stuck = scene.plan.holds.iter().find(|hold| hold.reason.weight() == Weight::Stuck);
    if let Some(hold) = stuck {
        return verdict(TRUE, hold.reason, &*hold.message);
    }
    let confirmed = match picture {
        _ if hibernated(scene) => return verdict(FALSE, "Hibernated", "all members are stopped, as the spec wants it"),
        Picture::NotFounded => return verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Lost(why) => return verdict(TRUE, Reason::QuorumLost, why),
        Picture::Unknown(why) => return verdict(UNKNOWN, "MembersUnreachable", why),
        Picture::Confirmed(confirmed) => confirmed,
    };
    let ill = ill(confirmed.rows.iter());
    let on_purpose = matches!(scene.plan.operation, Some(Operation::Rolling | Operation::ScalingUp));
    if ill.is_empty() || on_purpose {
        return verdict(FALSE, "AsWanted", "");
    }
    if ill.iter().all(|row| matches!(row.standing, Standing::Silent(_))) {
        return verdict(UNKNOWN, "MembersUnreachable", in_words(&ill));
    }
    verdict(TRUE, "MembersNotReady", in_words(&ill))
}

fn volumes(scene: &Scene<'_>, picture: &Picture<'_>) -> Verdict {
    let needed = picture.confirmed().map_or(0, |confirmed| confirmed.pods_needed()).max(scene.spec.replicas);
    let (mut lost, mut pending) = (Vec::new(), Vec::new());
    for ordinal in 0..needed {
        match scene.world.claim(ordinal) {
            Some(claim) if !claim.ours => lost.push(format!("{} was made for somebody else", claim.name)),
            Some(claim) if claim.deleting => lost.push(format!("{} is being deleted", claim.name)),
            Some(claim) => match claim.state {
                ClaimState::Bound => {}
                ClaimState::Pending => pending.push(claim.name.clone()),
                ClaimState::Lost => lost.push(format!("the volume of {} is gone", claim.name)),
            },
            None if scene.world.pods.iter().any(|pod| pod.ordinal == ordinal && pod.node.is_some()) => {
                lost.push(format!("{} is gone, though its pod is there", scene.world.name.claim(ordinal)));
            }
            None => pending.push(scene.world.name.claim(ordinal)),
        }
    }
    if !lost.is_empty() {
        return verdict(FALSE, "VolumesLost", lost.join("; "));
    }
    if !pending.is_empty() {
        return verdict(FALSE, "VolumesPending", format!("not bound yet: {}", pending.join(", ")));
    }
    verdict(TRUE, "AllBound", format!("all {needed} volumes are there"))
}

fn ready(scene: &Scene<'_>, available: &Verdict, members: &Verdict, degraded: &Verdict) -> Verdict {
    let holds = &scene.plan.holds;
    if scene.world.deleting {
        return verdict(FALSE, Reason::Deleting, "the cluster is being deleted");
    }
    if hibernated(scene) {
        return verdict(FALSE, Reason::Hibernated, "all members are stopped; set spec.hibernate to false to resume");
    }
    if degraded.status == TRUE {
        return verdict(FALSE, &degraded.reason, &*degraded.message);
    }
    for part in [available, members] {
        if part.status == FALSE {
            return verdict(FALSE, &part.reason, &*part.message);
        }
    }
    for part in [available, members, degraded] {
        if part.status == UNKNOWN {
            return verdict(UNKNOWN, &part.reason, &*part.message);
        }
    }
    let advice: Vec<_> = holds.iter().filter(|hold| hold.reason.weight() == Weight::Advice).collect();
    let mut message = members.message.clone();
    for hold in advice {
        message.push_str("; ");
        message.push_str(&hold.message);
    }
    verdict(TRUE, "AllMembersReady", message)
}
