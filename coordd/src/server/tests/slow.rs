//! A request that took too long is told in the log, whatever kind it is and wherever it waited.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{OpCode, SessionId, Writer, Zxid};
use coordd_tree::Op;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::support::{Member, create, frame, read, set};
use crate::server::batch::{self, Step};

/// Shorter than `is_quiet` waits.
const SLOW: Duration = Duration::from_millis(50);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

impl Log {
    /// Collects what this thread says from now on, as long as the guard lives.
    fn start() -> (Log, DefaultGuard) {
        let log = Log::default();
        let lines = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        (log.clone(), tracing::subscriber::set_default(lines))
    }

    /// The only line about a slow request; its fields.
    fn line(&self) -> Fields {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let slow: Vec<_> = text.lines().filter(|line| line.contains("slow request")).collect();
        assert_eq!(slow.len(), 1, "{text}");
        Fields(slow[0].to_owned())
    }
}

struct Fields(String);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.split(' ').find_map(|field| field.split_once('=').filter(|(key, _)| *key == name)).map(|(_, v)| v)
    }

    /// A hop that took longer than what counts as slow.
    fn is_slow(&self, hop: &str) -> bool {
        let ms: Option<u128> = self.get(hop).map(|ms| ms.parse().unwrap());
        ms.is_some_and(|ms| ms >= SLOW.as_millis())
    }
}

async fn member() -> Member {
    Member::with(|config| config.slow_request = SLOW).await
}

#[tokio::test]
async fn a_batch_of_reads_that_waited_is_told_once_with_its_newest_request() {
    let member = member().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    let conn = member.hub.connections().remove(0);
    let (mut input, mut writes) = (BytesMut::new(), Vec::new());
    (2..=4).for_each(|n| frame(&mut input, n, OpCode::GetData.to_wire(), |w| read(w, "/a", false)));
    frame(&mut input, 5, OpCode::MultiRead.to_wire(), |w| {
        w.i32(-1);
        w.bool(true);
        w.i32(-1);
    });
    let (log, _guard) = Log::start();
    let since = Instant::now().checked_sub(2 * SLOW).unwrap();
    let step = batch::take(&conn, &member.server.shared, &mut input, &mut writes, since);
    assert_eq!(step, Ok(Step::NeedBytes));
    let line = log.line();
    assert_eq!((line.get("op"), line.get("xid"), line.get("requests")), (Some("MultiRead"), Some("5"), Some("4")));
    assert!(line.is_slow("took_ms") && line.is_slow("queued_ms") && !line.is_slow("executed_ms"), "{}", line.0);
    assert_eq!(line.get("committed_ms"), None, "a read has no such hop: {}", line.0);
}

#[tokio::test]
async fn a_batch_that_did_not_wait_is_not_told() {
    let member = Member::start().await;
    let (log, _guard) = Log::start();
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    c.ask(2, OpCode::GetData, |w| read(w, "/a", false)).await;
    assert!(log.0.lock().is_empty(), "{:?}", String::from_utf8(log.0.lock().clone()));
}

#[tokio::test]
async fn a_write_is_told_and_so_is_the_read_that_waited_behind_it() {
    let member = member().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut out = BytesMut::new();
    frame(&mut out, 2, OpCode::SetData.to_wire(), |w| set(w, "/a", b"x"));
    frame(&mut out, 3, OpCode::GetData.to_wire(), |w| read(w, "/a", false));
    let (log, guard) = Log::start();
    for told in ["0", "1"] {
        c.raw.send(&out).await;
        assert!(c.raw.is_quiet().await);
        log.0.lock().clear();
        member.double.settle(1).await;
        assert_eq!((c.got().await.xid, c.got().await.xid), (2, 3));
        let line = log.line();
        assert_eq!((line.get("op"), line.get("left_out")), (Some("SetData"), Some(told)), "the read is the other");
        assert!(line.get("committed_ms").is_some() && line.get("applied_ms").is_some(), "{}", line.0);
        // One line a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    drop(guard);
}

#[tokio::test]
async fn a_sync_is_told_with_the_time_of_its_barrier() {
    let member = member().await;
    let mut c = member.client().await;
    let (log, _guard) = Log::start();
    c.send(7, OpCode::Sync, |w| w.string("/")).await;
    assert!(c.raw.is_quiet().await);
    member.double.pass_barriers().await;
    assert_eq!(c.got().await.xid, 7);
    let line = log.line();
    assert_eq!((line.get("op"), line.get("xid")), (Some("Sync"), Some("7")));
    assert!(line.is_slow("barrier_ms") && !line.is_slow("queued_ms"), "{}", line.0);
}

#[tokio::test]
async fn a_walk_is_told_with_the_time_for_which_another_walked() {
    let member = member().await;
    let mut c = member.client().await;
    let (log, _guard) = Log::start();
    let other = member.server.shared.walks.acquire().await.unwrap();
    c.send(7, OpCode::GetAllChildrenNumber, |w| w.string("/")).await;
    assert!(c.raw.is_quiet().await);
    drop(other);
    assert_eq!(c.got().await.xid, 7);
    let line = log.line();
    assert_eq!((line.get("op"), line.get("xid")), (Some("GetAllChildrenNumber"), Some("7")));
    assert!(line.is_slow("queued_ms") && !line.is_slow("executed_ms"), "{}", line.0);
}

#[tokio::test]
async fn a_handshake_is_told_as_the_write_that_it_is() {
    let member = member().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let (log, _guard) = Log::start();
    let mut raw = member.raw().await;
    raw.connect(Zxid(0), SessionId::NONE, &[0; 16], Some(false)).await;
    assert!(raw.is_quiet().await);
    member.double.settle(1).await;
    assert!(raw.frame().await.is_some());
    let line = log.line();
    assert_eq!(line.get("op"), Some("CreateSession"));
    assert!(line.is_slow("took_ms") && line.get("committed_ms").is_some(), "{}", line.0);
}

#[tokio::test]
async fn an_answer_that_was_held_back_is_told_with_the_time_for_which_it_was() {
    let member = member().await;
    let mut c = member.client().await;
    let (log, _guard) = Log::start();
    member.double.answering.store(false, Ordering::SeqCst);
    c.send(7, OpCode::Exists, |w| read(w, "/", false)).await;
    assert!(c.raw.is_quiet().await);
    member.double.answer_again();
    assert_eq!(c.got().await.xid, 7);
    let line = log.line();
    assert_eq!((line.get("op"), line.get("xid")), (Some("Exists"), Some("7")));
    assert!(line.is_slow("held_ms"), "{}", line.0);
}

#[tokio::test]
async fn a_watch_event_that_was_held_back_is_no_slow_request() {
    let member = member().await;
    let mut c = member.client().await;
    c.ask(1, OpCode::Exists, |w| read(w, "/a", true)).await;
    let (log, _guard) = Log::start();
    member.double.answering.store(false, Ordering::SeqCst);
    let mut record = BytesMut::new();
    create(&mut Writer::new(&mut record), "/a", b"", 0);
    member.double.apply(c.session, 1, Op::Client { op: OpCode::Create, record: record.freeze() });
    assert!(c.raw.is_quiet().await);
    member.double.answer_again();
    assert_eq!(c.got().await.event(), (1, "/a".to_owned()));
    assert!(log.0.lock().is_empty(), "the read that left the watch was answered long ago");
}

#[tokio::test]
async fn a_request_whose_client_gave_up_waiting_is_told_too() {
    let member = member().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let (log, _guard) = Log::start();
    c.send(7, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    drop(c);
    while member.hub.connection_count() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let line = log.line();
    assert_eq!((line.get("op"), line.get("xid")), (Some("Create"), Some("7")));
    assert!(line.0.contains("never answered") && line.is_slow("took_ms"), "{}", line.0);
}
