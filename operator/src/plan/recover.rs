//! Recovery from quorum loss, by explicit order alone.
//!
//! ```text
//!   order {survivor, ensemble, data-loss} ─► record ─► survivor goes on alone, as a new ensemble ─► record its id
//!   ─► the others' disks belong to an ensemble that is no more: emptied one by one, and taken in anew (`heal`)
//! ```
//!
//! Rule: the order names the ensemble that it gives up, so it is void once that is done; it is refused while there is
//! a quorum, or about to be one, while the survivor itself says that it serves, and while another voter that answers
//! has more of the log. Reason: what only the others had is lost by it, and only a person can know that they will not
//! come back; but who serves hears them, and whose last entry is of the highest term, then index, has all that is known
//! to be committed by anyone who answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::{Decision, Ground, Hold, Operation, Quorum, Reason, ensemble};
use crate::crd::Recovery;
use crate::step::{Record, Step, Target};
use crate::world::{Answer, Part, Pod, RecoverOrder};

/// What is to be done about an order to recover; nothing is left to do when it is void or refused.
pub(crate) fn recover(ground: &Ground<'_>, id: &str, quorum: &Quorum<'_>, notes: &mut Vec<Hold>) -> Option<Decision> {
    let pending = ground.world.recovery.as_ref().filter(|record| record.to.is_none() && record.from == id);
    if let Some(record) = pending
        && let Some(decision) = done(ground, record)
    {
        return Some(decision);
    }
    let order = match ground.world.orders.recover.as_ref()? {
        Ok(order) => order,
        Err(why) => {
            notes.push(Hold::new(Reason::RecoverRefused, why.clone()));
            return None;
        }
    };
    let carried_out = ground.world.recovery.as_ref().is_some_and(|record| {
        record.to.is_some() && record.from == order.ensemble_id && record.survivor == order.survivor
    });
    if carried_out {
        return None;
    }
    let recorded = pending.is_some_and(|record| record.survivor == order.survivor);
    let no_quorum = matches!(quorum, Quorum::Unknown(_) | Quorum::Lost(_));
    if recorded && no_quorum && survivor(ground, &order.survivor).is_none() {
        let message = format!("{} was told to go on alone and does not answer yet", order.survivor);
        return Some(Decision::wait(Operation::Recovering, Reason::WaitingForMember, message));
    }
    match refusal(ground, id, order, quorum) {
        Some(why) => {
            notes.push(Hold::new(Reason::RecoverRefused, why));
            None
        }
        None => go_on(ground, id, order, recorded),
    }
}

fn survivor<'a>(ground: &Ground<'a>, name: &str) -> Option<(&'a Pod, &'a Answer)> {
    let pod = ground.world.pod(name)?;
    Some((pod, pod.asked.answer()?))
}

/// Records the new ensemble once the survivor answers as a part of it.
fn done(ground: &Ground<'_>, record: &Recovery) -> Option<Decision> {
    let (_, answer) = survivor(ground, &record.survivor)?;
    answer.node_id?;
    let new = answer.ensemble_id.as_ref().filter(|id| **id != record.from)?;
    let record = Recovery { to: Some(new.clone()), ..record.clone() };
    Some(Decision::act(Operation::Recovering, Step::Record(Record::Recovery(record))))
}

/// Why the order is not carried out.
fn refusal(ground: &Ground<'_>, id: &str, order: &RecoverOrder, quorum: &Quorum<'_>) -> Option<String> {
    if order.ensemble_id != id {
        return Some(format!("the order names ensemble {}, this is {id}", order.ensemble_id));
    }
    match quorum {
        Quorum::Confirmed(_) => return Some("there is a quorum; remove the annotation".to_owned()),
        Quorum::Electing(_) => return Some("a majority of the voters is there and about to elect".to_owned()),
        Quorum::Unknown(_) | Quorum::Lost(_) => {}
    }
    let Some((pod, answer)) = survivor(ground, &order.survivor) else {
        return Some(format!("{} does not answer; name a member that does", order.survivor));
    };
    if answer.ensemble_id.as_deref() != Some(id) || !votes(answer) || pod.deleting.is_some() {
        return Some(format!("{} is not a voter of ensemble {id}", order.survivor));
    }
    if answer.leader.is_some() && answer.not_serving.is_none() {
        return Some(format!(
            "{} follows a leader and serves: there is a quorum that the operator cannot see; repair its way to the \
             other members",
            order.survivor
        ));
    }
    better(ground, id, answer)
}

fn votes(answer: &Answer) -> bool {
    answer.peers.iter().any(|peer| Some(peer.id) == answer.node_id && peer.voter)
}

/// That another member should be named, which could be.
fn better(ground: &Ground<'_>, id: &str, survivor: &Answer) -> Option<String> {
    let others = ensemble::answers(ground.world, id)
        .filter(|(pod, other)| pod.deleting.is_none() && votes(other) && other.part != Part::Unformed);
    // A log that has more has any membership that the other knows of, too; that one counts only where no log is told.
    let more = others.filter(|(_, other)| match (other.last_log, survivor.last_log) {
        (Some(others), Some(own)) => others > own,
        _ => other.membership_index > survivor.membership_index,
    });
    let (_, best) = more.max_by_key(|(_, other)| other.last_log)?;
    let last = |answer: &Answer| {
        let entry = |(term, index)| format!("entry {index} of term {term}");
        answer.last_log.map_or_else(|| "not told".to_owned(), entry)
    };
    Some(format!(
        "{} knows more than {}; name it instead (last in their logs: {}, and {})",
        best.name,
        survivor.name,
        last(best),
        last(survivor)
    ))
}

fn go_on(ground: &Ground<'_>, id: &str, order: &RecoverOrder, recorded: bool) -> Option<Decision> {
    let step = if recorded {
        let (pod, _) = survivor(ground, &order.survivor)?;
        let survivor = Target { pod: pod.name.clone(), ip: pod.ip.clone()? };
        Step::Recover { survivor, ensemble_id: id.to_owned() }
    } else {
        Step::Record(Record::Recovery(Recovery {
            survivor: order.survivor.clone(),
            from: id.to_owned(),
            to: None,
            ordered_at: Time(Timestamp::from_millisecond(ground.now.0).ok()?),
        }))
    };
    Some(Decision::act(Operation::Recovering, step))
}
