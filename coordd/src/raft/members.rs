//! The membership as the state and the status show it.

use coordd_tree::MemberRow;

use super::types::StoredMembership;
use crate::consensus::MemberInfo;

/// Every member by id, voters and learners.
pub(crate) fn infos(membership: &StoredMembership) -> Vec<MemberInfo> {
    let voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
    let info = |(id, node): (&u64, &super::types::Node)| MemberInfo {
        id: *id,
        name: node.name.clone(),
        voter: voters.contains(id),
        disk_id: node.disk_id.clone(),
        peer_addr: node.peer_addr.clone(),
        client_addr: node.client_addr.clone(),
        http_addr: node.http_addr.clone(),
    };
    membership.nodes().map(info).collect()
}

/// The rows that `/zookeeper/config` is made of.
pub(crate) fn rows(membership: &StoredMembership) -> Vec<MemberRow> {
    infos(membership)
        .into_iter()
        .map(|info| MemberRow {
            id: info.id,
            voter: info.voter,
            peer_addr: info.peer_addr,
            client_addr: info.client_addr,
        })
        .collect()
}
