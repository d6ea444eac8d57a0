//! A member whose state is not that of the others, and what everyone understands: the leader's roll call on real
//! members.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{Acl, CreateMode, OpCode, Perms, Writer};
use coordd_testkit::{Client, Ensemble, Member, eventually};
use coordd_tree::{AuthList, Command, FEATURE_LEVEL, Op, Origin, Outcome, State};

use support::{admin, ensemble, ensemble_with};

/// How often the leader compares.
const ROLL_CALL: Duration = Duration::from_secs(5);

fn newest_snapshot(data_dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(data_dir.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "snap")).max()
}

/// Puts a znode into a snapshot that nobody created, as if this member's memory had been wrong when it was taken. All
/// checksums hold.
fn tamper(snapshot: &Path) {
    let (mut state, meta) = State::load(std::fs::File::open(snapshot).unwrap()).unwrap();
    let (boot, seq) = state.origin_last(1).unwrap();
    let mut record = BytesMut::new();
    let mut out = Writer::new(&mut record);
    out.string("/wrong");
    out.buffer(None);
    Acl::encode_list(&[Acl::world(Perms::ALL)], &mut out);
    out.i32(CreateMode::Persistent.to_wire());
    let session = state.sessions().next().unwrap();
    let command = Command {
        origin: Origin { member: 1, boot, seq: seq + 1 },
        time_ms: state.last_time_ms(),
        session: session.id,
        attach: session.attach,
        auth: AuthList::default(),
        op: Op::Client { op: OpCode::Create, record: record.freeze() },
    };
    let outcome = state.apply(state.last_zxid(), &command, &mut Vec::new());
    assert!(matches!(outcome, Outcome::Done(Ok(_))), "{outcome:?}");
    let (mut writer, mut bytes) = (state.begin_snapshot(meta), BytesMut::new());
    while writer.chunk(&state, &mut bytes).unwrap() {}
    std::fs::write(snapshot, bytes).unwrap();
}

/// Writes `count` times in one go.
fn write(client: &mut Client, count: usize) {
    for _ in 0..count {
        let sent = client.send(OpCode::SetData, |w| {
            w.string("/w");
            w.buffer(Some(b"right"));
            w.i32(-1);
        });
        sent.unwrap();
    }
    (0..count).for_each(|_| assert_eq!(client.receive().unwrap().error, 0));
}

/// Why `/readyz` says that the member does not serve.
fn why_not(member: &Member) -> Option<String> {
    member.http_get("/readyz").filter(|(status, _)| *status == 503).map(|(_, why)| why)
}

/// An ensemble, a client of its leader, and a follower whose snapshot was tampered with while it was down.
fn with_a_wrong_follower() -> (Ensemble, Client, usize) {
    let mut ensemble = ensemble_with(3, &["--snapshot-entries", "100"]);
    let (leader, wrong) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = Client::connect(&ensemble.members[leader].client, 20_000).unwrap();
    client.create("/w", b"", CreateMode::Persistent).unwrap().unwrap();
    write(&mut client, 200);
    // A new ensemble's zxids are log indexes: right behind one at which members are compared.
    while client.zxid.0 % 64 != 1 {
        write(&mut client, 1);
    }
    let snapshot = eventually("a snapshot", || newest_snapshot(&ensemble.members[wrong].data_dir));
    std::thread::sleep(ROLL_CALL + Duration::from_secs(1));
    ensemble.members[wrong].kill();
    tamper(&newest_snapshot(&ensemble.members[wrong].data_dir).unwrap_or(snapshot));
    ensemble.members[wrong].start().unwrap();
    eventually("the member to serve, as it knows no better", || ensemble.members[wrong].mode());
    (ensemble, client, wrong)
}

#[test]
fn a_leader_whose_state_differs_stops_and_the_others_elect_another() {
    let (ensemble, mut client, wrong) = with_a_wrong_follower();
    let (old, name) = (ensemble.leader(), ensemble.members[wrong].name.as_str());
    let moved = || admin(&ensemble.members[old], &["transfer", name]).status.success().then_some(());
    eventually("the wrong one to lead", moved);
    write(&mut client, 100);
    let says = || why_not(&ensemble.members[wrong]).filter(|why| why.contains("is not that of the others"));
    eventually("the leader to find itself wrong", says);
    let leads = |i: &usize| *i != wrong && ensemble.members[*i].mode().as_deref() == Some("leader");
    eventually("another leader", || (0..3).find(leads));
    write(&mut client, 100);
}

#[test]
fn a_member_whose_state_differs_stops_says_so_and_is_cured_while_the_others_go_on() {
    let (mut ensemble, mut client, wrong) = with_a_wrong_follower();
    let leader = ensemble.leader();
    let mut misled = Client::connect(&ensemble.members[wrong].client, 20_000).unwrap();
    write(&mut client, 100);
    let says = || why_not(&ensemble.members[wrong]).filter(|why| why.contains("is not that of the others"));
    let why = eventually("the member to say that it differs", says);
    assert!(why.contains("at log index") && why.contains("coordd admin replace"), "{why}");
    assert_eq!(ensemble.members[wrong].mode(), None);
    for member in [wrong, leader] {
        assert_eq!(support::figure(&ensemble.members[member], "digest_mismatches_count"), Some(1.0));
    }
    assert!(misled.get("/wrong", false).is_err(), "no client is answered any more");
    let refused = admin(&ensemble.members[wrong], &["snapshot", "--without-quorum", "wrong.snap"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not that of the others"), "{refused:?}");
    write(&mut client, 100);
    assert_eq!(ensemble.members.iter().filter(|member| member.mode().is_some()).count(), 2, "nobody else stopped");

    ensemble.members[wrong].kill();
    std::fs::remove_dir_all(&ensemble.members[wrong].data_dir).unwrap();
    ensemble.members[wrong].start().unwrap();
    let (name, peer) = (ensemble.members[wrong].name.clone(), ensemble.members[wrong].peer.clone());
    let replaced = || admin(&ensemble.members[leader], &["replace", &name, "--peer-addr", &peer]).status.success();
    eventually("the member to be replaced", || replaced().then_some(()));
    eventually("the replaced member to serve", || ensemble.members[wrong].mode());
}

#[test]
fn members_with_one_state_find_nobody_wrong_though_they_die_and_catch_up_by_snapshot() {
    let mut ensemble = ensemble_with(3, &["--snapshot-entries", "1000", "--log-keep-entries", "100"]);
    let (leader, behind) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = Client::connect(&ensemble.members[leader].client, 20_000).unwrap();
    client.create("/w", b"", CreateMode::Persistent).unwrap().unwrap();
    ensemble.members[behind].kill();
    while ensemble.members[leader].log().matches("took a snapshot").count() < 3 {
        write(&mut client, 200);
    }
    ensemble.members[behind].start().unwrap();
    eventually("the member behind to serve", || ensemble.members[behind].mode());
    assert!(ensemble.members[behind].log().contains("receiving a snapshot"));
    for _ in 0..7 {
        write(&mut client, 100);
        std::thread::sleep(Duration::from_secs(1));
    }
    for member in &ensemble.members {
        assert!(member.mode().is_some(), "{} serves: {:?}", member.name, why_not(member));
    }
}

#[test]
fn the_feature_level_is_raised_in_the_log_once_every_voter_is_there() {
    let ensemble = ensemble(3);
    let level = |member: &Member| {
        let output = admin(member, &["--output", "json", "status"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        status["feature_level"].as_u64().unwrap()
    };
    let raised = || ensemble.members.iter().all(|member| level(member) == u64::from(FEATURE_LEVEL)).then_some(());
    eventually("every member to be at the level", raised);
    let announced = |member: &Member| member.log().contains("every voter understands this feature level");
    assert_eq!(ensemble.members.iter().filter(|member| announced(member)).count(), 1, "by its leader, once");
}
