//! Writes the status, and tells what has changed.
//!
//! Rule: the status is written only when it says something new, at the resource version that was looked at; an event
//! is told once, after the status that it comes from stands. Reason: a status written on top of another one may undo
//! a record, and what is told on every look is not read.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event as Told, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::Context;
use super::controller::full_name;
use super::failure::Failure;
use super::observe::Look;
use crate::crd::{ClusterStatus, CoordinationCluster};
use crate::names::manager;
use crate::plan::Plan;
use crate::status::{self, Event, Scene, changes, of_step, status};
use crate::step::Step;
use crate::world::Moment;

/// Kubernetes takes no longer note.
const NOTE_BYTES_MAX: usize = 1000;

/// What was looked at, and what came of it.
pub(crate) struct Seen<'a> {
    pub cluster: &'a CoordinationCluster,
    pub look: &'a Look,
    pub plan: &'a Plan,
    pub now: Moment,
    /// The step, if it was done.
    pub done: Option<&'a Step>,
}

/// Writes the status if it has changed; whether it had.
pub(crate) async fn report(context: &Context, seen: &Seen<'_>) -> Result<bool, Failure> {
    let before = seen.cluster.status.clone().unwrap_or_default();
    let after = status(&Scene {
        spec: &seen.cluster.spec,
        generation: seen.cluster.metadata.generation.unwrap_or(0),
        before: &before,
        world: &seen.look.world,
        plan: seen.plan,
        now: seen.now,
    });
    context.metrics.observed(&seen.look.world.name, &after, seconds(seen.now));
    let changed = after != before;
    let name = match &seen.plan.step {
        Some(step @ Step::Record(_)) => step.name(),
        _ => "status",
    };
    let written = if changed { write(context, seen.cluster, name, &after).await } else { Ok(()) };
    // A step that was done is told even when the status could not be written: it will not be done again.
    let mut events: Vec<Event> = seen.done.and_then(of_step).into_iter().collect();
    if written.is_ok() {
        events.extend(changes(&before, &after));
    }
    for event in events {
        tell(context, &seen.cluster.object_ref(&()), event).await;
    }
    written.map(|()| changed)
}

/// Writes that the cluster could not be looked at, and why.
pub(crate) async fn unseen(
    context: &Context,
    cluster: &CoordinationCluster,
    why: &Failure,
    now: Moment,
) -> Result<(), Failure> {
    let before = cluster.status.clone().unwrap_or_default();
    let after = status::unseen(&before, &why.to_string(), now);
    context.metrics.shown(&full_name(cluster), &after);
    if after == before { Ok(()) } else { write(context, cluster, "status", &after).await }
}

/// In whole seconds, as Prometheus counts.
pub(crate) fn seconds(now: Moment) -> i64 {
    now.0 / 1000
}

async fn write(
    context: &Context,
    cluster: &CoordinationCluster,
    name: &str,
    status: &ClusterStatus,
) -> Result<(), Failure> {
    let meta = &cluster.metadata;
    let api: Api<CoordinationCluster> = Api::namespaced(context.client.clone(), &full_name(cluster).namespace);
    let patch = Patch::Apply(json!({
        "apiVersion": CoordinationCluster::api_version(&()),
        "kind": CoordinationCluster::kind(&()),
        "metadata": {"name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version},
        "status": status,
    }));
    let params = PatchParams::apply(manager::STATUS).force();
    context.gate.write(name, api.patch_status(&cluster.name_any(), &params, &patch)).await.map(drop)
}

/// Tells an event; that it could not be told changes nothing.
pub(crate) async fn tell(context: &Context, about: &ObjectReference, event: Event) {
    tracing::info!(reason = event.reason, "{}", event.note);
    let told = Told {
        type_: if event.warning { EventType::Warning } else { EventType::Normal },
        reason: event.reason,
        note: Some(shorten(event.note)),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    if let Err(failure) = context.gate.write("event", context.teller.tell(&told, about)).await {
        tracing::warn!(%failure, "an event could not be told");
    }
}

fn shorten(mut note: String) -> String {
    if note.len() > NOTE_BYTES_MAX {
        let end = (0..=NOTE_BYTES_MAX - 3).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0);
        note.truncate(end);
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(shorten("short".to_owned()), "short");
        let long = shorten("ä".repeat(900));
        assert!(long.len() <= NOTE_BYTES_MAX && long.ends_with("ä…"), "{}", long.len());
    }
}
