//! The ensemble's members as clients read them in `/zookeeper/config`.
//!
//! ```text
//!   server.1=host:2888:3888:participant;host:2181
//!   server.2=…
//!   version=1000000005                                  the zxid of the membership, hex, no newline behind it
//! ```
//!
//! Rule: the text is ZooKeeper's (QuorumMaj.toString), since clients parse it to spread their connections. We have one
//! peer port where ZooKeeper has two, and its parsers refuse a server whose two are one: the second is the first and a
//! thousand, as 3888 is beside 2888, and nothing listens there. Below feature level 3 the first stands twice.

use coordd_proto::Zxid;

use crate::state::ELECTION_PORTS;

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

pub(crate) fn config_text(members: &[MemberRow], version: Zxid, level: u32) -> String {
    let mut rows: Vec<&MemberRow> = members.iter().collect();
    rows.sort_by_key(|row| row.id);
    let mut text = String::new();
    for MemberRow { id, voter, peer_addr, client_addr } in rows {
        let peer_port = peer_addr.rsplit_once(':').map_or("", |(_, port)| port);
        let second_port = if level < ELECTION_PORTS { peer_port.to_owned() } else { election_port(peer_port) };
        let role = if *voter { "participant" } else { "observer" };
        text.push_str(&format!("server.{id}={peer_addr}:{second_port}:{role};{client_addr}\n"));
    }
    text.push_str(&format!("version={:x}", version.0));
    text
}

/// A text of a lower level as level 3 has it.
pub(crate) fn with_election_ports(text: &str, version: Zxid) -> String {
    let mut renewed = String::new();
    for (server, client) in text.lines().filter_map(|line| line.split_once(';')) {
        // From the right: a host may hold colons.
        let mut parts = server.rsplitn(3, ':');
        if let (Some(role), Some(peer_port), Some(peer_addr)) = (parts.next(), parts.next(), parts.next()) {
            renewed.push_str(&format!("{peer_addr}:{}:{role};{client}\n", election_port(peer_port)));
        }
    }
    renewed.push_str(&format!("version={:x}", version.0));
    renewed
}

/// A port that is not the peer port.
fn election_port(peer_port: &str) -> String {
    let beside = |port: u16| port.checked_add(1000).unwrap_or_else(|| port - 1000).to_string();
    peer_port.parse().map_or_else(|_| peer_port.to_owned(), beside)
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
        let before = config_text(&members, Zxid(0x1_0000_000a), 2);
        assert_eq!(
            before,
            "server.2=b.example:2888:2888:participant;b.example:2181\n\
             server.10=[::1]:2888:2888:observer;[::1]:2181\nversion=10000000a"
        );
        let now = "server.2=b.example:2888:3888:participant;b.example:2181\n\
                   server.10=[::1]:2888:3888:observer;[::1]:2181\nversion=1000000ff";
        assert_eq!(config_text(&members, Zxid(0x1_0000_00ff), 3), now);
        assert_eq!(with_election_ports(&before, Zxid(0x1_0000_00ff)), now);
    }

    #[test]
    fn the_second_port_is_never_the_first() {
        assert_eq!(["1", "2888", "65000"].map(election_port), ["1001", "3888", "64000"]);
    }
}
