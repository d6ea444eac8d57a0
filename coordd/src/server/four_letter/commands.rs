//! The figures behind the four-letter words and `/commands`, gathered from the hub, the state and the status.
//!
//! Rule: reading them changes nothing but for the two resets, takes each lock shortly and one at a time, and works
//! whether or not this member serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use coordd_proto::{AuthId, SessionId};

pub use super::TRACE_MASK;
use super::host;
pub use super::views::{Configuration, Connection, Digest, Directories, Dump, ServerStats, WatchSummary};
use crate::clock;
use crate::consensus::{Role, Status};
use crate::server::conn::Conn;
use crate::server::handshake::{self, Service};
use crate::server::metrics::Sample;
use crate::server::tally::{Tally, last_op_name};
use crate::server::{ServerConfig, Shared, auth};
use crate::session::registry::Holder;
use crate::watch::{Followed, Side};

/// The ZooKeeper release whose protocol this is, then our own version.
pub const VERSION: &str = concat!("3.9.5-coordd-", env!("CARGO_PKG_VERSION"), ", built on n/a");

/// A handle for asking.
#[derive(Clone)]
pub struct Commands {
    shared: Arc<Shared>,
}

impl Commands {
    pub(crate) fn new(shared: Arc<Shared>) -> Commands {
        Commands { shared }
    }

    fn status(&self) -> Arc<Status> {
        self.shared.status.borrow().clone()
    }

    /// Who `user:password` of HTTP Basic makes a caller.
    pub(crate) fn basic(&self, proof: &[u8]) -> Option<Vec<AuthId>> {
        auth::basic(&self.shared.config.schemes, proof)
    }

    /// Where apply marks what those who follow over HTTP rest on.
    pub(crate) fn followed(&self) -> &Arc<Followed> {
        self.shared.hub.followed()
    }

    fn service(&self) -> Service {
        handshake::service(&self.status(), self.shared.config.read_only_mode)
    }

    pub fn is_serving(&self) -> bool {
        self.service() != Service::None
    }

    /// `ro`, `rw`, or `None` while this member serves nobody.
    pub fn is_read_only(&self) -> Option<&'static str> {
        match self.service() {
            Service::Full => Some("rw"),
            Service::ReadOnly => Some("ro"),
            Service::None => None,
        }
    }

    /// `leader`, `follower`, `observer`, `standalone` or `read-only`.
    pub fn server_state(&self) -> &'static str {
        let status = self.status();
        match status.role {
            _ if self.service() == Service::ReadOnly => "read-only",
            Role::Leader if status.members.len() == 1 => "standalone",
            Role::Leader => "leader",
            Role::Learner => "observer",
            Role::Follower | Role::Candidate | Role::Unformed => "follower",
        }
    }

    /// What a member of an ensemble does as its part of it (QuorumPeer.getDetailedPeerState).
    fn peer_state(&self) -> Option<&'static str> {
        let status = self.status();
        let state = match status.role {
            _ if status.leader.is_none() => "looking - election",
            Role::Leader => "leading - broadcast",
            Role::Learner => "observing - broadcast",
            Role::Follower | Role::Candidate | Role::Unformed => "following - broadcast",
        };
        (status.members.len() > 1).then_some(state)
    }

    pub fn server_stats(&self) -> ServerStats {
        let metrics = &self.shared.hub.metrics;
        let open = self.shared.hub.connections();
        let outstanding = open.iter().map(|conn| conn.queue().pending.len() as u64).sum();
        let server_state = self.server_state();
        let state = self.shared.consensus.state().read();
        ServerStats {
            version: VERSION.to_owned(),
            read_only: server_state == "read-only",
            min_latency: metrics.latency.min_ms(),
            avg_latency: metrics.latency.avg_ms(),
            max_latency: metrics.latency.max_ms(),
            packets_received: metrics.packets_received.get(),
            packets_sent: metrics.packets_sent.get(),
            num_alive_client_connections: open.len(),
            outstanding_requests: outstanding,
            last_processed_zxid: state.last_zxid().0,
            server_state,
            proposal_sizes: metrics.proposal_size.get(),
            uptime: clock::monotonic_ms().saturating_sub(self.shared.hub.started_ms()),
            auth_failed_count: metrics.auth_failed_count.get(),
            // ZooKeeper counts the root twice, under "" and "/".
            node_count: state.znode_count() + 1,
        }
    }

    pub fn connections(&self) -> Vec<Connection> {
        self.shared.hub.connections().iter().map(|conn| view(conn, &self.shared.config)).collect()
    }

    pub fn reset_connections(&self) {
        self.shared.hub.connections().iter().for_each(|conn| conn.queue().tally = Tally::default());
    }

    pub fn reset_server(&self) {
        self.shared.hub.metrics.reset();
    }

    pub fn configuration(&self) -> Configuration {
        let config = &self.shared.config;
        let status = self.status();
        let Directories { datadir_size, logdir_size } = self.directories();
        Configuration {
            client_port: config.listen.port(),
            data_dir: config.data_dir.display().to_string(),
            data_dir_size: datadir_size,
            data_log_dir: config.data_dir.display().to_string(),
            data_log_size: logdir_size,
            tick_time: config.tick_ms,
            max_client_cnxns: config.max_connections_per_address,
            min_session_timeout: config.min_session_timeout_ms,
            max_session_timeout: config.max_session_timeout_ms,
            server_id: status.node_id.unwrap_or(0),
            client_port_listen_backlog: -1,
            membership: if status.members.len() > 1 { self.membership() } else { Vec::new() },
        }
    }

    /// The text of `/zookeeper/config`, line by line.
    fn membership(&self) -> Vec<String> {
        let state = self.shared.consensus.state().read();
        let data =
            state.get_data("/zookeeper/config", &[]).ok().and_then(|(data, _)| data.map(String::from_utf8_lossy));
        data.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    pub fn environment(&self) -> Vec<(&'static str, String)> {
        host::environment(VERSION)
    }

    pub fn directories(&self) -> Directories {
        let size = host::size_of(&self.shared.config.data_dir);
        Directories { datadir_size: size, logdir_size: size }
    }

    /// The zxid of the newest snapshot of this member and the second in which it was written, both -1 without one.
    pub fn last_snapshot(&self) -> (i64, i64) {
        let base = self.shared.consensus.state().read().zxid_base();
        let newest = host::newest_snapshot(&self.shared.config.data_dir.join("snapshots"));
        newest.map_or((-1, -1), |(index, written)| (base + index, written))
    }

    pub fn dump(&self) -> Dump {
        let connections = self.connections();
        let tick_ms = u64::from(self.shared.config.tick_ms).max(1);
        let now = (clock::wall_ms(), clock::monotonic_ms());
        let expiries = self.shared.consensus.expiries().map(|all| {
            let due = all.into_iter().map(|(id, left_ms)| ((now.1 + left_ms).next_multiple_of(tick_ms), id.0));
            group(due.collect()).into_iter().collect()
        });
        let state = self.shared.consensus.state().read();
        let sessions = state.sessions().map(|session| (session.id.0, session.timeout_ms)).collect();
        let owners = state.sessions().filter(|session| session.ephemerals > 0);
        let ephemerals = owners.map(|session| (session.id.0, state.ephemerals_of(session.id, "/"))).collect();
        Dump { sessions, expiries, now, tick_ms, ephemerals, connections }
    }

    /// (session, path) of each watch in the data table.
    fn data_watches(&self) -> Vec<(SessionId, String)> {
        let watches = self.shared.hub.watches();
        let data = watches.table.iter().filter(|(_, side, _, _)| *side == Side::Data);
        let named = data.filter_map(|(watcher, _, path, _)| Some((watches.conn(watcher)?.session(), path.to_owned())));
        named.collect()
    }

    pub fn watch_summary(&self) -> WatchSummary {
        WatchSummary {
            num_connections: self.watches_by_session().len(),
            num_paths: self.watches_by_path().len(),
            num_total_watches: self.shared.hub.watches().table.data_count(),
        }
    }

    pub fn watches_by_session(&self) -> Vec<(SessionId, Vec<String>)> {
        group(self.data_watches())
    }

    pub fn watches_by_path(&self) -> Vec<(String, Vec<SessionId>)> {
        group(self.data_watches().into_iter().map(|(session, path)| (path, session)).collect())
    }

    pub fn digest(&self) -> Digest {
        let state = self.shared.consensus.state().read();
        Digest { zxid: state.last_zxid().0, digest: state.digest().cast_signed() }
    }

    /// `mntr`: the figures, and what `/metrics` shows of consensus under names of its own.
    pub fn monitor(&self) -> Vec<Sample> {
        let status = self.status();
        let mut all = self.figures();
        all.push(Sample::gauge("log_unsynced_bytes", status.log_unsynced_bytes as f64));
        let lag = |(id, name, entries): (u64, &str, u64)| {
            let key = if name.is_empty() { id.to_string() } else { name.to_owned() };
            Sample::gauge("peer_lag_entries", entries as f64).with_key(key)
        };
        all.extend(status.lag_by_name().map(lag));
        all
    }

    /// What ZooKeeper shows first, then everything that was gathered.
    pub fn figures(&self) -> Vec<Sample> {
        let mut all = vec![Sample::text("version", VERSION), Sample::text("server_state", self.server_state())];
        all.extend(self.peer_state().map(|state| Sample::text("peer_state", state)));
        all.extend(self.gauges());
        all.extend(self.shared.hub.metrics.samples());
        all
    }

    fn gauges(&self) -> Vec<Sample> {
        let stats = self.server_stats();
        let hub = &self.shared.hub;
        let watches = hub.watches().table.count();
        let here = |conn: &Arc<Conn>| conn.peer.ip().to_canonical().is_loopback();
        let local = hub.connections().iter().filter(|conn| here(conn)).count().min(stats.num_alive_client_connections);
        let state = self.shared.consensus.state().read();
        let figures = [
            ("max_latency", stats.max_latency as f64),
            ("min_latency", stats.min_latency as f64),
            ("packets_received", stats.packets_received as f64),
            ("packets_sent", stats.packets_sent as f64),
            ("num_alive_connections", stats.num_alive_client_connections as f64),
            ("outstanding_requests", stats.outstanding_requests as f64),
            ("requests_in_session_queue", stats.outstanding_requests as f64),
            ("undecided_writes", self.status().undecided_writes as f64),
            ("outbox_bytes", hub.connections().iter().map(|conn| conn.queue().out.len()).sum::<usize>() as f64),
            ("uptime", (clock::monotonic_ms() - hub.started_ms()) as f64),
            ("znode_count", stats.node_count as f64),
            ("watch_count", watches as f64),
            ("ephemerals_count", state.ephemerals_count() as f64),
            ("approximate_data_size", state.approximate_data_size() as f64),
            ("global_sessions", state.session_count() as f64),
            ("local_sessions", 0.0),
            ("non_mtls_local_conn_count", local as f64),
            ("non_mtls_remote_conn_count", (stats.num_alive_client_connections - local) as f64),
            ("last_client_response_size", -1.0),
            ("min_client_response_size", -1.0),
            ("max_client_response_size", -1.0),
            ("connection_drop_probability", 0.0),
            ("open_file_descriptor_count", host::open_descriptors().unwrap_or(-1.0)),
            ("max_file_descriptor_count", host::max_descriptors().unwrap_or(-1.0)),
        ];
        drop(state);
        let mut all = vec![Sample::average("avg_latency", stats.avg_latency)];
        all.extend(figures.iter().map(|(name, value)| Sample::gauge(name, *value)));
        all.extend(self.leader_gauges());
        all
    }

    /// What only a leader shows.
    fn leader_gauges(&self) -> Vec<Sample> {
        let status = self.status();
        if status.role != Role::Leader {
            return Vec::new();
        }
        let (followers, observers): (Vec<_>, Vec<_>) = status.synced().partition(|member| member.voter);
        let voters = status.members.iter().filter(|m| m.voter).count();
        let led_since_ms = self.shared.hub.metrics.led_since_ms.load(Ordering::Relaxed);
        let led_ms = clock::monotonic_ms().saturating_sub(led_since_ms.max(self.shared.hub.started_ms()));
        let figures = [
            ("leader_uptime", usize::try_from(led_ms).unwrap_or(usize::MAX)),
            ("quorum_size", voters),
            ("learners", status.heard.len()),
            ("synced_followers", followers.len()),
            ("synced_non_voting_followers", 0),
            ("synced_observers", observers.len()),
            ("pending_syncs", 0),
        ];
        let (last, min, max) = self.shared.hub.metrics.proposal_size.get();
        let sizes = [("last_proposal_size", last), ("min_proposal_size", min), ("max_proposal_size", max)];
        let sizes = sizes.iter().map(|(name, bytes)| Sample::gauge(name, *bytes as f64));
        figures.iter().map(|(name, value)| Sample::gauge(name, *value as f64)).chain(sizes).collect()
    }
}

fn group<K: Ord, M: Ord>(pairs: Vec<(K, M)>) -> Vec<(K, Vec<M>)> {
    let mut groups: BTreeMap<K, Vec<M>> = BTreeMap::new();
    for (key, member) in pairs {
        groups.entry(key).or_default().push(member);
    }
    groups.values_mut().for_each(|members| members.sort_unstable());
    groups.into_iter().collect()
}

fn view(conn: &Conn, config: &ServerConfig) -> Connection {
    let queue = conn.queue();
    let tally = &queue.tally;
    let waited_ms = u64::try_from(clock::wall_ms() - conn.established_ms).unwrap_or(0);
    let patience_ms = u64::try_from(config.sessionless_timeout.as_millis()).unwrap_or(0);
    let expires_ms = if conn.is_established() {
        conn.patience().late_ms(conn.heard().last_ms())
    } else {
        clock::monotonic_ms() + patience_ms.saturating_sub(waited_ms)
    };
    Connection {
        remote_socket_address: conn.peer.to_string(),
        interest_ops: if conn.is_established() { 1 } else { 0 },
        outstanding_requests: queue.pending.len(),
        packets_received: tally.received,
        packets_sent: tally.sent,
        session_id: conn.session().0,
        last_operation: last_op_name(tally.last_op),
        established: conn.established_ms,
        session_timeout: conn.timeout_ms(),
        last_cxid: tally.last_xid.0,
        last_zxid: tally.last_zxid.0,
        last_response_time: tally.last_response_ms,
        last_latency: tally.last_latency_ms,
        min_latency: tally.latency.min(),
        avg_latency: tally.latency.avg(),
        max_latency: tally.latency.max,
        expires_ms,
    }
}
