//! The admin API as an operator uses it: answers that are lost, plans that are out of date, on real members.
//!
//! Rule: what is done already is a success, whatever it was planned on; what is left to do needs the membership that is
//! there. Reason: an operator stands on this API alone, and it asks again whenever it is not sure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use coordd_api::{
    AddMember, AdminStatus, Bootstrap, Client, ClientError, Drain, Promote, Recover, Refusal, RefusalCode, Replace,
    Seat, TransferLeader,
};
use coordd_proto::CreateMode;
use coordd_testkit::{Ensemble, Member, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use support::{ensemble, prepare, start_unformed, start_unformed_with};

fn api(member: &Member) -> Client {
    Client::new(member.admin.clone())
}

async fn status(member: &Member) -> AdminStatus {
    api(member).status().await.unwrap()
}

async fn index(member: &Member) -> u64 {
    status(member).await.ensemble.membership_index
}

async fn id_of(member: &Member) -> u64 {
    status(member).await.node_id.unwrap()
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Refusal {
    match answer {
        Err(ClientError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Repeats an order while the member says that it cannot be done yet.
async fn done_eventually<T: std::fmt::Debug>(order: impl AsyncFn() -> Result<T, ClientError>) -> T {
    for _ in 0..200 {
        match order().await {
            Ok(done) => return done,
            Err(ClientError::Refused(refusal)) if refusal.code == RefusalCode::Unavailable => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it stays unavailable");
}

fn add(member: &Member, membership_index: u64) -> AddMember {
    AddMember { peer_addr: member.peer.clone(), membership_index }
}

/// `count` members that nobody has formed an ensemble of.
fn unformed(count: usize) -> Ensemble {
    let mut ensemble = prepare(0);
    for _ in 0..count {
        start_unformed(&mut ensemble);
    }
    for member in &ensemble.members {
        eventually("the admin port", || std::net::TcpStream::connect(&member.admin).ok());
    }
    ensemble
}

fn seats<'m>(members: impl IntoIterator<Item = &'m Member>) -> Bootstrap {
    let seat = |member: &Member| Seat { name: member.name.clone(), peer_addr: member.peer.clone() };
    Bootstrap { members: members.into_iter().map(seat).collect() }
}

fn write_somewhere(ensemble: &Ensemble) {
    let leader = ensemble.leader();
    let mut client = support::http::connect(&ensemble.members[leader]);
    client.create("/written", b"", CreateMode::Persistent).unwrap().unwrap();
}

/// Three members and, unformed, a fourth and a fifth.
struct Stage {
    ensemble: Ensemble,
    leader: usize,
    follower: usize,
}

impl Stage {
    fn new() -> Stage {
        let mut ensemble = ensemble(3);
        start_unformed(&mut ensemble);
        start_unformed(&mut ensemble);
        let leader = ensemble.leader();
        Stage { leader, follower: (leader + 1) % 3, ensemble }
    }

    fn leader(&self) -> &Member {
        &self.ensemble.members[self.leader]
    }

    fn follower(&self) -> &Member {
        &self.ensemble.members[self.follower]
    }

    fn fourth(&self) -> &Member {
        &self.ensemble.members[3]
    }

    fn fifth(&self) -> &Member {
        &self.ensemble.members[4]
    }
}

#[tokio::test]
async fn a_change_planned_on_an_old_membership_is_not_made_and_is_told_the_present_one() {
    let stage = Stage::new();
    let client = api(stage.leader());
    let old = index(stage.leader()).await;
    let added = done_eventually(async || client.add(&add(stage.fourth(), old)).await).await;
    let voter = id_of(stage.follower()).await;
    let before = status(stage.leader()).await;
    let replace = Replace { peer_addr: stage.fifth().peer.clone(), membership_index: old };
    let refusals = [
        refusal(client.add(&add(stage.fifth(), old)).await),
        refusal(client.promote(added.id, &Promote { membership_index: old }).await),
        refusal(client.remove(voter, old).await),
        refusal(client.replace(voter, &replace).await),
    ];
    for refused in refusals {
        assert_eq!((refused.code, refused.membership_index), (RefusalCode::Moved, Some(added.membership_index)));
    }
    let after = status(stage.leader()).await;
    assert_eq!(after.ensemble.membership_index, added.membership_index);
    let roles = |status: &AdminStatus| {
        let role = |member: &coordd_api::MemberView| (member.id, member.role);
        status.ensemble.members.iter().map(role).collect::<Vec<_>>()
    };
    assert_eq!(roles(&after), roles(&before), "nobody came, voted or went");
}

#[tokio::test]
async fn a_change_of_the_membership_that_was_made_is_a_success_again_on_the_plan_of_before() {
    let stage = Stage::new();
    let client = api(stage.leader());
    let plan = index(stage.leader()).await;
    let added = done_eventually(async || client.add(&add(stage.fourth(), plan)).await).await;
    assert_eq!(client.add(&add(stage.fourth(), plan)).await.unwrap(), added);

    let promote = Promote { membership_index: added.membership_index };
    let promoted = done_eventually(async || client.promote(added.id, &promote).await).await;
    assert!(promoted.membership_index > added.membership_index);
    assert_eq!(client.promote(added.id, &promote).await.unwrap(), promoted);

    let replace = Replace { peer_addr: stage.fifth().peer.clone(), membership_index: promoted.membership_index };
    let replaced = done_eventually(async || client.replace(added.id, &replace).await).await;
    assert_eq!(client.replace(added.id, &replace).await.unwrap(), replaced);

    let removed = client.remove(replaced.id, replaced.membership_index).await.unwrap();
    assert_eq!(client.remove(replaced.id, replaced.membership_index).await.unwrap(), removed);

    let left: Vec<_> = status(stage.leader()).await.ensemble.members.iter().map(|member| member.name.clone()).collect();
    assert_eq!(left, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn a_replacement_that_waits_at_a_leader_ends_when_it_leads_no_more() {
    let mut ensemble = ensemble(3);
    // It is there, and nobody reaches it where it says that it is: it never catches up.
    let unreached = start_unformed_with(&mut ensemble, &["--advertise-peer", "127.0.0.1:1"]);
    let peer_addr = ensemble.members[unreached].peer.clone();
    eventually("the newcomer", || std::net::TcpStream::connect(&peer_addr).ok());
    let leader = ensemble.leader();
    let [leader, next] = [leader, (leader + 1) % 3].map(|index| &ensemble.members[index]);
    let order = Replace { peer_addr, membership_index: index(leader).await };
    let (old, at) = (id_of(next).await, api(leader));
    let replacing = tokio::spawn(async move { at.replace(old, &order).await });
    while status(leader).await.ensemble.members.len() < 4 {
        assert!(!replacing.is_finished(), "it ended before the newcomer was in: {:?}", replacing.await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    api(leader).transfer_leader(&TransferLeader { to: Some(old) }).await.unwrap();
    assert_eq!(refusal(replacing.await.unwrap()).code, RefusalCode::NotLeader);
}

#[tokio::test]
async fn a_transfer_that_is_done_is_a_success_at_whoever_is_asked_again() {
    let stage = Stage::new();
    let to = id_of(stage.follower()).await;
    let order = TransferLeader { to: Some(to) };
    for _ in 0..2 {
        assert_eq!(api(stage.leader()).transfer_leader(&order).await.unwrap().leader, to);
    }
    eventually("the new leader", || (stage.follower().mode().as_deref() == Some("leader")).then_some(()));
    assert_eq!(api(stage.follower()).transfer_leader(&order).await.unwrap().leader, to);
    // Whoever names nobody wants it moved once more, and only the leader can do that.
    let refused = refusal(api(stage.leader()).transfer_leader(&TransferLeader::default()).await);
    assert_eq!((refused.code, refused.leader.as_ref()), (RefusalCode::NotLeader, Some(&stage.follower().name)));
}

#[tokio::test]
async fn a_member_is_drained_as_often_as_it_is_asked() {
    let stage = Stage::new();
    for _ in 0..2 {
        api(stage.leader()).drain(&Drain { timeout_ms: 5000 }).await.unwrap();
    }
    let (status, why) = stage.leader().http_get("/readyz").unwrap();
    assert_eq!(status, 503, "{why}");
}

#[tokio::test]
async fn a_recovery_of_another_ensemble_or_another_member_is_refused_for_good() {
    let ensemble = ensemble(1);
    let member = &ensemble.members[0];
    let id = status(member).await.ensemble.ensemble_id.unwrap();
    let order = |survivor: &str, id: &str| Recover { survivor: survivor.to_owned(), ensemble_id: id.to_owned() };
    for (order, named) in [(order("m1", "other"), "other"), (order("m2", &id), "m2")] {
        let refused = refusal(api(member).recover(&order).await);
        assert_eq!(refused.code, RefusalCode::Refused);
        assert!(refused.message.contains(named) && refused.message.contains("m1"), "{}", refused.message);
    }
    let waits = unformed(1);
    let refused = refusal(api(&waits.members[0]).recover(&order("m1", &id)).await);
    assert_eq!(refused.code, RefusalCode::Refused, "{}", refused.message);
}

#[tokio::test]
async fn one_member_is_founded_once_and_what_is_founded_is_answered_again() {
    let ensemble = unformed(2);
    let member = &ensemble.members[0];
    let formed = api(member).bootstrap(&Bootstrap::default()).await.unwrap();
    assert_eq!(api(member).bootstrap(&Bootstrap::default()).await.unwrap(), formed);
    assert_eq!(api(member).bootstrap(&seats([member])).await.unwrap(), formed, "the same, named");
    write_somewhere(&ensemble);
    let refused = refusal(api(member).bootstrap(&seats(&ensemble.members)).await);
    assert_eq!(refused.code, RefusalCode::Refused);
    assert!(refused.message.contains("m2 is not a member of it"), "{}", refused.message);
    let refused = refusal(api(&ensemble.members[1]).bootstrap(&seats(&ensemble.members)).await);
    assert_eq!(refused.code, RefusalCode::Refused);
    assert!(refused.message.contains(&format!("m1 belongs to ensemble {}", formed.ensemble_id)), "{}", refused.message);
}

#[tokio::test]
async fn three_members_are_founded_once_and_each_of_them_answers_so() {
    let ensemble = unformed(4);
    let three = seats(ensemble.members.iter().take(3));
    let formed = api(&ensemble.members[0]).bootstrap(&three).await.unwrap();
    for member in ensemble.members.iter().take(3) {
        assert_eq!(done_eventually(async || api(member).bootstrap(&three).await).await, formed);
    }
    write_somewhere(&ensemble);
    let ids: BTreeSet<_> = status(&ensemble.members[0]).await.ensemble.members.iter().map(|member| member.id).collect();
    assert_eq!(ids, [1, 2, 3].into());
    let fewer = refusal(api(&ensemble.members[0]).bootstrap(&seats(ensemble.members.iter().take(2))).await);
    assert_eq!(fewer.code, RefusalCode::Refused);
    assert!(fewer.message.contains("m3 is a member of it and not named"), "{}", fewer.message);
    let more = refusal(api(&ensemble.members[1]).bootstrap(&seats(&ensemble.members)).await);
    assert_eq!(more.code, RefusalCode::Refused);
    assert!(more.message.contains("m4 is not a member of it"), "{}", more.message);
    let mut crossed = three.clone();
    crossed.members[2].peer_addr.clone_from(&ensemble.members[1].peer);
    let crossed = refusal(api(&ensemble.members[0]).bootstrap(&crossed).await);
    assert_eq!(crossed.code, RefusalCode::Refused);
    let lives = format!("at {} lives m2, not m3", ensemble.members[1].peer);
    assert!(crossed.message.contains(&lives), "{}", crossed.message);
}

#[tokio::test]
async fn an_order_that_names_the_wrong_members_founds_nothing() {
    let ensemble = unformed(3);
    let [first, second, third] = &ensemble.members[..] else { panic!("three members") };
    let seat = |name: &str, member: &Member| Seat { name: name.to_owned(), peer_addr: member.peer.clone() };
    let (own, other) = (seat("m1", first), seat("m2", second));
    let orders = [
        (vec![seat("m2", second)], "m1, is not among"),
        (vec![own.clone(), seat("m2", third)], "lives m3, not m2"),
        (vec![own.clone(), other.clone(), seat("m2", third)], "m2 is named twice"),
    ];
    for (members, says) in orders {
        let refused = refusal(api(first).bootstrap(&Bootstrap { members }).await);
        assert_eq!(refused.code, RefusalCode::Refused, "{}", refused.message);
        assert!(refused.message.contains(says), "{}", refused.message);
    }
    for member in &ensemble.members {
        assert_eq!(status(member).await.node_id, None, "{} is still nobody's", member.name);
    }
}

#[tokio::test]
async fn a_founding_that_waits_for_a_member_is_to_be_asked_for_again() {
    let mut ensemble = unformed(3);
    let order = seats(&ensemble.members);
    ensemble.members[2].kill();
    let refused = refusal(api(&ensemble.members[0]).bootstrap(&order).await);
    assert_eq!(refused.code, RefusalCode::Unavailable, "{}", refused.message);
    assert!(refused.message.contains("m3 does not answer"), "{}", refused.message);
    ensemble.members[2].start().unwrap();
    done_eventually(async || api(&ensemble.members[0]).bootstrap(&order).await).await;
    write_somewhere(&ensemble);
}

/// Sends an order and is gone before the answer.
async fn hang_up(member: &Member, call: &str, order: &impl serde::Serialize) {
    let body = serde_json::to_string(order).unwrap();
    let head = format!("POST {call} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(&member.admin).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn what_was_ordered_by_somebody_who_hung_up_is_done_once_when_it_is_ordered_again() {
    let ensemble = unformed(4);
    let three = seats(ensemble.members.iter().take(3));
    let first = &ensemble.members[0];
    hang_up(first, "/admin/v1/bootstrap", &three).await;
    let formed = done_eventually(async || api(first).bootstrap(&three).await).await;
    assert_eq!(done_eventually(async || api(first).bootstrap(&three).await).await, formed);
    write_somewhere(&ensemble);

    let leader = &ensemble.members[ensemble.leader()];
    let order = add(&ensemble.members[3], index(leader).await);
    hang_up(leader, "/admin/v1/members", &order).await;
    let added = done_eventually(async || api(leader).add(&order).await).await;
    let members = status(leader).await.ensemble.members;
    let ids: Vec<_> = members.iter().filter(|member| member.name == "m4").map(|member| member.id).collect();
    assert_eq!(ids, [added.id]);
}
