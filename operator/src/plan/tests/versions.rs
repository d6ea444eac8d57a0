//! Versions that are refused, and how long what the ensemble uses is known.

use super::super::*;
use super::bugs::{names, reasons, silence};
use super::sim::{Sim, operator};
use crate::world::{Asked, Moment};

#[test]
fn a_version_that_is_not_known_or_too_old_changes_nothing_and_says_so() {
    let mut sim = Sim::settled(3);
    sim.spec.version = Some("9.9.9".into());
    let plan = sim.plan();
    assert_eq!((plan.children, plan.step), (Children::WithoutMembers, None));
    assert_eq!(plan.holds[0].reason, Reason::UnknownVersion);
    assert!(plan.holds[0].message.contains("0.1.0, 0.2.0"), "{}", plan.holds[0].message);
    sim.spec.version = Some("0.1.0".into());
    let mut world = sim.world();
    let Asked::Answered(answer) = &mut world.pods[0].asked else { panic!() };
    answer.feature_level = 2;
    let plan = super::super::plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!(plan.holds[0].reason, Reason::DowngradeRefused);
    sim.spec.image = Some("elsewhere/coordd:x".into());
    let plan = super::super::plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!(plan.children, Children::All { replicas: 3, image: "elsewhere/coordd:x".into() }, "the image wins");
}

#[test]
fn a_level_that_was_told_once_holds_while_nobody_tells_it() {
    let mut sim = Sim::settled(3);
    sim.spec.version = Some("0.1.0".into());
    sim.feature_level = Some(2);
    for hibernate in [true, false] {
        sim.spec.hibernate = hibernate;
        if hibernate {
            sim.run(20);
            assert!(sim.pods.is_empty());
        }
        assert!(reasons(&sim.plan()).contains(&Reason::DowngradeRefused), "{:?}", sim.plan());
        assert_eq!(sim.plan().children, Children::WithoutMembers);
    }
    sim.run(20);
    assert_eq!(sim.pods.len(), 3, "they come back as what they were");
    sim.spec.version = Some("0.2.0".into());
    assert_eq!(sim.plan().children, Children::All { replicas: 3, image: "coordd/coordd:0.2.0".into() });
}

#[test]
fn a_version_that_may_be_too_old_waits_until_a_member_has_told() {
    let mut sim = Sim::settled(3);
    silence(&mut sim, [0, 1, 2]);
    sim.feature_level = None;
    sim.spec.version = Some("0.1.0".into());
    let plan = sim.plan();
    assert!(reasons(&plan).contains(&Reason::WaitingForMember), "{plan:?}");
    assert_eq!(plan.children, Children::WithoutMembers);
    sim.spec.version = Some("0.2.0".into());
    assert!(matches!(sim.plan().children, Children::All { .. }), "nothing newer is known");
    sim.spec.version = Some("0.1.0".into());
    sim.set = None;
    assert!(matches!(sim.plan().children, Children::All { .. }), "adopted volumes need pods to tell");
}

#[test]
fn nobody_is_rolled_onto_a_build_that_is_refused() {
    let mut sim = Sim::settled(3);
    sim.revision += 1;
    (sim.spec.version, sim.feature_level) = (Some("0.1.0".into()), Some(2));
    assert_eq!(names(&sim.run(20)), Vec::<&str>::new());
    sim.spec.version = Some("0.2.0".into());
    assert_eq!(names(&sim.run(1)), ["delete-pod"]);
}
