//! Pods: how far each has come.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{label, moment, text};
use crate::names::label as names;
use crate::names::{ClusterName, file};
use crate::world::{self, Asked, Moment, PodState};

/// A member's pod, not asked yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenPod {
    pub cluster: ClusterName,
    /// Uid of the cluster that it was made for.
    pub cluster_uid: String,
    pub pod: world::Pod,
}

/// `None` for what is no member of a cluster by its labels and its name.
pub(crate) fn pod(pod: &Pod) -> Option<SeenPod> {
    let meta = &pod.metadata;
    let cluster = ClusterName::new(meta.namespace.clone()?, label(meta, names::INSTANCE)?);
    let name = meta.name.clone()?;
    let ordinal = cluster.ordinal_of(&name)?;
    let status = pod.status.clone().unwrap_or_default();
    let created = meta.creation_timestamp.as_ref().map_or(Moment(0), moment);
    let ready = condition(&status, "Ready");
    let since = |wanted: &str| {
        let held = ready.filter(|condition| condition.status == wanted)?;
        Some(held.last_transition_time.as_ref().map_or(created, moment))
    };
    let state = state(&status, created);
    Some(SeenPod {
        cluster_uid: label(meta, names::CLUSTER_UID).unwrap_or_default().to_owned(),
        pod: world::Pod {
            ordinal,
            uid: text(meta.uid.as_ref()),
            resource_version: text(meta.resource_version.as_ref()),
            revision: label(meta, names::REVISION).unwrap_or_default().to_owned(),
            created,
            deleting: deleting(meta),
            ready_since: since("True"),
            unready_since: since("False"),
            // The address of a pod that has ended may be another's by now.
            ip: status.pod_ip.clone().filter(|ip| !ip.is_empty() && state != PodState::Ended),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|node| !node.is_empty()),
            asked: Asked::NotYet,
            state,
            name,
        },
        cluster,
    })
}

/// The mark of deletion names the moment at which the pod's grace ends.
fn deleting(meta: &ObjectMeta) -> Option<Moment> {
    let ends = moment(meta.deletion_timestamp.as_ref()?);
    Some(Moment(ends.0 - meta.deletion_grace_period_seconds.unwrap_or(0) * 1000))
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn state(status: &PodStatus, created: Moment) -> PodState {
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        return PodState::Ended;
    }
    if let Some(unscheduled) = condition(status, "PodScheduled").filter(|condition| condition.status == "False") {
        let why = unscheduled.message.clone().or_else(|| unscheduled.reason.clone()).unwrap_or_default();
        let since = unscheduled.last_transition_time.as_ref().map_or(created, moment);
        return PodState::Unschedulable { why, since };
    }
    let containers = status.container_statuses.iter().flatten();
    match containers.into_iter().find(|container| container.name == file::CONTAINER) {
        Some(container) => container_state(container),
        None => PodState::Starting,
    }
}

fn container_state(container: &ContainerStatus) -> PodState {
    let Some(state) = &container.state else { return PodState::Starting };
    if state.running.is_some() {
        return PodState::Running;
    }
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let reason = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    let message = state.waiting.as_ref().and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
    if is_broken(reason) {
        let why = if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") };
        return PodState::Broken { why, exit: last.map(|ended| ended.exit_code) };
    }
    PodState::Starting
}

fn is_broken(reason: &str) -> bool {
    matches!(
        reason,
        "CrashLoopBackOff" | "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName"
    ) || (reason.starts_with("CreateContainer") && reason.ends_with("Error"))
        || reason == "RunContainerError"
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: Value) -> world::Pod {
        let object = json!({
            "metadata": {
                "namespace": "shop", "name": "orders-1", "uid": "u", "resourceVersion": "7",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {
                    "app.kubernetes.io/instance": "orders", "coordd.dev/cluster-uid": "c",
                    "controller-revision-hash": "r1"
                }
            },
            "spec": {"containers": [], "nodeName": "n1"},
            "status": status
        });
        pod(&serde_json::from_value(object).unwrap()).unwrap().pod
    }

    fn state_of(container: Value) -> PodState {
        seen(json!({"phase": "Running", "containerStatuses": [{
            "name": "coordd", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": container,
            "lastState": {"terminated": {"exitCode": 3}}
        }]}))
        .state
    }

    #[test]
    fn a_container_that_waits_for_no_good_end_is_broken() {
        for reason in [
            "CrashLoopBackOff",
            "ImagePullBackOff",
            "ErrImagePull",
            "CreateContainerConfigError",
            "CreateContainerError",
            "InvalidImageName",
        ] {
            let state = state_of(json!({"waiting": {"reason": reason, "message": "because"}}));
            assert_eq!(state, PodState::Broken { why: format!("{reason}: because"), exit: Some(3) });
        }
        assert_eq!(state_of(json!({"waiting": {"reason": "ContainerCreating"}})), PodState::Starting);
        assert_eq!(state_of(json!({"terminated": {"exitCode": 1}})), PodState::Starting, "it is about to be restarted");
        assert_eq!(state_of(json!({"running": {}})), PodState::Running);
    }

    #[test]
    fn a_pod_without_a_node_says_why_and_since_when() {
        let pod = seen(json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
            "lastTransitionTime": "2026-01-01T00:00:05Z"
        }]}));
        let since = Moment(pod.created.0 + 5000);
        assert_eq!(pod.state, PodState::Unschedulable { why: "0/3 nodes".into(), since });
    }

    #[test]
    fn a_pod_that_has_ended_has_no_address_to_ask() {
        let pod = seen(json!({"phase": "Failed", "podIP": "10.0.0.1"}));
        assert_eq!((pod.state, pod.ip), (PodState::Ended, None));
        assert_eq!(seen(json!({"phase": "Running", "podIP": "10.0.0.1"})).ip.as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn readiness_carries_the_moment_of_its_last_change() {
        let ready = |status: &str| {
            let pod = seen(json!({"conditions": [{
                "type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:09Z"
            }]}));
            (pod.ready_since.map(|at| at.0 - pod.created.0), pod.unready_since.map(|at| at.0 - pod.created.0))
        };
        assert_eq!(ready("True"), (Some(9000), None));
        assert_eq!(ready("False"), (None, Some(9000)));
        assert_eq!(ready("Unknown"), (None, None));
    }

    #[test]
    fn deletion_began_its_grace_before_the_mark() {
        let mut object: Pod = serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop", "name": "orders-1", "deletionTimestamp": "2026-01-01T00:00:30Z",
                "deletionGracePeriodSeconds": 30, "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app.kubernetes.io/instance": "orders"}
            }
        }))
        .unwrap();
        let seen = pod(&object).unwrap().pod;
        assert_eq!(seen.deleting, Some(seen.created));
        object.metadata.name = Some("orders-x".to_owned());
        assert!(pod(&object).is_none(), "no member has that name");
    }
}
