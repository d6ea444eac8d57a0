//! From checked text to a `Config`: types, derived defaults, and the relations between settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::kind::{self, host_port};
use super::raw::Raw;
use super::settings::SESSION_MIN;
use super::{
    AdminConfig, Advertise, ClientConfig, Config, HttpConfig, Limits, LogConfig, PeerConfig, RaftConfig, Secret,
    StorageConfig, memory,
};

/// What a segment needs beside twice the longest request, which grows when it becomes an entry of the log.
const SEGMENT_SPARE: u64 = 128 << 10;

type Result<T> = std::result::Result<T, ConfigError>;

impl Config {
    /// Gathers and checks everything. `environment` answers for a variable.
    ///
    /// # Errors
    /// The first setting that is wrong, with its source and what is allowed.
    pub fn load(
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Config> {
        Reader(Raw::gather(flags, environment, file)?).config()
    }
}

/// Reads the text of settings whose kind is already checked.
struct Reader(Raw);

impl Reader {
    fn config(&self) -> Result<Config> {
        let client = self.client()?;
        let peer = PeerConfig { listen: self.listen("peer_addr")?, secret: self.secret("peer_secret_file")? };
        let http = HttpConfig { listen: self.listen("http_addr")? };
        let admin = self.admin()?;
        let name = self.text("name")?;
        let ensemble = self.0.parsed("ensemble", kind::members);
        if let Some(members) = ensemble.as_ref().filter(|members| !members.contains_key(&name)) {
            let names = members.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(self.relation("ensemble", format!("it must list this member, {name}; it lists {names}")));
        }
        self.distinct_listeners([client.listen, peer.listen, http.listen, admin.listen])?;
        let config = Config {
            advertise: self.advertise(&name, ensemble.as_ref(), [client.listen, peer.listen, http.listen])?,
            name,
            data_dir: PathBuf::from(self.text("data_dir")?),
            ensemble,
            client,
            peer,
            http,
            admin,
            limits: Limits {
                max_tree_bytes: self.0.parsed("max_tree_bytes", kind::size).unwrap_or_else(memory::tree_bytes),
                min_free_bytes: self.size("min_free_bytes")?,
            },
            raft: self.raft()?,
            storage: self.storage()?,
            log: LogConfig { json: self.text("log_format")? == "json", level: self.text("log_level")? },
            drain_timeout: self.millis("drain_timeout_ms")?,
        };
        Ok(config)
    }

    fn client(&self) -> Result<ClientConfig> {
        let tick = self.millis("tick_ms")?;
        let or = |key, derived: Duration| self.0.parsed(key, kind::number).map_or(derived, Duration::from_millis);
        let ticks = |n: u32| (tick * n).max(Duration::from_millis(SESSION_MIN));
        let (min, max) = (or("min_session_timeout_ms", ticks(2)), or("max_session_timeout_ms", ticks(20)));
        if min > max {
            let why =
                format!("{} ms is above max_session_timeout_ms, which is {} ms", min.as_millis(), max.as_millis());
            return Err(self.relation("min_session_timeout_ms", why));
        }
        let words = self.text("four_letter_words")?;
        let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(ClientConfig {
            listen: self.listen("client_addr")?,
            tick,
            min_session_timeout: min,
            max_session_timeout: max,
            sessionless_timeout: self.millis("sessionless_timeout_ms")?,
            read_only_mode: self.required("read_only_mode", kind::switch)?,
            max_connections_per_address: self.count("max_client_connections")?,
            max_connections: self.count("max_connections")?,
            max_frame_bytes: self.bytes("max_frame_bytes")?,
            max_in_flight: self.count("max_in_flight")?,
            max_outbox_bytes: self.bytes("max_outbox_bytes")?,
            four_letter_words: words.map(str::to_owned).collect(),
            super_digest: self.0.get("super_digest").map(str::to_owned),
            slow_request: self.millis("slow_request_ms")?,
            container_check_interval: self.millis("container_check_interval_ms")?,
        })
    }

    fn admin(&self) -> Result<AdminConfig> {
        let token = self.secret("admin_token_file")?;
        let fallback = if token.is_some() { "[::]:9080" } else { "127.0.0.1:9080" };
        let listen = self.0.parsed("admin_addr", kind::listen).or_else(|| kind::listen(fallback));
        let listen = listen.ok_or(ConfigError::Missing { key: "admin_addr" })?;
        if token.is_none() && !listen.ip().to_canonical().is_loopback() {
            let why =
                format!("{listen} is reachable from outside, which takes admin_token_file; without it, use loopback");
            return Err(self.relation("admin_addr", why));
        }
        Ok(AdminConfig { listen, token })
    }

    fn raft(&self) -> Result<RaftConfig> {
        let raft = RaftConfig {
            heartbeat: self.millis("heartbeat_ms")?,
            election_min: self.millis("election_min_ms")?,
            election_max: self.millis("election_max_ms")?,
            leader_patience: self.millis("leader_patience_ms")?,
        };
        if raft.election_min <= raft.heartbeat * 3 {
            let why = format!("it must be more than 3 × heartbeat_ms, which is {}", raft.heartbeat.as_millis());
            return Err(self.relation("election_min_ms", why));
        }
        if raft.election_max <= raft.election_min {
            let why = format!("it must be above election_min_ms, which is {}", raft.election_min.as_millis());
            return Err(self.relation("election_max_ms", why));
        }
        Ok(raft)
    }

    fn storage(&self) -> Result<StorageConfig> {
        let (log_segment_bytes, frame) = (self.size("log_segment_bytes")?, self.size("max_frame_bytes")?);
        if !log_segment_bytes.is_multiple_of(512) {
            return Err(self.relation("log_segment_bytes", "it must be a multiple of 512".to_owned()));
        }
        let least = frame.saturating_mul(2).saturating_add(SEGMENT_SPARE);
        if log_segment_bytes < least {
            let why =
                format!("it must be at least {least}: a request of max_frame_bytes, which is {frame}, goes into one");
            return Err(self.relation("log_segment_bytes", why));
        }
        Ok(StorageConfig {
            log_segment_bytes,
            log_cache_bytes: self.size("log_cache_bytes")?,
            log_keep_entries: self.required("log_keep_entries", kind::number)?,
            snapshot_entries: self.required("snapshot_entries", kind::number)?,
            snapshot_log_bytes: self.size("snapshot_log_bytes")?,
        })
    }

    fn distinct_listeners(&self, listeners: [SocketAddr; 4]) -> Result<()> {
        let keys = ["client_addr", "peer_addr", "http_addr", "admin_addr"];
        for (i, one) in listeners.iter().enumerate() {
            let clash = |other: &SocketAddr| {
                let overlaps = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
                one.port() == other.port() && overlaps
            };
            if let Some(j) = listeners.iter().skip(i + 1).position(clash) {
                let why = format!("{} and {} cannot both listen on port {}", keys[i], keys[i + 1 + j], one.port());
                return Err(self.relation(keys[i + 1 + j], why));
            }
        }
        Ok(())
    }

    fn advertise(
        &self,
        name: &str,
        ensemble: Option<&BTreeMap<String, String>>,
        [client, peer, http]: [SocketAddr; 3],
    ) -> Result<Advertise> {
        let given = |key: &str| self.0.get(key).map(str::to_owned);
        let listed = || ensemble.and_then(|members| members.get(name)).cloned();
        let bound = || (!peer.ip().is_unspecified()).then(|| peer.to_string());
        let advertised = given("advertise_peer").or_else(listed).or_else(bound);
        let advertised = advertised.unwrap_or_else(|| format!("{}:{}", host_name(), peer.port()));
        let Some((host, _)) = host_port(&advertised) else {
            return Err(
                self.relation("advertise_peer", format!("this machine's name, {advertised}, is none; give one"))
            );
        };
        let at = |listen: SocketAddr| format!("{host}:{}", listen.port());
        Ok(Advertise {
            client: given("advertise_client").unwrap_or_else(|| at(client)),
            http: given("advertise_http").unwrap_or_else(|| at(http)),
            peer: advertised.clone(),
        })
    }

    /// The contents of a file of secrets, without the line end that editors add.
    fn secret(&self, key: &'static str) -> Result<Option<Secret>> {
        let Some(path) = self.0.get(key) else { return Ok(None) };
        let text = std::fs::read(path).map_err(|error| self.relation(key, format!("{path}: {error}")))?;
        let secret = text.trim_ascii();
        if secret.is_empty() {
            return Err(self.relation(key, format!("{path} is empty")));
        }
        Ok(Some(Secret(secret.to_vec())))
    }

    fn relation(&self, key: &str, why: String) -> ConfigError {
        ConfigError::Relation { origin: self.0.origin(key), why }
    }

    fn required<T>(&self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.0.parsed(key, parse).ok_or(ConfigError::Missing { key })
    }

    fn text(&self, key: &'static str) -> Result<String> {
        self.required(key, |text| Some(text.to_owned()))
    }

    fn listen(&self, key: &'static str) -> Result<SocketAddr> {
        self.required(key, kind::listen)
    }

    fn millis(&self, key: &'static str) -> Result<Duration> {
        self.required(key, kind::number).map(Duration::from_millis)
    }

    fn size(&self, key: &'static str) -> Result<u64> {
        self.required(key, kind::size)
    }

    fn count(&self, key: &'static str) -> Result<usize> {
        self.required(key, |text| kind::number(text).and_then(|n| usize::try_from(n).ok()))
    }

    fn bytes(&self, key: &'static str) -> Result<usize> {
        self.required(key, |text| kind::size(text).and_then(|n| usize::try_from(n).ok()))
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
