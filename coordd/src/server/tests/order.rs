//! Replies in the order of requests, events before what shows their change, nothing that the log did not decide.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use coordd_proto::{ErrorCode, OpCode};

use super::support::{Member, create, decode, delete, frame, read, set};

#[tokio::test]
async fn a_client_creates_reads_and_closes() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let created = c.create(1, "/a", b"x").await;
    assert_eq!((created.xid, created.err), (1, 0));
    let got = c.ask(2, OpCode::GetData, |w| read(w, "/a", false)).await;
    assert_eq!(got.data().as_deref(), Some(&b"x"[..]));
    assert_eq!(got.zxid, created.zxid);
    let closed = c.ask(3, OpCode::CloseSession, |_| {}).await;
    assert_eq!((closed.xid, closed.err, closed.zxid), (3, 0, created.zxid + 1));
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_read_behind_an_undecided_write_waits_for_it_and_sees_it() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"old").await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::SetData.to_wire(), |w| set(w, "/a", b"new"));
    frame(&mut out, 3, OpCode::GetData.to_wire(), |w| read(w, "/a", false));
    frame(&mut out, -2, OpCode::Ping.to_wire(), |_| {});
    frame(&mut out, 4, OpCode::SetData.to_wire(), |w| set(w, "/a", b"newer"));
    frame(&mut out, 5, OpCode::GetData.to_wire(), |w| read(w, "/a", false));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(1).await;
    let first = [c.got().await, c.got().await, c.got().await];
    assert_eq!(first.each_ref().map(|g| g.xid), [2, 3, -2]);
    assert_eq!(first[1].data().as_deref(), Some(&b"new"[..]), "not what the second write made of it");
    assert!(first.iter().all(|g| g.zxid == first[0].zxid));
    assert!(c.raw.is_quiet().await);
    member.double.settle(1).await;
    assert_eq!(c.got().await.xid, 4);
    assert_eq!(c.got().await.data().as_deref(), Some(&b"newer"[..]));
}

#[tokio::test]
async fn what_a_client_leaves_behind_is_counted_as_dropped_or_as_answered_in_vain() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    (2..=3).for_each(|n| frame(&mut out, n, OpCode::Exists.to_wire(), |w| read(w, "/a", false)));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    drop(c);
    while member.hub.connection_count() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let metrics = member.hub.metrics();
    assert_eq!((metrics.stale_requests.get(), metrics.stale_replies.get()), (2, 0));
    member.double.settle(1).await;
    assert_eq!((metrics.stale_requests.get(), metrics.stale_replies.get()), (2, 1));
}

#[tokio::test]
async fn all_writes_of_one_batch_are_proposed_in_one_call() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let before = member.double.proposals.load(Ordering::SeqCst);
    let mut out = BytesMut::new();
    (1..=8).for_each(|n| frame(&mut out, n, OpCode::Create.to_wire(), |w| create(w, &format!("/n{n}"), b"", 0)));
    c.raw.send(&out).await;
    for n in 1..=8 {
        assert_eq!(c.got().await.xid, n);
    }
    assert_eq!(member.double.proposals.load(Ordering::SeqCst) - before, 1);
}

#[tokio::test]
async fn the_writer_sees_its_own_watch_event_before_its_reply() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    c.ask(2, OpCode::GetData, |w| read(w, "/a", true)).await;
    c.send(3, OpCode::SetData, |w| set(w, "/a", b"x")).await;
    let event = c.got().await;
    assert_eq!(event.event(), (3, "/a".to_owned()));
    let reply = c.got().await;
    assert_eq!((reply.xid, reply.zxid), (3, event.zxid), "the event carries the zxid of the change");
}

#[tokio::test]
async fn an_event_lies_before_any_reply_that_shows_its_change() {
    let member = Member::start().await;
    let (mut w, mut c) = (member.client().await, member.client().await);
    w.create(1, "/a", b"0").await;
    c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await;
    w.set(2, "/a", b"1").await;
    c.send(2, OpCode::GetData, |r| read(r, "/a", false)).await;
    assert_eq!(c.got().await.event(), (3, "/a".to_owned()));
    assert_eq!(c.got().await.data().as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn sync_is_answered_after_its_barrier_and_holds_up_what_follows() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Sync.to_wire(), |w| w.string("no path at all"));
    frame(&mut out, 2, OpCode::Exists.to_wire(), |w| read(w, "/", false));
    frame(&mut out, 3, OpCode::Create.to_wire(), |w| create(w, "/late", b"", 0));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    assert_eq!(member.double.waiting(), 0, "nothing behind a sync is looked at");
    member.double.pass_barriers().await;
    let got = c.got().await;
    assert_eq!((got.xid, &got.body[4..]), (1, &b"no path at all"[..]), "the path is echoed unchecked");
    assert_eq!((c.got().await.xid, c.got().await.xid), (2, 3));
}

#[tokio::test]
async fn sync_behind_a_write_waits_for_the_write_too() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    frame(&mut out, 2, OpCode::Sync.to_wire(), |w| w.string("/"));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.pass_barriers().await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(1).await;
    assert_eq!((c.got().await.xid, c.got().await.xid), (1, 2));
}

#[tokio::test]
async fn answers_are_held_in_order_while_the_member_may_not_answer() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.answering.store(false, Ordering::SeqCst);
    c.send(1, OpCode::Exists, |w| read(w, "/", false)).await;
    c.send(2, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    member.double.answer_again();
    assert_eq!((c.got().await.xid, c.got().await.xid), (1, 2));
}

#[tokio::test]
async fn answers_held_past_a_third_of_the_timeout_close_the_connection() {
    let member = Member::with(|config| {
        config.min_session_timeout_ms = 300;
        config.max_session_timeout_ms = 300;
    })
    .await;
    let mut c = member.client().await;
    member.double.answering.store(false, Ordering::SeqCst);
    c.send(1, OpCode::Exists, |w| read(w, "/", false)).await;
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_lost_write_closes_the_connection_without_an_answer() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    c.send(1, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    member.double.lose().await;
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_failed_write_uses_up_a_zxid_and_has_no_body() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let before = c.create(1, "/a", b"").await.zxid;
    let failed = c.ask(2, OpCode::Delete, |w| delete(w, "/none")).await;
    assert_eq!((failed.code(), failed.zxid, failed.body.len()), (Some(ErrorCode::NoNode), before + 1, 0));
}

#[tokio::test]
async fn a_flood_of_pipelined_reads_is_answered_whole_and_in_order() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(0, "/big", &vec![7; 100_000]).await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    (2..=200).for_each(|n| frame(&mut out, n, OpCode::GetData.to_wire(), |w| read(w, "/big", false)));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(1).await;
    for n in 1..=200 {
        let got = decode(&c.raw.frame().await.unwrap());
        assert_eq!(got.xid, n);
    }
}

#[tokio::test]
async fn a_batch_of_requests_costs_one_read_and_one_write() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let mut out = BytesMut::new();
    (1..=20).for_each(|n| frame(&mut out, n, OpCode::GetData.to_wire(), |w| read(w, "/", false)));
    let metrics = member.hub.metrics();
    let before = (metrics.socket_reads.get(), metrics.socket_writes.get());
    c.raw.send(&out).await;
    for n in 1..=20 {
        assert_eq!(c.got().await.xid, n);
    }
    assert_eq!((metrics.socket_reads.get() - before.0, metrics.socket_writes.get() - before.1), (1, 1));
}

#[tokio::test]
async fn auth_overtakes_the_reply_of_an_undecided_write() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    c.send(1, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    let auth = c
        .ask(-4, OpCode::Auth, |w| {
            w.i32(0);
            w.string("digest");
            w.buffer(Some(b"bob:secret"));
        })
        .await;
    assert_eq!(auth.xid, -4);
    member.double.settle(1).await;
    assert_eq!(c.got().await.xid, 1);
}

#[tokio::test]
async fn a_request_is_asked_by_who_the_client_was_when_it_was_received() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    frame(&mut out, 2, OpCode::WhoAmI.to_wire(), |_| {});
    frame(&mut out, -4, OpCode::Auth.to_wire(), |w| {
        w.i32(0);
        w.string("digest");
        w.buffer(Some(b"bob:secret"));
    });
    frame(&mut out, 3, OpCode::WhoAmI.to_wire(), |_| {});
    c.raw.send(&out).await;
    assert_eq!(c.got().await.xid, -4);
    member.double.settle(1).await;
    assert_eq!(c.got().await.xid, 1);
    let (before, after) = (c.got().await, c.got().await);
    assert_eq!((before.xid, after.xid), (2, 3));
    let knows_bob = |body: &[u8]| body.windows(3).any(|part| part == b"bob");
    assert_eq!((knows_bob(&before.body), knows_bob(&after.body)), (false, true));
}
