//! What is to be done: from spec, world and time to at most one step. Pure.
//!
//! ```text
//!   spec + World + now ─► deleting, foreign, paused, hibernate? ─► pods there? ─► found ─► recover ─► quorum?
//!     ─► broken ─► heal ─► finish ─► scale ─► roll ─► Plan          the first that has something decides
//! ```
//!
//! Rule: one step at a time, and none that takes away on anything but certain knowledge. Whatever is not done is told
//! as a `Hold`, with what to do about it. Reason: each step changes the world, so the next has to be decided on a new
//! look at it; and a crash between any two steps must find its way from what is there.

mod discard;
mod ensemble;
mod found;
mod heal;
mod hold;
mod image;
mod lost;
mod pods;
mod quorumless;
mod recover;
mod replace;
mod roll;
mod scale;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use ensemble::{Confirmed, Quorum, Row, Standing, current_id, quorum};
pub use hold::{Hold, Reason, Weight};
pub(crate) use image::used;
pub(crate) use roll::update_timeout;

use crate::crd::CoordinationClusterSpec;
use crate::step::Step;
use crate::world::{Moment, World};

/// What the operator itself knows: its own version and the versions of coordd that it can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Version that a cluster is founded with when its spec names none.
    pub default_version: String,
    /// Repository of the image whose tag is the version.
    pub image_repository: String,
    /// Known versions of coordd, each with the highest feature level that it understands.
    pub versions: Vec<(String, u32)>,
}

/// What is under way, in the words of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Founding,
    Recovering,
    Replacing,
    ScalingUp,
    ScalingDown,
    Rolling,
    Hibernating,
    Resuming,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Operation::Founding => "Founding",
            Operation::Recovering => "Recovering",
            Operation::Replacing => "Replacing",
            Operation::ScalingUp => "ScalingUp",
            Operation::ScalingDown => "ScalingDown",
            Operation::Rolling => "Rolling",
            Operation::Hibernating => "Hibernating",
            Operation::Resuming => "Resuming",
        }
    }
}

/// What may be applied of the objects that are safe in any state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Children {
    /// Nothing: paused, deleting, or names are taken by somebody else.
    Nothing,
    /// All but the StatefulSet: the bootstrap is not recorded yet, or the spec cannot be carried out as it is.
    WithoutMembers,
    /// All. `replicas` is the number of pods as it is (the number to begin with where there is no StatefulSet yet);
    /// only `Step::SetReplicas` changes it. `image` is what the template names.
    All { replicas: i32, image: String },
}

/// What is to be done now, and why no more than that.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub children: Children,
    pub step: Option<Step>,
    pub operation: Option<Operation>,
    pub holds: Vec<Hold>,
    /// When to look again at the latest.
    pub requeue: Duration,
}

impl Plan {
    /// Notes one more reason why not more is done.
    pub(crate) fn hold(&mut self, hold: Hold) {
        self.holds.push(hold);
        self.holds.sort_by_key(Hold::rank);
    }

    /// Notes that its step is not done, and why: who reads the status must not take it for being done.
    pub(crate) fn refuse(&mut self, reason: Reason, why: &str) {
        if let Some(step) = self.step.take() {
            self.hold(Hold::new(reason, format!("{step}: {why}")));
        }
    }
}

/// How often the ensemble is looked at when nothing is under way: it changes without Kubernetes hearing of it.
pub const STEADY: Duration = Duration::from_secs(15);
/// How often it is looked at while some member is not well: it comes back without Kubernetes hearing of it.
pub const ATTENTIVE: Duration = Duration::from_secs(3);
/// How often it is looked at while something is under way.
pub const BUSY: Duration = Duration::from_secs(1);

/// All that a decision is made from.
pub(crate) struct Ground<'a> {
    pub spec: &'a CoordinationClusterSpec,
    pub world: &'a World,
    pub operator: &'a Operator,
    pub now: Moment,
    /// Whether the spec can be carried out; otherwise what is there is kept and healed, and no more.
    pub valid: bool,
    /// Whether the version that it asks for is refused as too old for what the ensemble uses.
    pub downgrade: bool,
}

/// What one concern says.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub step: Option<Step>,
    pub operation: Option<Operation>,
    pub holds: Vec<Hold>,
}

impl Decision {
    pub(crate) fn act(operation: Operation, step: Step) -> Decision {
        Decision { step: Some(step), operation: Some(operation), holds: Vec::new() }
    }

    pub(crate) fn wait(operation: Operation, reason: Reason, message: impl Into<String>) -> Decision {
        Decision { step: None, operation: Some(operation), holds: vec![Hold::new(reason, message)] }
    }

    pub(crate) fn stop(reason: Reason, message: impl Into<String>) -> Decision {
        Decision { step: None, operation: None, holds: vec![Hold::new(reason, message)] }
    }
}

/// Decides.
pub fn plan(spec: &CoordinationClusterSpec, world: &World, operator: &Operator, now: Moment) -> Plan {
    if let Some(hold) = hands_off(spec, world) {
        return Plan { children: Children::Nothing, step: None, operation: None, holds: vec![hold], requeue: STEADY };
    }
    let image = image::image(spec, world, operator);
    let downgrade = image.as_ref().is_err_and(|hold| hold.reason == Reason::DowngradeRefused);
    let ground = Ground { spec, world, operator, now, valid: image.is_ok(), downgrade };
    let mut notes = Vec::new();
    if spec.replicas % 2 == 0 {
        notes.push(Hold::new(Reason::EvenReplicas, even(spec.replicas)));
    }
    let children = match image {
        Err(hold) => {
            notes.push(hold);
            Children::WithoutMembers
        }
        Ok(_) if world.bootstrap.is_none() => Children::WithoutMembers,
        Ok(image) => Children::All { replicas: pods::present(&ground), image },
    };
    let mut decision = decide(&ground, &mut notes);
    decision.holds.append(&mut notes);
    let Decision { step, operation, mut holds } = decision;
    holds.sort_by_key(Hold::rank);
    holds.dedup();
    let requeue = if step.is_some() || operation.is_some() {
        BUSY
    } else if holds.iter().any(|hold| awaits(hold.reason)) {
        ATTENTIVE
    } else {
        STEADY
    };
    Plan { children, step, operation, holds, requeue }
}

/// Whether a member is to answer otherwise before anything else can be done.
fn awaits(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WaitingForMember
            | Reason::WaitingForPods
            | Reason::MemberUnreachable
            | Reason::MemberBroken
            | Reason::QuorumUnknown
            | Reason::QuorumLost
            | Reason::Electing
    )
}

/// Why nothing at all is done.
fn hands_off(spec: &CoordinationClusterSpec, world: &World) -> Option<Hold> {
    if world.deleting {
        return Some(Hold::new(Reason::Deleting, "the cluster is being deleted"));
    }
    if !world.foreign.is_empty() {
        let taken = world.foreign.join(", ");
        let why = format!("{taken} was made by somebody else; delete or rename it, or give this cluster another name");
        return Some(Hold::new(Reason::ForeignObject, why));
    }
    spec.paused.then(|| Hold::new(Reason::Paused, "spec.paused is true: observing only; set it to false to go on"))
}

/// What is to be said of an even number of members.
pub(crate) fn even(replicas: i32) -> String {
    format!("{replicas} members bear the loss of no more than {} do; an odd number is better", replicas - 1)
}

fn decide(ground: &Ground<'_>, notes: &mut Vec<Hold>) -> Decision {
    if let Some(decision) = found::record(ground).or_else(|| pods::hibernate(ground)) {
        return decision;
    }
    let Some(id) = current_id(ground.world) else {
        return pods::raise(ground, None).or_else(|| found::found(ground)).unwrap_or_default();
    };
    let quorum = quorum(ground.world, id);
    if let Some(decision) = recover::recover(ground, id, &quorum, notes) {
        return decision;
    }
    let confirmed = match &quorum {
        Quorum::Confirmed(confirmed) => Some(confirmed),
        Quorum::Electing(_) | Quorum::Unknown(_) | Quorum::Lost(_) => None,
    };
    if let Some(decision) = pods::raise(ground, confirmed) {
        return decision;
    }
    match quorum {
        Quorum::Confirmed(confirmed) => with_quorum(ground, id, &confirmed, notes).unwrap_or_default(),
        Quorum::Electing(why) => quorumless::decide(ground, Reason::Electing, &why),
        Quorum::Unknown(why) => quorumless::decide(ground, Reason::QuorumUnknown, &why),
        Quorum::Lost(why) => quorumless::decide(ground, Reason::QuorumLost, &why),
    }
}

/// What is done while a majority of the voters is there, most urgent first.
fn with_quorum(ground: &Ground<'_>, id: &str, confirmed: &Confirmed<'_>, notes: &mut Vec<Hold>) -> Option<Decision> {
    heal::notes(ground, confirmed, notes);
    roll::broken(ground, confirmed)
        .or_else(|| heal::learners(ground, confirmed))
        .or_else(|| heal::voters(ground, id, confirmed))
        .or_else(|| replace::ordered(ground, confirmed, notes))
        .or_else(|| lost::replace(ground, confirmed, notes))
        .or_else(|| lost::going(ground, confirmed, notes))
        .or_else(|| scale::finish(ground, confirmed))
        .or_else(|| roll::unstick(ground, confirmed))
        .or_else(|| scale::scale(ground, id, confirmed))
        .or_else(|| roll::roll(ground, confirmed))
        .or_else(|| scale::overdue(ground, confirmed))
        .or_else(|| scale::leaving(ground, confirmed))
}
