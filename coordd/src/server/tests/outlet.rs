//! Who writes to a client's socket: apply while the connection's task is parked, the task at all other times.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use coordd_proto::{OpCode, Writer};
use coordd_tree::Op;

use super::support::{Client, Member, create, read};

/// Long enough for a task that was answered to park again.
const SETTLES: Duration = Duration::from_millis(30);

fn creation(path: &str) -> Op {
    let mut record = BytesMut::new();
    create(&mut Writer::new(&mut record), path, b"", 0);
    Op::Client { op: OpCode::Create, record: record.freeze() }
}

/// Creates `path` in the name of `owner`, as an entry that came from elsewhere; nothing is awaited.
fn created_elsewhere(member: &Member, owner: &Client, path: &str) {
    member.double.apply(owner.session, 1, creation(path));
}

/// The persistent recursive watch of the whole tree.
fn everything(w: &mut Writer<'_>) {
    w.string("/");
    w.i32(1);
}

async fn watching(member: &Member, path: &str) -> Client {
    let mut client = member.client().await;
    client.ask(1, OpCode::Exists, |w| read(w, path, true)).await;
    tokio::time::sleep(SETTLES).await;
    client
}

#[tokio::test]
async fn apply_writes_an_event_itself_to_a_client_whose_task_is_parked() {
    let member = Member::start().await;
    let owner = member.client().await;
    let mut watcher = watching(&member, "/a").await;
    let before = member.hub.metrics.socket_writes.get();
    created_elsewhere(&member, &owner, "/a");
    // No task ran since: this test's runtime has one thread, and nothing was awaited.
    assert_eq!(member.hub.metrics.socket_writes.get() - before, 1);
    assert_eq!(watcher.got().await.event().1, "/a");
}

#[tokio::test]
async fn many_clients_are_told_beside_the_worker_and_the_task_of_none_is_woken() {
    let member = Member::with(|config| config.max_connections_per_address = 0).await;
    let owner = member.client().await;
    let mut watchers = Vec::new();
    for _ in 0..200 {
        let mut client = member.client().await;
        client.ask(1, OpCode::Exists, |w| read(w, "/a", true)).await;
        watchers.push(client);
    }
    tokio::time::sleep(SETTLES).await;
    let before = member.hub.metrics.socket_writes.get();
    let written = || member.hub.metrics.socket_writes.get() - before;
    created_elsewhere(&member, &owner, "/a");
    // No task runs meanwhile: this test's runtime has one thread, and nothing is awaited.
    let began = Instant::now();
    while written() < 200 && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(written(), 200);
    let taken = member.hub.metrics.bytes_sent.get();
    for watcher in &mut watchers {
        assert_eq!(watcher.got().await.event().1, "/a");
    }
    assert_eq!(member.hub.metrics.bytes_sent.get(), taken, "a task had to write what could be written at once");
}

#[tokio::test]
async fn a_socket_that_takes_no_more_gets_the_rest_from_its_task_in_order() {
    let member = Member::with_outbox(64 << 20).await;
    let owner = member.client().await;
    let mut watcher = member.client().await;
    watcher.ask(1, OpCode::AddWatch, everything).await;
    tokio::time::sleep(SETTLES).await;
    let before = member.hub.metrics.bytes_sent.get();
    let paths: Vec<String> = (0..2000).map(|n| format!("/{n}-{}", "x".repeat(8000))).collect();
    // No task runs meanwhile: this test's runtime has one thread, and nothing is awaited.
    paths.iter().for_each(|path| created_elsewhere(&member, &owner, path));
    let sent = member.hub.metrics.bytes_sent.get() - before;
    assert!((8000..2000 * 8000).contains(&sent), "{sent} bytes fit the socket: it was never full");
    for path in &paths {
        assert_eq!(watcher.got().await.event().1, *path);
    }
}

#[tokio::test]
async fn apply_writes_nothing_while_answers_are_held_and_the_order_stays() {
    let member = Member::start().await;
    let owner = member.client().await;
    let mut watcher = watching(&member, "/a").await;
    member.double.answering.store(false, Ordering::SeqCst);
    let before = member.hub.metrics.socket_writes.get();
    created_elsewhere(&member, &owner, "/a");
    watcher.send(2, OpCode::Exists, |w| read(w, "/a", false)).await;
    assert!(watcher.raw.is_quiet().await);
    assert_eq!(member.hub.metrics.socket_writes.get(), before);
    member.double.answer_again();
    assert_eq!(watcher.got().await.event().1, "/a");
    assert_eq!(watcher.got().await.xid, 2);
}

#[tokio::test]
async fn what_a_task_holds_back_is_not_overtaken_though_its_client_broke_the_protocol_meanwhile() {
    let member = Member::start().await;
    let owner = member.client().await;
    let mut watcher = member.client().await;
    watcher.ask(1, OpCode::AddWatch, everything).await;
    tokio::time::sleep(SETTLES).await;
    member.double.answering.store(false, Ordering::SeqCst);
    // The first event is in the outbox, its batch is not done yet: the bad frame is what wakes the task.
    member.double.apply_within_batch(owner.session, creation("/a"));
    watcher.raw.send(&(-1i32).to_be_bytes()).await;
    tokio::time::sleep(SETTLES).await;
    member.double.answering.store(true, Ordering::SeqCst);
    created_elsewhere(&member, &owner, "/b");
    assert_eq!(watcher.got().await.event().1, "/a");
    assert_eq!(watcher.got().await.event().1, "/b");
    assert!(watcher.raw.is_closed().await);
}

#[tokio::test]
async fn an_answer_that_is_held_while_its_session_expires_is_never_given() {
    let member = Member::start().await;
    let mut client = member.client().await;
    member.double.answering.store(false, Ordering::SeqCst);
    client.send(-2, OpCode::Ping, |_| {}).await;
    assert!(client.raw.is_quiet().await);
    member.double.apply(client.session, 1, Op::ExpireSession { attach: 1 });
    member.double.answer_again();
    assert!(client.raw.is_closed().await);
}
