//! From spec, world and plan to what `kubectl get` shows, and to the events of what has changed. Pure.
//!
//! ```text
//!   spec + World + Plan ─► Picture (quorum, rows) ─► columns, members, conditions ─► ClusterStatus ─► events
//! ```
//!
//! Rule: computed anew each time; what could not be observed is Unknown. Only transition times and the start and end of
//! an operation look at the status before. Reason: a status that remembers goes on saying Ready when nobody is there.

mod conditions;
mod event;
mod members;
mod operation;
#[cfg(test)]
pub(crate) mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

pub use event::{Event, changes, of_step};
use operation::UnderWay;

use crate::crd::{ClusterStatus, CoordinationClusterSpec, Endpoints, MemberStatus, SeenHealth, StatusRole};
use crate::names::{CLIENT_PORT, HTTP_PORT};
use crate::plan::{Children, Confirmed, Plan, Quorum, Reason, Weight, current_id, quorum, used};
use crate::step::{Record, Step};
use crate::world::{Moment, World};

/// All that a status is made from.
pub struct Scene<'a> {
    pub spec: &'a CoordinationClusterSpec,
    /// `metadata.generation` of that spec.
    pub generation: i64,
    pub before: &'a ClusterStatus,
    pub world: &'a World,
    pub plan: &'a Plan,
    pub now: Moment,
}

/// What the quorum is, for those that only show it.
pub(crate) enum Picture<'a> {
    NotFounded,
    Confirmed(Confirmed<'a>),
    Electing(String),
    Unknown(String),
    Lost(String),
}

impl<'a> Picture<'a> {
    fn of(world: &'a World) -> Picture<'a> {
        let Some(id) = current_id(world) else { return Picture::NotFounded };
        match quorum(world, id) {
            Quorum::Confirmed(confirmed) => Picture::Confirmed(confirmed),
            Quorum::Electing(why) => Picture::Electing(why),
            Quorum::Unknown(why) => Picture::Unknown(why),
            Quorum::Lost(why) => Picture::Lost(why),
        }
    }

    pub(crate) fn confirmed(&self) -> Option<&Confirmed<'a>> {
        match self {
            Picture::Confirmed(confirmed) => Some(confirmed),
            Picture::NotFounded | Picture::Electing(_) | Picture::Unknown(_) | Picture::Lost(_) => None,
        }
    }

    /// Why the leader serves nobody, and so none of the others do, though a majority follows it.
    pub(crate) fn not_serving(&self) -> Option<String> {
        let leader = self.confirmed().and_then(|all| all.rows.iter().find(|row| row.id == all.leader_id))?;
        let why = leader.not_serving().filter(|_| leader.standing.is_well())?;
        Some(format!("{} leads and does not serve: {why}", leader.name))
    }
}

pub(crate) fn time(moment: Moment) -> Time {
    Time(Timestamp::from_millisecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The status of a cluster. A `Record` step of the plan stands in it: writing this status carries that step out.
pub fn status(scene: &Scene<'_>) -> ClusterStatus {
    let Scene { spec, world, plan, .. } = scene;
    let picture = Picture::of(world);
    let members = members::members(scene, &picture);
    let under_way = UnderWay::of(scene, &members);
    let serving = world.pods.iter().filter(|pod| members::serves(&picture, pod)).count();
    let there = world.pods.iter().filter(|pod| pod.deleting.is_none()).count();
    let (mut bootstrap, mut recovery) = (world.bootstrap.clone(), world.recovery.clone());
    match &plan.step {
        Some(Step::Record(Record::Bootstrap(record))) => bootstrap = Some(record.clone()),
        Some(Step::Record(Record::Recovery(record))) => recovery = Some(record.clone()),
        _ => {}
    }
    let confirmed = picture.confirmed();
    ClusterStatus {
        observed_generation: Some(scene.generation),
        state: Some(state(scene, &picture, &under_way)),
        replicas: count(there),
        ready_replicas: count(serving),
        voting_members: confirmed.map(|confirmed| count(confirmed.voters().count())),
        members_ready: Some(match &picture {
            Picture::Confirmed(confirmed) => format!("{}/{}", confirmed.well_without(None), spec.replicas),
            Picture::Unknown(_) => format!("?/{}", spec.replicas),
            Picture::NotFounded | Picture::Electing(_) | Picture::Lost(_) => format!("0/{}", spec.replicas),
        }),
        selector: Some(world.name.selector_text()),
        leader: confirmed.map(|confirmed| confirmed.leader.pod.clone()),
        quorum: Some(margin(&picture)),
        version: version(world),
        target_image: match &plan.children {
            Children::All { image, .. } => Some(image.clone()),
            Children::Nothing | Children::WithoutMembers => None,
        },
        ensemble_id: current_id(world).map(str::to_owned),
        feature_level: used(world).map(i64::from),
        members,
        conditions: conditions::conditions(scene, &picture, &under_way),
        operation: under_way.operation,
        endpoints: bootstrap.is_some().then(|| endpoints(world)),
        bootstrap,
        recovery,
    }
}

/// The status of a cluster that cannot be looked at, and why: what it was is not what it is, and stands as Unknown.
pub fn unseen(before: &ClusterStatus, why: &str, now: Moment) -> ClusterStatus {
    let member = |member: &MemberStatus| MemberStatus {
        role: StatusRole::Unknown,
        healthy: SeenHealth::Unknown,
        message: None,
        last_transition_time: match member.healthy {
            SeenHealth::Unknown => member.last_transition_time.clone(),
            SeenHealth::True | SeenHealth::False => Some(time(now)),
        },
        ..member.clone()
    };
    ClusterStatus {
        state: Some(conditions::NOT_OBSERVED.to_owned()),
        leader: None,
        quorum: Some("unknown".to_owned()),
        // How many are wanted is not observed, and whoever compares two statuses asks it.
        members_ready: before.members_ready.as_deref().and_then(|seen| Some(format!("?/{}", seen.split_once('/')?.1))),
        members: before.members.iter().map(member).collect(),
        conditions: conditions::unseen(before, why, now),
        ..before.clone()
    }
}

pub(crate) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// What the ensemble is doing, in a word.
fn state(scene: &Scene<'_>, picture: &Picture<'_>, under_way: &UnderWay) -> String {
    let holds = &scene.plan.holds;
    let has = |reason| holds.iter().any(|hold| hold.reason == reason);
    let wanted = [Reason::Deleting, Reason::Paused, Reason::Hibernated];
    if let Some(reason) = wanted.into_iter().find(|reason| has(*reason)) {
        return reason.to_string();
    }
    if let Some(hold) = holds.iter().find(|hold| hold.reason.weight() == Weight::Stuck) {
        return hold.reason.to_string();
    }
    if let Some(operation) = &under_way.operation {
        return operation.type_.clone();
    }
    match picture {
        Picture::NotFounded => "Pending".to_owned(),
        Picture::Lost(_) => Reason::QuorumLost.to_string(),
        Picture::Electing(_) => Reason::Electing.to_string(),
        Picture::Unknown(_) => Reason::QuorumUnknown.to_string(),
        Picture::Confirmed(_) if picture.not_serving().is_some() => conditions::NOT_SERVING.to_owned(),
        Picture::Confirmed(confirmed) if confirmed.rows.iter().all(|row| row.standing.is_well()) => {
            "Running".to_owned()
        }
        Picture::Confirmed(_) => "Degraded".to_owned(),
    }
}

/// How many more voters may be lost.
fn margin(picture: &Picture<'_>) -> String {
    match picture {
        Picture::NotFounded => "none".to_owned(),
        Picture::Lost(_) => "lost".to_owned(),
        Picture::Electing(_) => "electing".to_owned(),
        Picture::Unknown(_) => "unknown".to_owned(),
        Picture::Confirmed(_) if picture.not_serving().is_some() => "not serving".to_owned(),
        Picture::Confirmed(confirmed) => {
            let needed = confirmed.voters().count() / 2 + 1;
            format!("tolerates {}", confirmed.well_without(None).saturating_sub(needed))
        }
    }
}

fn version(world: &World) -> Option<String> {
    let versions: std::collections::BTreeSet<_> =
        world.pods.iter().filter_map(|pod| pod.asked.answer()).map(|answer| answer.version.as_str()).collect();
    (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(","))
}

fn endpoints(world: &World) -> Endpoints {
    let host = format!("{}.{}.svc", world.name.client_service(), world.name.namespace);
    Endpoints { client: format!("{host}:{CLIENT_PORT}"), http: format!("http://{host}:{HTTP_PORT}") }
}
