//! What tells a projection's objects: labels, annotations, owners.
//!
//! Rule: an object is a projection's when the label says that a projection made it and the controller's uid says
//! which. Reason: a name alone may be anybody's, and so may a label.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;

use super::world::Owned;
use crate::crd::ServiceProjection;
use crate::names::label::{MANAGED_BY, PART_OF};

/// Value of `app.kubernetes.io/managed-by` on all that a projection makes.
pub const MANAGED: &str = "coordd-projection";
/// Value of `endpointslice.kubernetes.io/managed-by`: keeps the controllers of Kubernetes away.
pub const SLICES_MANAGED: &str = "projections.coordd.dev";
/// Name of the projection.
pub const PROJECTION: &str = "coordd.dev/projection";

pub const SLICE_SERVICE: &str = "kubernetes.io/service-name";
pub const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
pub const HEADLESS: &str = "service.kubernetes.io/headless";

/// Where the facts come from: `NAMESPACE/CLUSTER/PATH`.
pub const SOURCE: &str = "coordd.dev/source";
/// The newest change of the znodes when it was written.
pub const ZXID: &str = "coordd.dev/source-zxid";
/// Id of the ensemble in which that change has its number.
pub const ENSEMBLE: &str = "coordd.dev/source-ensemble";
/// How often the operator's Lease had changed hands when it was written.
pub const TERM: &str = "coordd.dev/lease-transitions";
/// What of it was applied, as a hash.
pub const APPLIED: &str = "coordd.dev/applied";
/// In a ConfigMap: how many separators of a key stand for a `/`, from the first on; all, where nothing is said.
pub const DEPTH: &str = "coordd.dev/depth";
/// In a ConfigMap: of keys that are not those of the znodes that they spell by that, whose they are; as JSON.
pub const HOLDERS: &str = "coordd.dev/holders";
/// Who leads, as a token that only grows.
pub const FENCING_TOKEN: &str = "coordd.dev/fencing-token";
/// In an instance's metadata: the operator itself has registered it.
pub const REGISTERED_BY: &str = "coordd.dev/registered-by";

/// The resource version of no object: what is applied with it is made, or refused where there is one.
pub const NEW: &str = "1";

/// What a projection writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Service,
    Slice,
    ConfigMap,
    Lease,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Service => "Service",
            Kind::Slice => "EndpointSlice",
            Kind::ConfigMap => "ConfigMap",
            Kind::Lease => "Lease",
        })
    }
}

/// FNV-1a: the same in every release, as names made of it must be.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The hash of what is applied.
pub(super) fn applied(body: &impl Serialize) -> String {
    format!("{:016x}", hash(&serde_json::to_string(body).unwrap_or_default()))
}

/// The labels of all that `projection` makes.
pub(super) fn labels(projection: &str) -> BTreeMap<String, String> {
    let words = [(MANAGED_BY, MANAGED), (PART_OF, "coordd"), (PROJECTION, projection)];
    words.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The metadata of an object that `projection` owns, new or as it was seen.
pub(super) fn meta(projection: &ServiceProjection, name: &str, seen: Option<&Owned>) -> ObjectMeta {
    // Nothing waits for these to be deleted, and to say that something does needs a right.
    let owner = OwnerReference { block_owner_deletion: None, ..owner(projection) };
    fenced(
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: projection.metadata.namespace.clone(),
            labels: Some(labels(projection.metadata.name.as_deref().unwrap_or_default())),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        seen,
    )
}

fn owner(projection: &ServiceProjection) -> OwnerReference {
    projection.controller_owner_ref(&()).unwrap_or_default()
}

/// Only what was seen is changed, and what was not seen is made.
pub(super) fn fenced(meta: ObjectMeta, seen: Option<&Owned>) -> ObjectMeta {
    ObjectMeta {
        uid: seen.map(|seen| seen.uid.clone()),
        resource_version: Some(seen.map_or_else(|| NEW.to_owned(), |seen| seen.resource_version.clone())),
        ..meta
    }
}
