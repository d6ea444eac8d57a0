//! Pods that are to become members and do not come up.

use super::super::*;
use super::bugs::reasons;
use super::sim::{Sim, operator};
use crate::step::{RestartReason, Step};
use crate::world::*;

fn decided(sim: &Sim, world: &World) -> Plan {
    plan(&sim.spec, world, &operator(), Moment(sim.now))
}

/// Of three that are to become five; the fourth pod is there.
fn growing() -> Sim {
    let mut sim = Sim::settled(3);
    sim.spec.replicas = 5;
    sim.run(1);
    assert!(sim.pods.contains_key(&3) && sim.current().unwrap().members.len() == 3);
    sim
}

/// The world in which the pod of `ordinal` has not come up for so long.
fn not_up(sim: &Sim, ordinal: usize, state: PodState, seconds: i64) -> World {
    let mut world = sim.world();
    let pod = &mut world.pods[ordinal];
    (pod.state, pod.asked, pod.ready_since, pod.unready_since) = (state, Asked::NotYet, None, None);
    pod.created = Moment(sim.now - 1000 * seconds);
    world
}

fn is_made_anew(plan: &Plan, name: &str) -> bool {
    matches!(&plan.step, Some(Step::DeletePod { pod, why: RestartReason::Stuck, .. }) if pod.name == name)
}

fn crashing() -> PodState {
    PodState::Broken { why: "CrashLoopBackOff".into(), exit: Some(1) }
}

#[test]
fn who_is_to_become_a_member_and_does_not_come_up_is_made_anew_after_its_time() {
    let sim = growing();
    for state in [PodState::Starting, crashing()] {
        let early = decided(&sim, &not_up(&sim, 3, state.clone(), 590));
        assert_eq!((early.step.as_ref(), early.operation), (None, Some(Operation::ScalingUp)), "{state:?}");
        let late = decided(&sim, &not_up(&sim, 3, state.clone(), 610));
        assert!(is_made_anew(&late, "orders-3"), "{state:?}: {late:?}");
        assert_eq!(reasons(&late)[0], Reason::MemberBroken);
    }
}

#[test]
fn who_is_to_become_a_member_and_does_not_come_up_is_told_as_broken() {
    let sim = growing();
    let starting = decided(&sim, &not_up(&sim, 3, PodState::Starting, 5));
    assert_eq!(reasons(&starting), [Reason::WaitingForPods]);
    let crashes = decided(&sim, &not_up(&sim, 3, crashing(), 5));
    assert_eq!(reasons(&crashes)[0], Reason::MemberBroken);
    assert!(crashes.holds[0].message.contains("orders-3: CrashLoopBackOff"), "{}", crashes.holds[0].message);
    let nowhere = PodState::Unschedulable { why: "0/3 nodes are available".into(), since: Moment(sim.now - 700_000) };
    let late = decided(&sim, &not_up(&sim, 3, nowhere, 700));
    assert_eq!(
        (late.step.as_ref(), late.operation),
        (None, Some(Operation::ScalingUp)),
        "another would find none either"
    );
    assert_eq!(reasons(&late), [Reason::MemberBroken]);
}

#[test]
fn a_roll_does_not_wait_for_who_is_no_member_and_does_not_come_up() {
    let sim = growing();
    let rolls = |seconds: i64| {
        let mut world = not_up(&sim, 3, PodState::Starting, seconds);
        world.pods[..3].iter_mut().for_each(|pod| pod.revision = "older".into());
        let plan = decided(&sim, &world);
        matches!(plan.step, Some(Step::DeletePod { why: RestartReason::Outdated, .. }))
    };
    assert!(!rolls(5), "one thing after the other");
    assert!(rolls(700));
}

#[test]
fn a_template_on_which_a_newcomer_breaks_is_given_to_no_member() {
    let sim = growing();
    let plan = |seconds: i64| {
        let mut world = not_up(&sim, 3, crashing(), seconds);
        world.pods[..3].iter_mut().for_each(|pod| pod.revision = "older".into());
        decided(&sim, &world)
    };
    assert_eq!(plan(5).step, None);
    assert!(is_made_anew(&plan(700), "orders-3"), "{:?}", plan(700));
}

#[test]
fn a_surplus_member_is_not_taken_out_in_the_place_of_one_that_does_not_come_up() {
    let mut sim = growing();
    sim.run(30);
    sim.spec.replicas = 4;
    let mut world = not_up(&sim, 3, PodState::Starting, 700);
    for pod in &mut world.pods {
        if let Asked::Answered(answer) = &mut pod.asked {
            answer.peers.retain(|peer| peer.name != "orders-3");
        }
    }
    let plan = decided(&sim, &world);
    assert!(is_made_anew(&plan, "orders-3"), "{plan:?}");
    world.pods[3].state = PodState::Unschedulable { why: "no node".into(), since: Moment(0) };
    assert_eq!(decided(&sim, &world).step, None, "orders-4 votes until there is another");
}

#[test]
fn a_first_member_that_does_not_come_up_is_made_anew_after_its_time() {
    let mut sim = Sim::new(3);
    sim.run(1);
    let plan = sim.plan();
    sim.apply(&plan);
    // Made, and up.
    sim.tick(2_000);
    sim.tick(2_000);
    let early = decided(&sim, &not_up(&sim, 1, PodState::Starting, 5));
    assert_eq!((early.step.as_ref(), reasons(&early)), (None, vec![Reason::WaitingForPods]));
    let crashes = decided(&sim, &not_up(&sim, 1, crashing(), 5));
    assert_eq!((crashes.step.as_ref(), reasons(&crashes)), (None, vec![Reason::MemberBroken]));
    let mut late = not_up(&sim, 1, PodState::Starting, 610);
    assert!(is_made_anew(&decided(&sim, &late), "orders-1"));
    late.claims[1].deleting = true;
    assert!(is_made_anew(&decided(&sim, &late), "orders-1"), "it waits for a claim that waits for it");
}

#[test]
fn a_first_member_that_cannot_run_its_older_template_is_made_anew_whatever_becomes_of_its_disk() {
    let mut sim = Sim::new(3);
    sim.run(2);
    let mut world = not_up(&sim, 1, crashing(), 5);
    assert!(world.bootstrap.as_ref().is_some_and(|record| record.ensemble_id.is_none()));
    world.claims[1].deleting = true;
    world.pods[1].revision = "older".into();
    let step = decided(&sim, &world).step.unwrap();
    assert!(matches!(&step, Step::DeletePod { why: RestartReason::OutdatedAndBroken, .. }), "{step}");
}
