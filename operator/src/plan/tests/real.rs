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
