//! Whose turn it is: a connection that asks for much lets apply and the others in between, and loses nothing by it.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use coordd_proto::{Acl, AuthId, ErrorCode, OpCode, Perms};
use tokio::time::Instant;

use super::support::{Member, create, create_with, delete, frame, read, set};
use crate::consensus::Consensus;
use crate::server::batch::{self, Step};

#[tokio::test]
async fn a_long_run_of_reads_gives_the_state_back_in_between() {
    let member = Member::start().await;
    let mut c = member.client().await;
    // Nobody here is any of these: each look at the list is long, and its answer short.
    let list: Vec<_> =
        (0..2000).map(|n| Acl { perms: Perms::ALL, id: AuthId::new("digest", format!("u{n}:h")) }).collect();
    c.ask(1, OpCode::Create, |w| create_with(w, "/a", b"", 0, &list)).await;
    let conn = member.hub.connections().remove(0);
    let (mut input, mut writes) = (BytesMut::new(), Vec::new());
    (1..=5000).for_each(|n| frame(&mut input, n, OpCode::GetData.to_wire(), |w| read(w, "/a", false)));
    let all = input.len();
    let step = batch::take(&conn, &member.server.shared, &mut input, &mut writes, Instant::now());
    assert_eq!(step, Ok(Step::Over));
    assert!(input.len() > all / 2, "{} of {all} are left", input.len());
    assert!(member.double.state().try_write().is_some());
    c.raw.send(&input).await;
    let got = c.got().await;
    assert_eq!((got.xid, got.code()), (1, Some(ErrorCode::NoAuth)));
}

#[tokio::test]
async fn a_walk_is_no_part_of_a_batch_and_nothing_behind_it_is_looked_at() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let conn = member.hub.connections().remove(0);
    let (mut input, mut writes) = (BytesMut::new(), Vec::new());
    frame(&mut input, 1, OpCode::Exists.to_wire(), |w| read(w, "/", false));
    (2..=3).for_each(|n| frame(&mut input, n, OpCode::GetAllChildrenNumber.to_wire(), |w| w.string("/")));
    let step = batch::take(&conn, &member.server.shared, &mut input, &mut writes, Instant::now());
    assert_eq!(step, Ok(Step::Walks));
    assert_eq!(conn.queue().pending.len(), 1);
    assert!(conn.queue().out.len() < 100, "the walks have answers already");
    let mut out = BytesMut::new();
    out.extend_from_slice(&input);
    frame(&mut out, 4, OpCode::GetEphemerals.to_wire(), |w| w.string("/"));
    frame(&mut out, 5, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    c.raw.send(&out).await;
    for xid in 1..=5 {
        let got = c.got().await;
        assert_eq!((got.xid, got.err), (xid, 0));
    }
}

#[tokio::test]
async fn a_walk_behind_a_write_is_not_done_by_apply_and_sees_that_write() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let before = c.ask(1, OpCode::GetAllChildrenNumber, |w| w.string("/")).await.body[3];
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    frame(&mut out, 3, OpCode::GetAllChildrenNumber.to_wire(), |w| w.string("/"));
    frame(&mut out, 4, OpCode::Create.to_wire(), |w| create(w, "/b", b"", 0));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    let conn = member.hub.connections().remove(0);
    member.double.settle(1).await;
    assert!(conn.queue().walks(), "it waits for the connection's own task");
    assert_eq!(c.got().await.xid, 2);
    let count = c.got().await;
    assert_eq!((count.xid, count.body[3]), (3, before + 1));
    member.double.settle(1).await;
    assert_eq!(c.got().await.xid, 4);
}

#[tokio::test]
async fn much_that_is_read_between_two_writes_comes_before_the_second() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", &vec![7; 100_000]).await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::Create.to_wire(), |w| create(w, "/b", b"", 0));
    (3..=10).for_each(|n| frame(&mut out, n, OpCode::GetData.to_wire(), |w| read(w, "/a", false)));
    frame(&mut out, 11, OpCode::SetData.to_wire(), |w| set(w, "/a", b"new"));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(2).await;
    assert_eq!(c.got().await.xid, 2);
    for xid in 3..=10 {
        let got = c.got().await;
        assert_eq!((got.xid, got.data().map(|data| data.len())), (xid, Some(100_000)), "not what the set made of it");
    }
    assert_eq!(c.got().await.xid, 11);
}

#[tokio::test]
async fn more_than_the_outbox_may_hold_between_two_writes_ends_the_connection_and_is_counted() {
    let member = Member::with_outbox(300_000).await;
    let mut c = member.client().await;
    c.create(1, "/a", &vec![7; 100_000]).await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::Create.to_wire(), |w| create(w, "/b", b"", 0));
    (3..=100).for_each(|n| frame(&mut out, n, OpCode::GetData.to_wire(), |w| read(w, "/a", false)));
    frame(&mut out, 101, OpCode::Delete.to_wire(), |w| delete(w, "/a"));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(2).await;
    assert_eq!(member.hub.metrics().outbox_overflows.get(), 1);
    while c.raw.frame().await.is_some() {}
}

#[tokio::test]
async fn what_is_queued_behind_the_last_answer_is_dropped_and_that_answer_is_given() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
    frame(&mut out, 2, 4711, |_| {});
    frame(&mut out, 3, OpCode::Exists.to_wire(), |w| read(w, "/a", false));
    frame(&mut out, 4, OpCode::Delete.to_wire(), |w| delete(w, "/a"));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    member.double.settle(2).await;
    assert_eq!(c.got().await.xid, 1);
    assert_eq!(c.got().await.code(), Some(ErrorCode::Unimplemented));
}

#[tokio::test]
async fn a_watch_in_front_of_a_sync_whose_barrier_passes_is_left() {
    let member = Member::start().await;
    let (mut c, mut other) = (member.client().await, member.client().await);
    c.create(1, "/a", &vec![7; 300_000]).await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::Create.to_wire(), |w| create(w, "/b", b"", 0));
    frame(&mut out, 3, OpCode::GetData.to_wire(), |w| read(w, "/a", false));
    frame(&mut out, 4, OpCode::GetData.to_wire(), |w| read(w, "/a", true));
    frame(&mut out, 5, OpCode::Sync.to_wire(), |w| w.string("/"));
    c.raw.send(&out).await;
    assert!(c.raw.is_quiet().await);
    let conn = member.hub.connections().remove(0);
    member.double.settle(1).await;
    // As if the connection's task had what was answered so far, and its client were slow to take it.
    let with_the_socket = std::mem::take(&mut conn.queue().out);
    assert!(with_the_socket.len() > 300_000);
    member.double.pass_barriers().await;
    assert_eq!((c.got().await.xid, c.got().await.xid), (4, 5));
    member.double.holding.store(false, Ordering::SeqCst);
    other.set(1, "/a", b"").await;
    assert_eq!(c.got().await.event(), (3, "/a".to_owned()));
}
