//! The pod template. Whatever changes here restarts the members.
//!
//! Rule: it is made of the spec and the image alone, no version of the operator, no hash of a Secret or a ConfigMap.
//! Reason: an upgrade of the operator, or a Secret that is read anew, restarts nobody.

use k8s_openapi::api::core::v1::{
    KeyToPath, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecretVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::meta::{Owner, Words};
use super::{container, scheduling};
use crate::crd::CoordinationClusterSpec;
use crate::names::{annotation, file};

/// Nobody in particular: the image holds no user database.
const USER: i64 = 65_532;
/// The drain before the stop and the one on SIGTERM take ten seconds each at most.
const GRACE_SECONDS: i64 = 30;
/// The Secret's files can be read by the group, which is the pod's, and by nobody else.
const GROUP_READS: i32 = 0o440;

pub(super) fn template(owner: &Owner, spec: &CoordinationClusterSpec, image: &str) -> PodTemplateSpec {
    let added = &spec.pod_template;
    let mut annotations: Words = added.annotations.clone();
    if let Some(at) = &spec.restart_at {
        annotations.insert(annotation::RESTARTED_AT.to_owned(), at.clone());
    }
    let placed = &spec.scheduling;
    let pod = PodSpec {
        containers: vec![container::coordd(owner, spec, image)],
        volumes: Some(vec![secrets(owner)]),
        security_context: Some(security()),
        service_account_name: added.service_account_name.clone(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: (!added.image_pull_secrets.is_empty()).then(|| added.image_pull_secrets.clone()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        affinity: scheduling::affinity(owner, placed.anti_affinity),
        topology_spread_constraints: scheduling::zones(owner, placed.zone_spread),
        node_selector: (!placed.node_selector.is_empty()).then(|| placed.node_selector.clone()),
        tolerations: (!placed.tolerations.is_empty()).then(|| placed.tolerations.clone()),
        priority_class_name: placed.priority_class_name.clone(),
        ..PodSpec::default()
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(owner.labels(&added.labels)),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(pod),
    }
}

/// As Pod Security's level `restricted` wants it.
fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

fn secrets(owner: &Owner) -> Volume {
    let item = |key: &str| KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None };
    Volume {
        name: file::SECRETS_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(owner.name.secret()),
            items: Some(vec![item(file::ADMIN_TOKEN), item(file::PEER_SECRET)]),
            default_mode: Some(GROUP_READS),
            optional: Some(false),
        }),
        ..Volume::default()
    }
}
