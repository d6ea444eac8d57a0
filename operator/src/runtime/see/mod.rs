//! From objects of Kubernetes to the words of the plan. Pure.
//!
//! Rule: a field that Kubernetes leaves out means what Kubernetes says it means by that; what is neither said nor
//! implied is not guessed. Reason: every guess here is taken for a fact by the plan.

mod child;
mod claim;
mod node;
mod pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

pub(crate) use child::{Child, SeenSet, child, stateful_set};
pub(crate) use claim::{SeenClaim, SeenVolume, claim, volume};
pub(crate) use node::node;
pub(crate) use pod::{SeenPod, pod};

use crate::world::Moment;

pub(crate) fn moment(time: &Time) -> Moment {
    Moment(time.0.as_millisecond())
}

fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

fn text(field: Option<&String>) -> String {
    field.cloned().unwrap_or_default()
}
