//! `operator manifests`: what the chart installs, for those without Helm.
//!
//! ```text
//!   Options ─► Namespace, CRDs, ServiceAccount, rights, Deployment, Service, budget, NetworkPolicy ─► kubectl apply
//! ```
//!
//! Rule: the same objects as the chart's with its default values, held together by a test. Reason: two ways to install
//! that differ are one that is tested and one that is not.

mod access;
mod deployment;

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResourceExt;
use serde::Serialize;

use crate::crd::{CoordinationCluster, ServiceProjection};
use crate::names::label;

/// Name of all objects that belong to the operator itself.
pub(crate) const NAME: &str = "coordd-operator";

/// Print the manifests that install the operator.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Namespace of the operator.
    #[arg(long, default_value = "coordd-system", value_name = "NAME")]
    pub namespace: String,
    /// The operator's image.
    #[arg(long, default_value = concat!("coordd/operator:", env!("CARGO_PKG_VERSION")), value_name = "IMAGE")]
    pub image: String,
    /// Repository of coordd's image; its tag is the version.
    #[arg(long, default_value = "coordd/coordd", value_name = "NAME")]
    pub image_repository: String,
    /// Namespaces whose clusters are kept, comma-separated; all when not given.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub watch_namespaces: Vec<String>,
    /// Whether ServiceProjections are kept; they need more rights.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub projections: bool,
    /// Number of operators, of which one acts.
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub replicas: i32,
}

/// The documents, in the order in which they are to be applied.
///
/// # Errors
/// When an object cannot be written as YAML.
pub fn manifests(options: &Options) -> Result<Vec<String>, serde_yaml::ser::Error> {
    let mut out = Documents(Vec::new());
    out.add(&namespace(options))?;
    out.add(&CoordinationCluster::crd())?;
    out.add(&ServiceProjection::crd())?;
    access::add(options, &mut out)?;
    deployment::add(options, &mut out)?;
    Ok(out.0)
}

struct Documents(Vec<String>);

impl Documents {
    fn add(&mut self, object: &impl Serialize) -> Result<(), serde_yaml::ser::Error> {
        self.0.push(serde_yaml::to_string(object)?);
        Ok(())
    }
}

fn meta(name: &str) -> ObjectMeta {
    let labels = [
        (label::NAME, label::OPERATOR_VALUE),
        (label::INSTANCE, NAME),
        (label::PART_OF, label::NAME_VALUE),
        (label::COMPONENT, "operator"),
    ];
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..ObjectMeta::default()
    }
}

fn within(namespace: &str, metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta { namespace: Some(namespace.to_owned()), ..metadata }
}

/// The operator's own pods are as restricted as its members'.
fn namespace(options: &Options) -> Namespace {
    let mut metadata = meta(&options.namespace);
    let enforced = ("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned());
    metadata.labels.get_or_insert_default().extend([enforced]);
    Namespace { metadata, ..Namespace::default() }
}
