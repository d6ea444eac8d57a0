//! The texts of the four-letter words (StatCommand.java, ConsCommand.java, …), to the letter.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::date::java_date;
use super::views::{Configuration, Connection, Digest, Directories, Dump, ServerStats, WatchSummary};
use crate::server::metrics::java;

/// `srvr`, and with `clients` `stat`.
pub(super) fn server_stats(stats: &ServerStats, clients: Option<&[Connection]>) -> String {
    let mut out = format!("Zookeeper version: {}\n", stats.version);
    if stats.read_only {
        out.push_str("READ-ONLY mode; serving only read-only clients\n");
    }
    if let Some(clients) = clients {
        out.push_str("Clients:\n");
        for c in clients {
            let _ = writeln!(out, "{}", brief(c));
        }
        out.push('\n');
    }
    let (min, avg, max) = (stats.min_latency, java(stats.avg_latency), stats.max_latency);
    let _ = writeln!(out, "Latency min/avg/max: {min}/{avg}/{max}");
    let _ = writeln!(out, "Received: {}", stats.packets_received);
    let _ = writeln!(out, "Sent: {}", stats.packets_sent);
    let _ = writeln!(out, "Connections: {}", stats.num_alive_client_connections);
    let _ = writeln!(out, "Outstanding: {}", stats.outstanding_requests);
    let _ = writeln!(out, "Zxid: {:#x}", stats.last_processed_zxid);
    let _ = writeln!(out, "Mode: {}", stats.server_state);
    let _ = writeln!(out, "Node count: {}", stats.node_count);
    if stats.server_state == "leader" {
        let (last, min, max) = stats.proposal_sizes;
        let _ = writeln!(out, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
    out
}

/// At most four decimals, and at least one, as Java's rounding prints them.
fn brief(c: &Connection) -> String {
    format!(
        " /{}[{}](queued={},recved={},sent={})",
        c.remote_socket_address, c.interest_ops, c.outstanding_requests, c.packets_received, c.packets_sent
    )
}

/// `cons`.
pub(super) fn connections(all: &[Connection]) -> String {
    let mut out = String::new();
    for c in all {
        let line = brief(c);
        out.push_str(line.trim_end_matches(')'));
        if c.session_id != 0 {
            let _ = write!(
                out,
                ",sid={:#x},lop={},est={},to={},lcxid={:#x},lzxid={:#x},lresp={},llat={},minlat={},avglat={},maxlat={}",
                c.session_id,
                c.last_operation,
                c.established,
                c.session_timeout,
                c.last_cxid,
                c.last_zxid,
                c.last_response_time,
                c.last_latency,
                c.min_latency,
                c.avg_latency,
                c.max_latency
            );
        }
        out.push_str(")\n");
    }
    out.push('\n');
    out
}

/// `conf`.
pub(super) fn configuration(c: &Configuration) -> String {
    let mut out = format!(
        "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\n\
         maxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        c.client_port,
        c.data_dir,
        c.data_dir_size,
        c.data_log_dir,
        c.data_log_size,
        c.tick_time,
        c.max_client_cnxns,
        c.min_session_timeout,
        c.max_session_timeout,
        c.client_port_listen_backlog,
        c.server_id
    );
    if !c.membership.is_empty() {
        let _ = write!(out, "membership: \n{}\n", c.membership.join("\n"));
    }
    out
}

/// `envi`.
pub(super) fn environment(entries: &[(&'static str, String)]) -> String {
    let mut out = String::from("Environment:\n");
    for (key, value) in entries {
        let _ = writeln!(out, "{key}={value}");
    }
    out
}

/// `dirs`.
pub(super) fn directories(d: &Directories) -> String {
    format!("datadir_size: {}\nlogdir_size: {}\n", d.datadir_size, d.logdir_size)
}

/// `dump`: the leader shows when its sessions are due, the others which timeouts they have.
pub(super) fn dump(d: &Dump) -> String {
    let mut out = "SessionTracker dump:\n".to_owned();
    match &d.expiries {
        Some(expiries) => {
            let named = expiries.iter().map(|(due, ids)| (*due, ids.iter().map(|id| format!("{id:#x}")).collect()));
            out.push_str(&sets("Session", d, &named.collect()));
        }
        None => {
            let _ = writeln!(out, "Global Sessions({}):", d.sessions.len());
            for (session, timeout) in &d.sessions {
                let _ = writeln!(out, "{session:#x}\t{timeout}ms");
            }
        }
    }
    let _ = write!(out, "ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", d.ephemerals.len());
    for (session, paths) in &d.ephemerals {
        let _ = writeln!(out, "{session:#x}:");
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    out.push_str("Connections dump:\n");
    let mut connections: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for c in &d.connections {
        let line = format!("ip: /{} sessionId: {:#x}", c.remote_socket_address, c.session_id);
        connections.entry(c.expires_ms.next_multiple_of(d.tick_ms.max(1))).or_default().push(line);
    }
    out.push_str(&sets("Connections", d, &connections));
    out
}

/// What is due at the same tick, tick by tick (ExpiryQueue.java).
fn sets(what: &str, d: &Dump, by_due: &BTreeMap<u64, Vec<String>>) -> String {
    let mut out = format!("{what} Sets ({})/({}):\n", by_due.len(), by_due.values().map(Vec::len).sum::<usize>());
    let (wall_ms, monotonic_ms) = d.now;
    for (due, lines) in by_due {
        let at = wall_ms + due.cast_signed() - monotonic_ms.cast_signed();
        let _ = writeln!(out, "{} expire at {}:", lines.len(), java_date(at));
        for line in lines {
            let _ = writeln!(out, "\t{line}");
        }
    }
    out
}

/// `wchs`.
pub(super) fn watch_summary(w: &WatchSummary) -> String {
    format!("{} connections watching {} paths\nTotal watches:{}\n", w.num_connections, w.num_paths, w.num_total_watches)
}

/// `wchc` and `wchp`: a key, then what belongs to it, each behind a tab.
pub(super) fn grouped<K: Display, M: Display>(groups: &[(K, Vec<M>)]) -> String {
    let mut out = String::new();
    for (key, members) in groups {
        let _ = writeln!(out, "{key}");
        for member in members {
            let _ = writeln!(out, "\t{member}");
        }
    }
    out.push('\n');
    out
}

/// `hash`.
pub(super) fn digest(d: &Digest) -> String {
    format!("{:x}: {}\n", d.zxid, d.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> ServerStats {
        ServerStats {
            version: "3.9.5-x, built on n/a".into(),
            read_only: false,
            min_latency: 0,
            avg_latency: 0.123_44,
            max_latency: 5,
            packets_received: 7,
            packets_sent: 6,
            num_alive_client_connections: 1,
            outstanding_requests: 0,
            last_processed_zxid: 0x1f,
            server_state: "follower",
            proposal_sizes: (-1, -1, -1),
            node_count: 5,
            uptime: 1,
            auth_failed_count: 0,
        }
    }

    #[test]
    fn srvr_reads_as_zookeepers() {
        assert_eq!(
            server_stats(&stats(), None),
            "Zookeeper version: 3.9.5-x, built on n/a\nLatency min/avg/max: 0/0.1234/5\nReceived: 7\nSent: 6\n\
             Connections: 1\nOutstanding: 0\nZxid: 0x1f\nMode: follower\nNode count: 5\n"
        );
    }

    #[test]
    fn stat_lists_the_clients_behind_the_version() {
        let text = server_stats(&stats(), Some(&[]));
        assert!(text.starts_with("Zookeeper version: 3.9.5-x, built on n/a\nClients:\n\nLatency min/avg/max:"));
    }

    #[test]
    fn dump_shows_the_leader_when_sessions_are_due_and_the_others_their_timeouts() {
        let mut dump = Dump {
            sessions: vec![(0x1a, 10_000), (0x1b, 4000)],
            expiries: None,
            now: (1_795_651_000_000, 5000),
            tick_ms: 2000,
            ephemerals: vec![(0x1a, vec!["/e".into()])],
            connections: Vec::new(),
        };
        let rest = "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x1a:\n\t/e\nConnections dump:\n\
                    Connections Sets (0)/(0):\n";
        let here = "SessionTracker dump:\nGlobal Sessions(2):\n0x1a\t10000ms\n0x1b\t4000ms\n";
        assert_eq!(super::dump(&dump), format!("{here}{rest}"));
        dump.expiries = Some(BTreeMap::from([(6000, vec![0x1a, 0x1b])]));
        let here = "SessionTracker dump:\nSession Sets (1)/(2):\n2 expire at Wed Nov 25 23:56:41 UTC 2026:\n\
                    \t0x1a\n\t0x1b\n";
        assert_eq!(super::dump(&dump), format!("{here}{rest}"));
    }

    #[test]
    fn groups_stand_behind_tabs() {
        let groups = [("0x1", vec!["/a", "/b"])];
        assert_eq!(grouped(&groups), "0x1\n\t/a\n\t/b\n\n");
    }
}
