//! `/commands/…`: what ZooKeeper's AdminServer answers, for the programs and people that know it.
//!
//! Rule: an answer is indented JSON with snake_case keys and always carries `command` and `error`; an unknown command
//! and one that this member cannot answer now are HTTP 200 with `error` set. Reason: that is AdminServer's form, and
//! its users test `error`, not the status.

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use coordd_proto::SessionId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Http;
use crate::consensus::{MemberInfo, Role, Status};
use crate::server::commands::TRACE_MASK;
use crate::server::metrics::mntr;

/// Primary name, aliases, and whether a member that serves nobody answers it.
const COMMANDS: &[(&str, &[&str], bool)] = &[
    ("configuration", &["conf", "config"], false),
    ("connection_stat_reset", &["crst"], false),
    ("connections", &["cons"], false),
    ("dirs", &[], false),
    ("dump", &[], false),
    ("environment", &["env", "envi"], true),
    ("get_trace_mask", &["gtmk"], true),
    ("hash", &[], false),
    ("initial_configuration", &["icfg"], false),
    ("is_read_only", &["isro"], false),
    ("last_snapshot", &["lsnp"], false),
    ("leader", &["lead"], false),
    ("monitor", &["mntr"], false),
    ("observer_connection_stat_reset", &["orst"], false),
    ("observers", &["obsr"], false),
    ("ruok", &[], false),
    ("server_stats", &["srvr"], false),
    ("set_trace_mask", &["stmk"], true),
    ("stat_reset", &["srst"], false),
    ("stats", &["stat"], false),
    ("system_properties", &["sysp"], true),
    ("voting_view", &[], false),
    ("watch_summary", &["wchs"], false),
    ("watches", &["wchc"], false),
    ("watches_by_path", &["wchp"], false),
    ("zabstate", &[], true),
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Arguments {
    trace_mask: Option<String>,
}

pub(super) async fn index() -> Html<String> {
    let link = |(name, _, _): &(&str, _, _)| format!("<a href=\"/commands/{name}\">{name}</a>\n<br/>\n");
    Html(COMMANDS.iter().map(link).collect())
}

/// One command of ZooKeeper's AdminServer, by its name or an alias.
#[utoipa::path(get, path = "/commands/{name}", params(("name" = String, Path)),
    responses((status = 200, content_type = "application/json")))]
pub(super) async fn run(
    State(http): State<Http>,
    Path(name): Path<String>,
    Query(arguments): Query<Arguments>,
) -> Response {
    let known = COMMANDS.iter().find(|(primary, aliases, _)| *primary == name || aliases.contains(&name.as_str()));
    let (command, error, mut body) = match known {
        None => (name.as_str(), Some(format!("Unknown command: {name}")), Map::new()),
        Some((primary, _, always)) if !always && !http.commands.is_serving() => {
            (*primary, Some("This ZooKeeper instance is not currently serving requests".to_owned()), Map::new())
        }
        Some((primary @ "set_trace_mask", _, _)) => match arguments.trace_mask.as_deref().map(str::parse::<i64>) {
            Some(Ok(mask)) => (*primary, None, map([("tracemask", json!(mask))])),
            _ => (*primary, Some("setTraceMask requires long traceMask argument".to_owned()), Map::new()),
        },
        Some((primary, _, _)) => (*primary, None, answer(primary, &http)),
    };
    body.insert("command".to_owned(), json!(command));
    body.insert("error".to_owned(), json!(error));
    let text = serde_json::to_string_pretty(&body).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn answer(command: &str, http: &Http) -> Map<String, Value> {
    let commands = &http.commands;
    let status = http.consensus.status().borrow().clone();
    match command {
        "configuration" => object(commands.configuration()),
        "connection_stat_reset" => {
            commands.reset_connections();
            Map::new()
        }
        "stat_reset" => {
            commands.reset_server();
            Map::new()
        }
        "connections" => connections(http),
        "dirs" => object(commands.directories()),
        "dump" => dump(http),
        "environment" => {
            commands.environment().into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
        }
        "get_trace_mask" => map([("tracemask", json!(TRACE_MASK))]),
        "hash" => {
            let digest = commands.digest();
            let shown = json!({ "zxid": digest.zxid, "digest": digest.digest, "digest_version": 2 });
            map([("digests", json!([shown]))])
        }
        "initial_configuration" => map([("initial_configuration", json!(initial_configuration(http)))]),
        "is_read_only" => map([("read_only", json!(commands.is_read_only() == Some("ro")))]),
        "last_snapshot" => {
            let (zxid, written) = commands.last_snapshot();
            map([("zxid", json!(format!("{zxid:x}"))), ("timestamp", json!(written))])
        }
        "leader" => leader(&status),
        "monitor" => monitor(&mntr(&commands.monitor())),
        "observers" => {
            let synced = status.synced().filter(|member| !member.voter).count();
            map([("synced_observers", json!(synced)), ("observers", json!([]))])
        }
        "server_stats" => server_stats(http),
        "stats" => server_stats(http).into_iter().chain(connections(http)).collect(),
        "voting_view" => map([("current_config", voting_view(&status))]),
        "watch_summary" => object(commands.watch_summary()),
        "watches" => {
            let by_session = commands.watches_by_session().into_iter();
            let shown = by_session.map(|(session, paths)| (session.0.to_string(), json!(paths))).collect();
            map([("session_id_to_watched_paths", Value::Object(shown))])
        }
        "watches_by_path" => {
            let by_path = commands.watches_by_path().into_iter();
            let ids = |sessions: Vec<SessionId>| sessions.iter().map(|session| session.0).collect::<Vec<_>>();
            let shown = by_path.map(|(path, sessions)| (path, json!(ids(sessions)))).collect();
            map([("path_to_session_ids", Value::Object(shown))])
        }
        "zabstate" => zab_state(http, &status),
        _ => Map::new(),
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn object(view: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(view) {
        Ok(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}

fn connections(http: &Http) -> Map<String, Value> {
    map([("connections", json!(http.commands.connections())), ("secure_connections", json!([]))])
}

/// Deadlines are known to the leader alone, as in ZooKeeper; so sessions are shown with their timeouts beside
/// AdminServer's keys.
fn dump(http: &Http) -> Map<String, Value> {
    let dump = http.commands.dump();
    let paths = dump.ephemerals.into_iter().map(|(id, paths)| (id.to_string(), json!(paths))).collect();
    let timeouts = dump.sessions.into_iter().map(|(id, timeout)| (id.to_string(), json!(timeout))).collect();
    map([
        ("expiry_time_to_session_ids", json!(dump.expiries.unwrap_or_default())),
        ("session_id_to_ephemeral_paths", Value::Object(paths)),
        ("session_id_to_timeout", Value::Object(timeouts)),
    ])
}

fn server_stats(http: &Http) -> Map<String, Value> {
    let stats = http.commands.server_stats();
    let sizes = json!({ "last_buffer_size": -1, "min_buffer_size": -1, "max_buffer_size": -1 });
    let (version, read_only, node_count) = (json!(stats.version), json!(stats.read_only), json!(stats.node_count));
    let (leads, (last, min, max)) = (stats.server_state == "leader", stats.proposal_sizes);
    let disk = http.commands.directories();
    let mut inner = object(stats);
    ["version", "read_only", "node_count"].iter().for_each(|key| drop(inner.remove(*key)));
    inner.extend(map([
        ("client_response_stats", sizes.clone()),
        ("data_dir_size", json!(disk.datadir_size)),
        ("log_dir_size", json!(disk.logdir_size)),
        // A failed or endless flush stops the member instead.
        ("fsync_threshold_exceed_count", json!(0)),
        ("provider_null", json!(false)),
    ]));
    let mut shown = map([
        ("version", version),
        ("read_only", read_only),
        ("server_stats", Value::Object(inner)),
        ("client_response", sizes),
        ("node_count", node_count),
    ]);
    if leads {
        let sizes = json!({ "last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max });
        shown.insert("proposal_stats".to_owned(), sizes);
    }
    shown
}

/// `mntr`'s lines as keys without the prefix; numbers as numbers.
fn monitor(text: &str) -> Map<String, Value> {
    let line = |line: &str| {
        let (key, value) = line.strip_prefix("zk_")?.split_once('\t')?;
        let number = value.parse::<i64>().map(Value::from).or_else(|_| value.parse::<f64>().map(Value::from));
        Some((key.to_owned(), number.unwrap_or_else(|_| json!(value))))
    };
    text.lines().filter_map(line).collect()
}

fn initial_configuration(http: &Http) -> String {
    let conf = http.commands.configuration();
    let mut lines = vec![
        format!("clientPort={}", conf.client_port),
        format!("dataDir={}", conf.data_dir),
        format!("tickTime={}", conf.tick_time),
        format!("maxClientCnxns={}", conf.max_client_cnxns),
    ];
    lines.extend(conf.membership.iter().cloned());
    lines.join("\n") + "\n"
}

fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn leader(status: &Status) -> Map<String, Value> {
    let mut answer = map([("is_leader", json!(status.role == Role::Leader))]);
    if let Some(member) = status.members.iter().find(|member| Some(member.id) == status.leader) {
        answer.extend(map([("leader_id", json!(member.id)), ("leader_ip", json!(host(&member.peer_addr)))]));
    }
    answer
}

fn voting_view(status: &Status) -> Value {
    let seat = |member: &MemberInfo| {
        let seat = json!({
            "server_addresses": [member.peer_addr],
            "election_addresses": [member.peer_addr],
            "client_address": member.client_addr,
            "learner_type": "PARTICIPANT",
        });
        (member.id.to_string(), seat)
    };
    Value::Object(status.members.iter().filter(|member| member.voter).map(seat).collect())
}

fn zab_state(http: &Http, status: &Status) -> Map<String, Value> {
    let me = status.members.iter().find(|member| Some(member.id) == status.node_id);
    let address = |pick: fn(&MemberInfo) -> &String| json!(me.map(pick));
    let zxid = http.commands.server_stats().last_processed_zxid;
    map([
        ("myid", json!(status.node_id)),
        ("is_leader", json!(status.role == Role::Leader)),
        ("quorum_address", address(|member| &member.peer_addr)),
        ("election_address", address(|member| &member.peer_addr)),
        ("client_address", address(|member| &member.client_addr)),
        ("voting", json!(me.is_some_and(|member| member.voter))),
        ("last_zxid", json!(format!("{zxid:#x}"))),
        ("zab_epoch", json!(zxid >> 32)),
        ("zab_counter", json!(zxid & 0xffff_ffff)),
        ("zabstate", json!(if status.leader.is_some() { "broadcast" } else { "election" })),
    ])
}
