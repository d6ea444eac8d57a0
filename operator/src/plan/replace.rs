//! A member that the user orders to be replaced: `coordd.dev/replace-member: ID`.
//!
//! Rule: the id is never used again, so the order is void once that member is out; only a member that answers under
//! this id, or whose container is known not to stay up, is given a new volume, and only if the others bear it.
//! Reason: a damaged or diverged disk is a person's judgement, and a silent member may be the only healthy one.

use super::{Confirmed, Decision, Ground, Hold, Operation, Reason, Standing, discard, roll};
use crate::step::ClaimReason;
use crate::world::PodState;

pub(crate) fn ordered(ground: &Ground<'_>, confirmed: &Confirmed<'_>, notes: &mut Vec<Hold>) -> Option<Decision> {
    let id = match ground.world.orders.replace.as_ref()? {
        Ok(id) => *id,
        Err(why) => {
            notes.push(Hold::new(Reason::ReplaceRefused, why.clone()));
            return None;
        }
    };
    // Out already, or without its disk: done, as far as this order goes.
    let row = confirmed.rows.iter().find(|row| row.id == id && row.standing != Standing::DiskLost)?;
    let refuse = |why: String| {
        let message = format!("{} (id {id}) is not replaced: {why}", row.name);
        Some(Decision::stop(Reason::ReplaceRefused, message))
    };
    let Some(pod) = row.pod else { return refuse("it has no pod now".to_owned()) };
    let known = pod.asked.answer().is_some_and(|answer| answer.node_id == Some(id));
    let broken = matches!(pod.state, PodState::Broken { .. });
    if matches!(row.standing, Standing::Down(_)) && !broken {
        let message = format!("{} is to be replaced: {}", row.name, row.standing.in_words());
        return Some(Decision::wait(Operation::Replacing, Reason::WaitingForMember, message));
    }
    if !known && !broken {
        return refuse(format!("{}, and may be well", row.standing.in_words()));
    }
    if row.voter && !confirmed.bears_loss_of(id) {
        return refuse("too few other voters are well".to_owned());
    }
    if id == confirmed.leader_id {
        return Some(roll::hand_over(ground, confirmed, Operation::Replacing));
    }
    Some(discard::volume(ground, pod, ClaimReason::Ordered, Operation::Replacing))
}
