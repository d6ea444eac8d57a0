//! What the client port is told at start. Parsed and checked elsewhere; here stand plain values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::auth::Scheme;
use super::four_letter::AllowList;

/// Settings of the client port.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `[::]` serves both address families.
    pub listen: SocketAddr,
    pub min_session_timeout_ms: i32,
    pub max_session_timeout_ms: i32,
    pub tick_ms: u32,
    /// A longer frame closes its connection (`jute.maxbuffer`).
    pub max_frame_bytes: usize,
    /// Connections in all; 0 = no limit.
    pub max_connections: usize,
    /// Connections of one address; 0 = no limit.
    pub max_connections_per_address: usize,
    /// Unanswered requests of one connection beyond which its socket is not read.
    pub in_flight_max: usize,
    /// A connection that has no session by then is closed.
    pub sessionless_timeout: Duration,
    /// Without a quorum, serve reads to clients that say they can live with it.
    pub read_only_mode: bool,
    pub schemes: Vec<Scheme>,
    pub four_letter_words: AllowList,
    /// A request that takes longer is logged; zero = never.
    pub slow_request: Duration,
    pub data_dir: PathBuf,
}

impl ServerConfig {
    /// ZooKeeper's defaults for a port at `listen`.
    pub fn new(listen: SocketAddr) -> ServerConfig {
        ServerConfig {
            listen,
            min_session_timeout_ms: 4000,
            max_session_timeout_ms: 40_000,
            tick_ms: 2000,
            max_frame_bytes: 0xf_ffff,
            max_connections: 0,
            max_connections_per_address: 60,
            in_flight_max: 1000,
            sessionless_timeout: Duration::from_secs(10),
            read_only_mode: false,
            schemes: vec![Scheme::Digest { super_digest: None }, Scheme::Ip],
            four_letter_words: AllowList::default(),
            slow_request: Duration::from_secs(1),
            data_dir: PathBuf::new(),
        }
    }
}
