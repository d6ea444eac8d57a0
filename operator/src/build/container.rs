//! The container `coordd`: how a member is started, asked how it is, and sent away.
//!
//! ```text
//!   startup: /livez until the log is read ─► liveness: /livez, this process alone   readiness: /readyz, for clients
//!   stop: `coordd drain` (readiness off, leadership moved, clients closed) ─► SIGTERM
//! ```
//!
//! Rule: liveness never depends on the ensemble. Reason: survivors of a lost quorum that are restarted lose what they
//! know and gain nothing.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe,
    ResourceRequirements, SecurityContext, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::Owner;
use super::settings;
use crate::crd::{CoordinationClusterSpec, Resources};
use crate::names::{ADMIN_PORT, CLIENT_PORT, HTTP_PORT, PEER_PORT, file, port};

const PROGRAM: &str = "/coordd";
/// The member's share of the grace period; SIGTERM drains once more.
const DRAIN_TIMEOUT: &str = "10s";
/// How long reading a log may take, one second a try.
const STARTUP_TRIES: i32 = 900;

pub(super) fn coordd(owner: &Owner, spec: &CoordinationClusterSpec, image: &str) -> Container {
    Container {
        name: file::CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec![PROGRAM.to_owned()]),
        args: Some(arguments(owner)),
        env: Some(settings::environment(spec)),
        ports: Some(ports()),
        resources: Some(resources(&spec.resources)),
        startup_probe: Some(Probe { failure_threshold: Some(STARTUP_TRIES), ..probe("/livez", 1, 2) }),
        liveness_probe: Some(Probe { failure_threshold: Some(6), ..probe("/livez", 10, 5) }),
        readiness_probe: Some(Probe { failure_threshold: Some(2), ..probe("/readyz", 2, 2) }),
        lifecycle: Some(Lifecycle { pre_stop: Some(drain()), ..Lifecycle::default() }),
        security_context: Some(security()),
        volume_mounts: Some(mounts()),
        ..Container::default()
    }
}

/// A member is known by its pod's name and never by an address; no `--ensemble`: whether there is one is told to it.
fn arguments(owner: &Owner) -> Vec<String> {
    let pod = format!("$({})", settings::POD_NAME);
    let advertised = owner.name.peer_addr(&pod);
    ["serve", "--name", &pod, "--data-dir", file::DATA_DIR, "--advertise-peer", &advertised].map(str::to_owned).into()
}

fn ports() -> Vec<ContainerPort> {
    let named =
        [(port::CLIENT, CLIENT_PORT), (port::PEER, PEER_PORT), (port::HTTP, HTTP_PORT), (port::ADMIN, ADMIN_PORT)];
    let port = |(name, number): (&str, u16)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    named.into_iter().map(port).collect()
}

fn resources(wanted: &Resources) -> ResourceRequirements {
    ResourceRequirements {
        requests: (!wanted.requests.is_empty()).then(|| wanted.requests.clone()),
        limits: (!wanted.limits.is_empty()).then(|| wanted.limits.clone()),
        ..ResourceRequirements::default()
    }
}

/// Asks a path of the HTTP port, of members and of the operator alike.
pub(crate) fn probe(path: &str, period_seconds: i32, timeout_seconds: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port::HTTP.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(timeout_seconds),
        ..Probe::default()
    }
}

fn drain() -> LifecycleHandler {
    let token = format!("{}/{}", file::SECRETS_DIR, file::ADMIN_TOKEN);
    let command = [PROGRAM, "drain", "--timeout", DRAIN_TIMEOUT, "--token-file", &token];
    LifecycleHandler {
        exec: Some(ExecAction { command: Some(command.map(str::to_owned).into()) }),
        ..LifecycleHandler::default()
    }
}

fn security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
        ..SecurityContext::default()
    }
}

fn mounts() -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    vec![mount(file::DATA_VOLUME, file::DATA_MOUNT, None), mount(file::SECRETS_VOLUME, file::SECRETS_DIR, Some(true))]
}
