//! coordd's own settings, under coordd's own names.
//!
//! Rule: a field is the setting of that name, with its range; what is absent is left to coordd. A test holds names,
//! ranges and defaults against coordd's configuration page. Reason: a default that the operator wrote down would
//! restart every ensemble when it changed.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::text::bytes_schema;

/// A request goes twice into one log file of 64 MiB, or the member does not start.
fn max_frame_bytes(_: &mut SchemaGenerator) -> Schema {
    bytes_schema("config.maxFrameBytes", "1KiB", "31MiB")
}

fn max_outbox_bytes(_: &mut SchemaGenerator) -> Schema {
    bytes_schema("config.maxOutboxBytes", "64KiB", "4GiB")
}

fn max_tree_bytes(_: &mut SchemaGenerator) -> Schema {
    bytes_schema("config.maxTreeBytes", "1MiB", "1024GiB")
}

fn min_free_bytes(_: &mut SchemaGenerator) -> Schema {
    bytes_schema("config.minFreeBytes", "0", "1024GiB")
}

fn snapshot_log_bytes(_: &mut SchemaGenerator) -> Schema {
    bytes_schema("config.snapshotLogBytes", "1MiB", "1024GiB")
}

/// Settings of coordd. Any change restarts the members one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.minSessionTimeoutMs) ? self.minSessionTimeoutMs : 2 * (has(self.tickMs) ? self.tickMs \
        : 2000)) <= (has(self.maxSessionTimeoutMs) ? self.maxSessionTimeoutMs : 20 * (has(self.tickMs) \
        ? self.tickMs : 2000))",
    "message": "config.minSessionTimeoutMs (default 2 × tickMs) must not be above config.maxSessionTimeoutMs \
        (default 20 × tickMs): lower the first or raise the second"
}]))]
pub struct Config {
    /// ZooKeeper's tickTime in milliseconds, 10 to 60000: the unit of the next two. Default: 2000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60_000))]
    pub tick_ms: Option<i64>,
    /// The shortest session timeout granted, in milliseconds, 500 to 86400000. Default: 2 × tickMs, at least 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 500, max = 86_400_000))]
    pub min_session_timeout_ms: Option<i64>,
    /// The longest session timeout granted, in milliseconds, 500 to 86400000. Default: 20 × tickMs, at least 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 500, max = 86_400_000))]
    pub max_session_timeout_ms: Option<i64>,
    /// Without a quorum, serve reads to clients that say they can live with it. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_mode: Option<bool>,
    /// How often empty containers and TTL znodes that have run out are looked for, in milliseconds, 10 to 86400000.
    /// Default: 60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86_400_000))]
    pub container_check_interval_ms: Option<i64>,
    /// Connections from one address (maxClientCnxns), 0 to 1048576; 0 = no limit. Default: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_048_576))]
    pub max_client_connections: Option<i64>,
    /// Connections in all (maxCnxns), 0 to 1048576; 0 = no limit. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_048_576))]
    pub max_connections: Option<i64>,
    /// Longest request (jute.maxbuffer), 1KiB to 31MiB in bytes, KiB or MiB; twice that goes into one log file.
    /// Default: 1048575.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_frame_bytes")]
    pub max_frame_bytes: Option<String>,
    /// Unanswered requests of one connection beyond which its socket is not read, 1 to 1000000. Default: 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_in_flight: Option<i64>,
    /// A client that leaves more than this unread is closed; 64KiB to 4GiB in bytes, KiB, MiB or GiB. Default: 16MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_outbox_bytes")]
    pub max_outbox_bytes: Option<String>,
    /// Above it creates and sets are refused; 1MiB to 1024GiB in bytes, KiB, MiB or GiB. Default: 60 % of the memory
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_tree_bytes")]
    pub max_tree_bytes: Option<String>,
    /// Below so much free disk creates and sets are refused; 0 to 1024GiB in bytes, KiB, MiB or GiB. Default: 256MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "min_free_bytes")]
    pub min_free_bytes: Option<String>,
    /// A snapshot is due after so many log entries, 100 to 1099511627776. Default: 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_099_511_627_776_i64))]
    pub snapshot_entries: Option<i64>,
    /// A snapshot is due after so many bytes of log; 1MiB to 1024GiB in bytes, KiB, MiB or GiB. Default: 512MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "snapshot_log_bytes")]
    pub snapshot_log_bytes: Option<String>,
    /// Entries kept behind a snapshot, so that a member that was away needs no snapshot; 0 to 1099511627776.
    /// Default: 50000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_099_511_627_776_i64))]
    pub log_keep_entries: Option<i64>,
    /// Four-letter words that are answered, comma-separated, or `*`. Default: srvr.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub four_letter_words: Option<String>,
    /// A request that takes longer, in milliseconds, is logged with its time in each hop, 0 to 3600000; 0 = never.
    /// Default: 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3_600_000))]
    pub slow_request_ms: Option<i64>,
    /// What is logged: error, warn or info. Default: info.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["error", "warn", "info", null]))]
    pub log_level: Option<String>,
}
