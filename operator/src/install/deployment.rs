//! The operator's own pods: two, of which one acts.
//!
//! Rule: the image's tag is the operator's version and nothing of a cluster stands here. Reason: the operator is
//! upgraded by changing one line, and that restarts the operator alone.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, ObjectFieldSelector, PodAffinityTerm,
    PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecurityContext, Service, ServicePort, ServiceSpec, WeightedPodAffinityTerm,
};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Documents, NAME, Options, meta, within};
use crate::build::probe;
use crate::crd::projection::PRIVATE_NETWORKS;
use crate::names::{HTTP_PORT, label, port};

const USER: i64 = 65_532;
/// Giving the Lease back takes a moment; the other replica acts then at once.
const GRACE_SECONDS: i64 = 10;

pub(super) fn add(options: &Options, out: &mut Documents) -> Result<(), serde_yaml::ser::Error> {
    out.add(&deployment(options))?;
    out.add(&service(options))?;
    out.add(&budget(options))?;
    out.add(&network_policy(options))
}

fn selector() -> LabelSelector {
    let words = [(label::NAME, label::OPERATOR_VALUE), (label::INSTANCE, NAME)];
    let labels = words.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

fn deployment(options: &Options) -> Deployment {
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        affinity: Some(apart()),
        containers: vec![container(options)],
        ..PodSpec::default()
    };
    let metadata = ObjectMeta { labels: meta(NAME).labels, ..ObjectMeta::default() };
    Deployment {
        metadata: within(&options.namespace, meta(NAME)),
        spec: Some(DeploymentSpec {
            replicas: Some(options.replicas),
            selector: selector(),
            template: PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn apart() -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(selector()),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let wish = WeightedPodAffinityTerm { pod_affinity_term: term, weight: 100 };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![wish]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container(options: &Options) -> Container {
    let amounts = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect())
    };
    Container {
        name: "operator".to_owned(),
        image: Some(options.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["/operator".to_owned()]),
        args: Some(vec!["run".to_owned()]),
        env: Some(environment(options)),
        ports: Some(vec![ContainerPort {
            name: Some(port::HTTP.to_owned()),
            container_port: HTTP_PORT.into(),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: amounts(&[("cpu", "50m"), ("memory", "64Mi")]),
            limits: amounts(&[("memory", "256Mi")]),
            ..ResourceRequirements::default()
        }),
        liveness_probe: Some(Probe { failure_threshold: Some(3), ..probe("/livez", 10, 5) }),
        readiness_probe: Some(probe("/readyz", 5, 5)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn environment(options: &Options) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { api_version: None, field_path: path.to_owned() }),
            ..EnvVarSource::default()
        }),
    };
    let value =
        |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None };
    vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        value("COORDD_OPERATOR_NAMESPACES", &options.watch_namespaces.join(",")),
        value("COORDD_OPERATOR_LEASE", NAME),
        value("COORDD_OPERATOR_IMAGE_REPOSITORY", &options.image_repository),
        value("COORDD_OPERATOR_PROJECTIONS", if options.projections { "true" } else { "false" }),
        value("COORDD_OPERATOR_PROJECTION_ALLOWED_CIDRS", &PRIVATE_NETWORKS.join(",")),
        value("COORDD_OPERATOR_LOG_LEVEL", "info"),
        value("COORDD_OPERATOR_LOG_FORMAT", "json"),
    ]
}

fn service(options: &Options) -> Service {
    Service {
        metadata: within(&options.namespace, meta(NAME)),
        spec: Some(ServiceSpec {
            selector: selector().match_labels,
            ports: Some(vec![ServicePort {
                name: Some(port::HTTP.to_owned()),
                port: HTTP_PORT.into(),
                target_port: Some(IntOrString::String(port::HTTP.to_owned())),
                protocol: Some("TCP".to_owned()),
                app_protocol: Some("http".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn budget(options: &Options) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: within(&options.namespace, meta(NAME)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

/// Health and metrics are all that the operator serves.
fn network_policy(options: &Options) -> NetworkPolicy {
    let http = NetworkPolicyPort {
        port: Some(IntOrString::Int(HTTP_PORT.into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: within(&options.namespace, meta(NAME)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector()),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule { from: None, ports: Some(vec![http]) }]),
            egress: None,
        }),
    }
}
