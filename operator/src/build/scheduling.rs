//! Members apart from each other: on nodes of their own, in zones of their own.
//!
//! Rule: all members count, whichever template they were made from. Reason: while a new template is rolled out, two
//! halves that are spread each for itself are not spread together.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};

use super::meta::Owner;
use crate::crd::Spread;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
/// The strongest wish that there is.
const WEIGHT: i32 = 100;

pub(super) fn affinity(owner: &Owner, spread: Spread) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(owner.label_selector()),
        topology_key: HOST.to_owned(),
        ..PodAffinityTerm::default()
    };
    let apart = match spread {
        Spread::Off => return None,
        Spread::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        Spread::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                pod_affinity_term: term,
                weight: WEIGHT,
            }]),
            ..PodAntiAffinity::default()
        },
    };
    Some(Affinity { pod_anti_affinity: Some(apart), ..Affinity::default() })
}

pub(super) fn zones(owner: &Owner, spread: Spread) -> Option<Vec<TopologySpreadConstraint>> {
    let unless = match spread {
        Spread::Off => return None,
        Spread::Required => "DoNotSchedule",
        Spread::Preferred => "ScheduleAnyway",
    };
    Some(vec![TopologySpreadConstraint {
        label_selector: Some(owner.label_selector()),
        max_skew: 1,
        topology_key: ZONE.to_owned(),
        when_unsatisfiable: unless.to_owned(),
        ..TopologySpreadConstraint::default()
    }])
}
