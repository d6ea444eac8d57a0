//! The bugs of other operators (operators.md §2) that a plan could make, each as a test that bears its number; the
//! whole list is in `tests/bugs.rs`.

use super::super::*;
use super::sim::{Disk, Sim, SimNode, name, operator};
use crate::step::{RestartReason, Step};
use crate::world::*;

pub(super) fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(Step::name).collect()
}

fn changes_membership(step: &Step) -> bool {
    matches!(step, Step::Bootstrap { .. } | Step::AddLearner { .. } | Step::Promote { .. } | Step::Remove { .. })
}

pub(super) fn reasons(plan: &Plan) -> Vec<Reason> {
    plan.holds.iter().map(|hold| hold.reason).collect()
}

fn lose_disk(sim: &mut Sim, ordinal: i32) {
    sim.claims.remove(&ordinal);
    sim.pods.remove(&ordinal);
}

pub(super) fn silence(sim: &mut Sim, ordinals: impl IntoIterator<Item = i32>) {
    for ordinal in ordinals {
        sim.pods.get_mut(&ordinal).unwrap().silent = true;
    }
}

#[test]
fn bug_01_empty_disks_never_found_a_second_ensemble() {
    let mut sim = Sim::settled(3);
    (0..3).for_each(|ordinal| lose_disk(&mut sim, ordinal));
    assert_eq!(names(&sim.run(50)), Vec::<&str>::new());
    assert_eq!(reasons(&sim.plan()), [Reason::EnsembleLost]);
}

#[test]
fn bug_01_a_member_that_does_not_answer_founds_nothing() {
    let mut sim = Sim::new(3);
    let plan = sim.plan();
    sim.carry_out(&plan.step.unwrap()).unwrap();
    let plan = sim.plan();
    sim.apply(&plan);
    sim.tick(2_000);
    silence(&mut sim, [2]);
    assert_eq!(names(&sim.run(50)), Vec::<&str>::new());
    assert_eq!(reasons(&sim.plan()), [Reason::WaitingForPods]);
}

#[test]
fn bug_02_nothing_is_scaled_without_a_quorum() {
    for replicas in [1, 5] {
        let mut sim = Sim::settled(3);
        sim.pods.values().filter_map(|pod| pod.node).take(2).for_each(|node| sim.nodes[node].up = false);
        sim.spec.replicas = replicas;
        sim.tick(2_000);
        assert_eq!(names(&sim.run(50)), Vec::<&str>::new());
        assert_eq!(reasons(&sim.plan())[0], Reason::QuorumUnknown, "their pods run, as far as is known");
    }
}

#[test]
fn bug_03_a_disk_of_a_removed_member_is_emptied_and_joins_as_a_new_one() {
    let mut sim = Sim::settled(3);
    let removed = sim.claims[&2].disk.clone();
    sim.spec.replicas = 2;
    sim.run(30);
    sim.spec.replicas = 3;
    sim.run(1);
    sim.tick(2_000);
    sim.claims.get_mut(&2).unwrap().disk = removed;
    let steps = sim.run(50);
    assert_eq!(names(&steps), ["delete-claim", "delete-pod", "add-learner", "promote"]);
    assert!(sim.is_settled());
}

#[test]
fn bug_04_a_restart_of_all_pods_changes_no_membership() {
    let mut sim = Sim::settled(3);
    sim.pods.clear();
    assert_eq!(names(&sim.run(20)), Vec::<&str>::new());
    assert!(sim.is_settled());
}

#[test]
fn bug_06_volumes_of_a_former_cluster_are_not_taken_for_this_ones() {
    let mut former = Sim::settled(3);
    let id = former.current().unwrap().id.clone();
    (former.bootstrap, former.set) = (None, None);
    former.pods.clear();
    former.claims.values_mut().for_each(|claim| claim.ours = false);
    assert_eq!(names(&former.run(20)), Vec::<&str>::new());
    assert_eq!(reasons(&former.plan()), [Reason::StaleVolumes]);
    let mut world = former.world();
    world.claims[0].ensemble = Some(id.clone());
    world.orders.adopt = Some("mistyped".into());
    let plan = plan(&former.spec, &world, &operator(), Moment(former.now));
    assert_eq!((plan.step.as_ref(), reasons(&plan)), (None, vec![Reason::StaleVolumes]), "another is not recorded");
    assert!(plan.holds[0].message.contains(&format!("they hold ensemble {id}")), "{}", plan.holds[0].message);
    former.orders.adopt = Some(id.clone());
    former.run(1);
    let record = former.bootstrap.clone().unwrap();
    assert_eq!((record.ensemble_id, record.adopted_from.as_deref()), (Some(id), Some("former")));
    former.claims.values_mut().for_each(|claim| claim.ours = true);
    former.run(20);
    assert!(former.is_settled(), "{:?}", former.plan());
}

#[test]
fn bug_07_what_is_deleted_is_the_very_object_that_was_seen() {
    let mut sim = Sim::settled(3);
    sim.revision += 1;
    let step = sim.plan().step.unwrap();
    let Step::DeletePod { pod, .. } = &step else { panic!("{step}") };
    let ordinal = name().ordinal_of(&pod.name).unwrap();
    assert_eq!(pod.uid, sim.pods[&ordinal].uid.to_string());
    sim.pods.remove(&ordinal);
    sim.tick(2_000);
    assert_eq!(sim.carry_out(&step), Err("conflict".into()));
}

#[test]
fn bug_08_an_operator_that_dies_between_any_two_steps_finds_its_way() {
    for survives in 0..8 {
        let mut sim = Sim::new(1);
        sim.run(survives);
        sim.spec.replicas = 3;
        sim.run(survives);
        sim.spec.replicas = 1;
        // Whatever was under way, the next operator has nothing but what it sees.
        sim.run(100);
        assert!(sim.is_settled(), "after {survives}: {:?}", sim.plan());
    }
}

#[test]
fn bug_10_a_wrong_template_stops_the_roll_and_a_right_one_sets_it_going() {
    let mut sim = Sim::settled(3);
    sim.revision += 1;
    sim.bad.push(sim.revision);
    let steps = sim.run(400);
    assert_eq!(names(&steps).iter().filter(|name| **name == "delete-pod").count(), 1, "one member is tried");
    assert!(reasons(&sim.plan()).contains(&Reason::RollTimedOut));
    sim.revision += 1;
    sim.run(100);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn bug_16_a_silent_member_is_never_taken_for_a_lost_one() {
    let mut sim = Sim::settled(3);
    silence(&mut sim, [1]);
    sim.now += 10_000_000;
    assert_eq!(names(&sim.run(100)), Vec::<&str>::new());
    assert!(reasons(&sim.plan()).contains(&Reason::MemberUnreachable));
    silence(&mut sim, [0, 2]);
    sim.now += 10_000_000;
    assert_eq!(names(&sim.run(100)), Vec::<&str>::new());
    assert_eq!(reasons(&sim.plan()), [Reason::QuorumUnknown]);
}

#[test]
fn a_member_whose_volume_is_gone_is_replaced_though_its_pod_was_never_ready() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    world.claims[1].state = ClaimState::Lost;
    let pod = &mut world.pods[1];
    (pod.ready_since, pod.unready_since, pod.ip, pod.node) = (None, None, None, None);
    pod.asked = Asked::NotYet;
    let step = |world: &mut World, seconds: i64| {
        let since = Moment(sim.now - 1000 * seconds);
        world.pods[1].created = since;
        world.pods[1].state = PodState::Unschedulable { why: "0/3 nodes are available".into(), since };
        plan(&sim.spec, world, &operator(), Moment(sim.now)).step
    };
    assert_eq!(step(&mut world, 590), None, "not before replaceAfter");
    let given_up = step(&mut world, 610).unwrap();
    assert!(matches!(&given_up, Step::DeleteClaim { .. }), "{given_up}");
    world.claims.remove(1);
    let anew = step(&mut world, 610).unwrap();
    assert!(matches!(&anew, Step::DeletePod { why: RestartReason::VolumeGivenUp, .. }), "{anew}: for its next claim");
}

#[test]
fn bug_17_members_are_judged_by_id_wherever_they_stand_in_a_list() {
    let mut sim = Sim::settled(3);
    sim.ensembles[0].members.reverse();
    lose_disk(&mut sim, 1);
    sim.tick(2_000);
    sim.tick(2_000);
    let step = sim.plan().step.unwrap();
    assert!(matches!(&step, Step::AddLearner { pod, .. } if pod == "orders-1"), "{step}");
}

#[test]
fn bug_19_two_lost_disks_are_replaced_one_after_the_other() {
    let mut sim = Sim::settled(5);
    lose_disk(&mut sim, 1);
    lose_disk(&mut sim, 3);
    sim.tick(2_000);
    let steps = sim.run(60);
    assert_eq!(names(&steps), ["add-learner", "remove", "promote", "add-learner", "remove", "promote"]);
    assert!(sim.is_settled());
}

#[test]
fn bug_20_a_lost_quorum_is_given_up_by_order_only_and_by_the_right_one() {
    let mut sim = Sim::settled(3);
    let id = sim.current().unwrap().id.clone();
    let order = |survivor: &str, ensemble: &str| Orders {
        recover: Some(Ok(RecoverOrder { survivor: survivor.into(), ensemble_id: ensemble.into() })),
        ..Orders::default()
    };
    sim.orders = order("orders-2", &id);
    assert!(names(&sim.run(5)).is_empty() && reasons(&sim.plan()).contains(&Reason::RecoverRefused), "quorum is there");
    lose_disk(&mut sim, 0);
    lose_disk(&mut sim, 1);
    sim.orders = order("orders-2", "another");
    assert!(names(&sim.run(20)).is_empty());
    sim.orders = order("orders-1", &id);
    assert!(names(&sim.run(20)).is_empty(), "its disk is empty");
    assert!(reasons(&sim.plan()).contains(&Reason::RecoverRefused));
}

#[test]
fn bug_21_new_members_learn_before_they_vote() {
    let mut sim = Sim::settled(1);
    sim.spec.replicas = 3;
    let steps = sim.run(40);
    assert_eq!(names(&steps), ["set-replicas", "add-learner", "promote", "add-learner", "promote"]);
}

#[test]
fn bug_22_the_next_member_waits_until_the_last_one_is_well() {
    let mut sim = Sim::settled(5);
    sim.revision += 1;
    sim.run(1);
    let restarted = sim.pods.iter().find(|(_, pod)| pod.deleting.is_some() || pod.revision == sim.revision).unwrap();
    let restarted = *restarted.0;
    silence(&mut sim, [restarted]);
    let plan = sim.plan();
    assert_eq!(plan.step, None, "four of five are well, and still");
    assert!(reasons(&plan).contains(&Reason::WaitingForMember));
}

#[test]
fn bug_23_a_member_that_does_not_come_back_stops_the_roll() {
    let mut sim = Sim::settled(3);
    sim.revision += 1;
    sim.run(3);
    silence(&mut sim, [1]);
    sim.pods.get_mut(&1).unwrap().revision = sim.revision;
    let steps = sim.run(400);
    assert!(!names(&steps).contains(&"delete-pod"), "{steps:?}");
    assert!(reasons(&sim.plan()).contains(&Reason::MemberUnreachable), "it serves, as far as Kubernetes knows");
    let mut world = sim.world();
    let long_ago = Moment(sim.now - 700_000);
    (world.pods[1].ready_since, world.pods[1].unready_since) = (None, Some(long_ago));
    let plan = plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!((plan.step.as_ref(), reasons(&plan)[0]), (None, Reason::RollTimedOut));
}

#[test]
fn bug_24_a_member_that_starts_is_given_its_time_however_old_its_pod_is() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    let pod = &mut world.pods[1];
    (pod.created, pod.ready_since, pod.unready_since) = (Moment(0), None, Some(Moment(sim.now - 5_000)));
    (pod.asked, pod.state) = (Asked::Silent("connection refused".into()), PodState::Starting);
    let decided = |world: &World| plan(&sim.spec, world, &operator(), Moment(sim.now));
    assert_eq!(decided(&world).step, None, "its process ended five seconds ago and is started again");
    world.pods[1].state = PodState::Broken { why: "CrashLoopBackOff".into(), exit: Some(1) };
    assert_eq!(decided(&world).step, None);
    world.pods[1].unready_since = Some(Moment(sim.now - 700_000));
    let step = decided(&world).step.unwrap();
    assert!(matches!(step, Step::DeletePod { why: RestartReason::Stuck, .. }), "{step}");
}

#[test]
fn bug_24_a_member_that_has_just_started_is_not_called_broken() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    let Asked::Answered(answer) = &mut world.pods[1].asked else { panic!() };
    (answer.leader, answer.part) = (None, Part::Candidate);
    let decided = |world: &World| plan(&sim.spec, world, &operator(), Moment(sim.now));
    assert_eq!(reasons(&decided(&world)), [Reason::WaitingForMember], "its leader has changed just now");
    let away = |seconds: i64| (None, Some(Moment(sim.now - 1000 * seconds)));
    (world.pods[1].ready_since, world.pods[1].unready_since) = away(5);
    assert_eq!(reasons(&decided(&world)), [Reason::WaitingForMember]);
    (world.pods[1].ready_since, world.pods[1].unready_since) = away(100);
    assert_eq!(reasons(&decided(&world)), [Reason::MemberBroken]);
}

#[test]
fn bug_27_a_stateful_set_that_was_scaled_by_hand_is_set_right_and_costs_no_volume() {
    let mut sim = Sim::settled(3);
    let version = sim.next();
    sim.set = Some((1, version));
    sim.tick(500);
    let steps = sim.run(30);
    assert_eq!(names(&steps), ["set-replicas"]);
    assert!(sim.is_settled());
    let version = sim.next();
    sim.set = Some((6, version));
    sim.tick(2_000);
    sim.run(30);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn bug_27_members_that_were_scaled_away_by_hand_come_back_though_nobody_is_left_to_tell_of_them() {
    let mut sim = Sim::settled(3);
    lose_disk(&mut sim, 0);
    let version = sim.next();
    sim.set = Some((1, version));
    sim.tick(500);
    sim.run(60);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn bug_27_one_change_of_membership_at_a_time_and_the_roll_after_it() {
    let mut sim = Sim::settled(3);
    sim.spec.replicas = 5;
    sim.revision += 1;
    let steps = sim.run(100);
    let last_change = steps.iter().rposition(changes_membership).unwrap();
    let first_restart = steps.iter().position(|step| step.name() == "delete-pod").unwrap();
    assert!(last_change < first_restart, "{:?}", names(&steps));
    assert!(sim.is_settled());
}

#[test]
fn bug_29_claims_that_are_deleted_by_hand_are_replaced_one_by_one_while_their_members_live() {
    let mut sim = Sim::settled(3);
    sim.claims.values_mut().for_each(|claim| claim.deleting = true);
    let steps = sim.run(100);
    assert_eq!(names(&steps).iter().filter(|name| **name == "delete-pod").count(), 3);
    assert!(sim.is_settled() && sim.claims.values().all(|claim| !claim.deleting), "{:?}", sim.plan());
    let mut by_hand = Sim::settled(3);
    by_hand.spec.healing.enabled = false;
    by_hand.claims.get_mut(&1).unwrap().deleting = true;
    assert_eq!(names(&by_hand.run(50)), Vec::<&str>::new());
    assert!(reasons(&by_hand.plan()).contains(&Reason::HealingDisabled));
    let mut alone = Sim::settled(1);
    alone.claims.get_mut(&0).unwrap().deleting = true;
    alone.revision += 1;
    assert_eq!(names(&alone.run(50)), Vec::<&str>::new(), "its disk would end with its pod");
    assert!(reasons(&alone.plan()).contains(&Reason::VolumeGoing));
    alone.spec.replicas = 3;
    alone.run(100);
    assert!(alone.is_settled(), "{:?}", alone.plan());
}

#[test]
fn bug_29_a_claim_that_vanished_under_its_pod_is_noticed_and_its_member_replaced() {
    let mut sim = Sim::settled(3);
    sim.claims.get_mut(&1).unwrap().unlinked = true;
    let steps = sim.run(100);
    assert_eq!(names(&steps), ["delete-pod", "add-learner", "remove", "promote"]);
    assert!(sim.is_settled() && sim.claims.values().all(|claim| !claim.unlinked), "{:?}", sim.plan());
}

#[test]
fn bug_29_nobody_becomes_a_member_on_a_disk_that_ends_with_its_pod() {
    let mut sim = Sim::new(2);
    sim.run(1);
    let plan = sim.plan();
    sim.apply(&plan);
    sim.tick(2_000);
    sim.claims.get_mut(&0).unwrap().unlinked = true;
    assert_eq!(names(&sim.run(20)), Vec::<&str>::new(), "it may not have been seen yet");
    assert_eq!(names(&sim.run(60)), ["delete-pod", "bootstrap", "record-bootstrap"]);
    sim.spec.replicas = 3;
    sim.run(2);
    sim.claims.get_mut(&2).unwrap().unlinked = true;
    assert_eq!(names(&sim.run(60)), ["delete-pod", "add-learner", "promote"]);
    assert!(sim.is_settled() && sim.claims.values().all(|claim| !claim.unlinked), "{:?}", sim.plan());
}

#[test]
fn bug_29_a_member_whose_claim_is_not_seen_is_not_restarted_if_the_others_do_not_bear_its_loss() {
    let mut sim = Sim::settled(1);
    sim.revision += 1;
    let mut world = sim.world();
    world.claims.clear();
    world.pods[0].created = Moment(sim.now);
    let plan = plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!((plan.step.as_ref(), reasons(&plan)), (None, vec![Reason::RollBlocked]));
    assert!(plan.holds[0].message.contains("its volume claim is gone"), "{}", plan.holds[0].message);
}

#[test]
fn bug_30_broken_pods_of_an_older_template_are_made_anew_even_without_a_quorum() {
    let mut sim = Sim::settled(3);
    sim.bad.push(sim.revision);
    sim.tick(2_000);
    assert_eq!(names(&sim.run(5)), Vec::<&str>::new(), "nobody can run the only template there is");
    sim.revision += 1;
    let steps = sim.run(30);
    let broken = |step: &Step| matches!(step, Step::DeletePod { why: RestartReason::OutdatedAndBroken, .. });
    assert_eq!(steps.iter().filter(|step| broken(step)).count(), 3);
    assert!(sim.is_settled(), "{:?}", sim.plan());
}

#[test]
fn without_a_quorum_a_broken_pod_keeps_its_disk_though_its_claim_was_deleted() {
    let mut sim = Sim::settled(3);
    sim.bad.push(sim.revision);
    sim.revision += 1;
    sim.tick(2_000);
    sim.claims.values_mut().for_each(|claim| claim.deleting = true);
    let steps = names(&sim.run(30));
    assert_eq!(steps, Vec::<&str>::new(), "each may be one of those that form the quorum");
    let told = &sim.plan().holds[0].message;
    assert!(told.contains("orders-0, orders-1, orders-2: not made anew"), "{told}");
}

#[test]
fn a_claim_that_somebody_else_made_is_never_emptied() {
    let mut sim = Sim::settled(3);
    lose_disk(&mut sim, 1);
    sim.tick(2_000);
    let claim = sim.claims.get_mut(&1).unwrap();
    claim.ours = false;
    let identity = Some(super::sim::Identity { ensemble: "other".into(), node: 9 });
    claim.disk = Disk { identity, position: 7 };
    assert_eq!(names(&sim.run(50)), Vec::<&str>::new());
    assert!(reasons(&sim.plan()).contains(&Reason::ForeignDisk));
}

#[test]
fn two_lost_nodes_of_three_are_waited_for_as_long_as_it_takes() {
    let mut sim = Sim::settled(3);
    for ordinal in [0, 1] {
        let node = sim.pods[&ordinal].node.unwrap();
        sim.nodes[node] = SimNode { up: false, since: sim.now };
    }
    sim.now += 100_000_000;
    assert_eq!(names(&sim.run(50)), Vec::<&str>::new());
}

#[test]
fn whoever_refuses_the_token_is_named_also_when_others_take_it() {
    let sim = Sim::settled(3);
    let mut world = sim.world();
    for ordinal in [0, 1] {
        world.pods[ordinal].asked = Asked::WrongToken;
    }
    let Asked::Answered(answer) = &mut world.pods[2].asked else { panic!() };
    (answer.leader, answer.part) = (None, Part::Candidate);
    let plan = plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!(plan.holds[0].reason, Reason::SecretMismatch);
    assert!(plan.holds[0].message.contains("orders-0, orders-1 cannot be asked"), "{}", plan.holds[0].message);
}

#[test]
fn paused_deleted_or_robbed_of_a_name_nothing_is_done() {
    let mut sim = Sim::settled(3);
    sim.revision += 1;
    sim.spec.paused = true;
    let plan = sim.plan();
    assert_eq!((plan.children, plan.step, plan.holds[0].reason), (Children::Nothing, None, Reason::Paused));
    sim.spec.paused = false;
    let mut world = sim.world();
    world.foreign = vec!["Service/orders".into()];
    let plan = super::super::plan(&sim.spec, &world, &operator(), Moment(sim.now));
    assert_eq!((plan.children, plan.step, plan.holds[0].reason), (Children::Nothing, None, Reason::ForeignObject));
    sim.deleting = true;
    assert_eq!((sim.plan().children, sim.plan().step), (Children::Nothing, None));
}
