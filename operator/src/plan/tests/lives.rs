//! The plain lives: found, scale, roll, hibernate, heal, recover.

use super::super::*;
use super::sim::Sim;
use crate::crd::RetentionPolicy;
use crate::step::{RemoveReason, Step};
use crate::world::{Orders, RecoverOrder};

fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(Step::name).collect()
}

#[test]
fn an_ensemble_is_recorded_then_founded_of_all_members_at_once() {
    let mut sim = Sim::new(3);
    let steps = sim.run(20);
    assert_eq!(names(&steps), ["record-bootstrap", "bootstrap", "record-bootstrap"]);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn scaling_walks_from_one_to_seven_and_back_one_vote_at_a_time() {
    let mut sim = Sim::settled(1);
    for replicas in [3, 5, 7, 5, 3, 1, 2, 1] {
        sim.spec.replicas = replicas;
        sim.run(100);
        assert!(sim.is_settled(), "to {replicas}: {:?}", sim.plan());
        assert_eq!(sim.claims.len(), usize::try_from(replicas).unwrap(), "volumes go by policy");
    }
}

#[test]
fn volumes_that_are_kept_come_back_under_a_new_identity() {
    let mut sim = Sim::settled(3);
    sim.spec.storage.retention.when_scaled = RetentionPolicy::Retain;
    sim.spec.replicas = 1;
    sim.run(50);
    assert!(sim.is_settled());
    assert_eq!(sim.claims.len(), 3);
    sim.spec.replicas = 3;
    let steps = sim.run(100);
    assert!(sim.is_settled(), "{:?}", sim.plan());
    assert_eq!(names(&steps).iter().filter(|name| **name == "delete-claim").count(), 2);
}

#[test]
fn bug_24_scaling_down_moves_leadership_takes_the_vote_then_the_pod_then_the_volume() {
    let mut sim = Sim::settled(3);
    sim.ensembles[0].leader = Some(3);
    sim.spec.replicas = 2;
    let steps = sim.run(20);
    assert_eq!(names(&steps), ["transfer-leader", "remove", "set-replicas", "delete-claim"]);
}

#[test]
fn a_roll_restarts_each_member_once_and_the_leader_last() {
    let mut sim = Sim::settled(5);
    sim.ensembles[0].leader = Some(2);
    sim.revision += 1;
    let steps = sim.run(100);
    assert!(sim.is_settled(), "{:?}", sim.plan());
    let restarted: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::DeletePod { pod, .. } => Some(pod.name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(restarted, ["orders-0", "orders-2", "orders-3", "orders-4", "orders-1"]);
    assert_eq!(names(&steps).iter().filter(|name| **name == "transfer-leader").count(), 1);
}

#[test]
fn the_pause_between_two_restarts_is_kept() {
    let mut sim = Sim::settled(3);
    sim.spec.update.pause_between = crate::crd::Span::new("1m");
    sim.revision += 1;
    let mut restarts = Vec::new();
    for _ in 0..200 {
        if sim.run(1).iter().any(|step| step.name() == "delete-pod") {
            restarts.push(sim.now);
        }
    }
    assert!(sim.is_settled());
    assert_eq!(restarts.len(), 3);
    assert!(restarts.windows(2).all(|pair| pair[1] - pair[0] >= 60_000), "{restarts:?}");
}

#[test]
fn hibernation_keeps_the_volumes_and_the_same_ensemble_comes_back() {
    let mut sim = Sim::settled(3);
    let id = sim.current().unwrap().id.clone();
    sim.spec.hibernate = true;
    sim.run(20);
    assert!(sim.pods.is_empty() && sim.claims.len() == 3);
    assert_eq!(sim.plan().holds[0].reason, Reason::Hibernated);
    sim.spec.hibernate = false;
    let steps = sim.run(20);
    assert_eq!(names(&steps), ["set-replicas"]);
    assert!(sim.is_settled(), "{:?}", sim.plan());
    assert_eq!(sim.current().unwrap().id, id);
}

#[test]
fn an_ensemble_that_was_scaled_in_its_sleep_comes_back_and_then_shrinks() {
    let mut sim = Sim::settled(5);
    sim.spec.hibernate = true;
    sim.run(20);
    (sim.spec.hibernate, sim.spec.replicas) = (false, 1);
    sim.run(100);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn members_whose_volumes_were_kept_come_back_though_the_first_one_lost_its_own() {
    let mut sim = Sim::settled(3);
    sim.spec.hibernate = true;
    sim.run(20);
    sim.claims.remove(&0);
    (sim.spec.hibernate, sim.spec.replicas) = (false, 1);
    sim.run(100);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn a_lost_disk_is_replaced_by_a_new_member_before_the_old_vote_goes() {
    let mut sim = Sim::settled(3);
    sim.claims.remove(&1);
    sim.pods.remove(&1);
    sim.tick(2_000);
    let steps = sim.run(30);
    assert_eq!(names(&steps), ["add-learner", "remove", "promote"]);
    assert!(matches!(steps[1], Step::Remove { why: RemoveReason::Replaced, .. }));
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn a_node_that_is_away_for_long_costs_its_member_the_volume_and_not_the_ensemble() {
    let mut sim = Sim::settled(3);
    let node = sim.pods[&1].node.unwrap();
    sim.nodes[node] = super::sim::SimNode { up: false, since: sim.now };
    let early = sim.run(100);
    assert_eq!(names(&early), Vec::<&str>::new(), "nothing within 200 s");
    assert!(sim.plan().holds.iter().any(|hold| hold.message.contains("is replaced within")));
    let steps = sim.run(400);
    assert_eq!(names(&steps), ["delete-claim", "delete-pod", "add-learner", "remove", "promote"]);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn a_member_is_replaced_by_order_once() {
    let mut sim = Sim::settled(3);
    sim.orders.replace = Some(Ok(2));
    let steps = sim.run(60);
    assert_eq!(names(&steps), ["delete-claim", "delete-pod", "add-learner", "remove", "promote"]);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

/// Takes the disks of these members, and waits until that is seen.
fn lose(sim: &mut Sim, ordinals: [i32; 2]) {
    for ordinal in ordinals {
        sim.claims.remove(&ordinal);
        sim.pods.remove(&ordinal);
    }
    sim.tick(2_000);
}

fn order(sim: &mut Sim, survivor: &str) {
    let order = RecoverOrder { survivor: survivor.into(), ensemble_id: sim.current().unwrap().id.clone() };
    sim.orders = Orders { recover: Some(Ok(order)), ..Orders::default() };
}

#[test]
fn a_lost_quorum_is_recovered_by_order_with_the_survivor_that_it_names_as_often_as_it_is_lost() {
    let mut sim = Sim::settled(3);
    for (lost, survivor) in [([0, 1], "orders-2"), ([1, 2], "orders-0"), ([0, 2], "orders-1")] {
        lose(&mut sim, lost);
        assert_eq!(names(&sim.run(30)), Vec::<&str>::new(), "nothing is touched");
        assert_eq!(sim.plan().holds[0].reason, Reason::QuorumLost);
        order(&mut sim, survivor);
        let steps = sim.run(60);
        assert_eq!(names(&steps)[..3], ["record-recovery", "recover", "record-recovery"]);
        assert!(sim.is_settled(), "{survivor}: {:?}", sim.plan());
        assert_eq!(sim.current().unwrap().members.len(), 3);
    }
}

#[test]
fn a_second_order_that_is_withdrawn_leaves_the_ensemble_of_the_first() {
    let mut sim = Sim::settled(3);
    lose(&mut sim, [0, 1]);
    order(&mut sim, "orders-2");
    sim.run(60);
    let second = sim.current().unwrap().id.clone();
    for ordinal in [0, 1] {
        let node = sim.pods[&ordinal].node.unwrap();
        sim.nodes[node] = super::sim::SimNode { up: false, since: sim.now };
        sim.pods.get_mut(&ordinal).unwrap().deleting = Some(sim.now);
    }
    sim.tick(2_000);
    order(&mut sim, "orders-2");
    assert_eq!(names(&sim.run(1)), ["record-recovery"]);
    sim.orders = Orders::default();
    sim.nodes.iter_mut().for_each(|node| node.up = true);
    sim.run(30);
    assert!(sim.is_settled(), "{:?}", sim.plan());
    assert_eq!(sim.current().unwrap().id, second);
}

#[test]
fn a_survivor_that_serves_is_not_told_to_go_on_alone() {
    let mut sim = Sim::settled(3);
    for ordinal in [1, 2] {
        sim.pods.get_mut(&ordinal).unwrap().silent = true;
    }
    sim.ensembles[0].leader = Some(2);
    order(&mut sim, "orders-0");
    let plan = sim.plan();
    assert_eq!(plan.step, None);
    let refused = plan.holds.iter().find(|hold| hold.reason == Reason::RecoverRefused).unwrap();
    assert!(refused.message.contains("orders-0 follows a leader and serves"), "{}", refused.message);
}
