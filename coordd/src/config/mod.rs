//! What a member is told: gathered from four places, parsed once, checked as a whole, handed on in parts.
//!
//! ```text
//!   flags > COORDD_* > file.toml > defaults ──► raw (text + who gave it) ──► Config (typed, relations hold)
//!                 ▲ settings: the one table                                   └─► one sub-struct per component
//! ```
//!
//! Rule: nothing else reads the environment or the file, and a `Config` that exists is right. Reason: a wrong value
//! must be named at start, with its source and what is allowed, and not found later by whoever first uses it.

pub mod args;
mod document;
mod error;
pub(crate) mod kind;
mod memory;
mod parse;
mod raw;
pub mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use error::ConfigError;

/// Everything that a member is told.
#[derive(Debug, Clone)]
pub struct Config {
    pub name: String,
    pub data_dir: PathBuf,
    /// The static ensemble, name → peer address; `None` waits to be bootstrapped or added.
    pub ensemble: Option<BTreeMap<String, String>>,
    pub advertise: Advertise,
    pub client: ClientConfig,
    pub peer: PeerConfig,
    pub http: HttpConfig,
    pub admin: AdminConfig,
    pub limits: Limits,
    pub raft: RaftConfig,
    pub storage: StorageConfig,
    pub log: LogConfig,
    pub drain_timeout: Duration,
}

/// Where others reach this member, as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise {
    pub peer: String,
    pub client: String,
    pub http: String,
}

/// The ZooKeeper port.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub listen: SocketAddr,
    pub tick: Duration,
    pub min_session_timeout: Duration,
    pub max_session_timeout: Duration,
    pub sessionless_timeout: Duration,
    pub read_only_mode: bool,
    /// 0 = no limit.
    pub max_connections_per_address: usize,
    /// 0 = no limit.
    pub max_connections: usize,
    pub max_frame_bytes: usize,
    pub max_in_flight: usize,
    pub max_outbox_bytes: usize,
    pub four_letter_words: Vec<String>,
    pub super_digest: Option<String>,
    /// Zero = never logged.
    pub slow_request: Duration,
    pub container_check_interval: Duration,
}

#[derive(Debug, Clone)]
pub struct PeerConfig {
    pub listen: SocketAddr,
    pub secret: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct HttpConfig {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone)]
pub struct AdminConfig {
    pub listen: SocketAddr,
    /// Without one the listener is on loopback.
    pub token: Option<Secret>,
}

/// Bounds beyond which the tree stops growing (design D21).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_tree_bytes: u64,
    pub min_free_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct RaftConfig {
    pub heartbeat: Duration,
    pub election_min: Duration,
    pub election_max: Duration,
    pub leader_patience: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct StorageConfig {
    pub log_segment_bytes: u64,
    pub log_cache_bytes: u64,
    pub log_keep_entries: u64,
    pub snapshot_entries: u64,
    pub snapshot_log_bytes: u64,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    pub json: bool,
    pub level: String,
}

/// Bytes that no log line shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;
