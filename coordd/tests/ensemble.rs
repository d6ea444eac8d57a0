//! Real members as processes: what a client and an operator see when members die, return, lose their disks or leave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, ConnectError, Member, eventually};

use support::{admin, ensemble, ensemble_with};

const NODE_EXISTS: i32 = -110;
const NO_NODE: i32 = -101;

#[test]
fn a_client_creates_reads_watches_and_sees_the_event_before_the_reply() {
    let ensemble = ensemble(3);
    let mut one = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    assert_eq!(one.create("/a", b"x", CreateMode::Persistent).unwrap(), Ok("/a".to_owned()));
    assert_eq!(one.create("/a", b"x", CreateMode::Persistent).unwrap(), Err(NODE_EXISTS));
    let mut other = Client::connect(&ensemble.members[1].client, 6000).unwrap();
    other.sync().unwrap().unwrap();
    assert_eq!(other.get("/a", true).unwrap().unwrap().0, b"x");
    let stat = other.set("/a", b"y", 0).unwrap().unwrap();
    let event = other.event().unwrap().unwrap();
    assert_eq!((event.kind, event.path.as_str(), event.zxid), (3, "/a", stat.mzxid));
    one.sync().unwrap().unwrap();
    assert_eq!(one.get("/a", false).unwrap().unwrap().0, b"y");
}

/// Writes to `path` until told to stop: how many were acknowledged. Fails on the first error.
fn write_until(mut client: Client, path: &'static str, stop: Arc<AtomicBool>) -> thread::JoinHandle<(Client, i32)> {
    thread::spawn(move || {
        let mut acknowledged = 0;
        while !stop.load(Ordering::Relaxed) {
            let stat = client.set(path, acknowledged.to_string().as_bytes(), -1).unwrap().unwrap();
            acknowledged += 1;
            assert_eq!(stat.version, acknowledged, "each write happened exactly once");
        }
        (client, acknowledged)
    })
}

#[test]
fn a_killed_leader_costs_clients_of_survivors_neither_connection_nor_outcome() {
    let mut ensemble = ensemble(3);
    let leader = ensemble.leader();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for (i, path) in ensemble.followers().into_iter().zip(["/w0", "/w1"]) {
        let mut client = Client::connect(&ensemble.members[i].client, 6000).unwrap();
        client.create(path, b"", CreateMode::Persistent).unwrap().unwrap();
        writers.push(write_until(client, path, stop.clone()));
    }
    thread::sleep(Duration::from_millis(300));
    ensemble.members[leader].kill();
    thread::sleep(Duration::from_millis(1500));
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        let (_, acknowledged) = writer.join().unwrap();
        assert!(acknowledged > 0);
    }
    ensemble.members[leader].start().unwrap();
    ensemble.wait_until_all_serve();
    let mut back = Client::connect(&ensemble.members[leader].client, 6000).unwrap();
    back.sync().unwrap().unwrap();
    assert!(back.exists("/w0", false).unwrap().is_ok() && back.exists("/w1", false).unwrap().is_ok());
}

#[test]
fn what_was_acknowledged_is_there_after_all_members_were_killed_at_once() {
    let mut ensemble = ensemble(3);
    let mut client = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    for i in 0..50 {
        client.create(&format!("/n{i}"), b"data", CreateMode::Persistent).unwrap().unwrap();
    }
    ensemble.members.iter_mut().for_each(|member| member.kill());
    ensemble.members.iter_mut().for_each(|member| member.start().unwrap());
    ensemble.wait_until_all_serve();
    for member in &ensemble.members {
        let mut client = Client::connect(&member.client, 6000).unwrap();
        client.sync().unwrap().unwrap();
        let found = client.children("/", false).unwrap().unwrap();
        assert_eq!(found.iter().filter(|name| name.starts_with('n')).count(), 50);
    }
}

#[test]
fn a_session_and_its_ephemerals_survive_the_death_of_their_member() {
    let mut ensemble = ensemble(3);
    let follower = ensemble.followers()[0];
    let other = ensemble.leader();
    let mut client = Client::connect(&ensemble.members[follower].client, 8000).unwrap();
    client.create("/e", b"", CreateMode::Ephemeral).unwrap().unwrap();
    ensemble.members[follower].kill();
    let mut moved = client.reattach(&ensemble.members[other].client).unwrap();
    assert_eq!(moved.session, client.session);
    assert!(moved.exists("/e", false).unwrap().is_ok());
    let mut watcher = Client::connect(&ensemble.members[other].client, 8000).unwrap();
    assert!(watcher.exists("/e", true).unwrap().is_ok());
    moved.close().unwrap();
    let event = eventually("the event of the ephemeral's end", || watcher.event().unwrap());
    assert_eq!((event.kind, event.path.as_str()), (2, "/e"));
}

#[test]
fn a_session_that_falls_silent_expires_with_its_ephemerals_and_a_pinging_one_does_not() {
    let ensemble = ensemble(3);
    let mut silent = Client::connect(&ensemble.members[0].client, 1000).unwrap();
    silent.create("/silent", b"", CreateMode::Ephemeral).unwrap().unwrap();
    let mut lively = Client::connect(&ensemble.members[1].client, 1000).unwrap();
    lively.create("/lively", b"", CreateMode::Ephemeral).unwrap().unwrap();
    let gone = || (lively.exists("/silent", false).unwrap() == Err(NO_NODE)).then_some(());
    eventually("the silent session's ephemeral to go", gone);
    assert!(lively.exists("/lively", false).unwrap().is_ok());
    let refused = silent.reattach(&ensemble.members[1].client);
    assert!(matches!(refused, Err(ConnectError::Expired)), "{refused:?}");
}

#[test]
fn a_terminated_leader_hands_over_and_exits_with_zero() {
    let mut ensemble = ensemble(3);
    let leader = ensemble.leader();
    let mut client = Client::connect(&ensemble.members[ensemble.followers()[0]].client, 6000).unwrap();
    client.create("/a", b"", CreateMode::Persistent).unwrap().unwrap();
    assert_eq!(ensemble.members[leader].terminate(), Some(0));
    assert!(client.set("/a", b"after", -1).unwrap().is_ok(), "the same connection goes on");
    assert_ne!(ensemble.leader(), leader);
}

#[test]
fn a_member_that_lost_its_disk_forms_nothing_names_the_cure_and_is_cured_by_it() {
    let mut ensemble = ensemble(3);
    let lost = ensemble.followers()[0];
    let leader = ensemble.leader();
    let mut client = Client::connect(&ensemble.members[leader].client, 6000).unwrap();
    client.create("/kept", b"", CreateMode::Persistent).unwrap().unwrap();
    ensemble.members[lost].kill();
    std::fs::remove_dir_all(&ensemble.members[lost].data_dir).unwrap();
    ensemble.members[lost].start().unwrap();
    let (name, peer) = (ensemble.members[lost].name.clone(), ensemble.members[lost].peer.clone());
    let command = format!("replace {name} --peer-addr {peer}");
    eventually("the log to name the cure", || ensemble.members[lost].log().contains(&command).then_some(()));
    assert_eq!(ensemble.members[lost].mode(), None, "it serves nothing meanwhile");
    let done = admin(&ensemble.members[leader], &["replace", &name, "--peer-addr", &peer]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    eventually("the replaced member to serve", || ensemble.members[lost].mode());
    let mut client = Client::connect(&ensemble.members[lost].client, 6000).unwrap();
    client.sync().unwrap().unwrap();
    assert!(client.exists("/kept", false).unwrap().is_ok());
}

/// Creates a hundred children of `/big` in one go.
fn create_hundred(client: &mut Client) -> usize {
    for _ in 0..100 {
        let sent = client.send(coordd_proto::OpCode::Create, |w| {
            w.string("/big/n-");
            w.buffer(Some(&[7; 100]));
            coordd_proto::Acl::encode_list(&[coordd_proto::Acl::world(coordd_proto::Perms::ALL)], w);
            w.i32(CreateMode::PersistentSequential.to_wire());
        });
        sent.unwrap();
    }
    (0..100).filter(|_| client.receive().unwrap().error == 0).count()
}

/// Writes to `/w` again and again until told to stop: how often so far, and the last of them.
fn keep_writing(mut client: Client) -> (Arc<AtomicI32>, Arc<AtomicBool>, thread::JoinHandle<i32>) {
    client.create("/w", b"", CreateMode::Persistent).unwrap().unwrap();
    let (written, stop) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, stopped) = (written.clone(), stop.clone());
    let writer = thread::spawn(move || {
        let mut version = 0;
        while !stopped.load(Ordering::Relaxed) {
            version = client.set("/w", b"", version).unwrap().unwrap().version;
            count.store(version, Ordering::Relaxed);
        }
        version
    });
    (written, stop, writer)
}

/// Creates children of `/big` until the log has lost what it does not keep: it is cut behind a snapshot in its own
/// time, but by the fourth all before the first is gone. How many were created.
fn create_until_the_fourth_snapshot(leader: &Member) -> usize {
    let mut client = Client::connect(&leader.client, 6000).unwrap();
    client.create("/big", b"", CreateMode::Persistent).unwrap().unwrap();
    let mut created = 0;
    while leader.log().matches("took a snapshot").count() < 4 {
        created += create_hundred(&mut client);
    }
    created
}

#[test]
fn a_member_far_behind_is_refilled_by_a_snapshot_while_clients_write() {
    let mut ensemble = ensemble_with(3, &["--snapshot-entries", "1000", "--log-keep-entries", "100"]);
    let behind = ensemble.followers()[0];
    ensemble.members[behind].kill();
    let leader = ensemble.leader();
    let created = create_until_the_fourth_snapshot(&ensemble.members[leader]);
    let writer = Client::connect(&ensemble.members[leader].client, 6000).unwrap();
    let (written, stop, writer) = keep_writing(writer);
    let before = written.load(Ordering::Relaxed);
    ensemble.members[behind].start().unwrap();
    eventually("the member behind to serve", || ensemble.members[behind].mode());
    let after = written.load(Ordering::Relaxed);
    assert!(after > before, "nobody could write while it was refilled: {before} to {after}");
    stop.store(true, Ordering::Relaxed);
    let last = writer.join().unwrap();
    let mut back = Client::connect(&ensemble.members[behind].client, 6000).unwrap();
    back.sync().unwrap().unwrap();
    assert_eq!(back.children("/big", false).unwrap().unwrap().len(), created);
    assert_eq!(back.exists("/w", false).unwrap().unwrap().version, last);
    assert!(ensemble.members[behind].log().contains("receiving a snapshot"), "it came by a snapshot");
    for (member, name) in
        [(leader, "snap_count"), (leader, "inflight_snap_count_sum"), (behind, "snapshot_load_time_count")]
    {
        let counted = support::figure(&ensemble.members[member], name);
        assert!(counted >= Some(1.0), "{name}: {counted:?}");
    }
}

#[test]
fn a_member_that_was_down_for_a_moment_comes_back_by_the_log_though_others_took_snapshots() {
    let mut ensemble = ensemble_with(3, &["--snapshot-entries", "200"]);
    let away = ensemble.followers()[0];
    ensemble.members[away].kill();
    let leader = ensemble.leader();
    let created = create_until_the_fourth_snapshot(&ensemble.members[leader]);
    assert!(created < 50_000, "no more than the log keeps by default");
    ensemble.members[away].start().unwrap();
    eventually("the member to serve", || ensemble.members[away].mode());
    let mut back = Client::connect(&ensemble.members[away].client, 6000).unwrap();
    back.sync().unwrap().unwrap();
    assert_eq!(back.children("/big", false).unwrap().unwrap().len(), created);
    let log = ensemble.members[away].log();
    assert!(!log.contains("receiving a snapshot"), "the log was there:\n{log}");
}

#[test]
fn a_lone_survivor_recovers_with_everything_and_refuses_the_old_ensemble() {
    let mut ensemble = ensemble(3);
    let mut client = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    client.create("/kept", b"v", CreateMode::Persistent).unwrap().unwrap();
    let zxid = client.zxid;
    ensemble.members[1].kill();
    ensemble.members[2].kill();
    let id = eventually("the ensemble's id", || support::ensemble_id(&ensemble.members[0]));
    let done = admin(&ensemble.members[0], &["recover", "--survivor", "m1", "--ensemble-id", &id]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let alone = || (ensemble.members[0].mode().as_deref() == Some("standalone")).then_some(());
    eventually("the survivor to go on alone", alone);
    let mut client = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    assert_eq!(client.get("/kept", false).unwrap().unwrap().0, b"v");
    client.set("/kept", b"w", -1).unwrap().unwrap();
    assert!(client.zxid.0 > zxid.0 + (1 << 32), "no zxid is given twice");
    assert_ne!(support::ensemble_id(&ensemble.members[0]), Some(id.clone()));
    let again = admin(&ensemble.members[0], &["recover", "--survivor", "m1", "--ensemble-id", &id]);
    let said = String::from_utf8_lossy(&again.stdout);
    let new = support::ensemble_id(&ensemble.members[0]).unwrap();
    assert!(again.status.success() && said.contains(&new), "asked again after the restart: {said}");
    ensemble.members[1].start().unwrap();
    let refused = || ensemble.members[0].log().contains("belongs to ensemble").then_some(());
    eventually("the old member to be refused", refused);
}

#[test]
fn a_snapshot_file_restores_into_a_new_ensemble() {
    let mut ensemble = ensemble(1);
    // One that has had several leaders, as every ensemble has after a while.
    ensemble.members[0].kill();
    ensemble.members[0].start().unwrap();
    ensemble.wait_until_all_serve();
    let mut client = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    let file = ensemble.dir().join("backup.snap");
    for version in [&b"first"[..], b"second"] {
        let path = format!("/{}", String::from_utf8_lossy(version));
        client.create(&path, version, CreateMode::Persistent).unwrap().unwrap();
        let done = admin(&ensemble.members[0], &["snapshot", &file.display().to_string()]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let mut fresh = support::prepare(1);
    let dir = fresh.members[0].data_dir.display().to_string();
    let restored = support::coordd(&["restore", &file.display().to_string(), "--data-dir", &dir, "--name", "m1"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    fresh.members[0].start().unwrap();
    fresh.wait_until_all_serve();
    let mut client = Client::connect(&fresh.members[0].client, 6000).unwrap();
    assert_eq!(client.get("/first", false).unwrap().unwrap().0, b"first");
    assert_eq!(client.get("/second", false).unwrap().unwrap().0, b"second", "a backup is not older than its order");
    client.create("/new", b"", CreateMode::Persistent).unwrap().unwrap();
}

#[test]
fn an_ensemble_that_has_a_quorum_is_not_given_up_by_one_member() {
    let mut ensemble = ensemble(3);
    ensemble.members[2].kill();
    let id = eventually("the ensemble's id", || support::ensemble_id(&ensemble.members[0]));
    let refused = admin(&ensemble.members[0], &["recover", "--survivor", "m1", "--ensemble-id", &id]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("there is a quorum"), "{said} {refused:?}");
    assert_eq!(support::ensemble_id(&ensemble.members[0]), Some(id));
}

#[test]
fn a_lone_survivor_gives_its_snapshot_only_to_who_says_that_the_quorum_is_lost() {
    let mut ensemble = ensemble(3);
    let mut client = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    client.create("/kept", b"v", CreateMode::Persistent).unwrap().unwrap();
    ensemble.members[1].kill();
    ensemble.members[2].kill();
    let file = ensemble.dir().join("survivor.snap").display().to_string();
    let refused = admin(&ensemble.members[0], &["snapshot", &file]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--without-quorum"), "{said}");
    let done = admin(&ensemble.members[0], &["snapshot", &file, "--without-quorum"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("may lack the newest"), "{said} {done:?}");
    let mut fresh = support::prepare(1);
    let dir = fresh.members[0].data_dir.display().to_string();
    let restored = support::coordd(&["restore", &file, "--data-dir", &dir, "--name", "m1"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    fresh.members[0].start().unwrap();
    fresh.wait_until_all_serve();
    let mut client = Client::connect(&fresh.members[0].client, 6000).unwrap();
    assert_eq!(client.get("/kept", false).unwrap().unwrap().0, b"v");
}

#[test]
fn a_paused_leader_is_replaced_its_clients_go_on_elsewhere_and_it_rejoins_when_it_wakes() {
    let ensemble = ensemble(3);
    let leader = ensemble.leader();
    let stop = Arc::new(AtomicBool::new(false));
    let mut client = Client::connect(&ensemble.members[ensemble.followers()[0]].client, 8000).unwrap();
    client.create("/w0", b"", CreateMode::Persistent).unwrap().unwrap();
    let writer = write_until(client, "/w0", stop.clone());
    ensemble.members[leader].pause();
    let others: Vec<_> = (0..3).filter(|i| *i != leader).collect();
    let leads = |i: &&usize| ensemble.members[**i].mode().as_deref() == Some("leader");
    eventually("another leader", || others.iter().find(leads));
    stop.store(true, Ordering::Relaxed);
    let (mut client, acknowledged) = writer.join().unwrap();
    let stat = client.set("/w0", b"end", -1).unwrap().unwrap();
    assert_eq!(stat.version, acknowledged + 1, "the connection and each outcome survived");
    ensemble.members[leader].resume();
    let back = || (ensemble.members[leader].mode().as_deref() == Some("follower")).then_some(());
    eventually("the old leader to follow", back);
    let mut late = Client::connect(&ensemble.members[leader].client, 8000).unwrap();
    late.sync().unwrap().unwrap();
    assert_eq!(late.get("/w0", false).unwrap().unwrap().0, b"end");
}

#[test]
fn a_session_expires_though_its_member_is_paused() {
    let ensemble = ensemble(3);
    let member = ensemble.followers()[0];
    let mut owner = Client::connect(&ensemble.members[member].client, 2000).unwrap();
    owner.create("/lock", b"", CreateMode::Ephemeral).unwrap().unwrap();
    let mut watcher = Client::connect(&ensemble.members[ensemble.leader()].client, 20_000).unwrap();
    watcher.sync().unwrap().unwrap();
    assert!(watcher.exists("/lock", false).unwrap().is_ok());
    ensemble.members[member].pause();
    eventually("the ephemeral to go", || (watcher.exists("/lock", false).unwrap() == Err(NO_NODE)).then_some(()));
    ensemble.members[member].resume();
    let answer = owner.ping();
    assert!(answer.is_err(), "a client never believes in a session that was expired: {answer:?}");
}

#[test]
fn a_removed_member_is_told_and_says_so() {
    let ensemble = ensemble(3);
    let (leader, gone) = (ensemble.leader(), ensemble.followers()[0]);
    let done = admin(&ensemble.members[leader], &["remove", &ensemble.members[gone].name]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let says = || ensemble.members[gone].http_get("/readyz").filter(|(_, body)| body.contains("removed"));
    let (status, _) = eventually("the removed member to say so", says);
    assert_eq!(status, 503);
    assert_eq!(ensemble.members[gone].mode(), None);
}

#[test]
fn words_and_http_tell_who_leads_and_when_sessions_are_due() {
    let ensemble = ensemble(3);
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let client = Client::connect(&ensemble.members[follower].client, 6000).unwrap();
    let due = || {
        let dump = ensemble.members[leader].four_letter("dump");
        let session = format!("\n\t{:#x}\n", client.session.0);
        (dump.contains("\nSession Sets (1)/(1):\n1 expire at ") && dump.contains(&session)).then_some(())
    };
    eventually("the leader to know when the session is due", due);
    let dump = ensemble.members[follower].four_letter("dump");
    assert!(dump.contains(&format!("\nGlobal Sessions(1):\n{:#x}\t6000ms\n", client.session.0)), "{dump}");
    for (member, state, known) in [(leader, "leading - broadcast", true), (follower, "following - broadcast", false)] {
        let mntr = ensemble.members[member].four_letter("mntr");
        assert!(mntr.contains(&format!("\nzk_peer_state\t{state}\n")), "{mntr}");
        assert_eq!(mntr.contains("\nzk_leader_uptime\t"), known);
        let (_, json) = ensemble.members[member].http_get("/commands/dump").unwrap();
        assert_eq!(json.contains("\"expiry_time_to_session_ids\": {}"), !known, "{json}");
    }
}
