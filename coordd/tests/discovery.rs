//! Discovery on real members: registered over ZooKeeper's protocol as Curator and kazoo do it, read over HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_proto::{Acl, AuthId, CreateMode, OpCode, Perms, Zxid};
use coordd_testkit::{Client, Ensemble, Member, eventually};
use serde_json::json;
use support::http::*;
use support::*;

/// The answers of all members once each has applied `zxid`; they are one.
fn ask_all(ensemble: &Ensemble, zxid: Zxid, path: &str, headers: &[&str]) -> Answer {
    let applied = |answer: &Answer| answer.header("coordd-zxid").and_then(|at| at.parse::<i64>().ok()) >= Some(zxid.0);
    let one = |member: &Member| {
        eventually("a member to apply it", || Some(ask(member, path, headers)).filter(|answer| applied(answer)))
    };
    let answers: Vec<_> = ensemble.members.iter().map(one).collect();
    for answer in &answers[1..] {
        assert_eq!((answer.status, &answer.body), (answers[0].status, &answers[0].body));
        assert_eq!(answer.header("etag"), answers[0].header("etag"));
    }
    answers.into_iter().next().unwrap()
}

/// As Curator's ServiceDiscovery registers: containers above, an ephemeral with JSON in it.
fn register(client: &mut Client, id: &str, port: u16) {
    for path in ["/services", "/services/orders"] {
        let _ = client.create(path, b"", CreateMode::Container).unwrap();
    }
    let data = format!(
        r#"{{"name":"orders","id":"{id}","address":"10.1.2.3","port":{port},"sslPort":null,"payload":null,
        "registrationTimeUTC":1724300000000,"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}}"#
    );
    make(client, &format!("/services/orders/{id}"), &data, CreateMode::Ephemeral);
}

#[test]
fn what_curator_registers_is_told_alike_by_every_member_until_its_session_ends() {
    let ensemble = raised(3);
    let (mut one, mut two) = (connect(&ensemble.members[0]), connect(&ensemble.members[1]));
    register(&mut one, "d0f0", 8080);
    register(&mut two, "e1a1", 8081);
    make(&mut two, "/services/orders/odd", "{\"address\":7}", CreateMode::Ephemeral);
    let path = "/v1/services/services/orders";
    let answer = ask_all(&ensemble, two.zxid, path, &[]);
    let view = answer.json();
    assert_eq!((&view["format"], &view["instances"][0]["ports"]["default"]), (&json!("curator"), &json!(8080)));
    assert_eq!((&view["instances"][1]["id"], &view["instances"][1]["state"]), (&json!("e1a1"), &json!("up")));
    let odd = json!([{"znode": "/services/orders/odd", "reason": "address is a number, not a string"}]);
    assert_eq!(view["rejected"], odd);
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", view["zxid"]));
    let same = ask_all(&ensemble, two.zxid, path, &[&format!("If-None-Match: {etag}")]);
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    one.close().unwrap();
    two.ping().unwrap();
    let gone = eventually("the instance to go", || {
        let answer = ask(&ensemble.members[1], path, &[&format!("If-None-Match: {etag}")]);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(gone.json()["instances"].as_array().unwrap().len(), 1);
    let list = ask(&ensemble.members[1], "/v1/services/services?list", &[]).json();
    assert_eq!(list["services"], json!([{"name": "orders", "path": "/services/orders", "children": 2}]));
}

#[test]
fn an_election_of_kazoo_names_its_leader_with_a_token_that_grows() {
    let ensemble = raised(1);
    let member = &ensemble.members[0];
    let (mut one, mut two) = (connect(member), connect(member));
    make(&mut one, "/election", "", CreateMode::Persistent);
    let name = |id: &str| format!("/election/{id}__lock__");
    make(&mut one, &name("9f0c7c8e6f0f4d6c8a5c6e4f1b2a3d4e"), "host-1", CreateMode::EphemeralSequential);
    make(&mut two, &name("0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e"), "host-2", CreateMode::EphemeralSequential);
    let answer = ask(member, "/v1/leader/election", &[]);
    let before = answer.json();
    assert_eq!((&before["recipe"], &before["leader"]["id"]), (&json!("kazoo_election"), &json!("host-1")));
    assert_eq!(before["candidates"][1]["id"], json!("host-2"));
    one.close().unwrap();
    let after = ask(member, "/v1/leader/election", &[]).json();
    assert_eq!(after["leader"]["id"], json!("host-2"));
    assert!(after["fencing_token"].as_i64() > before["fencing_token"].as_i64());
}

#[test]
fn lists_hold_over_http_and_their_change_is_a_change_on_every_member() {
    let ensemble = raised(3);
    let member = &ensemble.members[0];
    let mut client = connect(member);
    make(&mut client, "/config", "", CreateMode::Persistent);
    make(&mut client, "/config/url", "jdbc:x", CreateMode::Persistent);
    let path = "/v1/config/config/url";
    let open = ask_all(&ensemble, client.zxid, path, &[]);
    assert_eq!((open.body.as_str(), open.header("content-type")), ("jdbc:x", Some("text/plain; charset=utf-8")));
    let bob = AuthId::new("digest", coordd::server::digest_id("bob:secret"));
    let reply = client.call(OpCode::SetAcl, |out| {
        out.string("/config/url");
        Acl::encode_list(&[Acl { perms: Perms::READ, id: bob }], out);
        out.i32(-1);
    });
    assert_eq!(reply.unwrap().error, 0);
    let refused = ask_all(&ensemble, client.zxid, path, &[]);
    assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(refused.json()["type"], json!("urn:coordd:problem:unreadable"));
    let basic = |text: &str| format!("Authorization: Basic {}", STANDARD.encode(text));
    assert_eq!(ask(member, path, &[&basic("bob:guess")]).status, 401);
    let read = ask_all(&ensemble, client.zxid, path, &[&basic("bob:secret")]);
    let tag = read.header("etag").unwrap().to_owned();
    assert!(tag.starts_with(&format!("\"{}-", client.zxid.0)), "{tag}");
    assert_eq!((read.body.as_str(), read.header("cache-control")), ("jdbc:x", Some("private, no-cache")));
    assert_eq!((open.header("cache-control"), refused.header("cache-control")), (Some("no-cache"), Some("no-store")));
    let has = format!("If-None-Match: {tag}");
    assert_eq!(ask(member, path, &[&basic("bob:secret"), &has]).status, 304);
    assert_eq!(ask(member, "/v1/config/config?recurse", &[&has]).status, 200, "who is nobody has not seen it");
    let tree = ask_all(&ensemble, client.zxid, "/v1/config/config?recurse", &[]).json();
    assert_eq!(tree["left_out"][0]["key"], json!("url"));
    let lines = ask_all(&ensemble, client.zxid, "/v1/config/config?recurse=env", &[&basic("bob:secret")]);
    assert_eq!(lines.body, "URL=jdbc:x\n");
}

#[test]
fn what_is_not_understood_is_a_problem_that_says_what_to_do() {
    let ensemble = ensemble(1);
    let member = &ensemble.members[0];
    for (path, status, word) in [
        ("/v1/services/none", 404, "no-znode"),
        ("/v1/znodes/a%2", 400, "path"),
        ("/v1/znodes/a/../b", 400, "path"),
        ("/v1/znodes/zookeeper/", 400, "path"),
        ("/v1/services/zookeeper?format=xml", 400, "query"),
        ("/v1/services/zookeeper?port_path=a", 400, "query"),
        ("/v1/services/zookeeper?state=ill", 400, "query"),
        ("/v1/leader/zookeeper?after=-1", 400, "query"),
        ("/v1/leader/zookeeper?wait=30", 400, "query"),
        ("/v1/leader/zookeeper?consistency=none", 400, "query"),
        ("/v1/services/zookeeper?metadata.a=1&metadata.a=2", 400, "query"),
        ("/v1/nothing/at/all", 404, "no-route"),
        ("/v1/config/zookeeper?recurse=xml", 400, "query"),
        ("/v1/config/zookeeper?type=no%0Ahtml", 400, "query"),
    ] {
        let answer = ask(member, path, &[]);
        let problem = answer.json();
        assert_eq!((answer.status, &problem["status"]), (status, &json!(status)), "{path}: {problem}");
        assert_eq!(problem["type"], json!(format!("urn:coordd:problem:{word}")), "{path}");
        assert_eq!(problem["instance"], json!(path));
        assert!(!problem["what_to_do"].as_str().unwrap().is_empty());
    }
    let long = ask(member, &format!("/v1/znodes/{}", "a".repeat(5000)), &[]);
    assert_eq!(long.status, 414);
    for query in [format!("zone={}", "a".repeat(5000)), "zone=a&".repeat(65)] {
        let long = ask(member, &format!("/v1/services/zookeeper?{query}"), &[]);
        assert_eq!(long.status, 400);
    }
    assert_eq!(ask(member, "/v1/znodes/zookeeper", &["Authorization: Bearer x"]).status, 401);
    let mut stream = TcpStream::connect(&member.http).unwrap();
    write!(stream, "POST /v1/znodes HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut refused = String::new();
    stream.read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("urn:coordd:problem:method"), "{refused}");
    assert!(refused.to_lowercase().contains("\r\nallow: get,head\r\n"), "{refused}");
    let root = ask(member, "/v1/znodes?children", &[]).json();
    assert_eq!((&root["path"], &root["children"]), (&json!("/"), &json!(["zookeeper"])));
}

#[test]
fn readers_that_take_nothing_cost_no_more_than_a_bound_and_others_are_told_when_it_is_reached() {
    let ensemble = raised(1);
    let member = &ensemble.members[0];
    let mut client = connect(member);
    make(&mut client, "/big", "", CreateMode::Persistent);
    // In JSON each of these bytes takes six.
    for n in 0..2 {
        make(&mut client, &format!("/big/{n}"), &"\u{1}".repeat(1_000_000), CreateMode::Persistent);
    }
    let path = "/v1/config/big?recurse";
    assert_eq!(ask(member, path, &[]).body.len() / 1_000_000, 12);
    // Each of these holds twelve million bytes, of which the kernel takes a few.
    let silent = |_| {
        let mut stream = TcpStream::connect(&member.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
        stream
    };
    let silent: Vec<_> = (0..10).map(silent).collect();
    let refused = eventually("the bound", || Some(ask(member, path, &[])).filter(|answer| answer.status == 503));
    assert_eq!(
        (refused.header("retry-after"), &refused.json()["type"]),
        (Some("1"), &json!("urn:coordd:problem:busy"))
    );
    assert_eq!(ask(member, "/livez", &[]).status, 200);
    drop(silent);
    eventually("room", || (ask(member, path, &[]).status == 200).then_some(()));
}
