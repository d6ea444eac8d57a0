//! How the ensemble comes to be, exactly once.
//!
//! ```text
//!   record {members} ─► pods, empty ─► all answer "empty" ─► lowest founds with all ─► record {ensemble id}
//! ```
//!
//! Rule: the record stands before the first pod, and once it names an ensemble nothing is ever founded again. Only
//! members that answered decide; a name that does not resolve or an empty volume decides nothing. Reason: every way
//! of guessing whether there already is an ensemble has cost somebody theirs (operators.md §2, 1, 6 and 21).

use std::collections::BTreeSet;

use super::{Decision, Ground, Operation, Reason, discard, lost, pods, quorumless, roll};
use crate::crd::Bootstrap;
use crate::step::{ClaimReason, Record, RestartReason, Seat, Step, Target};
use crate::world::{Answer, Claim, ClaimState, Part, Pod};

/// Records how the ensemble is to come to be, if that is not recorded yet.
pub(crate) fn record(ground: &Ground<'_>) -> Option<Decision> {
    if ground.world.bootstrap.is_some() {
        return None;
    }
    if ground.spec.hibernate {
        return Some(Decision::stop(Reason::Hibernated, "nothing was founded yet; set spec.hibernate to false"));
    }
    if !ground.valid {
        return Some(Decision::default());
    }
    let stale: Vec<&Claim> = ground.world.claims.iter().filter(|claim| !claim.ours).collect();
    let mut record = Bootstrap {
        members: ground.spec.replicas,
        version: ground.spec.version.clone().unwrap_or_else(|| ground.operator.default_version.clone()),
        ensemble_id: None,
        adopted_from: None,
    };
    if let Some(first) = stale.first() {
        let Some(adopted) = &ground.world.orders.adopt else {
            return Some(Decision::stop(Reason::StaleVolumes, stale_volumes(&stale)));
        };
        let held: BTreeSet<_> = stale.iter().filter_map(|claim| claim.ensemble.as_deref()).collect();
        if !held.is_empty() && !held.contains(adopted.as_str()) {
            let why = format!("there is no ensemble {adopted} to adopt; {}", stale_volumes(&stale));
            return Some(Decision::stop(Reason::StaleVolumes, why));
        }
        record.ensemble_id = Some(adopted.clone());
        record.adopted_from = first.made_for.clone();
    }
    Some(Decision::act(Operation::Founding, Step::Record(Record::Bootstrap(record))))
}

fn stale_volumes(claims: &[&Claim]) -> String {
    let names: Vec<_> = claims.iter().map(|claim| claim.name.as_str()).collect();
    let ids: BTreeSet<_> = claims.iter().filter_map(|claim| claim.ensemble.as_deref()).collect();
    let holds = match ids.first() {
        Some(id) if ids.len() == 1 => format!("they hold ensemble {id}"),
        _ => "what they hold is not known".to_owned(),
    };
    format!(
        "volume claims of a former cluster of this name were kept: {}; {holds}. To go on with it, annotate this \
         cluster with coordd.dev/adopt-ensemble=ID; to begin anew, delete the claims",
        names.join(", ")
    )
}

/// Founds the ensemble as recorded.
pub(crate) fn found(ground: &Ground<'_>) -> Option<Decision> {
    let record = ground.world.bootstrap.as_ref()?;
    let answered: Vec<(&Pod, &Answer)> =
        ground.world.pods.iter().filter_map(|pod| Some((pod, pod.asked.answer()?))).collect();
    if let Some(decision) = founded_already(record, &answered) {
        return Some(decision);
    }
    // Whatever becomes of its disk: nobody has told of an ensemble yet, and an empty one is as good.
    if let Some(pod) = quorumless::broken(ground).next() {
        return Some(Decision::act(Operation::Founding, roll::restart(pod, RestartReason::OutdatedAndBroken)));
    }
    let seat = |ordinal| answered.iter().find(|(pod, _)| pod.ordinal == ordinal && pod.deleting.is_none());
    if let Some(decision) = renumber(ground, record) {
        return Some(decision);
    }
    let mut first = ground.world.pods.iter().filter(|pod| pod.ordinal < record.members);
    if let Some(pod) = first.find(|pod| pods::is_stuck(ground, pod)) {
        let mut decision = Decision::act(Operation::Founding, roll::restart(pod, RestartReason::Stuck));
        decision.holds.extend(pods::broken(ground, pod));
        return Some(decision);
    }
    let broken = |ordinal: i32| {
        ground.world.pod(&ground.world.name.pod(ordinal)).is_some_and(|pod| pods::broken(ground, pod).is_some())
    };
    let missing = (0..record.members).filter(|ordinal| seat(*ordinal).is_none());
    if let Some(ordinal) = missing.min_by_key(|ordinal| (!broken(*ordinal), *ordinal)) {
        return Some(wait(ground, ordinal, record.members));
    }
    let mut unformed = (0..record.members).filter_map(seat).filter(|(_, answer)| answer.node_id.is_none());
    if let Some(decision) = unformed.find_map(|(pod, _)| lost::anew(ground, pod, Operation::Founding)) {
        return Some(decision);
    }
    let (founder, answer) = seat(0)?;
    if answer.node_id.is_none() {
        // The founder writes its own identity before it gives one to anyone; all have answered and nobody has begun:
        // whatever was being founded never was.
        let never = answered.iter().find(|(_, answer)| answer.node_id.is_some());
        if let Some((pod, _)) = never {
            return Some(discard::volume(ground, pod, ClaimReason::NeverFounded, Operation::Founding));
        }
    }
    if answer.node_id.is_some() && matches!(answer.part, Part::Follower | Part::Candidate | Part::Leader) {
        // It votes in a membership, so it was founded; there is nothing in its log yet.
        let message = "the first members elect their leader";
        return Some(Decision::wait(Operation::Founding, Reason::WaitingForPods, message));
    }
    let name = &ground.world.name;
    let seats = (0..record.members).map(|ordinal| name.pod(ordinal));
    let seats = seats.map(|pod| Seat { peer_addr: name.peer_addr(&pod), name: pod }).collect();
    let founder = Target { pod: founder.name.clone(), ip: founder.ip.clone()? };
    Some(Decision::act(Operation::Founding, Step::Bootstrap { founder, seats }))
}

/// Records the ensemble if some member is part of one that has begun.
fn founded_already(record: &Bootstrap, answered: &[(&Pod, &Answer)]) -> Option<Decision> {
    let begun: BTreeSet<&str> = answered
        .iter()
        .filter(|(_, answer)| answer.node_id.is_some() && answer.has_log)
        .filter_map(|(_, answer)| answer.ensemble_id.as_deref())
        .collect();
    let first = begun.first()?;
    if begun.len() > 1 {
        let ids: Vec<_> = begun.into_iter().collect();
        let why = format!("members hold different ensembles: {}; delete the claims that do not belong", ids.join(", "));
        return Some(Decision::stop(Reason::StaleVolumes, why));
    }
    let founded = Bootstrap { ensemble_id: Some((*first).to_owned()), ..record.clone() };
    Some(Decision::act(Operation::Founding, Step::Record(Record::Bootstrap(founded))))
}

/// Follows a number of first members that the user has changed before anything was founded.
fn renumber(ground: &Ground<'_>, record: &Bootstrap) -> Option<Decision> {
    if !ground.valid || !(0..record.members).all(|ordinal| never_lived(ground, ordinal)) {
        return None;
    }
    if record.members != ground.spec.replicas {
        let record = Bootstrap { members: ground.spec.replicas, ..record.clone() };
        return Some(Decision::act(Operation::Founding, Step::Record(Record::Bootstrap(record))));
    }
    let set = ground.world.stateful_set.there()?;
    (set.replicas > record.members).then(|| Decision::act(Operation::Founding, pods::set_replicas(set, record.members)))
}

/// Whether it is certain that no member has an identity on this ordinal's disk.
fn never_lived(ground: &Ground<'_>, ordinal: i32) -> bool {
    let answer = ground.world.pod(&ground.world.name.pod(ordinal)).and_then(|pod| pod.asked.answer());
    match answer {
        Some(answer) => answer.node_id.is_none(),
        None => ground.world.claim(ordinal).is_none_or(|claim| claim.state == ClaimState::Pending),
    }
}

fn wait(ground: &Ground<'_>, ordinal: i32, members: i32) -> Decision {
    let name = ground.world.name.pod(ordinal);
    let pod = ground.world.pod(&name);
    let why = pods::why_silent(pod);
    let message = format!("all {members} first members have to answer before the ensemble is founded; {name}: {why}");
    let broken = pod.and_then(|pod| pods::broken(ground, pod));
    Decision::wait(Operation::Founding, broken.map_or(Reason::WaitingForPods, |hold| hold.reason), message)
}
