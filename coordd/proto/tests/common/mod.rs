//! The golden files: what the Java classes of ZooKeeper 3.9.5 wrote, a name and its bytes in hex on each line.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

/// Records without their header; what their names begin with is the operation, see [`op`].
pub(crate) const REQUESTS: &str = include_str!("../golden/requests.hex");
pub(crate) const REPLIES: &str = include_str!("../golden/replies.hex");

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    file.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, hex)| (name, bytes(hex)))
}

/// The operation of a golden request or reply: the longest name of one that its own name begins with.
pub(crate) fn op(name: &str) -> coordd_proto::OpCode {
    use coordd_proto::OpCode::*;
    let known = [
        ("create", Create),
        ("create2", Create2),
        ("create_container", CreateContainer),
        ("create_ttl", CreateTtl),
        ("delete", Delete),
        ("delete_container", DeleteContainer),
        ("exists", Exists),
        ("get_data", GetData),
        ("set_data", SetData),
        ("get_acl", GetAcl),
        ("set_acl", SetAcl),
        ("get_children", GetChildren),
        ("get_children2", GetChildren2),
        ("sync", Sync),
        ("check", Check),
        ("reconfig", Reconfig),
        ("check_watches", CheckWatches),
        ("remove_watches", RemoveWatches),
        ("auth", Auth),
        ("set_watches", SetWatches),
        ("set_watches2", SetWatches2),
        ("sasl", Sasl),
        ("get_ephemerals", GetEphemerals),
        ("get_all_children_number", GetAllChildrenNumber),
        ("add_watch", AddWatch),
        ("who_am_i", WhoAmI),
        ("multi", Multi),
        ("multi_read", MultiRead),
    ];
    known.into_iter().filter(|(prefix, _)| name.starts_with(prefix)).max_by_key(|(prefix, _)| prefix.len()).unwrap().1
}
