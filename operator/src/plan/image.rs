//! Which image the members run.
//!
//! Rule: `image` wins over `version`; a version that is not known, or that does not understand what the ensemble
//! already uses, is refused, and the members keep what they have. Reason: a member that does not understand an entry
//! stops, and so would one after the other.

use super::{Hold, Operator, Reason};
use crate::crd::CoordinationClusterSpec;
use crate::world::World;

/// The version that applies: the spec's, else the one that the cluster was founded with.
pub(crate) fn version<'a>(spec: &'a CoordinationClusterSpec, world: &'a World, operator: &'a Operator) -> &'a str {
    let founded = world.bootstrap.as_ref().map(|record| record.version.as_str());
    spec.version.as_deref().or(founded).unwrap_or(&operator.default_version)
}

pub(crate) fn image(spec: &CoordinationClusterSpec, world: &World, operator: &Operator) -> Result<String, Hold> {
    if let Some(image) = &spec.image {
        return Ok(image.clone());
    }
    let version = version(spec, world, operator);
    let Some((_, understands)) = operator.versions.iter().find(|(known, _)| known == version) else {
        let known: Vec<_> = operator.versions.iter().map(|(version, _)| version.as_str()).collect();
        let why = format!(
            "this operator does not know coordd {version}; set spec.version to one of {}, or spec.image",
            known.join(", ")
        );
        return Err(Hold::new(Reason::UnknownVersion, why));
    };
    let used = world.pods.iter().filter_map(|pod| pod.asked.answer()).map(|answer| answer.feature_level).max();
    match used {
        Some(used) if used > *understands => Err(Hold::new(
            Reason::DowngradeRefused,
            format!(
                "the ensemble uses feature level {used} and coordd {version} understands {understands} only; \
                 set spec.version to a newer one"
            ),
        )),
        _ => Ok(format!("{}:{version}", operator.image_repository)),
    }
}
