//! What is shown of clusters that fare well and badly.

use super::*;
use crate::crd::{CoordinationClusterSpec, SeenHealth, StatusRole, condition};
use crate::names::ClusterName;
use crate::plan::{Operator, plan};
use crate::world::*;

pub(super) fn operator() -> Operator {
    Operator {
        default_version: "0.1.0".into(),
        image_repository: "coordd/coordd".into(),
        versions: vec![("0.1.0".into(), 1)],
    }
}

pub(crate) const NOW: Moment = Moment(2_000_000_000);

fn answer(ordinal: i32) -> Answer {
    let id = u64::try_from(ordinal).unwrap() + 1;
    let peer = |id: u64| Peer { id, name: format!("orders-{}", id - 1), voter: true, lag: Some(0) };
    Answer {
        name: format!("orders-{ordinal}"),
        version: "0.1.0".into(),
        node_id: Some(id),
        ensemble_id: Some("e1".into()),
        has_log: true,
        last_log: Some((3, 9)),
        part: if id == 1 { Part::Leader } else { Part::Follower },
        term: 3,
        leader: Some(1),
        membership_index: 7,
        peers: (1..=3).map(peer).collect(),
        feature_level: 1,
        not_serving: None,
    }
}

pub(super) fn pod(ordinal: i32) -> Pod {
    Pod {
        name: format!("orders-{ordinal}"),
        ordinal,
        uid: format!("pod-{ordinal}"),
        resource_version: "1".into(),
        revision: "r1".into(),
        created: Moment(1_000),
        deleting: None,
        state: PodState::Running,
        ready_since: Some(Moment(2_000)),
        unready_since: None,
        ip: Some(format!("10.0.0.{ordinal}")),
        node: Some(format!("node-{ordinal}")),
        asked: Asked::Answered(Box::new(answer(ordinal))),
    }
}

pub(crate) fn claim(ordinal: i32) -> Claim {
    Claim {
        name: format!("data-orders-{ordinal}"),
        ordinal,
        uid: format!("claim-{ordinal}"),
        resource_version: "1".into(),
        ours: true,
        made_for: Some("uid".into()),
        ensemble: Some("e1".into()),
        state: ClaimState::Bound,
        deleting: false,
        owned: false,
        only_on: Seen::There(Vec::new()),
    }
}

pub(crate) fn healthy() -> World {
    let node = |number: i32| Node {
        name: format!("node-{number}"),
        zone: Some(format!("zone-{number}")),
        addresses: Vec::new(),
        state: NodeState::Ready,
    };
    World {
        name: ClusterName::new("shop", "orders"),
        uid: "uid".into(),
        deleting: false,
        orders: Orders::default(),
        bootstrap: Some(crate::crd::Bootstrap {
            members: 3,
            version: "0.1.0".into(),
            ensemble_id: Some("e1".into()),
            adopted_from: None,
        }),
        recovery: None,
        feature_level: None,
        stateful_set: Seen::There(StatefulSet {
            uid: "set".into(),
            resource_version: "1".into(),
            replicas: 3,
            update_revision: Some("r1".into()),
            deleting: false,
        }),
        pods: (0..3).map(pod).collect(),
        claims: (0..3).map(claim).collect(),
        nodes: Seen::There((0..3).map(node).collect()),
        secret: Seen::There(SecretState { complete: true }),
        foreign: Vec::new(),
    }
}

pub(crate) fn shown_after(before: &ClusterStatus, spec: &CoordinationClusterSpec, world: &World) -> ClusterStatus {
    let plan = plan(spec, world, &operator(), NOW);
    status(&Scene { spec, generation: 4, before, world, plan: &plan, now: NOW })
}

pub(crate) fn shown(world: &World) -> ClusterStatus {
    shown_after(&ClusterStatus::default(), &CoordinationClusterSpec::default(), world)
}

pub(super) fn of<'a>(status: &'a ClusterStatus, type_: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|one| one.type_ == type_).unwrap();
    assert_eq!(found.observed_generation, Some(4));
    (&found.status, &found.reason)
}

pub(crate) fn silence(world: &mut World, ordinals: &[usize]) {
    for ordinal in ordinals {
        world.pods[*ordinal].asked = Asked::Silent("no connection within 2 s".into());
    }
}

/// Changes what every member answers.
pub(crate) fn ask(world: &mut World, change: impl Fn(&mut Answer)) {
    for pod in &mut world.pods {
        let Asked::Answered(answer) = &mut pod.asked else { panic!() };
        change(answer);
    }
}

#[test]
fn an_ensemble_that_is_well_is_shown_with_leader_and_margin() {
    let status = shown(&healthy());
    assert_eq!(status.state.as_deref(), Some("Running"));
    assert_eq!(status.members_ready.as_deref(), Some("3/3"));
    assert_eq!(status.leader.as_deref(), Some("orders-0"));
    assert_eq!(status.quorum.as_deref(), Some("tolerates 1"));
    assert_eq!(status.version.as_deref(), Some("0.1.0"));
    assert_eq!((status.replicas, status.ready_replicas, status.voting_members), (3, 3, Some(3)));
    assert_eq!(of(&status, condition::READY), ("True", "AllMembersReady"));
    assert_eq!(of(&status, condition::PROGRESSING), ("False", "Settled"));
    assert_eq!(of(&status, condition::DEGRADED), ("False", "AsWanted"));
    assert_eq!(of(&status, condition::DATA_VOLUMES_READY), ("True", "AllBound"));
    assert_eq!(status.members[0].role, StatusRole::Leader);
    assert_eq!((status.members[2].id, status.members[2].zone.as_deref()), (Some(3), Some("zone-2")));
    assert_eq!(status.endpoints.unwrap().client, "orders.shop.svc:2181");
}

#[test]
fn bug_14_a_lost_quorum_is_never_shown_as_available() {
    let mut world = healthy();
    for ordinal in [0, 1] {
        world.pods[ordinal].state = PodState::Broken { why: "CrashLoopBackOff".into(), exit: Some(1) };
        world.pods[ordinal].ready_since = None;
    }
    silence(&mut world, &[0, 1]);
    let status = shown(&world);
    assert_eq!(of(&status, condition::AVAILABLE), ("False", "QuorumLost"));
    assert_eq!(of(&status, condition::READY), ("False", "QuorumLost"));
    assert_eq!(status.quorum.as_deref(), Some("lost"));
    assert_eq!(status.leader, None);
}

#[test]
fn bug_18_what_could_not_be_asked_is_unknown_and_nothing_else() {
    let mut world = healthy();
    silence(&mut world, &[0, 1, 2]);
    let status = shown(&world);
    for type_ in [condition::READY, condition::AVAILABLE, condition::MEMBERS_READY, condition::DEGRADED] {
        assert_eq!(of(&status, type_), ("Unknown", "MembersUnreachable"), "{type_}");
    }
    assert_eq!((status.quorum.as_deref(), status.members_ready.as_deref()), (Some("unknown"), Some("?/3")));
    assert!(status.members.iter().all(|member| member.healthy == SeenHealth::Unknown));
}

#[test]
fn voters_that_answer_and_elect_nobody_are_an_alarm_after_a_minute() {
    let mut world = healthy();
    ask(&mut world, |answer| {
        (answer.leader, answer.part) = (None, Part::Candidate);
        answer.not_serving = Some("no leader is known".into());
    });
    let before = shown(&healthy());
    let electing = at(&before, &world, NOW);
    assert_eq!(of(&electing, condition::AVAILABLE), ("False", "Electing"));
    assert_eq!((electing.state.as_deref(), electing.quorum.as_deref()), (Some("Electing"), Some("electing")));
    let told = electing.conditions.iter().find(|one| one.type_ == condition::AVAILABLE).unwrap();
    assert!(told.message.contains("orders-2: no leader is known") && told.message.contains("2888"), "{told:?}");
    assert_eq!(of(&electing, condition::DEGRADED), ("False", "Electing"));
    assert_eq!(changes(&before, &electing), [], "an election makes no noise");
    let late = at(&electing, &world, Moment(NOW.0 + 61_000));
    assert_eq!(of(&late, condition::DEGRADED), ("True", "Electing"));
    assert_eq!(reasons(&changes(&electing, &late)), ["Electing"]);
}

#[test]
fn a_leader_that_does_not_serve_is_told_in_its_own_words() {
    let full = |world: &mut World, ordinals: &[usize]| {
        for ordinal in ordinals {
            world.pods[*ordinal].ready_since = None;
            let Asked::Answered(answer) = &mut world.pods[*ordinal].asked else { panic!() };
            answer.not_serving = Some("the disk of this member is full".into());
        }
    };
    let mut world = healthy();
    full(&mut world, &[1]);
    let status = shown(&world);
    assert_eq!(of(&status, condition::AVAILABLE), ("True", "QuorumConfirmed"));
    assert_eq!(status.members[1].message.as_deref(), Some("the disk of this member is full"));
    full(&mut world, &[0]);
    let status = at(&shown(&healthy()), &world, NOW);
    assert_eq!(of(&status, condition::AVAILABLE), ("False", "NotServing"));
    assert_eq!((status.state.as_deref(), status.quorum.as_deref()), (Some("NotServing"), Some("not serving")));
    let late = at(&status, &world, Moment(NOW.0 + 61_000));
    assert_eq!(of(&late, condition::DEGRADED), ("True", "NotServing"));
    let told = late.conditions.iter().find(|one| one.type_ == condition::READY).unwrap();
    assert_eq!(told.message, "orders-0 leads and does not serve: the disk of this member is full");
}

#[test]
fn what_cannot_be_looked_at_is_not_shown_as_it_was() {
    let before = shown(&healthy());
    let now = Moment(NOW.0 + 60_000);
    let after = unseen(&before, "the objects of Kubernetes are not known: pods: forbidden", now);
    for type_ in [condition::READY, condition::AVAILABLE, condition::DEGRADED, condition::DATA_VOLUMES_READY] {
        assert_eq!(of(&after, type_), ("Unknown", "NotObserved"), "{type_}");
    }
    assert_eq!(of(&after, condition::PAUSED), ("False", "Running"), "the spec says that");
    assert_eq!((after.state.as_deref(), after.quorum.as_deref()), (Some("NotObserved"), Some("unknown")));
    assert!(after.members.iter().all(|member| member.healthy == SeenHealth::Unknown));
    assert_eq!((&after.bootstrap, after.feature_level), (&before.bootstrap, Some(1)), "records are kept");
    assert_eq!(unseen(&after, "the objects of Kubernetes are not known: pods: forbidden", Moment(now.0 + 9)), after);
    let new = unseen(&ClusterStatus::default(), "Service/orders of a former cluster is on its way out", now);
    assert_eq!(new.conditions[0].status, "Unknown");
}

#[test]
fn one_silent_member_leaves_the_ensemble_available_and_its_readiness_unknown() {
    let mut world = healthy();
    silence(&mut world, &[2]);
    let status = shown(&world);
    assert_eq!(of(&status, condition::AVAILABLE), ("True", "QuorumConfirmed"));
    assert_eq!(of(&status, condition::MEMBERS_READY), ("Unknown", "MembersUnreachable"));
    assert_eq!(of(&status, condition::READY), ("Unknown", "MembersUnreachable"));
    assert_eq!(status.quorum.as_deref(), Some("tolerates 0"));
    assert_eq!(status.members[2].healthy, SeenHealth::Unknown);
}

#[test]
fn bug_26_a_member_that_is_stopping_is_not_counted_as_ready() {
    let mut world = healthy();
    world.pods[2].deleting = Some(NOW);
    let status = shown(&world);
    assert_eq!((status.replicas, status.ready_replicas), (2, 2));
    assert_eq!(status.members_ready.as_deref(), Some("2/3"));
    assert_eq!(of(&status, condition::MEMBERS_READY), ("False", "MembersNotReady"));
}

#[test]
fn a_time_moves_only_when_what_it_dates_has_changed() {
    let spec = CoordinationClusterSpec::default();
    let mut before = shown(&healthy());
    let early = time(Moment(1_000));
    before.conditions.iter_mut().for_each(|one| one.last_transition_time = early.clone());
    before.members.iter_mut().for_each(|one| one.last_transition_time = Some(early.clone()));
    assert_eq!(shown_after(&before, &spec, &healthy()), before, "nothing has changed, so nothing is written");
    let mut world = healthy();
    silence(&mut world, &[2]);
    let after = shown_after(&before, &spec, &world);
    let moved = |status: &ClusterStatus, type_: &str| {
        let found = status.conditions.iter().find(|one| one.type_ == type_).unwrap();
        found.last_transition_time != early
    };
    assert!(moved(&after, condition::READY) && !moved(&after, condition::AVAILABLE));
    assert_eq!(after.members[0].last_transition_time, Some(early));
    assert_eq!(after.members[2].last_transition_time, Some(time(NOW)));
}

#[test]
fn events_tell_of_changes_and_of_nothing_else() {
    let spec = CoordinationClusterSpec::default();
    let before = shown(&healthy());
    assert_eq!(changes(&before, &before), []);
    let mut world = healthy();
    for ordinal in [0, 1] {
        world.pods[ordinal].state = PodState::Ended;
    }
    silence(&mut world, &[0, 1]);
    let lost = shown_after(&before, &spec, &world);
    assert_eq!(reasons(&changes(&before, &lost)), ["QuorumLost"]);
    assert_eq!(changes(&lost, &lost), []);
    assert_eq!(reasons(&changes(&lost, &before)), ["QuorumRestored"]);
    let mut world = healthy();
    ask(&mut world, |answer| (answer.leader, answer.part) = (None, Part::Candidate));
    let electing = shown_after(&lost, &spec, &world);
    assert_eq!(of(&electing, condition::AVAILABLE), ("False", "Electing"));
    assert_eq!(reasons(&changes(&lost, &electing)), ["QuorumRestored"], "a majority is there, whoever leads it");
    assert_eq!(changes(&electing, &before), []);
}

#[test]
fn paused_deleted_and_hibernated_clusters_say_so() {
    let spec = CoordinationClusterSpec { paused: true, ..CoordinationClusterSpec::default() };
    let status = shown_after(&ClusterStatus::default(), &spec, &healthy());
    assert_eq!((status.state.as_deref(), of(&status, condition::PAUSED).0), (Some("Paused"), "True"));
    assert_eq!(of(&status, condition::READY).0, "True", "pausing the operator stops no member");
    let spec = CoordinationClusterSpec { hibernate: true, ..CoordinationClusterSpec::default() };
    let mut world = healthy();
    world.pods.clear();
    world.stateful_set = match world.stateful_set {
        Seen::There(set) => Seen::There(StatefulSet { replicas: 0, ..set }),
        other => other,
    };
    let status = shown_after(&ClusterStatus::default(), &spec, &world);
    assert_eq!((status.state.as_deref(), of(&status, condition::HIBERNATED).0), (Some("Hibernated"), "True"));
    assert_eq!(of(&status, condition::READY), ("False", "Hibernated"));
    let world = World { deleting: true, ..healthy() };
    assert_eq!(of(&shown(&world), condition::READY), ("False", "Deleting"));
}

#[test]
fn an_unknown_version_is_a_condition_and_the_members_go_on() {
    let spec = CoordinationClusterSpec { version: Some("9.9.9".into()), ..CoordinationClusterSpec::default() };
    let status = shown_after(&ClusterStatus::default(), &spec, &healthy());
    assert_eq!(of(&status, condition::MEMBERS_UPDATED), ("False", "UnknownVersion"));
    assert_eq!(of(&status, condition::READY), ("False", "UnknownVersion"));
    assert_eq!(of(&status, condition::AVAILABLE), ("True", "QuorumConfirmed"));
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_str()).collect()
}

fn at(before: &ClusterStatus, world: &World, now: Moment) -> ClusterStatus {
    let spec = CoordinationClusterSpec::default();
    let plan = plan(&spec, world, &operator(), now);
    status(&Scene { spec: &spec, generation: 4, before, world, plan: &plan, now })
}

/// The world in which the pod of `ordinal` has just been made anew from the newest template.
fn starting(ordinal: usize) -> World {
    let mut world = healthy();
    let pod = &mut world.pods[ordinal];
    (pod.created, pod.ready_since, pod.state) = (NOW, None, PodState::Starting);
    pod.asked = Asked::Silent("connection refused".into());
    world
}

#[test]
fn whoever_waits_for_ready_waits_for_the_whole_roll_and_hears_no_alarm() {
    let before = shown(&healthy());
    let mut world = healthy();
    world.pods.iter_mut().for_each(|pod| pod.revision = "r0".into());
    let unseen = {
        let mut world = world.clone();
        let Seen::There(set) = &mut world.stateful_set else { panic!() };
        set.update_revision = None;
        at(&before, &world, NOW)
    };
    assert_eq!(of(&unseen, condition::READY), ("Unknown", "NotObserved"), "the template was applied just now");
    let begun = at(&unseen, &world, NOW);
    assert_eq!(of(&begun, condition::READY), ("False", "Outdated"));
    assert_eq!(reasons(&changes(&before, &begun)), ["RollingStarted"]);
    // The last one starts, so the plan has nothing more to do.
    let mut last = begun;
    for world in [&starting(2), &starting(2)] {
        let next = at(&last, world, Moment(NOW.0 + 5_000));
        assert_eq!(next.state.as_deref(), Some("Rolling"));
        assert_eq!(next.operation.as_ref().unwrap().step, "waiting for orders-2 to serve");
        assert_eq!(of(&next, condition::READY), ("False", "MembersNotReady"));
        assert_eq!(of(&next, condition::PROGRESSING), ("True", "Rolling"));
        assert_eq!((of(&next, condition::DEGRADED).0, next.quorum.as_deref()), ("False", Some("tolerates 0")));
        assert_eq!(reasons(&changes(&last, &next)), Vec::<&str>::new());
        last = next;
    }
    let ended = at(&last, &healthy(), Moment(NOW.0 + 9_000));
    assert_eq!(of(&ended, condition::READY), ("True", "AllMembersReady"));
    assert_eq!(reasons(&changes(&last, &ended)), ["RollingEnded"]);
}

#[test]
fn a_member_that_does_not_come_back_from_a_roll_is_an_alarm_after_its_time() {
    let rolling = {
        let mut world = healthy();
        world.pods.iter_mut().for_each(|pod| pod.revision = "r0".into());
        at(&ClusterStatus::default(), &world, NOW)
    };
    let away = at(&rolling, &starting(2), NOW);
    let late = at(&away, &starting(2), Moment(NOW.0 + 601_000));
    assert_eq!(late.state.as_deref(), Some("Replacing"), "the roll has ended, and its pod is tried once more");
    assert_eq!(of(&late, condition::DEGRADED).0, "True");
    assert!(reasons(&changes(&away, &late)).contains(&"QuorumMarginZero"), "{:?}", changes(&away, &late));
}

#[test]
fn a_founding_lasts_until_its_members_serve() {
    let mut world = healthy();
    world.bootstrap = world.bootstrap.map(|record| crate::crd::Bootstrap { ensemble_id: None, ..record });
    world.pods.iter_mut().for_each(|pod| pod.ready_since = None);
    let founding = at(&ClusterStatus::default(), &world, NOW);
    assert_eq!(founding.operation.as_ref().map(|one| one.type_.as_str()), Some("Founding"));
    world.bootstrap = healthy().bootstrap;
    let founded = at(&founding, &world, NOW);
    assert_eq!(founded.state.as_deref(), Some("Founding"));
    assert_eq!(reasons(&changes(&founding, &founded)), Vec::<&str>::new(), "nothing to warn of");
    assert_eq!(of(&at(&founded, &healthy(), NOW), condition::READY).0, "True");
}

#[test]
fn hibernation_is_no_loss_of_the_quorum() {
    let spec = CoordinationClusterSpec { hibernate: true, ..CoordinationClusterSpec::default() };
    let before = shown(&healthy());
    let ordered = shown_after(&before, &spec, &healthy());
    assert_eq!(of(&ordered, condition::READY), ("False", "Hibernated"), "though all serve at this moment");
    let mut world = healthy();
    world.pods.iter_mut().for_each(|pod| (pod.deleting, pod.ready_since) = (Some(NOW), None));
    silence(&mut world, &[0, 1, 2]);
    let Seen::There(set) = &mut world.stateful_set else { panic!() };
    set.replicas = 0;
    let stopping = shown_after(&ordered, &spec, &world);
    assert_eq!(of(&stopping, condition::AVAILABLE), ("False", "Hibernated"));
    assert_eq!(of(&stopping, condition::DEGRADED).0, "False");
    assert!(changes(&ordered, &stopping).iter().all(|event| !event.warning), "{:?}", changes(&ordered, &stopping));
}

#[test]
fn a_step_that_is_refused_is_not_shown_as_being_done() {
    let spec = CoordinationClusterSpec { replicas: 5, ..CoordinationClusterSpec::default() };
    let world = healthy();
    let mut plan = plan(&spec, &world, &operator(), NOW);
    assert!(plan.step.is_some());
    plan.refuse(Reason::Forbidden, "no right to do that");
    let before = ClusterStatus::default();
    let status = status(&Scene { spec: &spec, generation: 4, before: &before, world: &world, plan: &plan, now: NOW });
    assert_eq!(of(&status, condition::PROGRESSING), ("False", "Forbidden"));
    let told = status.conditions.iter().find(|one| one.type_ == condition::READY).unwrap();
    assert_eq!(told.message, "setting the number of pods from 3 to 5: no right to do that");
}

#[test]
fn a_replacement_ends_with_the_vote_of_the_one_that_takes_the_place() {
    let mut world = healthy();
    for pod in &mut world.pods {
        let Asked::Answered(answer) = &mut pod.asked else { panic!() };
        answer.peers[2] = Peer { id: 9, voter: false, ..answer.peers[2].clone() };
        (answer.node_id, answer.part) =
            if answer.name == "orders-2" { (Some(9), Part::Learner) } else { (answer.node_id, answer.part) };
    }
    let shown_as = |type_: &str| {
        let before = crate::crd::OperationStatus { type_: type_.into(), step: String::new(), started_at: time(NOW) };
        let before = ClusterStatus { operation: Some(before), ..ClusterStatus::default() };
        at(&before, &world, NOW).operation.unwrap()
    };
    assert_eq!(shown_as("Replacing").type_, "Replacing");
    assert_eq!(shown_as("Rolling").type_, "ScalingUp");
    assert_eq!(shown_as("Rolling").step, "giving orders-2 (id 9) its vote");
}
