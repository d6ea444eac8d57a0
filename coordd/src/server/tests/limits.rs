//! Bounds: connections by address, requests in flight, room at the proposer, growth, a client that does not read.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{Acl, AuthId, ErrorCode, OpCode, Perms, Writer};
use tokio::time::Instant;

use super::support::{Member, create, delete, frame, read, set};
use crate::server::batch::{self, Step};

#[tokio::test]
async fn connections_beyond_the_limit_of_an_address_are_closed_without_a_word() {
    let member = Member::with(|config| config.max_connections_per_address = 2).await;
    let (_a, _b) = (member.client().await, member.client().await);
    let mut third = member.raw().await;
    assert!(third.is_closed().await);
    drop(_a);
    tokio::time::sleep(Duration::from_millis(50)).await;
    member.client().await;
}

#[tokio::test]
async fn requests_beyond_those_in_flight_are_not_looked_at() {
    let member = Member::with(|config| config.in_flight_max = 3).await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    (1..=5).for_each(|n| frame(&mut out, n, OpCode::Create.to_wire(), |w| create(w, &format!("/{n}"), b"", 0)));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    assert_eq!(member.double.waiting(), 3);
    member.double.settle(3).await;
    for n in 1..=3 {
        assert_eq!(c.got().await.xid, n);
    }
    assert!(c.raw.is_quiet().await);
    member.double.settle(2).await;
    assert_eq!((c.got().await.xid, c.got().await.xid), (4, 5));
}

#[tokio::test]
async fn a_write_waits_for_room_and_reads_of_others_do_not() {
    let member = Member::start().await;
    let (mut c, mut other) = (member.client().await, member.client().await);
    member.double.roomy.store(false, Ordering::SeqCst);
    c.send(1, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    assert_eq!(other.ask(1, OpCode::Exists, |w| read(w, "/a", false)).await.code(), Some(ErrorCode::NoNode));
    member.double.roomy.store(true, Ordering::SeqCst);
    assert_eq!(c.got().await.err, 0);
    assert!(member.hub.metrics().room_waits.times().count() > 0);
}

#[tokio::test]
async fn writes_that_drag_many_identities_along_reach_the_log_in_parts() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let proof = "u".repeat(15_000);
    let auth = |w: &mut Writer<'_>| {
        w.i32(0);
        w.string("digest");
        w.buffer(Some(proof.as_bytes()));
    };
    assert_eq!(c.ask(-4, OpCode::Auth, auth).await.err, 0);
    member.double.holding.store(true, Ordering::SeqCst);
    let conn = member.hub.connections().remove(0);
    let (mut input, mut writes) = (BytesMut::new(), Vec::new());
    (1..=500).for_each(|n| frame(&mut input, n, OpCode::Delete.to_wire(), |w| delete(w, "/a")));
    let mut take = || batch::take(&conn, &member.server.shared, &mut input, &mut writes, Instant::now()).unwrap();
    assert_eq!(take(), Step::Again);
    assert!((60..80).contains(&member.double.waiting()), "about a megabyte: {}", member.double.waiting());
    while take() == Step::Again {}
    assert_eq!(member.double.waiting(), 500);
}

#[tokio::test]
async fn while_there_is_no_space_creates_and_sets_are_refused_and_deletes_go_on() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    member.double.full.store(true, Ordering::SeqCst);
    let refused = Some(ErrorCode::SystemError);
    assert_eq!(c.create(2, "/b", b"").await.code(), refused);
    assert_eq!(c.set(3, "/a", b"x").await.code(), refused);
    let multi = c
        .ask(4, OpCode::Multi, |w| {
            w.i32(OpCode::SetData.to_wire());
            w.bool(false);
            w.i32(-1);
            set(w, "/a", b"x");
            w.i32(-1);
            w.bool(true);
            w.i32(-1);
        })
        .await;
    assert_eq!(multi.code(), refused);
    assert_eq!(c.ask(5, OpCode::Delete, |w| delete(w, "/a")).await.err, 0);
}

#[tokio::test]
async fn what_a_write_carries_is_bounded_before_the_log() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    let proposals = member.double.proposals.load(Ordering::SeqCst);
    let list = |w: &mut Writer<'_>, bytes: usize| {
        let id = AuthId::new("digest", format!("a:{}", "x".repeat(bytes)));
        w.string("/a");
        Acl::encode_list(&[Acl { perms: Perms::ALL, id }, Acl::world(Perms::ALL)], w);
        w.i32(-1);
    };
    assert_eq!(c.ask(2, OpCode::SetAcl, |w| list(w, 70_000)).await.code(), Some(ErrorCode::InvalidAcl));
    let text = "/zookeeper/quota/a/zookeeper_limits";
    assert_eq!(c.create(3, text, &[b','; 2000]).await.code(), Some(ErrorCode::BadArguments));
    assert_eq!(member.double.proposals.load(Ordering::SeqCst), proposals);
    member.double.full.store(true, Ordering::SeqCst);
    assert_eq!(c.ask(4, OpCode::SetAcl, |w| list(w, 2000)).await.code(), Some(ErrorCode::SystemError));
    assert_eq!(c.ask(5, OpCode::SetAcl, |w| list(w, 28)).await.err, 0, "a right may be taken though memory is short");
}

#[tokio::test]
async fn a_refusal_keeps_its_place_among_undecided_writes() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    member.double.holding.store(true, Ordering::SeqCst);
    member.double.full.store(true, Ordering::SeqCst);
    c.send(2, OpCode::Delete, |w| delete(w, "/a")).await;
    c.send(3, OpCode::Create, |w| create(w, "/b", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(1).await;
    assert_eq!((c.got().await.xid, c.got().await.xid), (2, 3));
}

#[tokio::test]
async fn a_client_that_does_not_take_its_events_is_closed_at_the_bound_and_hurts_nobody() {
    let member = Member::with_outbox(64 * 1024).await;
    let (mut lazy, mut w) = (member.client().await, member.client().await);
    let path = format!("/{}", "x".repeat(8000));
    lazy.ask(1, OpCode::AddWatch, |r| {
        r.string("/");
        r.i32(1);
    })
    .await;
    w.create(1, &path, b"").await;
    for n in 2..3000 {
        assert_eq!(w.set(n, &path, b"").await.err, 0);
        if member.hub.metrics().outbox_overflows.get() > 0 {
            break;
        }
    }
    assert_eq!(member.hub.metrics().outbox_overflows.get(), 1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(crate::consensus::LocalSessions::connected(&*member.hub), 1);
}
