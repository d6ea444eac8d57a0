//! Every setting of a member: one table from which flags, environment, file keys, checks and the document come.
//!
//! Rule: a setting exists once, here; its key is the file's, `--its-key` the flag, `COORDD_ITS_KEY` the variable.
//! Reason: names, ranges and defaults that are written down twice drift apart.

use super::kind::Kind;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    pub group: &'static str,
    pub kind: Kind,
    pub default: Fallback,
    pub about: &'static str,
}

/// What holds when nobody says anything.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// This text, parsed like any other.
    Value(&'static str),
    /// Worked out from the rest; how is said in words.
    Derived(&'static str),
    /// Off, or nothing.
    Nothing,
    /// It has to be given.
    Required,
}

use Fallback::{Derived, Nothing, Required, Value};

const fn setting(
    group: &'static str,
    key: &'static str,
    kind: Kind,
    default: Fallback,
    about: &'static str,
) -> Setting {
    Setting { key, group, kind, default, about }
}

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
/// A member answers clients for a quarter of the shortest session after a report to the leader, and reports every
/// 100 ms: with this there are 25 ms for the report to be confirmed before the answers would have to wait.
pub(super) const SESSION_MIN: u64 = 500;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

const MEMBER: &str = "Member and ensemble";
const LISTEN: &str = "Listeners";
const SESSION: &str = "Sessions";
const LIMIT: &str = "Limits";
const ACCESS: &str = "Access";
const RAFT: &str = "Consensus";
const DISK: &str = "Disk";
const OTHER: &str = "Operation";

fn millis(min: u64, max: u64) -> Kind {
    Kind::Millis { min, max }
}

fn count(min: u64, max: u64) -> Kind {
    Kind::Count { min, max }
}

fn bytes(min: u64, max: u64) -> Kind {
    Kind::Bytes { min, max }
}

/// The table, in the order of the document.
pub fn all() -> Vec<Setting> {
    [members(), listeners(), sessions(), limits(), access(), consensus(), disk(), operation()]
        .into_iter()
        .flatten()
        .collect()
}

fn members() -> Vec<Setting> {
    vec![
        setting(MEMBER, "name", Kind::Name, Required, "This member's name, unique in its ensemble."),
        setting(
            MEMBER,
            "data_dir",
            Kind::Path,
            Required,
            "Where everything durable lies; one process at a time uses it.",
        ),
        setting(
            MEMBER,
            "ensemble",
            Kind::Members,
            Nothing,
            "The static ensemble as `name=host:peer-port,…`; the same on all of its members, which form it once \
             when all are empty and agree. One member alone is a standalone server. Without it a member waits to be \
             bootstrapped or added.",
        ),
        setting(
            MEMBER,
            "advertise_peer",
            Kind::HostPort,
            Derived("this member's entry in `ensemble`, else the peer listener's address, else the host name"),
            "Where other members reach this one; a name, resolved anew at each dial.",
        ),
        setting(
            MEMBER,
            "advertise_client",
            Kind::HostPort,
            Derived("the host of `advertise_peer` with the client listener's port"),
            "Where clients reach this member; shown in `/zookeeper/config` and `/v1/ensemble`.",
        ),
        setting(
            MEMBER,
            "advertise_http",
            Kind::HostPort,
            Derived("the host of `advertise_peer` with the HTTP listener's port"),
            "Where this member's HTTP port is reached.",
        ),
    ]
}

fn listeners() -> Vec<Setting> {
    vec![
        setting(LISTEN, "client_addr", Kind::Listen, Value("[::]:2181"), "The ZooKeeper port. `[::]` serves IPv4 too."),
        setting(LISTEN, "peer_addr", Kind::Listen, Value("[::]:2888"), "For the other members."),
        setting(LISTEN, "http_addr", Kind::Listen, Value("[::]:8080"), "Health, metrics, discovery; changes no state."),
        setting(
            LISTEN,
            "admin_addr",
            Kind::Listen,
            Derived("`[::]:9080` with `admin_token_file`, else `127.0.0.1:9080`"),
            "Membership, snapshots. Beyond loopback only with `admin_token_file`.",
        ),
    ]
}

fn sessions() -> Vec<Setting> {
    vec![
        setting(
            SESSION,
            "tick_ms",
            millis(10, 60 * SECOND),
            Value("2000"),
            "ZooKeeper's tickTime: the unit of the next two; a session's end is rounded up to it.",
        ),
        setting(
            SESSION,
            "min_session_timeout_ms",
            millis(SESSION_MIN, 24 * HOUR),
            Derived("2 × `tick_ms`, at least 500"),
            "The shortest session timeout that is granted; not above the longest. For a quarter of it members answer \
             without new word from the leader, which they ask for ten times a second: a shorter one they could not \
             serve without pauses.",
        ),
        setting(
            SESSION,
            "max_session_timeout_ms",
            millis(SESSION_MIN, 24 * HOUR),
            Derived("20 × `tick_ms`, at least 500"),
            "The longest session timeout that is granted.",
        ),
        setting(
            SESSION,
            "sessionless_timeout_ms",
            millis(100, HOUR),
            Value("10000"),
            "A connection that has no session by then is closed.",
        ),
        setting(
            SESSION,
            "read_only_mode",
            Kind::Switch,
            Value("false"),
            "Without a quorum, serve reads to clients that say they can live with it.",
        ),
        setting(
            SESSION,
            "container_check_interval_ms",
            millis(10, 24 * HOUR),
            Value("60000"),
            "How often empty containers and TTL znodes that have run out are looked for.",
        ),
    ]
}

fn limits() -> Vec<Setting> {
    vec![
        setting(
            LIMIT,
            "max_client_connections",
            count(0, 1 << 20),
            Value("60"),
            "Connections from one address (maxClientCnxns); 0 = no limit.",
        ),
        setting(
            LIMIT,
            "max_connections",
            count(0, 1 << 20),
            Value("0"),
            "Connections in all (maxCnxns); 0 = no limit.",
        ),
        setting(
            LIMIT,
            "max_frame_bytes",
            bytes(1024, 64 * MIB),
            Value("1048575"),
            "Longest request (jute.maxbuffer); a longer one closes its connection.",
        ),
        setting(
            LIMIT,
            "max_in_flight",
            count(1, 1_000_000),
            Value("1000"),
            "Unanswered requests of one connection beyond which its socket is not read.",
        ),
        setting(
            LIMIT,
            "max_outbox_bytes",
            bytes(64 << 10, 4096 * MIB),
            Value("16MiB"),
            "A client that leaves more than this unread is closed; a multiRead of more is refused.",
        ),
        setting(
            LIMIT,
            "max_tree_bytes",
            bytes(MIB, TIB),
            Derived("60 % of the cgroup's memory limit, or of the machine's memory"),
            "Above it creates and sets are refused by SYSTEMERROR (-1); deletes and session closes go on.",
        ),
        setting(
            LIMIT,
            "min_free_bytes",
            bytes(0, TIB),
            Value("256MiB"),
            "Below so much free disk creates and sets are refused by SYSTEMERROR (-1) while deletes and session closes \
             go on; while the disk takes nothing every write is.",
        ),
    ]
}

fn access() -> Vec<Setting> {
    vec![
        setting(
            ACCESS,
            "super_digest",
            Kind::UserDigest,
            Nothing,
            "`user:base64(SHA1(user:password))`; who proves it by the digest scheme passes every ACL.",
        ),
        setting(
            ACCESS,
            "four_letter_words",
            Kind::Text,
            Value("srvr"),
            "Four-letter words that are answered, comma-separated, or `*`.",
        ),
        setting(ACCESS, "admin_token_file", Kind::Path, Nothing, "File with the bearer token of the admin port."),
        setting(
            ACCESS,
            "peer_secret_file",
            Kind::Path,
            Nothing,
            "File with a secret that members prove to each other; the same on all.",
        ),
    ]
}

fn consensus() -> Vec<Setting> {
    vec![
        setting(
            RAFT,
            "heartbeat_ms",
            millis(10, 10 * SECOND),
            Value("100"),
            "How often a leader speaks to idle members.",
        ),
        setting(
            RAFT,
            "election_min_ms",
            millis(50, 60 * SECOND),
            Value("500"),
            "Silence of a hung leader before a member stands; over 3 × `heartbeat_ms`. A dead one is seen at once.",
        ),
        setting(
            RAFT,
            "election_max_ms",
            millis(60, 120 * SECOND),
            Value("1000"),
            "Its upper end; above `election_min_ms`.",
        ),
        setting(
            RAFT,
            "leader_patience_ms",
            millis(100, HOUR),
            Value("2000"),
            "How long clients are kept without a leader before they are sent to other members.",
        ),
    ]
}

fn disk() -> Vec<Setting> {
    vec![
        setting(
            DISK,
            "log_segment_bytes",
            bytes(MIB, 1024 * MIB),
            Value("64MiB"),
            "Size of one log file; a multiple of 512, and twice max_frame_bytes fits in.",
        ),
        setting(
            DISK,
            "log_cache_bytes",
            bytes(MIB, 64 << 30),
            Value("8MiB"),
            "Newest log entries that stay in memory; a member further behind is sent what the disk holds. Ten seconds \
             without a write give them back.",
        ),
        setting(
            DISK,
            "log_keep_entries",
            count(0, 1 << 40),
            Value("50000"),
            "Entries kept behind a snapshot, so that a member that was away needs no snapshot.",
        ),
        setting(
            DISK,
            "snapshot_entries",
            count(100, 1 << 40),
            Value("100000"),
            "A snapshot is due after so many entries,",
        ),
        setting(DISK, "snapshot_log_bytes", bytes(MIB, TIB), Value("512MiB"), "or after so many bytes of log."),
    ]
}

fn operation() -> Vec<Setting> {
    vec![
        setting(
            OTHER,
            "slow_request_ms",
            millis(0, HOUR),
            Value("1000"),
            "A slower request is logged with its time in each hop; 0 = never.",
        ),
        setting(
            OTHER,
            "drain_timeout_ms",
            millis(0, HOUR),
            Value("10000"),
            "How long a stopping member takes to hand over leadership and close connections.",
        ),
        setting(
            OTHER,
            "log_format",
            Kind::OneOf(&["text", "json"]),
            Value("text"),
            "Form of the lines on standard error; as `json` each is an object with `timestamp`, `level` and `fields`, \
             `message` among these.",
        ),
        setting(
            OTHER,
            "log_level",
            Kind::OneOf(&["error", "warn", "info", "debug", "trace"]),
            Value("info"),
            "Release builds carry nothing finer than `info` and say so at the start.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_exists_once_and_its_default_is_allowed() {
        let settings = all();
        let keys: BTreeSet<_> = settings.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), settings.len());
        for setting in &settings {
            if let Value(text) = setting.default {
                assert!(setting.kind.accepts(text), "{}: {text}", setting.key);
            }
        }
    }
}
