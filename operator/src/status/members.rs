//! The table of members, one row for each pod or member by name.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Picture, Scene, time};
use crate::crd::{MemberStatus, SeenHealth, StatusRole};
use crate::plan::{Row, Standing};
use crate::world::{Asked, Part, Pod, Seen};

/// Whether a pod's member serves clients as one of the ensemble: a stopping one does not, whatever it says.
pub(crate) fn serves(picture: &Picture<'_>, pod: &Pod) -> bool {
    let row = picture.confirmed().and_then(|confirmed| confirmed.row_of(pod));
    pod.deleting.is_none() && pod.ready_since.is_some() && row.is_some_and(|row| row.standing.is_well())
}

pub(crate) fn members(scene: &Scene<'_>, picture: &Picture<'_>) -> Vec<MemberStatus> {
    let rows = picture.confirmed().map_or(&[][..], |confirmed| confirmed.rows.as_slice());
    let pods = scene.world.pods.iter().map(|pod| pod.ordinal);
    let ordinals: BTreeSet<i32> = pods.chain(rows.iter().filter_map(|row| row.ordinal)).collect();
    ordinals.into_iter().map(|ordinal| member(scene, picture, ordinal)).collect()
}

fn member(scene: &Scene<'_>, picture: &Picture<'_>, ordinal: i32) -> MemberStatus {
    let name = scene.world.name.pod(ordinal);
    let pod = scene.world.pod(&name);
    let confirmed = picture.confirmed();
    let own = pod.and_then(|pod| confirmed.and_then(|confirmed| confirmed.row_of(pod)));
    let row = own.or_else(|| confirmed.and_then(|confirmed| confirmed.rows.iter().find(|row| row.name == name)));
    let answer = pod.and_then(|pod| pod.asked.answer());
    let (healthy, message) = health(pod, own, row, picture);
    let id = own.or(row).map(|row| row.id).or_else(|| answer.and_then(|answer| answer.node_id));
    let node = pod.and_then(|pod| pod.node.clone());
    let zone = node.as_deref().and_then(|node| match scene.world.node(node) {
        Seen::There(node) => node.zone.clone(),
        Seen::Gone | Seen::Unknown(_) => None,
    });
    MemberStatus {
        id: id.and_then(|id| i64::try_from(id).ok()),
        role: role(pod, picture),
        healthy,
        message,
        version: answer.map(|answer| answer.version.clone()),
        node,
        zone,
        last_transition_time: Some(since(scene, &name, healthy)),
        name,
    }
}

fn health(
    pod: Option<&Pod>,
    own: Option<&Row<'_>>,
    row: Option<&Row<'_>>,
    picture: &Picture<'_>,
) -> (SeenHealth, Option<String>) {
    let standing = own.or(row).map(|row| &row.standing);
    match standing {
        Some(Standing::Well) if pod.is_some_and(|pod| pod.ready_since.is_some()) => (SeenHealth::True, None),
        Some(Standing::Well) => (SeenHealth::False, own.or(row).map(Row::not_ready)),
        Some(silent @ Standing::Silent(_)) => (SeenHealth::Unknown, Some(silent.in_words())),
        Some(Standing::DiskLost) => (SeenHealth::False, Some("its disk is new or of another member".to_owned())),
        Some(other) => (SeenHealth::False, Some(other.in_words())),
        None => match (pod.map(|pod| &pod.asked), picture) {
            (Some(Asked::Answered(answer)), Picture::Confirmed(_) | Picture::NotFounded) => {
                let why = answer.not_serving.clone().unwrap_or_else(|| "not part of the ensemble yet".to_owned());
                (SeenHealth::False, Some(why))
            }
            (Some(Asked::Silent(why)), _) => (SeenHealth::Unknown, Some(why.clone())),
            (Some(Asked::Answered(answer)), _) => (SeenHealth::Unknown, answer.not_serving.clone()),
            _ => (SeenHealth::Unknown, None),
        },
    }
}

fn role(pod: Option<&Pod>, picture: &Picture<'_>) -> StatusRole {
    let Some(answer) = pod.and_then(|pod| pod.asked.answer()) else { return StatusRole::Unknown };
    match answer.part {
        // That it leads is what the others say.
        Part::Leader if picture.confirmed().is_some_and(|confirmed| answer.node_id == Some(confirmed.leader_id)) => {
            StatusRole::Leader
        }
        Part::Leader | Part::Candidate => StatusRole::Unknown,
        Part::Follower => StatusRole::Follower,
        Part::Learner => StatusRole::Learner,
        Part::Unformed => StatusRole::Unformed,
    }
}

fn since(scene: &Scene<'_>, name: &str, healthy: SeenHealth) -> Time {
    let before = scene.before.members.iter().find(|member| member.name == name && member.healthy == healthy);
    before.and_then(|before| before.last_transition_time.clone()).unwrap_or_else(|| time(scene.now))
}
