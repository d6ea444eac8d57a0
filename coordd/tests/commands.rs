//! `/commands/…` of real members: each answer has the keys of ZooKeeper's AdminServer, and says what is so.
//!
//! Rule: keys are compared as a whole, so one that is lacking, renamed or too much fails; values are those that the
//! test itself brought about.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, Ensemble, Member, eventually};
use serde_json::{Map, Value, json};

use support::{admin, ensemble, start_unformed};

const CONNECTION: [&str; 16] = [
    "avg_latency",
    "established",
    "interest_ops",
    "last_cxid",
    "last_latency",
    "last_operation",
    "last_response_time",
    "last_zxid",
    "max_latency",
    "min_latency",
    "outstanding_requests",
    "packets_received",
    "packets_sent",
    "remote_socket_address",
    "session_id",
    "session_timeout",
];

/// The answer to a command by its primary name, without the two keys that every answer has.
fn body(member: &Member, command: &str) -> Map<String, Value> {
    let (status, text) = member.http_get(&format!("/commands/{command}")).unwrap();
    assert_eq!(status, 200, "{text}");
    let mut body: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let name = command.split('?').next().unwrap();
    assert_eq!(body.remove("command"), Some(json!(name)), "{text}");
    assert_eq!(body.remove("error"), Some(Value::Null), "{text}");
    assert!(text.starts_with("{\n  \""), "it is indented: {text}");
    body
}

fn keys(body: &Map<String, Value>) -> Vec<&str> {
    let mut keys: Vec<_> = body.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn value(body: Map<String, Value>) -> Value {
    Value::Object(body)
}

fn connect(member: &Member) -> Client {
    support::http::connect(member)
}

#[test]
fn the_configuration_and_the_host_are_told_with_admin_servers_keys() {
    let ensemble = ensemble(3);
    let member = &ensemble.members[1];
    let data_dir = member.data_dir.display().to_string();
    let port: u16 = member.client.rsplit_once(':').unwrap().1.parse().unwrap();
    let expected = json!({
        "client_port": port,
        "data_dir": data_dir,
        "data_log_dir": data_dir,
        "tick_time": 2000,
        "max_client_cnxns": 60,
        "min_session_timeout": 1000,
        "max_session_timeout": 40_000,
        "server_id": 2,
        "client_port_listen_backlog": -1,
    });
    assert_eq!(value(body(member, "configuration")), expected);
    let initial = body(member, "initial_configuration");
    let lines = initial["initial_configuration"].as_str().unwrap();
    for line in [format!("clientPort={port}"), format!("dataDir={data_dir}"), "tickTime=2000".to_owned()] {
        assert!(lines.lines().any(|known| known == line), "{line} in {lines}");
    }
    assert_eq!(lines.lines().filter(|line| line.starts_with("server.")).count(), 3, "{lines}");
    assert_eq!(value(body(member, "is_read_only")), json!({ "read_only": false }));
    let dirs = body(member, "dirs");
    assert_eq!(keys(&dirs), ["datadir_size", "logdir_size"]);
    assert!(dirs.values().all(|size| size.as_u64() > Some(0)), "{dirs:?}");
    let environment = body(member, "environment");
    for key in ["zookeeper.version", "host.name", "os.name", "os.arch", "user.dir"] {
        assert!(environment[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {environment:?}");
    }
    assert_eq!(value(body(member, "system_properties")), json!({}));
    assert_eq!(value(body(member, "get_trace_mask")), json!({ "tracemask": 306 }));
    assert_eq!(value(body(member, "set_trace_mask?traceMask=7")), json!({ "tracemask": 7 }));
}

#[test]
fn connections_and_the_servers_statistics_count_what_a_client_did_and_are_reset() {
    let ensemble = ensemble(3);
    let member = &ensemble.members[ensemble.leader()];
    let mut client = connect(member);
    client.create("/a", b"x", CreateMode::Persistent).unwrap().unwrap();
    let zxid = client.zxid.0;
    let answer = body(member, "connections");
    assert_eq!(keys(&answer), ["connections", "secure_connections"]);
    assert_eq!(answer["secure_connections"], json!([]));
    let [one] = answer["connections"].as_array().unwrap().as_slice() else { panic!("{answer:?}") };
    assert_eq!(keys(one.as_object().unwrap()), CONNECTION);
    let told = ["session_id", "session_timeout", "last_operation", "last_cxid", "last_zxid", "outstanding_requests"];
    let facts = told.map(|key| one[key].clone());
    assert_eq!(facts, [json!(client.session.0), json!(10_000), json!("CREA"), json!(1), json!(zxid), json!(0)]);
    assert!(one["packets_received"].as_u64() >= Some(1) && one["packets_sent"].as_u64() >= Some(1), "{one}");

    let shown = body(member, "server_stats");
    let expected = ["client_response", "node_count", "proposal_stats", "read_only", "server_stats", "version"];
    assert_eq!(keys(&shown), expected);
    assert_eq!(shown["server_stats"]["num_alive_client_connections"], 1);
    assert_eq!(shown["server_stats"]["last_processed_zxid"], zxid);
    assert_eq!(shown["server_stats"]["server_state"], "leader");
    assert!(shown["proposal_stats"]["last_buffer_size"].as_i64() > Some(0), "{shown:?}");
    let both = body(member, "stats");
    let mut expected = [&expected[..], &["connections", "secure_connections"]].concat();
    expected.sort_unstable();
    assert_eq!(keys(&both), expected);

    for command in ["connection_stat_reset", "stat_reset", "observer_connection_stat_reset"] {
        assert_eq!(value(body(member, command)), json!({}));
    }
    let answer = body(member, "connections");
    assert_eq!(answer["connections"][0]["packets_received"], 0, "{answer:?}");
    assert_eq!(body(member, "server_stats")["server_stats"]["packets_received"], 0);
}

#[test]
fn watches_are_told_by_session_by_path_and_counted() {
    let ensemble = ensemble(1);
    let member = &ensemble.members[0];
    let (mut one, mut other) = (connect(member), connect(member));
    for path in ["/a", "/b"] {
        one.create(path, b"", CreateMode::Persistent).unwrap().unwrap();
        one.get(path, true).unwrap().unwrap();
    }
    other.get("/a", true).unwrap().unwrap();
    let sorted = |value: &Value| {
        let mut items: Vec<_> = value.as_array().unwrap().iter().map(Value::to_string).collect();
        items.sort_unstable();
        items
    };
    let by_session = body(member, "watches");
    assert_eq!(keys(&by_session), ["session_id_to_watched_paths"]);
    let by_session = &by_session["session_id_to_watched_paths"];
    assert_eq!(sorted(&by_session[one.session.0.to_string()]), ["\"/a\"", "\"/b\""]);
    assert_eq!(sorted(&by_session[other.session.0.to_string()]), ["\"/a\""]);
    let by_path = body(member, "watches_by_path");
    assert_eq!(keys(&by_path), ["path_to_session_ids"]);
    let mut both = [one.session.0.to_string(), other.session.0.to_string()];
    both.sort_unstable();
    assert_eq!(sorted(&by_path["path_to_session_ids"]["/a"]), both);
    assert_eq!(sorted(&by_path["path_to_session_ids"]["/b"]), [one.session.0.to_string()]);
    let expected = json!({ "num_connections": 2, "num_paths": 2, "num_total_watches": 3 });
    assert_eq!(value(body(member, "watch_summary")), expected);
}

#[test]
fn sessions_with_their_ephemerals_and_the_digest_of_the_state_are_told() {
    let ensemble = ensemble(3);
    let (leader, follower) = (&ensemble.members[ensemble.leader()], &ensemble.members[ensemble.followers()[0]]);
    let mut client = connect(leader);
    client.create("/e", b"", CreateMode::Ephemeral).unwrap().unwrap();
    let id = client.session.0.to_string();
    let dump = body(leader, "dump");
    let expected = ["expiry_time_to_session_ids", "session_id_to_ephemeral_paths", "session_id_to_timeout"];
    assert_eq!(keys(&dump), expected);
    assert_eq!(dump["session_id_to_ephemeral_paths"], json!({ &id: ["/e"] }));
    assert_eq!(dump["session_id_to_timeout"], json!({ &id: 10_000 }));
    let same = || {
        let digests = [leader, follower].map(|member| value(body(member, "hash")));
        (digests[0] == digests[1]).then_some(digests)
    };
    let [digest, _] = eventually("one digest of one state", same);
    let [newest] = digest["digests"].as_array().unwrap().as_slice() else { panic!("{digest}") };
    assert_eq!(keys(newest.as_object().unwrap()), ["digest", "digest_version", "zxid"]);
    assert!(newest["zxid"].as_i64() >= Some(client.zxid.0), "{newest}");
}

/// Three voters and a learner that serves; its place.
fn with_a_learner() -> (Ensemble, usize) {
    let mut ensemble = ensemble(3);
    let added = start_unformed(&mut ensemble);
    let peer = ensemble.members[added].peer.clone();
    let add = |ensemble: &Ensemble| {
        let output = admin(&ensemble.members[ensemble.leader()], &["add", "--peer-addr", &peer]);
        output.status.success().then_some(())
    };
    eventually("the learner to be in", || add(&ensemble));
    eventually("the learner to serve", || ensemble.members[added].mode());
    (ensemble, added)
}

#[test]
fn who_leads_votes_and_watches_only_is_told_by_each_member_of_itself() {
    let (ensemble, learner) = with_a_learner();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let host = |address: &str| address.rsplit_once(':').unwrap().0.to_owned();
    for index in [leader, follower, learner] {
        let member = &ensemble.members[index];
        let expected = json!({
            "is_leader": index == leader,
            "leader_id": leader + 1,
            "leader_ip": host(&ensemble.members[leader].peer),
        });
        assert_eq!(value(body(member, "leader")), expected);
        let seat = |member: &Member| {
            json!({
                "server_addresses": [member.peer],
                "election_addresses": [member.peer],
                "client_address": member.client,
                "learner_type": "PARTICIPANT",
            })
        };
        let [one, two, three] = [0, 1, 2].map(|index| seat(&ensemble.members[index]));
        let voters = json!({ "current_config": { "1": one, "2": two, "3": three } });
        assert_eq!(value(body(member, "voting_view")), voters);

        let part = body(member, "zabstate");
        let told = ["is_leader", "voting", "quorum_address", "election_address", "client_address", "zabstate"];
        let facts = told.map(|key| part[key].clone());
        let (peer, client) = (json!(member.peer), json!(member.client));
        let voting = json!(index != learner);
        let expected = [json!(index == leader), voting, peer.clone(), peer, client, json!("broadcast")];
        assert_eq!(facts, expected);
        let more = ["client_address", "election_address", "is_leader", "last_zxid", "myid", "quorum_address", "voting"];
        let zab = ["zab_counter", "zab_epoch", "zabstate"];
        assert_eq!(keys(&part), [&more[..], &zab].concat());
        let zxid = i64::from_str_radix(part["last_zxid"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        let halves = part["zab_epoch"].as_i64().unwrap() << 32 | part["zab_counter"].as_i64().unwrap();
        assert_eq!(halves, zxid);
    }
    let observers = |index: usize| body(&ensemble.members[index], "observers")["synced_observers"].as_u64();
    eventually("the leader to know of the learner", || (observers(leader) == Some(1)).then_some(()));
    assert_eq!(
        value(body(&ensemble.members[follower], "observers")),
        json!({ "synced_observers": 0, "observers": [] })
    );
}

#[test]
fn the_monitor_shows_what_mntr_shows_without_the_prefix() {
    let ensemble = ensemble(3);
    let member = &ensemble.members[ensemble.leader()];
    let words = member.four_letter("mntr");
    let of_word: Vec<_> =
        words.lines().filter_map(|line| line.strip_prefix("zk_")?.split_once('\t')).map(|(key, _)| key).collect();
    let monitor = body(member, "monitor");
    let missing: Vec<_> = of_word.iter().filter(|key| !monitor.contains_key(**key)).collect();
    assert!(missing.is_empty() && of_word.len() > 50, "{missing:?} of {}", of_word.len());
    let odd: Vec<_> = monitor.iter().filter(|(_, value)| !value.is_number() && !value.is_string()).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!((&monitor["server_state"], &monitor["peer_state"]), (&json!("leader"), &json!("leading - broadcast")));
    assert!(monitor["version"].as_str().unwrap().starts_with("3.9"), "{monitor:?}");
    assert!(monitor["znode_count"].is_u64() && monitor["avg_latency"].is_number(), "{monitor:?}");
}
