//! Following above a consensus that applies on command, in a time that stands still: what followers are told, and when
//! they are told nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use coordd_proto::{Acl, AuthId, OpCode, Perms, SessionId, Writer};
use coordd_tree::{Op, Outcome, SessionOutcome};
use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use tokio::time::{Instant, sleep};

use super::super::asked::Route;
use super::super::flight::LARGE;
use super::super::serve;
use super::*;
use crate::consensus::Consensus;
use crate::http::Draining;
use crate::http::listen::Brief;
use crate::server::tests::support::{self, Double, Member};

mod limits;

const SECOND: Duration = Duration::from_secs(1);

struct Rig {
    double: Arc<Double>,
    http: Http,
    session: SessionId,
    attach: u32,
    _member: Member,
}

impl Rig {
    async fn new() -> Rig {
        let member = Member::start().await;
        let double = member.double.clone();
        double.apply(SessionId::NONE, 0, Op::RaiseFeatureLevel(2));
        let opened = double.apply(SessionId::NONE, 0, Op::OpenSession { timeout_ms: 4000, password: [0; 16] });
        let Outcome::Session(SessionOutcome::Opened(info)) = opened else { panic!("{opened:?}") };
        let http = Http::new(double.clone(), member.server.commands(), Draining::default());
        Rig { double, http, session: info.id, attach: info.attach, _member: member }
    }

    /// Does something; its zxid.
    fn client(&self, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> i64 {
        let mut out = BytesMut::new();
        record(&mut Writer::new(&mut out));
        let outcome = self.double.apply(self.session, self.attach, Op::Client { op, record: out.freeze() });
        assert!(matches!(outcome, Outcome::Done(Ok(_))), "{outcome:?}");
        self.zxid()
    }

    fn zxid(&self) -> i64 {
        self.double.state().read().last_zxid().0
    }

    fn create(&self, path: &str) -> i64 {
        self.client(OpCode::Create, |w| support::create(w, path, b"", 0))
    }

    fn set(&self, path: &str, data: &[u8]) -> i64 {
        self.client(OpCode::SetData, |w| support::set(w, path, data))
    }

    fn delete(&self, path: &str) -> i64 {
        self.client(OpCode::Delete, |w| support::delete(w, path))
    }

    fn for_bob(&self, path: &str) -> i64 {
        let bob = Acl { perms: Perms::READ, id: AuthId::new("digest", "bob:x") };
        let acl = [bob, Acl::world(Perms::DELETE)];
        self.client(OpCode::SetAcl, |w| {
            w.string(path);
            Acl::encode_list(&acl, w);
            w.i32(-1);
        })
    }

    async fn ask(&self, path: &str, headers: &[(&'static str, &str)]) -> Got {
        self.ask_as(path, headers, false).await
    }

    async fn ask_as(&self, path: &str, headers: &[(&'static str, &str)], brief: bool) -> Got {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if brief {
            parts.extensions.insert(Brief);
        }
        Got(serve(&self.http, Route::Config, parts).await)
    }

    /// A stream, when its first event is here.
    async fn stream(&self, path: &str) -> (Body, String) {
        self.stream_after(path, 0).await
    }

    async fn stream_after(&self, path: &str, seen: i64) -> (Body, String) {
        let seen = seen.to_string();
        let got = self.ask(path, &[("accept", "text/event-stream"), ("last-event-id", &seen)]).await;
        assert_eq!(got.status(), 200);
        let mut body = got.0.into_body();
        let mut text = String::new();
        while !text.ends_with("\n\n") {
            text += std::str::from_utf8(&body.frame().await).unwrap();
        }
        (body, text)
    }

    fn topics(&self) -> Vec<Arc<Topic>> {
        self.http.desk.follow.topics.lock().all()
    }

    /// Takes all the room for small answers that are followed.
    fn fill(&self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.http.desk.followed.hold(vec![0; 1024], None).ok()).collect()
    }
}

struct Got(Response);

impl Got {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    async fn text(self) -> String {
        String::from_utf8(to_bytes(self.0.into_body(), 1 << 20).await.unwrap().into()).unwrap()
    }
}

trait Frames {
    async fn frame(&mut self) -> Bytes;
}

impl Frames for Body {
    /// The next bytes; none at the end.
    async fn frame(&mut self) -> Bytes {
        let taken = std::mem::take(self);
        let mut stream = taken.into_data_stream();
        let bytes = stream.next().await.map_or(Bytes::new(), Result::unwrap);
        *self = Body::from_stream(stream);
        bytes
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_follows_ends_though_its_path_is_written_all_the_time() {
    let rig = Rig::new().await;
    rig.create("/busy");
    assert_eq!(rig.ask("/v1/config/busy?wait=0s", &[]).await.status(), 200);
    for n in 0..16 {
        assert!(n > 8 || rig.topics().len() == 1, "whoever asks again soon finds it");
        rig.set("/busy", b"x");
        sleep(SECOND).await;
    }
    assert_eq!(rig.topics().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_a_hidden_ancestor_keeps_when_it_went_a_deletion_is_told_once_and_never_taken_back() {
    let rig = Rig::new().await;
    rig.create("/a");
    let made = rig.create("/a/b");
    rig.for_bob("/a");
    let path = "/v1/config/a/b?wait=20s";
    let there = format!("\"{made}\"");
    assert_eq!(rig.ask("/v1/config/a/b", &[]).await.header("etag"), there);
    let (mut stream, first) = rig.stream("/v1/config/a/b").await;
    assert!(first.contains(&format!("id: {made}\n")), "{first}");
    let deleted = rig.delete("/a/b");
    let gone = String::from_utf8(stream.frame().await.into()).unwrap();
    assert!(gone.starts_with(&format!("id: {deleted}\nevent: gone\n")), "{gone}");
    let plain = rig.ask("/v1/config/a/b", &[]).await;
    assert_eq!((plain.status(), plain.header("etag")), (404, format!("\"{deleted}-gone\"").as_str()));
    let told = rig.ask(path, &[("if-none-match", &there)]).await;
    assert_eq!((told.status(), told.header("etag")), (404, format!("\"{deleted}-gone\"").as_str()));
    // What happens elsewhere moves the number and is no news; another member may know of more.
    rig.create("/elsewhere");
    for tag in [told.header("etag").to_owned(), format!("\"{}-gone\"", rig.zxid())] {
        let began = Instant::now();
        let same = rig.ask(path, &[("if-none-match", &tag)]).await;
        assert_eq!((same.status(), began.elapsed() >= 20 * SECOND), (304, true), "{tag}");
    }
    // A state in which it was there cannot come after one in which it is not.
    let behind = rig.ask(path, &[("if-none-match", &format!("\"{}-gone\"", rig.zxid() + 5))]).await;
    assert_eq!(behind.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn the_tag_of_an_absence_from_elsewhere_is_no_answer_to_one_who_waits() {
    let rig = Rig::new().await;
    rig.create("/services");
    let path = "/v1/config/services/orders?wait=10s";
    let (_stream, first) = rig.stream("/v1/config/services/orders").await;
    let of_topic = rig.zxid();
    assert!(first.contains(&format!("id: {of_topic}\n")), "{first}");
    rig.create("/services/other");
    let plain = rig.ask("/v1/config/services/orders", &[]).await;
    let tag = plain.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", rig.zxid()), "a plain answer is newer than the topic");
    let began = Instant::now();
    let same = rig.ask(path, &[("if-none-match", &tag)]).await;
    assert_eq!((same.status(), began.elapsed() >= 10 * SECOND), (304, true));
    let has = [("if-none-match", tag.as_str())];
    let mut waiting = Box::pin(rig.ask(path, &has));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    rig.create("/services/orders");
    assert_eq!(waiting.await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_an_absence_does_not_begin_before_what_its_follower_has_seen() {
    let rig = Rig::new().await;
    rig.create("/a");
    let path = "/v1/config/a/b";
    let (mut early, first) = rig.stream(path).await;
    let of_topic = rig.zxid();
    assert!(first.contains(&format!("\nid: {of_topic}\nevent: gone\n")), "{first}");
    // Another member has read it after this.
    let seen = rig.create("/a/other");
    let (mut late, first) = rig.stream_after(path, seen).await;
    assert!(first.contains(&format!("\nid: {seen}\nevent: gone\ndata: {{\"type\":")), "{first}");
    assert_eq!(rig.topics().len(), 1);
    let made = rig.create("/a/b");
    for stream in [&mut early, &mut late] {
        let change = stream.frame().await;
        assert!(change.starts_with(format!("id: {made}\nevent: change\n").as_bytes()), "{change:?}");
    }
    let last = rig.create("/a/last");
    let (_, there) = rig.stream_after(path, last).await;
    assert!(there.contains(&format!("\nid: {made}\nevent: snapshot\n")), "an answer has its own number: {there}");
    // Under an ancestor that may not be read the number is that of the topic's reading.
    rig.for_bob("/a");
    let hidden = "/v1/config/a/c";
    let (_stream, first) = rig.stream(hidden).await;
    assert!(first.contains(&format!("\nid: {}\n", rig.zxid())), "{first}");
    let seen = rig.create("/elsewhere");
    let (_stream, first) = rig.stream_after(hidden, seen).await;
    assert!(first.contains(&format!("\nid: {seen}\nevent: gone\n")), "{first}");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_member_was_cut_off_is_not_shown_after_it() {
    let rig = Rig::new().await;
    let made = rig.create("/k");
    let (mut stream, _) = rig.stream("/v1/config/k").await;
    let path = format!("/v1/config/k?wait=20s&after={made}");
    let mut waiting = Box::pin(rig.ask(&path, &[]));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    let topic = rig.topics().remove(0);
    let set = rig.set("/k", b"new");
    let mut latest = topic.latest.clone();
    latest.wait_for(|shot| shot.as_ref().is_some_and(|shot| shot.newest == set)).await.unwrap();
    rig.double.answering.store(false, Ordering::SeqCst);
    assert_eq!(waiting.await.status(), 503);
    assert_eq!(stream.frame().await, Bytes::new(), "the stream ends");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_finds_no_room_is_shown_once_there_is_some_and_ends_its_topic_when_there_is_none() {
    let rig = Rig::new().await;
    rig.create("/k");
    let (mut stream, _) = rig.stream("/v1/config/k").await;
    let all = rig.fill();
    let newcomer = rig.ask("/v1/config/k?recurse&wait=0s", &[]).await;
    assert_eq!(newcomer.status(), 503);
    assert!(newcomer.text().await.contains("already take too much room"));
    rig.set("/k", &[b'1'; 3000]);
    sleep(3 * SECOND).await;
    let mut change = Box::pin(stream.frame());
    assert!(poll_immediate(change.as_mut()).await.is_none());
    drop(all);
    assert!(String::from_utf8(change.await.into()).unwrap().contains("\"data\":\"1111"));
    let _all = rig.fill();
    let path = format!("/v1/config/k?wait=20s&after={}", rig.set("/k", &[b'2'; 9000]) - 1);
    let (began, mut waiting) = (Instant::now(), Box::pin(rig.ask(&path, &[])));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    let ended = waiting.await;
    assert_eq!((ended.status(), began.elapsed() < 6 * SECOND), (503, true));
    assert!(ended.text().await.contains("take too slowly"));
    assert_eq!(stream.frame().await, Bytes::new());
}

#[tokio::test(start_paused = true)]
async fn topics_whose_place_was_taken_hold_no_room_and_wait_for_no_turn() {
    let rig = Rig::new().await;
    rig.create("/k");
    let (path, empty) = ("/v1/config/k?wait=0s", rig.fill().len());
    let basic = |n: usize| format!("Basic {}", STANDARD.encode(format!("u:{n}")));
    let most = topics::OF_PATH_MAX;
    for n in 0..most {
        assert_eq!(rig.ask(path, &[("authorization", &basic(n))]).await.status(), 200);
    }
    assert_eq!(rig.fill().len(), empty - most);
    assert_eq!(rig.ask(path, &[("authorization", &basic(most))]).await.status(), 200);
    sleep(SECOND / 1000).await;
    assert_eq!((rig.fill().len(), rig.http.commands.followed().registered()), (empty - 1, 1));
    let turns = &rig.http.desk.follow.turns;
    let _taken = (turns.small().await, turns.small().await, turns.small().await);
    for n in most..most + 1_000 {
        let (other, mut pass) = (basic(n + 1), 0);
        let headers = [("authorization", other.as_str())];
        let mut asking = Box::pin(rig.ask(path, &headers));
        while poll_immediate(asking.as_mut()).await.is_none() && pass < 3 {
            pass += 1;
            tokio::task::yield_now().await;
        }
        assert_eq!(pass, 3, "it waits for a turn");
    }
    sleep(SECOND / 1000).await;
    assert!(rig.http.commands.followed().registered() <= most);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_keeps_no_old_answer_from_making_room_for_the_new() {
    let rig = Rig::new().await;
    rig.create("/k");
    let made = rig.set("/k", &[b'1'; 9_500]);
    let path = format!("/v1/config/k?wait=20s&after={made}");
    let mut waiting = Box::pin(rig.ask(&path, &[]));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    sleep(SECOND).await;
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    let _all = rig.fill();
    rig.set("/k", &[b'2'; 9_500]);
    let got = waiting.await;
    assert_eq!((got.status(), got.text().await), (200, "2".repeat(9_500)));
}

#[tokio::test(start_paused = true)]
async fn who_stands_waits_for_a_large_turn_and_a_newcomer_without_room_takes_none() {
    let rig = Rig::new().await;
    rig.create("/k");
    rig.set("/k", &[b'1'; 300 * 1024]);
    let (mut stream, _) = rig.stream("/v1/config/k").await;
    while rig.http.desk.followed.admits(LARGE) {
        rig.http.desk.followed.hold(vec![0; 1 << 20], None).map(std::mem::forget).unwrap();
    }
    let turns = &rig.http.desk.follow.turns;
    let taken = (turns.large(None).await, turns.large(None).await);
    let set = rig.set("/k", &[b'2'; 300 * 1024]);
    let newcomer = rig.ask("/v1/config/k?type=text/plain&wait=0s", &[]).await;
    assert_eq!(newcomer.status(), 503);
    assert!(newcomer.text().await.contains("already take too much room"));
    sleep(20 * SECOND).await;
    drop(taken);
    let event = loop {
        let frame = stream.frame().await;
        if frame != ":\n\n" {
            break frame;
        }
    };
    assert!(event.starts_with(format!("id: {set}\n").as_bytes()), "{} bytes", event.len());
}

#[tokio::test(start_paused = true)]
async fn what_every_change_alters_is_read_once_a_second() {
    let rig = Rig::new().await;
    rig.create("/k");
    let (_stream, _) = rig.stream("/v1/config/zookeeper/quota?recurse").await;
    let topic = rig.topics().remove(0);
    let (mut settled, mut readings) = (topic.settled.clone(), 0);
    let began = Instant::now();
    for _ in 0..400 {
        rig.set("/k", b"x");
        sleep(SECOND / 100).await;
        readings += usize::from(settled.has_changed().unwrap());
        settled.borrow_and_update();
    }
    assert!(began.elapsed() >= 4 * SECOND && (3..=6).contains(&readings), "{readings}");
}

#[tokio::test(start_paused = true)]
async fn while_many_topics_of_one_path_read_a_change_others_get_their_turn() {
    let rig = Rig::new().await;
    rig.create("/k");
    let mut streams = Vec::new();
    for n in 0..60 {
        streams.push(rig.stream(&format!("/v1/config/k?type=text/v{n}")).await);
    }
    let topics = rig.topics();
    rig.set("/k", b"x");
    let read = || topics.iter().filter(|topic| topic.mark.changes() < *topic.settled.borrow()).count();
    let (mut before, mut most) = (read(), 0);
    assert_eq!((topics.len(), before), (60, 0));
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
        let now = read();
        (most, before) = (most.max(now - before), now);
    }
    assert!(before == 60 && most <= READINGS, "{before} in all, {most} between two beats");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_still_holds_has_the_zxid_of_now() {
    let rig = Rig::new().await;
    let made = rig.create("/k");
    let path = format!("/v1/config/k?wait=2s&after={made}");
    let (_stream, _) = rig.stream("/v1/config/k").await;
    let later = rig.create("/other");
    let same = rig.ask(&path, &[]).await;
    assert_eq!((same.status(), same.header("coordd-zxid")), (304, later.to_string().as_str()));
    let mut waiting = Box::pin(rig.ask(&path, &[]));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    let last = rig.create("/another");
    assert_eq!(waiting.await.header("coordd-zxid"), last.to_string());
}
