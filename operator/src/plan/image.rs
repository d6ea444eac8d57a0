//! Which image the members run.
//!
//! Rule: `image` wins over `version`; a version that is not known, or that does not understand what the ensemble
//! already uses, is refused, and the members keep what they have. What it uses is recorded, since nobody tells while
//! all are asleep or away. Reason: a member that does not understand an entry stops, and so would one after the other.

use super::ensemble::{answers, current_id};
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
    let refused = |used: u32| {
        let why = format!(
            "the ensemble uses feature level {used} and coordd {version} understands {understands} only; set \
             spec.version to a newer one"
        );
        Hold::new(Reason::DowngradeRefused, why)
    };
    match used(world) {
        Some(used) if used > *understands => return Err(refused(used)),
        None if is_unsure(world) && operator.versions.iter().any(|(_, newer)| newer > understands) => {
            let why = format!(
                "nobody has told yet whether coordd {version} understands what the ensemble uses: one member has to \
                 answer, or set spec.image"
            );
            return Err(Hold::new(Reason::WaitingForMember, why));
        }
        _ => {}
    }
    Ok(format!("{}:{version}", operator.image_repository))
}

/// The feature level that the ensemble uses, which never falls: as recorded, or as a member says it now.
pub(crate) fn used(world: &World) -> Option<u32> {
    let answers = current_id(world).into_iter().flat_map(|id| answers(world, id));
    answers.map(|(_, answer)| answer.feature_level).chain(world.feature_level).max()
}

/// Whether members that are there, or were, use a level that nobody knows. Adopted volumes that have no pods yet have
/// to be given some to tell.
fn is_unsure(world: &World) -> bool {
    let founded = world.bootstrap.as_ref().is_some_and(|record| record.ensemble_id.is_some());
    let some_left = !world.claims.is_empty() || !world.pods.is_empty();
    founded && some_left && world.stateful_set.there().is_some()
}
