//! What a member knows of its ensemble, in the words of the APIs.

use coordd_api::{Addresses, AdminStatus, EnsembleView, MemberRole, MemberView};

use crate::consensus::{MemberInfo, Role, Status};

fn role(role: Role) -> MemberRole {
    match role {
        Role::Leader => MemberRole::Leader,
        Role::Follower => MemberRole::Follower,
        Role::Candidate => MemberRole::Candidate,
        Role::Learner => MemberRole::Learner,
        Role::Unformed => MemberRole::Unformed,
    }
}

fn member(status: &Status, info: &MemberInfo) -> MemberView {
    let seen = if status.leader == Some(info.id) {
        MemberRole::Leader
    } else if status.node_id == Some(info.id) && status.role != Role::Leader {
        role(status.role)
    } else if info.voter {
        MemberRole::Follower
    } else {
        MemberRole::Learner
    };
    MemberView {
        id: info.id,
        name: info.name.clone(),
        role: seen,
        lag: status.lag.iter().find(|(id, _)| *id == info.id).map(|(_, lag)| *lag),
        addresses: Addresses {
            peer: info.peer_addr.clone(),
            client: info.client_addr.clone(),
            http: info.http_addr.clone(),
        },
        disk_id: Some(info.disk_id.clone()),
    }
}

pub(crate) fn ensemble(status: &Status) -> EnsembleView {
    let clients: Vec<_> = status.members.iter().map(|member| member.client_addr.as_str()).collect();
    EnsembleView {
        ensemble_id: status.ensemble_id.clone(),
        leader: status.leader,
        term: status.term,
        membership_index: status.membership_index,
        connect_string: clients.join(","),
        members: status.members.iter().map(|info| member(status, info)).collect(),
    }
}

pub(crate) fn admin_status(status: &Status) -> AdminStatus {
    AdminStatus {
        name: status.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node_id: status.node_id,
        role: role(status.role),
        last_log_index: status.last_log_index,
        last_log_term: Some(status.last_log_term),
        committed_index: status.committed_index,
        applied_index: status.applied_index,
        feature_level: status.feature_level,
        not_serving: status.not_serving.clone(),
        ensemble: ensemble(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::status;

    #[test]
    fn a_follower_shows_itself_its_leader_and_the_learners() {
        let view = ensemble(&Status { role: Role::Follower, node_id: Some(2), leader: Some(1), ..status() });
        let roles: Vec<_> = view.members.iter().map(|member| member.role).collect();
        assert_eq!(roles, [MemberRole::Leader, MemberRole::Follower, MemberRole::Learner]);
        assert_eq!(view.leading().map(|member| member.name.as_str()), Some("m1"));
        assert_eq!(view.connect_string, "m1:2181,m2:2181,m3:2181");
        assert_eq!(view.members[1].disk_id.as_deref(), Some("disk-2"));
    }

    #[test]
    fn a_leader_that_was_deposed_and_knows_no_other_shows_none() {
        let view = ensemble(&Status { role: Role::Candidate, node_id: Some(1), leader: None, ..status() });
        assert_eq!((view.leader, view.members[0].role), (None, MemberRole::Candidate));
    }
}
