//! What real members and a real API server have shown: worlds of a moment, as they were seen between two writes.

use super::super::*;
use super::sim::{Sim, name, operator};
use crate::crd::{Bootstrap, Recovery};
use crate::world::*;

fn decided(sim: &Sim, world: &World) -> Plan {
    plan(&sim.spec, world, &operator(), Moment(sim.now))
}

fn reasons(plan: &Plan) -> Vec<Reason> {
    plan.holds.iter().map(|hold| hold.reason).collect()
}

fn answer(world: &mut World, ordinal: usize) -> &mut Answer {
    match &mut world.pods[ordinal].asked {
        Asked::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_template_that_kubernetes_has_not_looked_at_is_not_said_to_run_everywhere() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    assert!(decided(&sim, &world).holds.is_empty());
    let Seen::There(set) = &mut world.stateful_set else { panic!("no set") };
    set.update_revision = None;
    let plan = decided(&sim, &world);
    assert_eq!((plan.step.clone(), reasons(&plan)), (None, vec![Reason::WaitingForPods]));
}

#[test]
fn a_founder_that_votes_and_has_no_log_yet_is_not_asked_to_found_again() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    world.bootstrap = Some(Bootstrap { members: 3, version: "0.1.0".into(), ensemble_id: None, adopted_from: None });
    for ordinal in 0..3 {
        let answer = answer(&mut world, ordinal);
        (answer.has_log, answer.part, answer.leader, answer.peers) = (false, Part::Follower, None, Vec::new());
    }
    let plan = decided(&sim, &world);
    assert_eq!((plan.step, plan.operation), (None, Some(Operation::Founding)));
    // Cut off before it had a vote, it is.
    answer(&mut world, 0).part = Part::Learner;
    assert_eq!(decided(&sim, &world).step.map(|step| step.name()), Some("bootstrap"));
}

#[test]
fn a_survivor_that_starts_anew_is_waited_for() {
    let mut sim = Sim::settled(3);
    let id = sim.ensembles[0].id.clone();
    let survivor = name().pod(0);
    sim.orders.recover = Some(Ok(RecoverOrder { survivor: survivor.clone(), ensemble_id: id.clone() }));
    let ordered_at = crate::status::time(Moment(sim.now));
    sim.recovery = Some(Recovery { survivor, from: id, to: None, ordered_at });
    let mut world = sim.world();
    for pod in &mut world.pods {
        pod.asked = Asked::Silent("connection refused".into());
    }
    let plan = decided(&sim, &world);
    assert_eq!((plan.operation, reasons(&plan)), (Some(Operation::Recovering), vec![Reason::WaitingForMember]));
}

#[test]
fn a_survivor_is_measured_by_its_log_and_by_its_membership_only_where_a_log_is_not_told() {
    let mut sim = Sim::settled(5);
    let order = RecoverOrder { survivor: name().pod(3), ensemble_id: sim.ensembles[0].id.clone() };
    sim.orders.recover = Some(Ok(order));
    let (own, mut world) = (Some((4, 120)), sim.world());
    for pod in &mut world.pods[..3] {
        pod.asked = Asked::Silent("no connection".into());
    }
    let cases = [
        ("a later index", own, (Some((4, 121)), 7), true),
        ("a later term, though an earlier index", own, (Some((5, 90)), 7), true),
        ("an earlier term, though a later index", own, (Some((3, 900)), 7), false),
        ("as much, though a newer membership that it knows to be committed", own, (own, 9), false),
        ("a newer membership, where the survivor does not tell its log", None, (Some((4, 121)), 9), true),
        ("no newer membership there", None, (Some((4, 121)), 7), false),
        ("a newer membership, where it does not tell its own log", own, (None, 9), true),
    ];
    for (case, own, (others, others_membership), refused) in cases {
        for (ordinal, last_log, membership) in [(3, own, 7), (4, others, others_membership)] {
            let answer = answer(&mut world, ordinal);
            (answer.part, answer.leader) = (Part::Candidate, None);
            (answer.last_log, answer.membership_index) = (last_log, membership);
        }
        let plan = decided(&sim, &world);
        let step = plan.step.as_ref().map(Step::name);
        let told = plan.holds.iter().find(|hold| hold.reason == Reason::RecoverRefused);
        let named = told.is_some_and(|hold| hold.message.starts_with("orders-4 knows more than orders-3; name it"));
        assert_eq!((step, named), if refused { (None, true) } else { (Some("record-recovery"), false) }, "{case}");
    }
}

#[test]
fn whoever_cannot_be_named_does_not_keep_another_from_being_the_survivor() {
    let mut sim = Sim::settled(5);
    let order = RecoverOrder { survivor: name().pod(3), ensemble_id: sim.ensembles[0].id.clone() };
    sim.orders.recover = Some(Ok(order));
    let mut world = sim.world();
    for pod in &mut world.pods[..3] {
        pod.asked = Asked::Silent("no connection".into());
    }
    for ordinal in [3, 4] {
        let answer = answer(&mut world, ordinal);
        (answer.part, answer.leader, answer.last_log) = (Part::Candidate, None, Some((4, 120)));
    }
    let learner = answer(&mut world, 4);
    (learner.part, learner.last_log) = (Part::Learner, Some((4, 121)));
    let id = learner.node_id;
    learner.peers.iter_mut().filter(|peer| Some(peer.id) == id).for_each(|peer| peer.voter = false);
    assert_eq!(decided(&sim, &world).step.map(|step| step.name()), Some("record-recovery"));
}

#[test]
fn a_member_that_is_not_well_is_looked_at_more_often() {
    let mut sim = Sim::settled(3);
    assert_eq!(sim.plan().requeue, STEADY);
    sim.pods.get_mut(&1).unwrap().silent = true;
    assert_eq!(sim.plan().requeue, ATTENTIVE);
}

#[test]
fn it_is_scaled_down_when_the_last_pod_has_stopped_or_does_not_for_long() {
    let mut sim = Sim::settled(3);
    sim.spec.replicas = 2;
    while sim.set.unwrap().0 > 2 {
        sim.run(1);
    }
    let mut world = sim.world();
    assert!(world.pods[2].deleting.is_some(), "{:?}", world.pods[2]);
    let plan = decided(&sim, &world);
    let told = vec![Reason::EvenReplicas, Reason::WaitingForPods];
    assert_eq!((plan.step.clone(), plan.operation), (None, Some(Operation::ScalingDown)));
    assert_eq!(reasons(&plan), told);
    world.pods[2].deleting = Some(Moment(0));
    let plan = decided(&sim, &world);
    assert_eq!((plan.operation, reasons(&plan)), (None, told));
}
