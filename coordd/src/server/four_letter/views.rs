//! What the commands say, as values: the texts of the four-letter words and the JSON of `/commands` are made of them.

use std::collections::BTreeMap;

use serde::Serialize;

/// `srvr`.
#[derive(Clone, Debug, Serialize)]
pub struct ServerStats {
    pub version: String,
    pub read_only: bool,
    pub min_latency: u64,
    pub avg_latency: f64,
    pub max_latency: u64,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub num_alive_client_connections: usize,
    pub outstanding_requests: u64,
    pub last_processed_zxid: i64,
    pub server_state: &'static str,
    /// (last, min, max), which only the text of a leader shows.
    #[serde(skip)]
    pub proposal_sizes: (i64, i64, i64),
    pub node_count: usize,
    /// Milliseconds.
    pub uptime: u64,
    pub auth_failed_count: u64,
}

/// One line of `cons`.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    pub remote_socket_address: String,
    pub interest_ops: u32,
    pub outstanding_requests: usize,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub session_id: i64,
    pub last_operation: &'static str,
    pub established: i64,
    pub session_timeout: u64,
    pub last_cxid: i32,
    pub last_zxid: i64,
    /// On the monotonic clock, in milliseconds.
    pub last_response_time: u64,
    pub last_latency: u64,
    pub min_latency: u64,
    pub avg_latency: u64,
    pub max_latency: u64,
    /// When it is closed if nothing more is heard of it, on the monotonic clock.
    #[serde(skip)]
    pub expires_ms: u64,
}

/// `conf`.
#[derive(Clone, Debug, Serialize)]
pub struct Configuration {
    pub client_port: u16,
    pub data_dir: String,
    /// Told by the word alone, as the one below.
    #[serde(skip)]
    pub data_dir_size: u64,
    pub data_log_dir: String,
    #[serde(skip)]
    pub data_log_size: u64,
    pub tick_time: u32,
    pub max_client_cnxns: usize,
    pub min_session_timeout: i32,
    pub max_session_timeout: i32,
    pub server_id: u64,
    pub client_port_listen_backlog: i32,
    /// One line a member, as `/zookeeper/config` has them.
    #[serde(skip)]
    pub membership: Vec<String>,
}

/// `dirs`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Directories {
    pub datadir_size: u64,
    pub logdir_size: u64,
}

/// `dump`: sessions with their timeouts and ephemerals, and connections.
#[derive(Clone, Debug)]
pub struct Dump {
    pub sessions: Vec<(i64, i32)>,
    /// Of the leader, who expires them: the sessions by the moment at which they are due, on the monotonic clock.
    pub expiries: Option<BTreeMap<u64, Vec<i64>>>,
    /// What wall clock and monotonic clock say now, in milliseconds.
    pub now: (i64, u64),
    pub tick_ms: u64,
    pub ephemerals: Vec<(i64, Vec<String>)>,
    pub connections: Vec<Connection>,
}

/// `wchs`: of the data table alone, as in ZooKeeper.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WatchSummary {
    pub num_connections: usize,
    pub num_paths: usize,
    pub num_total_watches: usize,
}

/// `hash`: the digest of the state as it is now.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Digest {
    pub zxid: i64,
    /// The bits of the state's digest; signed, since ZooKeeper's is a Java long.
    pub digest: i64,
}
