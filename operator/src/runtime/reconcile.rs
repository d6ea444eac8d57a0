//! One look at one cluster, and what follows from it.
//!
//! ```text
//!   observe ─► plan ─► claims, Secret, children ─► the one step ─► status and events ─► when to look again
//! ```
//!
//! Rule: each stage hands on what it found and none decides. A write that comes late ends the look, and it begins
//! anew. Reason: what was planned on a world that has moved is not worth finishing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use tracing::Instrument;

use super::act::{Outcome, act};
use super::apply::Done;
use super::backoff::jitter;
use super::children::ChildKind;
use super::controller::{Looked, full_name};
use super::failure::Failure;
use super::observe::{Look, observe};
use super::report::{self, report, seconds};
use super::shelves::Calls;
use super::{Context, Guarded, apply, claims, secret};
use crate::build::{Ground, build};
use crate::crd::CoordinationCluster;
use crate::names::ClusterName;
use crate::plan::{Children, Plan, Reason, plan};
use crate::step::Step;
use crate::world::{Moment, Seen};

/// Until the watches have shown what was just written.
const SOON: Duration = Duration::from_millis(50);
/// Until they have shown what somebody else has written.
const AGAIN: Duration = Duration::from_millis(250);
/// A member that refuses may think better of it.
const REFUSED: Duration = Duration::from_secs(1);
/// What Kubernetes forbids it may allow later, when somebody has seen why.
const FORBIDDEN: Duration = Duration::from_secs(10);
/// An object that cannot be read is looked at again when it changes, and else rarely.
const UNREADABLE: Duration = Duration::from_secs(300);

async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Failure> {
    let name = full_name(&*object);
    let span = tracing::info_span!("reconcile", cluster = %name);
    async {
        let began = Instant::now();
        context.metrics.begun(&name, seconds(now()));
        let looked = match &object.0 {
            Ok(cluster) => look(&context, cluster).await,
            Err(unreadable) => Err(Failure::Unreadable(unreadable.error.clone())),
        };
        let looked = match looked {
            Err(failure) if failure.is_late() || failure.is_early() => {
                tracing::debug!(%failure, "what was looked at has moved, or is not there yet");
                Ok(AGAIN)
            }
            looked => looked,
        };
        context.metrics.reconciled(began.elapsed(), looked.as_ref().err().map(Failure::kind));
        match &looked {
            Ok(_) => context.failures.clear(&name),
            Err(failure) => tracing::warn!(%failure, "the look failed; another follows"),
        }
        looked.map(|wait| Action::requeue(jitter(wait)))
    }
    .instrument(span)
    .await
}

impl Looked for CoordinationCluster {
    const PLURAL: &'static str = "coordinationclusters";
    const DEBOUNCE: Duration = Duration::from_millis(30);

    fn calls(context: &Context) -> Arc<Calls> {
        Arc::clone(&context.shelves.calls)
    }

    async fn look(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Failure> {
        reconcile(object, context).await
    }

    fn after_failure(object: Arc<Guarded>, failure: &Failure, context: Arc<Context>) -> Action {
        Action::requeue(match failure {
            Failure::Unreadable(_) => jitter(UNREADABLE),
            _ => context.failures.note(&full_name(&*object)),
        })
    }

    fn forget(context: &Context, name: &ClusterName) {
        context.metrics.forget(name);
        context.applied.forget(name);
        context.failures.clear(name);
    }
}

fn now() -> Moment {
    Moment(k8s_openapi::jiff::Timestamp::now().as_millisecond())
}

async fn look(context: &Context, cluster: &CoordinationCluster) -> Result<Duration, Failure> {
    let observed = observe(context, cluster).await;
    let now = now();
    if let Err(failure) = &observed
        && failure.blinds()
        && let Err(unwritten) = report::unseen(context, cluster, failure, now).await
    {
        tracing::debug!(%unwritten, "that it cannot be looked at could not be written");
    }
    let mut look = observed?;
    let mut plan = plan(&cluster.spec, &look.world, &context.operator, now);
    let applied = children(context, cluster, &mut look, &plan).await?;
    if let Some(set) = applied.set {
        // What was planned on is not there any more, and nobody may hear that the new template runs everywhere.
        look.children.present.insert(ChildKind::StatefulSet, set.child);
        look.world.stateful_set = Seen::There(set.set);
        plan = crate::plan::plan(&cluster.spec, &look.world, &context.operator, now);
    }
    applied.refused.into_iter().for_each(|hold| plan.hold(hold));
    let outcome = match &plan.step {
        None | Some(Step::Record(_)) => None,
        Some(step) => Some(carry_out(context, cluster, &look, step).await?),
    };
    match &outcome {
        Some(Outcome::Refused(why)) => plan.refuse(Reason::WaitingForMember, why),
        Some(Outcome::Forbidden(why)) => plan.refuse(Reason::Forbidden, why),
        None | Some(Outcome::Done | Outcome::Again(_)) => {}
    }
    let done = plan.step.as_ref().filter(|_| outcome == Some(Outcome::Done));
    let changed = report(context, &report::Seen { cluster, look: &look, plan: &plan, now, done }).await?;
    Ok(match outcome {
        Some(Outcome::Done) => SOON,
        Some(Outcome::Again(_)) => AGAIN,
        Some(Outcome::Refused(_)) => REFUSED.min(plan.requeue),
        Some(Outcome::Forbidden(_)) => FORBIDDEN,
        None if changed && plan.step.is_some() => SOON,
        None => plan.requeue,
    })
}

/// Whatever is safe in any state.
async fn children(
    context: &Context,
    cluster: &CoordinationCluster,
    look: &mut Look,
    plan: &Plan,
) -> Result<Done, Failure> {
    let members = match &plan.children {
        Children::Nothing => return Ok(Done::default()),
        Children::WithoutMembers => None,
        Children::All { replicas, image } => Some(crate::build::Members { replicas: *replicas, image: image.clone() }),
    };
    // First, and whatever becomes of the others: what a deletion does to the volumes is what stands on the claims.
    let noted = claims::note(context, cluster, &mut look.world, &look.claims).await;
    let done = apply_children(context, cluster, look, members).await?;
    noted.map(|()| done)
}

async fn apply_children(
    context: &Context,
    cluster: &CoordinationCluster,
    look: &Look,
    members: Option<crate::build::Members>,
) -> Result<Done, Failure> {
    if let Err(failure) = secret::make(context, cluster, &look.secrets).await {
        // No member starts without it, and why it cannot be made has to be told.
        return failure.refused().map(|hold| Done { refused: vec![hold], set: None }).ok_or(failure);
    }
    let ground = Ground { members, operator_namespace: context.namespace.clone() };
    let desired = build(cluster, &ground);
    // On the heap: it holds every object of the cluster.
    Box::pin(apply::apply(context, &look.world.name, &look.children, desired)).await
}

async fn carry_out(
    context: &Context,
    cluster: &CoordinationCluster,
    look: &Look,
    step: &Step,
) -> Result<Outcome, Failure> {
    let outcome = act(context, cluster, look, step).await;
    match &outcome {
        Ok(Outcome::Done) if step.takes_away() => tracing::warn!(step = step.name(), "done: {step}"),
        Ok(Outcome::Done) => tracing::info!(step = step.name(), "done: {step}"),
        Ok(Outcome::Again(why)) => tracing::info!(step = step.name(), why, "not now: {step}"),
        Ok(Outcome::Refused(why) | Outcome::Forbidden(why)) => {
            tracing::warn!(step = step.name(), why, "refused: {step}")
        }
        Err(failure) => tracing::warn!(step = step.name(), %failure, "failed: {step}"),
    }
    outcome
}
