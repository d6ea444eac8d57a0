//! The public port over a real listener: what its callers see.

use std::sync::Arc;

use coordd_tree::State;
use parking_lot::{Mutex, RwLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::*;
use crate::consensus::{BarrierSink, BoxFuture, MemberInfo, Role, Status, Write};
use crate::server::{Hub, Server, ServerConfig};

/// Two voters and a learner, seen by the leader.
pub(crate) fn status() -> Status {
    let member = |id: u64, voter| MemberInfo {
        id,
        name: format!("m{id}"),
        voter,
        disk_id: format!("disk-{id}"),
        peer_addr: format!("m{id}:2888"),
        client_addr: format!("m{id}:2181"),
        http_addr: format!("m{id}:8080"),
    };
    Status {
        ensemble_id: Some("e".to_owned()),
        node_id: Some(1),
        name: "m1".to_owned(),
        role: Role::Leader,
        term: 3,
        leader: Some(1),
        members: vec![member(1, true), member(2, true), member(3, false)],
        membership_index: 9,
        last_log_index: 20,
        last_log_term: 2,
        committed_index: 20,
        applied_index: 20,
        log_unsynced_bytes: 0,
        feature_level: 1,
        undecided_writes: 0,
        lag: vec![(2, 7), (3, 0)],
        heard: vec![2, 3],
        not_serving: None,
    }
}

/// A consensus that has a status and nothing else.
pub(crate) struct Still {
    state: RwLock<State>,
    pub status: watch::Sender<Arc<Status>>,
    lost: Mutex<usize>,
}

impl Still {
    pub(crate) fn new() -> Arc<Still> {
        let status = watch::channel(Arc::new(status())).0;
        Arc::new(Still { state: RwLock::new(State::new()), status, lost: Mutex::default() })
    }
}

impl Consensus for Still {
    fn propose(&self, writes: &mut Vec<Write>) {
        *self.lost.lock() += writes.len();
        writes.drain(..).for_each(|write| write.sink.lost());
    }

    fn barrier(&self, sink: Arc<dyn BarrierSink>) {
        sink.lost();
    }

    fn state(&self) -> &RwLock<State> {
        &self.state
    }

    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    fn has_room(&self) -> bool {
        true
    }

    fn room(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }

    fn may_answer(&self) -> bool {
        true
    }

    fn answerable(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }

    fn refused(&self, _: bool) -> Option<coordd_proto::ErrorCode> {
        None
    }
}

struct Port {
    consensus: Arc<Still>,
    draining: Draining,
    address: SocketAddr,
    _clients: Server,
}

impl Port {
    async fn open() -> Port {
        let consensus = Still::new();
        let hub = Hub::new(1 << 20);
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(ServerConfig::new(loopback), hub, consensus.clone()).await.unwrap();
        let draining = Draining::default();
        let http = Http::new(consensus.clone(), server.commands(), draining.clone());
        let listener = bind("http_addr", loopback).await.unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener, router(http));
        Port { consensus, draining, address, _clients: server }
    }

    /// Status code and body of a GET.
    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.answer(path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn head(&self, path: &str) -> String {
        self.answer(path).await.split("\r\n\r\n").next().unwrap().to_owned()
    }

    async fn answer(&self, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn json(&self, path: &str) -> serde_json::Value {
        let (code, body) = self.get(path).await;
        assert_eq!(code, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn stop_serving(&self) {
        let not_serving = Some("no leader is known".to_owned());
        self.consensus.status.send_replace(Arc::new(Status { leader: None, not_serving, ..status() }));
    }
}

#[tokio::test]
async fn a_member_without_a_quorum_is_alive_and_says_why_it_is_not_ready() {
    let port = Port::open().await;
    assert_eq!(port.get("/readyz").await, (200, "ready\n".to_owned()));
    port.stop_serving();
    assert_eq!(port.get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(port.get("/readyz").await, (503, "not ready: no leader is known\n".to_owned()));
}

#[tokio::test]
async fn a_draining_member_is_not_ready() {
    let port = Port::open().await;
    port.draining.begin();
    assert_eq!(port.get("/readyz").await, (503, "not ready: this member is stopping\n".to_owned()));
}

#[tokio::test]
async fn the_ensemble_is_read_by_the_client_that_an_operator_uses() {
    let port = Port::open().await;
    let view = coordd_api::Client::new(port.address.to_string()).ensemble().await.unwrap();
    assert_eq!((view.leader, view.membership_index, view.members.len()), (Some(1), 9, 3));
    assert_eq!(view.members[1].lag, Some(7));
}

#[tokio::test]
async fn metrics_have_zookeepers_names_without_a_suffix() {
    let port = Port::open().await;
    let (code, text) = port.get("/metrics").await;
    assert_eq!(code, 200);
    for line in
        ["znode_count ", "avg_latency ", "packets_received ", "quorum_size 2\n", "fsynctime_count ", "coordd_term 3\n"]
    {
        assert!(text.contains(&format!("\n{line}")), "{line} is missing in {text}");
    }
    assert!(!text.contains("_total"), "{text}");
}

#[tokio::test]
async fn commands_answer_in_the_form_of_zookeepers_admin_server() {
    let port = Port::open().await;
    let ruok = port.json("/commands/ruok").await;
    assert_eq!(ruok, serde_json::json!({ "command": "ruok", "error": null }));
    let stats = port.json("/commands/srvr").await;
    assert_eq!(stats["command"], "server_stats");
    assert_eq!(stats["server_stats"]["server_state"], "leader");
    for key in ["uptime", "auth_failed_count", "data_dir_size", "log_dir_size", "fsync_threshold_exceed_count"] {
        assert!(stats["server_stats"][key].is_u64(), "{key} in {stats}");
    }
    assert_eq!(stats["proposal_stats"]["last_buffer_size"], -1);
    let unknown = port.json("/commands/%3Cnothing%3E").await;
    assert_eq!(unknown["error"], "Unknown command: <nothing>");
    let snapshot = port.json("/commands/lsnp").await;
    assert_eq!(
        (&snapshot["zxid"], &snapshot["timestamp"]),
        (&serde_json::json!("ffffffffffffffff"), &serde_json::json!(-1))
    );
    let (_, list) = port.get("/commands").await;
    assert!(list.contains("<a href=\"/commands/watch_summary\">watch_summary</a>"), "{list}");
}

#[tokio::test]
async fn a_command_that_needs_service_says_so_with_status_200() {
    let port = Port::open().await;
    port.stop_serving();
    let monitor = port.json("/commands/mntr").await;
    assert_eq!(monitor["command"], "monitor");
    assert_eq!(monitor["error"], "This ZooKeeper instance is not currently serving requests");
    assert_eq!(port.json("/commands/ruok").await["error"], monitor["error"]);
    assert!(port.json("/commands/envi").await["error"].is_null());
    assert!(port.json("/commands/zabstate").await["error"].is_null());
}

#[tokio::test]
async fn every_command_answers_under_all_of_its_names() {
    let port = Port::open().await;
    let (_, list) = port.get("/commands").await;
    for name in list.lines().filter_map(|line| line.strip_prefix("<a href=\"/commands/")?.split('"').next()) {
        let answer = port.json(&format!("/commands/{name}")).await;
        let complains = name == "set_trace_mask";
        assert_eq!((&answer["command"], answer["error"].is_null()), (&serde_json::json!(name), !complains), "{name}");
    }
    for mask in ["", "?traceMask=abc"] {
        let answer = port.json(&format!("/commands/set_trace_mask{mask}")).await;
        assert_eq!(answer["error"], "setTraceMask requires long traceMask argument");
    }
    assert_eq!(port.json("/commands/mntr").await["server_state"], "leader");
    assert_eq!(port.json("/commands/stmk?traceMask=7").await["tracemask"], 7);
}

#[tokio::test]
async fn every_parameter_that_is_described_is_understood_and_no_other() {
    let port = Port::open().await;
    let document = port.json("/openapi.json").await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let kind = ["services", "config", "leader", "znodes"].iter().find(|kind| path[3..].starts_with(*kind));
        let Some(_) = kind.filter(|_| path.starts_with("/v1/")) else { continue };
        let path = path.replace("{path}", "zookeeper");
        for parameter in item["get"]["parameters"].as_array().unwrap() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let value = match (name, schema["enum"][0].as_str()) {
                ("wait", _) => "1ms",
                ("state", _) => "up",
                ("type", _) => "text/plain",
                ("as", _) => "json&recurse",
                ("after", _) => "0",
                (name, _) if name.ends_with("_path") => "a.b&format=json",
                (_, word) => word.unwrap_or("x"),
            };
            if parameter["in"] == "query" {
                let (status, body) = port.get(&format!("{path}?{name}={value}")).await;
                assert!([200, 404, 503].contains(&status), "{path}?{name}={value}: {body}");
            }
        }
        assert_eq!(port.get(&format!("{path}?more=1")).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn the_page_names_its_member_and_is_served_under_a_strict_policy() {
    let port = Port::open().await;
    let mut paths = vec!["/".to_owned()];
    let (_, index) = port.get("/").await;
    assert!(index.contains("<html lang=\"en\" data-member=\"m1\">"), "{index}");
    assert!(!index.contains("{member}"), "{index}");
    paths.extend(index.split('"').filter(|text| text.starts_with("/page/")).map(str::to_owned));
    assert!(paths.len() > 3, "{paths:?}");
    for path in paths {
        let head = port.head(&path).await;
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{path}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
    }
}
