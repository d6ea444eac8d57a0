//! What members say in their logs: nothing when all is well, what was slow or too much, and lines that programs can
//! read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use coordd_proto::{CreateMode, OpCode};
use coordd_testkit::{Client, Ensemble, eventually};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_coordd");
/// Longer than everything that members do at intervals, elections and the watch over peers among them.
const LOOKED_AT: Duration = Duration::from_secs(5);

/// The logs of all members once they have said what there is to say of a start.
fn settled(ensemble: &Ensemble) -> Vec<String> {
    ensemble.wait_until_all_serve();
    let logs = || -> Vec<_> { ensemble.members.iter().map(|member| member.log()).collect() };
    // The last that a new ensemble says; what came before it stands in the others' logs by then, or soon.
    eventually("the feature level to be raised", || logs().iter().any(|log| log.contains("raising it")).then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    logs()
}

#[test]
fn members_are_quiet_when_all_is_well() {
    let ensemble = Ensemble::start(BINARY, 3, &[]).unwrap();
    let before = settled(&ensemble);
    assert!(before.iter().all(|log| log.contains("started")), "{before:?}");
    // Sessions that come, write, watch and go are no news; nor is nobody who comes.
    for member in &ensemble.members {
        let mut client = Client::connect(&member.client, 10_000).unwrap();
        client.create(&format!("/{}", member.name), b"x", CreateMode::Ephemeral).unwrap().unwrap();
        client.close().unwrap();
    }
    std::thread::sleep(LOOKED_AT);
    let after: Vec<_> = ensemble.members.iter().map(|member| member.log()).collect();
    assert_eq!(after, before);
}

/// A write waits for its quorum; a read at a member that lost its leader, for the leader's word that it may answer.
#[test]
fn a_request_that_waited_for_others_is_told_with_its_hops() {
    let ensemble = Ensemble::start(BINARY, 3, &["--slow-request-ms", "50"]).unwrap();
    let (leader, others) = (ensemble.leader(), ensemble.followers());
    let connect = |member: usize| Client::connect(&ensemble.members[member].client, 30_000).unwrap();
    let told = |member: usize, op: &str, hop: &str| {
        let of = |line: &&str| line.contains("slow request") && line.contains(op) && line.contains(hop);
        eventually(&format!("{op} to be told"), || ensemble.members[member].log().lines().find(of).map(drop));
    };
    let (mut writer, mut reader) = (connect(leader), connect(others[0]));
    let pause = |paused: &[usize], request: &mut dyn FnMut()| {
        // One line a second is written: that of a slow handshake may keep no other out.
        std::thread::sleep(Duration::from_millis(1100));
        paused.iter().for_each(|member| ensemble.members[*member].pause());
        // Longer than a member answers without a word of its leader: a quarter of the shortest session.
        std::thread::sleep(Duration::from_millis(400));
        request();
        std::thread::sleep(Duration::from_millis(200));
        paused.iter().for_each(|member| ensemble.members[*member].resume());
    };
    pause(&others, &mut || {
        writer.send(OpCode::Sync, |w| w.string("/")).unwrap();
    });
    writer.receive().unwrap();
    told(leader, "op=Sync", "barrier_ms=");
    pause(&[leader], &mut || {
        reader.send(OpCode::GetData, |w| (w.string("/"), w.bool(false)).1).unwrap();
    });
    reader.receive().unwrap();
    told(others[0], "op=GetData", "held_ms=");
}

/// ZooKeeper's words. They are said where the write came in, and advice is all that a soft limit is.
#[test]
fn a_soft_quota_that_is_exceeded_is_told_in_zookeepers_words() {
    let ensemble = Ensemble::start(BINARY, 3, &[]).unwrap();
    let member = ensemble.followers()[0];
    let mut client = Client::connect(&ensemble.members[member].client, 10_000).unwrap();
    let mut create = |path: &str, data: &str| {
        client.create(path, data.as_bytes(), CreateMode::Persistent).unwrap().unwrap();
    };
    create("/a", "");
    create("/zookeeper/quota/a", "");
    create("/zookeeper/quota/a/zookeeper_limits", "count=2,bytes=-1");
    create("/zookeeper/quota/a/zookeeper_stats", "count=0,bytes=0");
    create("/a/b", "");
    let telling = || ensemble.members.iter().map(|member| member.log().matches("Quota exceeded").count());
    assert_eq!(telling().sum::<usize>(), 0, "two znodes are not more than two");
    create("/a/c", "");
    let told = || ensemble.members[member].log().contains("Quota exceeded: /a [current count=3, softCountLimit=2]");
    eventually("the quota to be told", || told().then_some(()));
    assert_eq!(telling().sum::<usize>(), 1, "once in the ensemble");
}

#[test]
fn each_line_is_an_object_with_a_time_a_level_and_a_message_when_json_is_asked_for() {
    let mut ensemble = Ensemble::start(BINARY, 3, &["--log-format", "json"]).unwrap();
    settled(&ensemble);
    let leader = ensemble.leader();
    ensemble.members[leader].kill();
    ensemble.leader();
    for member in &mut ensemble.members {
        member.terminate();
        let log = member.log();
        assert!(log.lines().count() > 2, "{log}");
        for line in log.lines() {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
            assert!(text(&object["timestamp"]).ends_with('Z'), "{line}");
            assert!(["INFO", "WARN", "ERROR"].contains(&text(&object["level"]).as_str()), "{line}");
            assert!(!text(&object["fields"]["message"]).is_empty(), "{line}");
        }
    }
}
