//! The conditions: what `kubectl wait` and alerts are built on.
//!
//! Rule: each says True, False or Unknown of one thing, with a reason that is part of the API and a message that says
//! what to do; `Unknown` whenever it could not be seen. Reason: a condition that guesses is worse than none
//! (operators.md §2, 14 and 18).

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::operation::{UnderWay, waits};
use super::{Picture, Scene, time};
use crate::crd::{ClusterStatus, RetentionPolicy, condition};
use crate::plan::{Operation, Reason, Row, Standing, Weight};
use crate::world::{Claim, ClaimState, Moment, Seen};

/// True, False or Unknown, why in one word, and in many.
struct Verdict {
    status: &'static str,
    reason: String,
    message: String,
}

fn verdict(status: &'static str, reason: impl ToString, message: impl Into<String>) -> Verdict {
    Verdict { status, reason: reason.to_string(), message: message.into() }
}

/// Reason of what could not be looked at.
pub(super) const NOT_OBSERVED: &str = "NotObserved";

/// Reason of an ensemble whose leader says that it does not serve.
pub(super) const NOT_SERVING: &str = "NotServing";
/// An election, or a leader that does not serve yet, passes within this; what lasts longer needs somebody.
const PASSES: Duration = Duration::from_secs(60);

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";

/// What `Ready` sums up.
struct Parts {
    available: Verdict,
    members: Verdict,
    updated: Verdict,
    progressing: Verdict,
    degraded: Verdict,
}

pub(super) fn conditions(scene: &Scene<'_>, picture: &Picture<'_>, under_way: &UnderWay) -> Vec<Condition> {
    let parts = Parts {
        available: available(scene, picture, under_way),
        members: members_ready(scene, picture, under_way),
        updated: members_updated(scene),
        progressing: progressing(scene, under_way),
        degraded: degraded(scene, picture, under_way),
    };
    let verdicts = [
        (condition::READY, ready(scene, under_way, &parts)),
        (condition::AVAILABLE, parts.available),
        (condition::MEMBERS_READY, parts.members),
        (condition::MEMBERS_UPDATED, parts.updated),
        (condition::PROGRESSING, parts.progressing),
        (condition::DEGRADED, parts.degraded),
        (condition::DATA_VOLUMES_READY, volumes(scene, picture)),
        (condition::PAUSED, flag(scene.spec.paused, "PausedBySpec", "Running")),
        (condition::HIBERNATED, flag(hibernated(scene), "HibernatedBySpec", "Running")),
    ];
    let of_this_spec = |(type_, verdict)| Condition {
        observed_generation: Some(scene.generation),
        ..dated(scene.before, scene.now, type_, verdict)
    };
    verdicts.into_iter().map(of_this_spec).collect()
}

/// The conditions of a cluster that cannot be looked at: Unknown, but for what the spec alone says.
pub(super) fn unseen(before: &ClusterStatus, why: &str, now: Moment) -> Vec<Condition> {
    let observed = [
        condition::READY,
        condition::AVAILABLE,
        condition::MEMBERS_READY,
        condition::MEMBERS_UPDATED,
        condition::PROGRESSING,
        condition::DEGRADED,
        condition::DATA_VOLUMES_READY,
    ];
    let unknown = observed.map(|type_| Condition {
        observed_generation: before.observed_generation,
        ..dated(before, now, type_, verdict(UNKNOWN, NOT_OBSERVED, why))
    });
    let others = before.conditions.iter().filter(|one| !observed.contains(&one.type_.as_str()));
    unknown.into_iter().chain(others.cloned()).collect()
}

/// With the time at which its status last changed.
fn dated(before: &ClusterStatus, now: Moment, type_: &str, verdict: Verdict) -> Condition {
    let before = before.conditions.iter().find(|one| one.type_ == type_ && one.status == verdict.status);
    Condition {
        type_: type_.to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason,
        message: verdict.message,
        observed_generation: None,
        last_transition_time: before.map_or_else(|| time(now), |before| before.last_transition_time.clone()),
    }
}

fn flag(on: bool, yes: &str, no: &str) -> Verdict {
    if on { verdict(TRUE, yes, "") } else { verdict(FALSE, no, "") }
}

fn hibernated(scene: &Scene<'_>) -> bool {
    scene.spec.hibernate && scene.world.pods.is_empty()
}

/// That no member serves, because the spec wants it so; why in one word, and in many.
fn asleep(scene: &Scene<'_>, under_way: &UnderWay) -> Option<(Reason, &'static str)> {
    if scene.world.deleting {
        return Some((Reason::Deleting, "the cluster is being deleted"));
    }
    if hibernated(scene) {
        return Some((Reason::Hibernated, "all members are stopped; set spec.hibernate to false to resume"));
    }
    let stopping = under_way.is(Operation::Hibernating);
    stopping.then_some((Reason::Hibernated, "all members are being stopped (spec.hibernate)"))
}

fn available(scene: &Scene<'_>, picture: &Picture<'_>, under_way: &UnderWay) -> Verdict {
    match picture {
        Picture::Confirmed(confirmed) => {
            if let Some(why) = picture.not_serving() {
                return verdict(FALSE, NOT_SERVING, why);
            }
            let (well, voters) = (confirmed.well_without(None), confirmed.voters().count());
            let words = format!("{} leads; {well} of {voters} voters are well", confirmed.leader.pod);
            verdict(TRUE, "QuorumConfirmed", words)
        }
        _ if let Some((reason, why)) = asleep(scene, under_way) => verdict(FALSE, reason, why),
        Picture::NotFounded => verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Electing(why) => verdict(FALSE, Reason::Electing, why),
        Picture::Lost(why) => verdict(FALSE, Reason::QuorumLost, why),
        Picture::Unknown(why) => verdict(UNKNOWN, "MembersUnreachable", why),
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
        Standing::Well => format!("{}: {}", row.name, row.not_ready()),
        standing => format!("{}: {}", row.name, standing.in_words()),
    };
    rows.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn members_ready(scene: &Scene<'_>, picture: &Picture<'_>, under_way: &UnderWay) -> Verdict {
    let wanted = scene.spec.replicas;
    let confirmed = match picture {
        Picture::Confirmed(confirmed) => confirmed,
        _ if let Some((reason, why)) = asleep(scene, under_way) => return verdict(FALSE, reason, why),
        Picture::NotFounded => return verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Electing(why) => return verdict(FALSE, Reason::Electing, why),
        Picture::Lost(why) => return verdict(FALSE, Reason::QuorumLost, why),
        Picture::Unknown(why) => return verdict(UNKNOWN, "MembersUnreachable", why),
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
    let invalid = scene.plan.holds.iter().find(|hold| {
        matches!(
            hold.reason,
            Reason::InvalidSpec | Reason::Forbidden | Reason::UnknownVersion | Reason::DowngradeRefused
        )
    });
    if let Some(hold) = invalid {
        return verdict(FALSE, hold.reason, &*hold.message);
    }
    let newest = match &scene.world.stateful_set {
        Seen::There(set) => set.update_revision.as_deref(),
        Seen::Gone => return verdict(UNKNOWN, "NotCreated", "there is no StatefulSet yet"),
        Seen::Unknown(why) => return verdict(UNKNOWN, NOT_OBSERVED, &**why),
    };
    let Some(newest) = newest else {
        return verdict(UNKNOWN, NOT_OBSERVED, "Kubernetes has not seen the newest template yet");
    };
    let pods = scene.world.pods.len();
    let updated = scene.world.pods.iter().filter(|pod| pod.revision == newest).count();
    let message = format!("{updated} of {pods} members run the newest template");
    if updated == pods { verdict(TRUE, "AllUpdated", message) } else { verdict(FALSE, "Outdated", message) }
}

fn progressing(scene: &Scene<'_>, under_way: &UnderWay) -> Verdict {
    let stuck = waits(scene).filter(|hold| hold.reason.weight() == Weight::Stuck && scene.plan.step.is_none());
    match (&under_way.operation, stuck, waits(scene)) {
        (_, Some(hold), _) | (None, None, Some(hold)) => verdict(FALSE, hold.reason, &*hold.message),
        (Some(operation), None, _) => verdict(TRUE, &operation.type_, &*operation.step),
        (None, None, None) => verdict(FALSE, "Settled", "there is nothing to do"),
    }
}

/// Whether it has been unavailable for so long that it does not pass by itself.
fn lasts(scene: &Scene<'_>) -> bool {
    let before = scene.before.conditions.iter().find(|one| one.type_ == condition::AVAILABLE && one.status == FALSE);
    before.is_some_and(|since| {
        let since = Moment(since.last_transition_time.0.as_millisecond());
        since.until(scene.now) >= PASSES
    })
}

fn degraded(scene: &Scene<'_>, picture: &Picture<'_>, under_way: &UnderWay) -> Verdict {
    let stuck = scene.plan.holds.iter().find(|hold| hold.reason.weight() == Weight::Stuck);
    if let Some(hold) = stuck {
        return verdict(TRUE, hold.reason, &*hold.message);
    }
    if let Some((reason, why)) = asleep(scene, under_way) {
        return verdict(FALSE, reason, why);
    }
    let confirmed = match picture {
        Picture::NotFounded => return verdict(FALSE, "NotFounded", "the ensemble is not founded yet"),
        Picture::Electing(why) => return verdict(if lasts(scene) { TRUE } else { FALSE }, Reason::Electing, why),
        Picture::Lost(why) => return verdict(TRUE, Reason::QuorumLost, why),
        Picture::Unknown(why) => return verdict(UNKNOWN, "MembersUnreachable", why),
        Picture::Confirmed(confirmed) => confirmed,
    };
    if let Some(why) = picture.not_serving() {
        return verdict(if lasts(scene) { TRUE } else { FALSE }, NOT_SERVING, why);
    }
    let ill = ill(confirmed.rows.iter());
    if ill.is_empty() || under_way.expected {
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
    if let Some(unlike) = retention_pending(scene) {
        return verdict(FALSE, "RetentionPending", unlike);
    }
    verdict(TRUE, "AllBound", format!("all {needed} volumes are there"))
}

/// Which volumes would not follow the spec if the cluster were deleted now: Kubernetes goes by what stands on the
/// claims.
fn retention_pending(scene: &Scene<'_>) -> Option<String> {
    let policy = scene.spec.storage.retention.when_deleted;
    let unlike = |claim: &&Claim| claim.ours && !claim.deleting && claim.owned != (policy == RetentionPolicy::Delete);
    let names: Vec<_> = scene.world.claims.iter().filter(unlike).map(|claim| claim.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "not marked yet as storage.retention.whenDeleted: {policy:?} wants it: {}; wait before deleting the \
             cluster, or its volumes follow what it was",
            names.join(", ")
        )
    })
}

/// All is as the spec of this generation wants it, which is what `kubectl wait` waits for.
fn ready(scene: &Scene<'_>, under_way: &UnderWay, parts: &Parts) -> Verdict {
    if let Some((reason, why)) = asleep(scene, under_way) {
        return verdict(FALSE, reason, why);
    }
    let Parts { available, members, updated, progressing, degraded } = parts;
    let of = |status, part: &Verdict| verdict(status, &part.reason, &*part.message);
    if degraded.status == TRUE {
        return of(FALSE, degraded);
    }
    if let Some(part) = [available, members, updated].into_iter().find(|part| part.status == FALSE) {
        return of(FALSE, part);
    }
    if progressing.status == TRUE {
        return of(FALSE, progressing);
    }
    if let Some(part) = [available, members, updated, degraded].into_iter().find(|part| part.status == UNKNOWN) {
        return of(UNKNOWN, part);
    }
    let advice = scene.plan.holds.iter().filter(|hold| hold.reason.weight() == Weight::Advice);
    let words = std::iter::once(&members.message).chain(advice.map(|hold| &hold.message));
    verdict(TRUE, "AllMembersReady", words.map(String::as_str).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{healthy, of, shown, shown_after};
    use super::*;
    use crate::crd::CoordinationClusterSpec;
    use crate::world::World;

    #[test]
    fn bug_29_a_volume_that_is_being_deleted_is_shown() {
        let mut world = healthy();
        world.claims[1].deleting = true;
        assert_eq!(of(&shown(&world), condition::DATA_VOLUMES_READY), ("False", "VolumesLost"));
        world.claims.remove(1);
        assert_eq!(of(&shown(&world), condition::DATA_VOLUMES_READY), ("False", "VolumesLost"), "under its pod");
        world.pods[1].node = None;
        assert_eq!(of(&shown(&world), condition::DATA_VOLUMES_READY), ("False", "VolumesPending"));
    }

    #[test]
    fn a_claim_that_does_not_follow_the_policy_yet_is_told_until_it_does() {
        let mut spec = CoordinationClusterSpec::default();
        let mut world = healthy();
        let told = |spec: &CoordinationClusterSpec, world: &World| {
            let status = shown_after(&ClusterStatus::default(), spec, world);
            let (verdict, reason) = of(&status, condition::DATA_VOLUMES_READY);
            format!("{verdict} {reason}")
        };
        spec.storage.retention.when_deleted = RetentionPolicy::Delete;
        assert_eq!(told(&spec, &world), "False RetentionPending");
        spec.paused = true;
        assert_eq!(told(&spec, &world), "False RetentionPending", "nor does it pass as done while nobody writes it");
        world.claims.iter_mut().for_each(|claim| claim.owned = true);
        assert_eq!(told(&spec, &world), "True AllBound");
        spec.storage.retention.when_deleted = RetentionPolicy::Retain;
        world.claims[0].owned = false;
        assert_eq!(told(&spec, &world), "False RetentionPending", "two would still go");
    }
}
