//! What is under way, from its first step until all members that it moved serve again.
//!
//! ```text
//!   plan: Rolling … Rolling ─► plan: nothing more to do; the last one starts ─► still Rolling ─► all serve: ended
//! ```
//!
//! Rule: an operation outlasts its last step while a member is on its way up or an election is under way, and a member
//! is on its way for no longer than `update.timeout`. Reason: who waits for the end of a roll waits for its last member
//! too, and a member that is away because it was told to is no alarm.

use std::time::Duration;

use super::{Scene, time};
use crate::crd::{MemberStatus, OperationStatus, SeenHealth};
use crate::plan::{Hold, Operation, Weight, update_timeout};
use crate::step::Step;

/// What is done to the ensemble, and whether members are away because of it.
pub(super) struct UnderWay {
    pub operation: Option<OperationStatus>,
    /// Whoever is away was told to, and is on its way up or down.
    pub expected: bool,
}

impl UnderWay {
    pub(super) fn of(scene: &Scene<'_>, members: &[MemberStatus]) -> UnderWay {
        let operation = planned(scene).or_else(|| lasting(scene, members));
        let told = [
            Operation::Founding,
            Operation::ScalingUp,
            Operation::Rolling,
            Operation::Hibernating,
            Operation::Resuming,
        ];
        let expected = operation.as_ref().is_some_and(|one| told.into_iter().any(|told| one.is(told)));
        UnderWay { operation, expected: expected && away(members).all(|member| is_on_its_way(scene, member)) }
    }

    pub(super) fn is(&self, operation: Operation) -> bool {
        self.operation.as_ref().is_some_and(|one| one.is(operation))
    }
}

impl OperationStatus {
    fn is(&self, operation: Operation) -> bool {
        self.type_ == operation.name()
    }
}

/// What the plan waits for, if it waits.
pub(super) fn waits<'a>(scene: &Scene<'a>) -> Option<&'a Hold> {
    scene.plan.holds.iter().find(|hold| hold.reason.weight() != Weight::Advice)
}

fn planned(scene: &Scene<'_>) -> Option<OperationStatus> {
    let before = scene.before.operation.as_ref();
    let operation = match (scene.plan.operation?, &scene.plan.step) {
        // Once the lost one is out, the vote of the one in its place looks like that of one more.
        (Operation::ScalingUp, Some(Step::Promote { .. }))
            if before.is_some_and(|one| one.is(Operation::Replacing)) =>
        {
            Operation::Replacing
        }
        (operation, _) => operation,
    };
    let type_ = operation.name().to_owned();
    let step = scene.plan.step.as_ref().map(ToString::to_string);
    let step = step.or_else(|| waits(scene).map(|hold| hold.message.clone())).unwrap_or_default();
    let before = before.filter(|before| before.type_ == type_);
    let started_at = before.map_or_else(|| time(scene.now), |before| before.started_at.clone());
    Some(OperationStatus { type_, step, started_at })
}

/// The operation of before, for as long as its members are on their way.
fn lasting(scene: &Scene<'_>, members: &[MemberStatus]) -> Option<OperationStatus> {
    let before = scene.before.operation.as_ref().filter(|before| !before.is(Operation::Hibernating))?;
    let waits_only =
        scene.plan.holds.iter().all(|hold| matches!(hold.reason.weight(), Weight::Waiting | Weight::Advice));
    let names: Vec<_> = away(members).map(|member| member.name.as_str()).collect();
    let lasts = waits_only && !names.is_empty() && away(members).all(|member| is_on_its_way(scene, member));
    lasts.then(|| OperationStatus { step: format!("waiting for {} to serve", names.join(", ")), ..before.clone() })
}

fn away(members: &[MemberStatus]) -> impl Iterator<Item = &MemberStatus> {
    members.iter().filter(|member| member.healthy != SeenHealth::True)
}

fn is_on_its_way(scene: &Scene<'_>, member: &MemberStatus) -> bool {
    let since = member.last_transition_time.as_ref().map_or(scene.now.0, |since| since.0.as_millisecond());
    let lasts = Duration::from_millis(u64::try_from(scene.now.0.saturating_sub(since)).unwrap_or(0));
    lasts <= update_timeout(scene.spec)
}
