//! Following answers on real members: long polls and streams, across members, changes of lists and of the ensemble.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_proto::{Acl, AuthId, CreateMode, OpCode, Perms};
use coordd_testkit::{Client, eventually};
use serde_json::json;
use support::http::*;
use support::*;

fn grant(client: &mut Client, path: &str, acl: Acl) {
    let reply = client.call(OpCode::SetAcl, |out| {
        out.string(path);
        Acl::encode_list(&[acl], out);
        out.i32(-1);
    });
    assert_eq!(reply.unwrap().error, 0);
}

fn for_bob() -> Acl {
    Acl { perms: Perms::READ, id: AuthId::new("digest", coordd::server::digest_id("bob:secret")) }
}

#[test]
fn who_waits_is_answered_by_the_next_change_and_with_304_when_there_was_none() {
    let ensemble = raised(3);
    let (writer, member) = (&ensemble.members[0], &ensemble.members[1]);
    let mut client = connect(writer);
    make(&mut client, "/app", "", CreateMode::Persistent);
    let path = "/v1/config/app/key";
    // It is not there: one waits for that too.
    let absent = eventually("the parent", || {
        Some(ask(member, path, &[])).filter(|answer| answer.header("etag") == Some(&format!("\"{}\"", client.zxid.0)))
    });
    assert_eq!(absent.status, 404);
    let waits = |tag: String| {
        let address = member.http.clone();
        thread::spawn(move || ask_at(&address, &format!("{path}?wait=20s"), &[&format!("If-None-Match: {tag}")]))
    };
    let waiting = waits(absent.header("etag").unwrap().to_owned());
    thread::sleep(Duration::from_millis(200));
    make(&mut client, "/app/key", "one", CreateMode::Persistent);
    let one = waiting.join().unwrap();
    assert_eq!((one.status, one.body.as_str()), (200, "one"));
    let waiting = waits(one.header("etag").unwrap().to_owned());
    thread::sleep(Duration::from_millis(200));
    client.set("/app/key", b"two", -1).unwrap().unwrap();
    let two = waiting.join().unwrap();
    let zxid = client.zxid.0;
    assert_eq!((two.body.as_str(), two.header("etag")), ("two", Some(format!("\"{zxid}\"").as_str())));
    // The other member has to come so far first, and then nothing is newer.
    let began = Instant::now();
    let same = ask(&ensemble.members[2], &format!("{path}?after={zxid}&wait=300ms"), &[]);
    assert_eq!((same.status, same.header("etag"), same.body.as_str()), (304, two.header("etag"), ""));
    assert!(began.elapsed() >= Duration::from_millis(300));
    let older = ask(member, &format!("{path}?after={}&wait=20s", zxid - 1), &[]);
    assert_eq!((older.status, older.body.as_str()), (200, "two"));
    let waiting = waits(two.header("etag").unwrap().to_owned());
    thread::sleep(Duration::from_millis(200));
    grant(&mut client, "/app/key", for_bob());
    assert_eq!(waiting.join().unwrap().status, 401, "a change of the list is a change");
    let ahead = ask(member, &format!("{path}?after={}", zxid + 1_000_000), &[]);
    assert_eq!((ahead.status, ahead.header("retry-after")), (503, Some("1")));
    assert_eq!(ahead.json()["type"], json!("urn:coordd:problem:behind"));
}

#[test]
fn a_stream_shows_what_is_then_each_change_and_what_is_gone() {
    let ensemble = raised(3);
    let mut client = connect(&ensemble.members[0]);
    make(&mut client, "/services", "", CreateMode::Persistent);
    let path = "/v1/services/services/orders";
    let after = format!("Last-Event-ID: {}", client.zxid.0);
    let mut streams: Vec<_> = ensemble.members.iter().map(|member| Stream::open(member, path, &[&after])).collect();
    let next = |streams: &mut [Stream]| {
        let mut events: Vec<_> = streams.iter_mut().map(|stream| stream.event().unwrap()).collect();
        let first = events.remove(0);
        for other in &events {
            assert_eq!((other.id, &other.name, &other.data), (first.id, &first.name, &first.data));
        }
        first
    };
    assert!(streams[0].head.to_lowercase().contains("content-type: text/event-stream"), "{}", streams[0].head);
    let none = next(&mut streams);
    assert_eq!((none.name.as_str(), none.id, &none.data["status"]), ("gone", client.zxid.0, &json!(404)));
    make(&mut client, "/services/orders", "", CreateMode::Persistent);
    let empty = next(&mut streams);
    assert_eq!((empty.name.as_str(), empty.id, &empty.data["instances"]), ("change", client.zxid.0, &json!([])));
    make(&mut client, "/services/orders/a", "10.0.0.1:80", CreateMode::Ephemeral);
    let one = next(&mut streams);
    assert_eq!((one.id, &one.data["instances"][0]["address"]), (client.zxid.0, &json!("10.0.0.1")));
    let mut late = Stream::open(&ensemble.members[2], path, &[&format!("Last-Event-ID: {}", one.id)]);
    let snapshot = late.event().unwrap();
    assert_eq!((snapshot.name.as_str(), snapshot.id, snapshot.data), ("snapshot", one.id, one.data));
    client.delete("/services/orders/a", -1).unwrap().unwrap();
    client.delete("/services/orders", -1).unwrap().unwrap();
    let zxid = client.zxid.0;
    streams.push(late);
    for stream in &mut streams {
        // The two may come as one.
        let event = std::iter::from_fn(|| stream.event()).find(|event| event.name == "gone").unwrap();
        assert_eq!((event.id, &event.data["type"]), (zxid, &json!("urn:coordd:problem:no-znode")));
    }
}

#[test]
fn a_session_that_ends_and_a_list_that_changes_reach_those_who_may_see_it() {
    let ensemble = raised(1);
    let member = &ensemble.members[0];
    let (mut client, mut candidate) = (connect(member), connect(member));
    make(&mut client, "/e", "", CreateMode::Persistent);
    make(&mut candidate, "/e/n_", "one", CreateMode::EphemeralSequential);
    let mut leader = Stream::open(member, "/v1/leader/e", &[]);
    assert_eq!(leader.event().unwrap().data["leader"]["id"], json!("one"));
    candidate.close().unwrap();
    assert_eq!(leader.event().unwrap().data["leader"], json!(null));
    make(&mut client, "/c", "", CreateMode::Persistent);
    make(&mut client, "/c/key", "secret", CreateMode::Persistent);
    let basic = format!("Authorization: Basic {}", STANDARD.encode("bob:secret"));
    let mut bob = Stream::open(member, "/v1/config/c?recurse", &[&basic]);
    let mut nobody = Stream::open(member, "/v1/config/c?recurse", &[]);
    let mut lines = Stream::open(member, "/v1/config/c?recurse&as=env", &[]);
    assert_eq!(lines.event().unwrap().data["data"], json!("KEY=secret\n"));
    assert_eq!(bob.event().unwrap().data, nobody.event().unwrap().data);
    grant(&mut client, "/c/key", for_bob());
    let (seen, hidden) = (bob.event().unwrap(), nobody.event().unwrap());
    assert_eq!((seen.id, hidden.id), (client.zxid.0, client.zxid.0));
    assert_eq!((&seen.data["values"]["key"], &hidden.data["values"]), (&json!("secret"), &json!({})));
    let left_out = "# left out: key: may not be read by whoever asks\n";
    assert_eq!(lines.event().unwrap().data["data"], json!(left_out));
}

#[test]
fn a_linearizable_read_shows_what_another_member_has_acknowledged() {
    let ensemble = raised(3);
    let mut client = connect(&ensemble.members[0]);
    make(&mut client, "/k", "", CreateMode::Persistent);
    for n in 0..50 {
        let value = n.to_string();
        client.set("/k", value.as_bytes(), -1).unwrap().unwrap();
        let answer = ask(&ensemble.members[1 + n % 2], "/v1/config/k?consistency=linearizable", &[]);
        assert_eq!((answer.status, answer.body), (200, value));
    }
}

#[test]
fn a_member_that_is_cut_off_ends_its_streams_and_reads_only_for_those_who_say_so() {
    let ensemble = ensemble_with(3, &["--read-only-mode"]);
    eventually("the feature level", || ensemble.members.iter().all(|m| level(m) >= 2).then_some(()));
    let mut client = connect(&ensemble.members[0]);
    make(&mut client, "/k", "one", CreateMode::Persistent);
    let member = &ensemble.members[0];
    let mut stream = Stream::open(member, "/v1/config/k", &[]);
    assert_eq!(stream.event().unwrap().data["data"], json!("one"));
    let fresh = ask(member, "/v1/config/k?consistency=stale", &[]);
    assert_eq!((fresh.status, fresh.header("coordd-consistency")), (200, None));
    ensemble.members[1].pause();
    ensemble.members[2].pause();
    let began = Instant::now();
    assert!(stream.event().is_none());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let refused = eventually("read-only service", || {
        let answer = ask(member, "/v1/config/k", &[]);
        (answer.json()["type"] == json!("urn:coordd:problem:only-reads")).then_some(answer)
    });
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let stale = ask(member, "/v1/config/k?consistency=stale", &[]);
    assert_eq!((stale.status, stale.body.as_str()), (200, "one"));
    assert_eq!(stale.header("coordd-consistency"), Some("stale"));
    for path in ["/v1/config/k?wait=1s&after=0", "/v1/config/k?consistency=linearizable"] {
        assert_eq!(ask(member, path, &[]).status, 503, "{path}");
    }
    ensemble.members.iter().for_each(|member| member.resume());
    eventually("service", || (ask(member, "/v1/config/k", &[]).status == 200).then_some(()));
}

#[test]
fn followers_of_one_thing_hear_of_every_state_that_stays_and_end_at_the_latest() {
    let ensemble = raised(1);
    let member = &ensemble.members[0];
    let mut client = connect(member);
    make(&mut client, "/k", "0", CreateMode::Persistent);
    let mut streams: Vec<_> = (0..50).map(|_| Stream::open(member, "/v1/config/k", &[])).collect();
    for n in 1..=200 {
        client.set("/k", n.to_string().as_bytes(), -1).unwrap().unwrap();
    }
    for stream in &mut streams {
        let mut last = 0;
        let latest = std::iter::from_fn(|| stream.event()).find(|event| {
            assert!(event.id > last, "{event:?} after {last}");
            last = event.id;
            event.data["data"] == json!("200")
        });
        assert_eq!(latest.map(|event| event.id), Some(client.zxid.0));
    }
}

#[test]
fn who_waits_for_what_is_not_there_waits_at_any_member_by_the_tag_of_another() {
    let ensemble = raised(3);
    let mut client = connect(&ensemble.members[0]);
    make(&mut client, "/services", "", CreateMode::Persistent);
    let path = "/v1/config/services/orders";
    // The first member has read it before its neighbour came, and is not told of that.
    let after = format!("Last-Event-ID: {}", client.zxid.0);
    let mut early = Stream::open(&ensemble.members[0], path, &[&after]);
    let absent = early.event().unwrap();
    assert_eq!((absent.name.as_str(), absent.id), ("gone", client.zxid.0));
    make(&mut client, "/services/other", "", CreateMode::Persistent);
    let tag = format!("\"{}\"", client.zxid.0);
    eventually("the neighbour", || (ask(&ensemble.members[1], path, &[]).header("etag") == Some(&tag)).then_some(()));
    let has = format!("If-None-Match: {tag}");
    for member in &ensemble.members {
        let began = Instant::now();
        let same = ask(member, &format!("{path}?wait=500ms"), &[&has]);
        assert!(same.status == 304 && began.elapsed() >= Duration::from_millis(500), "{}", same.head);
    }
    // Nor does a stream there begin before what its follower has seen elsewhere.
    let mut moved = Stream::open(&ensemble.members[0], path, &[&format!("Last-Event-ID: {}", client.zxid.0)]);
    let still = moved.event().unwrap();
    assert_eq!((still.name.as_str(), still.id, still.data), ("gone", client.zxid.0, absent.data));
    let address = ensemble.members[0].http.clone();
    let waiting = thread::spawn(move || ask_at(&address, &format!("{path}?wait=20s"), &[&has]));
    thread::sleep(Duration::from_millis(200));
    make(&mut client, "/services/orders", "here", CreateMode::Persistent);
    let here = waiting.join().unwrap();
    assert_eq!((here.status, here.body.as_str()), (200, "here"));
    for stream in [&mut early, &mut moved] {
        assert_eq!(stream.event().unwrap().data["data"], json!("here"));
    }
}
