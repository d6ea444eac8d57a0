//! The ensemble's members as clients read them in `/zookeeper/config`.
//!
//! ```text
//!   server.1=host:2888:2888:participant;host:2181
//!   server.2=…
//!   version=1000000005                                  the zxid of the membership, hex, no newline behind it
//! ```
//!
//! Rule: the text is ZooKeeper's (QuorumMaj.toString), since clients parse it to spread their connections. We have one
//! peer port where ZooKeeper has two: it stands twice.

use coordd_proto::Zxid;

/// One member as the membership describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberRow {
    pub id: u64,
    pub voter: bool,
    /// `host:port`, as advertised.
    pub peer_addr: String,
    /// `host:port`, as advertised.
    pub client_addr: String,
}

pub(crate) fn config_text(members: &[MemberRow], version: Zxid) -> String {
    let mut rows: Vec<&MemberRow> = members.iter().collect();
    rows.sort_by_key(|row| row.id);
    let mut text = String::new();
    for MemberRow { id, voter, peer_addr, client_addr } in rows {
        let peer_port = peer_addr.rsplit_once(':').map_or("", |(_, port)| port);
        let role = if *voter { "participant" } else { "observer" };
        text.push_str(&format!("server.{id}={peer_addr}:{peer_port}:{role};{client_addr}\n"));
    }
    text.push_str(&format!("version={:x}", version.0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_text_is_that_of_zookeeper() {
        let row = |id, voter, host: &str| MemberRow {
            id,
            voter,
            peer_addr: format!("{host}:2888"),
            client_addr: format!("{host}:2181"),
        };
        let members = [row(10, false, "[::1]"), row(2, true, "b.example")];
        assert_eq!(
            config_text(&members, Zxid(0x1_0000_000a)),
            "server.2=b.example:2888:2888:participant;b.example:2181\n\
             server.10=[::1]:2888:2888:observer;[::1]:2181\nversion=10000000a"
        );
    }
}
