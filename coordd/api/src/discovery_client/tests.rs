//! The client against members that are played: each answers a request by what a test has written for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::*;
use crate::discovery::ZnodeView;

/// What a member does on a connection.
#[derive(Clone)]
enum Act {
    Say(String),
    Wait(Duration),
    /// Says nothing more and keeps the line.
    Hang,
}

/// A played member. It answers the n-th request by the n-th entry of `script`, and until then `/v1/ensemble` by the
/// n-th word of `ensemble`; the last ones stay for ever.
struct Member {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// A connection that the client has closed while it was kept.
    closed: mpsc::UnboundedReceiver<()>,
}

impl Member {
    async fn play(ensemble: &'static str, script: Vec<Vec<Act>>) -> Member {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = mpsc::unbounded_channel();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, ensemble, script.clone(), Arc::clone(&heard), closing.clone()));
            }
        });
        Member { address, asked, closed }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    ensemble: &str,
    script: Vec<Vec<Act>>,
    asked: Arc<Mutex<Vec<String>>>,
    closing: mpsc::UnboundedSender<()>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    if request.starts_with("GET /v1/ensemble ") {
        let ensemble = ensemble.split(' ').take(asked.lock().unwrap().len() + 1).last().unwrap();
        let view = format!(
            r#"{{"ensemble_id":"{ensemble}","leader":1,"term":1,
                "membership_index":1,"connect_string":"","members":[]}}"#
        );
        return stream.write_all(answer("200 OK", "application/json", "", &view).as_bytes()).await.unwrap();
    }
    let turn = {
        let mut asked = asked.lock().unwrap();
        asked.push(request);
        asked.len() - 1
    };
    for act in script.get(turn).or_else(|| script.last()).unwrap() {
        match act {
            Act::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Act::Wait(pause) => sleep(*pause).await,
            Act::Hang => {
                let _end_or_reset = stream.read_u8().await;
                let _nobody_asks = closing.send(());
            }
        }
    }
}

fn answer(status: &str, kind: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\
         {headers}\r\n{body}"
    )
}

fn znode(zxid: i64) -> String {
    format!(
        r#"{{"path":"/a","zxid":{zxid},"encoding":"text","data":"v{zxid}",
            "stat":{{"czxid":1,"mzxid":{zxid},"pzxid":1,"ctime":0,"mtime":0,
            "version":0,"cversion":0,"aversion":0,
            "ephemeral_owner":null,"data_length":2,"num_children":0}}}}"#
    )
}

fn problem(status: u16) -> String {
    let kind = if status == 404 { "no-znode" } else { "x" };
    format!(
        r#"{{"type":"urn:coordd:problem:{kind}","title":"t{status}","status":{status},
            "detail":"d","what_to_do":"w","instance":"/"}}"#
    )
}

/// A whole answer of that zxid, read at 100.
fn whole(zxid: i64) -> Vec<Act> {
    let headers = format!("etag: \"{zxid}-0123abcd\"\r\ncoordd-zxid: 100\r\n");
    vec![Act::Say(answer("200 OK", "application/json", &headers, &znode(zxid)))]
}

fn refusal(status: u16) -> Vec<Act> {
    let headers = if status == 503 { "retry-after: 1\r\n" } else { "coordd-zxid: 100\r\n" };
    vec![Act::Say(answer(&format!("{status} X"), "application/problem+json", headers, &problem(status)))]
}

fn stream(acts: Vec<Act>) -> Vec<Act> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    [vec![Act::Say(head.to_owned())], acts].concat()
}

fn said(event: &str, zxid: i64) -> Act {
    event_of(event, zxid, &if event == "gone" { problem(404) } else { znode(zxid) })
}

/// An event's data are one line.
fn event_of(event: &str, zxid: i64, data: &str) -> Act {
    let data = data.replace('\n', " ");
    Act::Say(format!("id: {zxid}\nevent: {event}\ndata: {data}\n\n"))
}

/// A client that begins with the first of the members.
fn client(members: &[&Member]) -> Discovery {
    let addresses: Vec<&str> = members.iter().map(|member| member.address.as_str()).collect();
    let mut discovery = Discovery::new(addresses.clone()).with_patience(Duration::from_millis(300));
    while discovery.members.chosen() != addresses[0] {
        discovery.members.pass(&discovery.members.chosen());
    }
    discovery.patience.connect = Duration::from_millis(500);
    discovery.patience.answer = Duration::from_millis(500);
    discovery
}

/// The next event as a word and a zxid.
async fn next(follower: &mut Follower<ZnodeView>) -> (&'static str, i64) {
    let event = timeout(Duration::from_secs(5), follower.next()).await.expect("no event within 5 s").unwrap();
    let word = match event {
        Event::Snapshot { .. } => "snapshot",
        Event::Change { .. } => "change",
        Event::Gone { .. } => "gone",
    };
    let zxid = event.zxid();
    if let Some(value) = event.value() {
        assert_eq!(value.data, Some(format!("v{zxid}")));
    }
    (word, zxid)
}

fn a() -> Question<ZnodeView> {
    Question::znode("/a")
}

#[tokio::test]
async fn an_answer_says_what_it_rests_on_and_when_it_was_read() {
    let member = Member::play("e", vec![whole(7)]).await;
    let answer = client(&[&member]).with_credentials("ann", "s:cret").get(&a()).await.unwrap();
    assert_eq!((answer.zxid, answer.read_at, answer.etag.as_str()), (7, 100, "\"7-0123abcd\""));
    assert_eq!(answer.value.data.as_deref(), Some("v7"));
    let asked = member.asked().remove(0);
    assert!(asked.starts_with("GET /v1/znodes/a HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Basic YW5uOnM6Y3JldA==\r\n"), "{asked}");
}

#[tokio::test]
async fn a_member_that_cannot_answer_is_passed_over_and_not_asked_again() {
    let busy = Member::play("e", vec![refusal(503)]).await;
    let silent = Member::play("e", vec![vec![Act::Hang]]).await;
    let well = Member::play("e", vec![whole(7)]).await;
    let discovery = client(&[&busy, &silent, &well]);
    for _ in 0..3 {
        assert_eq!(discovery.get(&a()).await.unwrap().zxid, 7);
    }
    assert_eq!((busy.asked().len(), silent.asked().len(), well.asked().len()), (1, 1, 3));
}

#[tokio::test]
async fn a_member_that_is_not_well_yet_is_asked_again_within_the_patience() {
    let member = Member::play("e", vec![refusal(503), refusal(503), whole(7)]).await;
    let discovery = client(&[&member]).with_patience(Duration::from_secs(10));
    assert_eq!(discovery.get(&a()).await.unwrap().zxid, 7);
}

#[tokio::test]
async fn what_is_refused_is_told_at_once_and_no_other_member_is_asked() {
    let (one, other) = (Member::play("e", vec![refusal(404)]).await, Member::play("e", vec![whole(7)]).await);
    let error = client(&[&one, &other]).get(&a()).await.unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert_eq!(error.to_string(), "t404: d; w");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn when_nobody_answers_each_members_last_word_is_told() {
    let busy = Member::play("e", vec![refusal(503)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead =
        Member { address: listener.local_addr().unwrap().to_string(), ..Member::play("e", vec![whole(1)]).await };
    drop(listener);
    let error = client(&[&busy, &dead]).get(&a()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("{}: t503: d; w", busy.address)), "{error}");
    assert!(error.contains(&format!("{}: Connection refused", dead.address)), "{error}");
}

#[tokio::test]
async fn an_answer_of_any_other_kind_is_not_believed() {
    let page = Act::Say(answer("200 OK", "text/html", "etag: \"7\"\r\n", "<html>"));
    let proxy = Act::Say(answer("403 Forbidden", "text/html", "", "who are you"));
    let large = Act::Say(answer("200 OK", "application/json", "etag: \"7\"\r\n", &" ".repeat(2000)));
    let table = [(page, "unexpected answer"), (proxy, "who are you"), (large, "length limit exceeded")];
    for (act, why) in table {
        let member = Member::play("e", vec![vec![act]]).await;
        let error = client(&[&member]).with_bytes_max(1000).get(&a()).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn what_is_newer_is_waited_for_and_may_not_come() {
    let member = Member::play("e", vec![whole(8), vec![Act::Say(answer("304 X", "text/plain", "", ""))]]).await;
    let discovery = client(&[&member]);
    let wait = Duration::from_secs(30);
    assert_eq!(discovery.newer(&a(), 7, wait).await.unwrap().unwrap().zxid, 8);
    assert_eq!(discovery.newer(&a(), 8, wait).await.unwrap(), None);
    assert!(member.asked()[1].starts_with("GET /v1/znodes/a?after=8&wait=30000ms HTTP/1.1"));
}

#[tokio::test]
async fn who_is_told_that_it_is_gone_waits_for_what_is_newer_than_that() {
    let no_route = problem(404).replace("no-znode", "no-route");
    let no_route = Act::Say(answer("404 X", "application/problem+json", "", &no_route));
    let member = Member::play("e", vec![refusal(404), whole(120), vec![no_route]]).await;
    let discovery = client(&[&member]);
    let gone = discovery.newer(&a(), 7, Duration::from_millis(500)).await.unwrap_err();
    let DiscoveryError::Gone { zxid, .. } = gone else { panic!("{gone}") };
    assert_eq!(discovery.newer(&a(), zxid, Duration::from_hours(1)).await.unwrap().unwrap().zxid, 120);
    let asked = member.asked();
    assert!(asked[0].starts_with("GET /v1/znodes/a?after=7&wait=500ms HTTP/1.1"), "{asked:?}");
    assert!(asked[1].starts_with("GET /v1/znodes/a?after=100&wait=300000ms HTTP/1.1"), "{asked:?}");
    assert!(!discovery.get(&a()).await.unwrap_err().is_gone(), "there is no such route");
}

#[tokio::test]
async fn a_follower_is_told_how_it_is_how_it_becomes_and_that_it_went() {
    let acts =
        vec![said("snapshot", 3), Act::Say(": alive\n\n".to_owned()), said("change", 5), said("gone", 6), Act::Hang];
    let member = Member::play("e", vec![stream(acts)]).await;
    let mut follower = client(&[&member]).follow(a());
    for expected in [("snapshot", 3), ("change", 5), ("gone", 6)] {
        assert_eq!(next(&mut follower).await, expected);
    }
    assert_eq!(*follower.line().borrow(), Line::Connected { member: member.address.clone() });
    let asked = member.asked().remove(0);
    assert!(asked.contains("accept: text/event-stream\r\n") && !asked.contains("last-event-id"), "{asked}");
}

#[tokio::test]
async fn a_follower_goes_to_another_member_and_says_what_it_has_seen() {
    let script = vec![stream(vec![said("snapshot", 3)]), stream(vec![said("snapshot", 9), Act::Hang])];
    let (one, other) = (Member::play("e", script.clone()).await, Member::play("e", script).await);
    let mut follower = client(&[&one, &other]).follow(a());
    for expected in [("snapshot", 3), ("snapshot", 3), ("snapshot", 9)] {
        assert_eq!(next(&mut follower).await, expected);
    }
    let (first, second) = if one.asked().len() == 2 { (one, other) } else { (other, one) };
    assert!(!first.asked()[0].contains("last-event-id"));
    assert!(second.asked()[0].contains("last-event-id: 3\r\n"));
    assert!(first.asked()[1].contains("last-event-id: 3\r\n"));
}

#[tokio::test]
async fn an_older_event_is_never_told() {
    let acts = vec![said("snapshot", 9), said("change", 8), said("gone", 7), said("change", 10), Act::Hang];
    let member = Member::play("e", vec![stream(acts)]).await;
    let mut follower = client(&[&member]).follow(a());
    for expected in [("snapshot", 9), ("change", 10)] {
        assert_eq!(next(&mut follower).await, expected);
    }
}

#[tokio::test]
async fn a_member_that_begins_with_the_past_loses_the_line() {
    let member = Member::play(
        "e",
        vec![
            stream(vec![said("snapshot", 9)]),
            stream(vec![said("snapshot", 3), said("change", 12), Act::Hang]),
            stream(vec![said("snapshot", 10), Act::Hang]),
        ],
    );
    let mut member = member.await;
    let mut follower = client(&[&member]).follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 9));
    assert_eq!(next(&mut follower).await, ("snapshot", 10));
    timeout(Duration::from_secs(5), member.closed.recv()).await.expect("the line that went back is kept").unwrap();
}

#[tokio::test]
async fn an_absence_that_a_member_knows_of_for_longer_keeps_the_line_and_takes_nobody_back() {
    let script = vec![
        stream(vec![said("gone", 130)]),
        stream(vec![said("gone", 100), said("gone", 110), said("change", 140)]),
        stream(vec![said("gone", 135), Act::Hang]),
        stream(vec![said("gone", 150), Act::Hang]),
    ];
    let mut member = Member::play("e", script).await;
    let mut follower = client(&[&member]).follow(a());
    for expected in [("gone", 130), ("gone", 130), ("change", 140), ("gone", 150)] {
        assert_eq!(next(&mut follower).await, expected);
    }
    assert!(member.asked()[2].contains("last-event-id: 140\r\n"), "what was there since then is not gone before");
    timeout(Duration::from_secs(5), member.closed.recv()).await.expect("the line that went back is kept").unwrap();
}

#[tokio::test]
async fn in_another_ensemble_numbers_begin_anew() {
    let script = vec![stream(vec![said("snapshot", 900)]), stream(vec![said("snapshot", 2), Act::Hang])];
    let member = Member::play("old new", script).await;
    let mut follower = client(&[&member]).follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 900));
    assert_eq!(next(&mut follower).await, ("snapshot", 2));
    assert!(!member.asked()[1].contains("last-event-id"));
}

#[tokio::test]
async fn a_member_of_another_ensemble_is_neither_believed_nor_told_the_credentials() {
    let stranger = Member::play("theirs", vec![stream(vec![said("gone", 900), Act::Hang])]).await;
    let ours = Member::play("ours", vec![stream(vec![said("snapshot", 7), Act::Hang]), whole(7)]).await;
    let discovery = client(&[&stranger, &ours]).with_credentials("user", "secret").expecting("ours");
    let mut follower = discovery.follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 7));
    assert_eq!(discovery.get(&a()).await.unwrap().zxid, 7);
    assert_eq!(stranger.asked(), [""; 0], "it was asked who it is, and nothing else");
    assert!(ours.asked().iter().all(|asked| asked.contains("authorization: Basic")));

    let alone = client(&[&stranger]).expecting("ours");
    let why = alone.get(&a()).await.unwrap_err().to_string();
    assert!(why.contains("it belongs to the ensemble theirs, not to ours"), "{why}");
}

#[tokio::test]
async fn who_a_member_is_is_asked_without_the_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let discovery = Discovery::new([address]).with_credentials("user", "secret").expecting("ours");
    let _follower = discovery.follow(a());
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET /v1/ensemble ") && !request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_silent_line_is_given_up() {
    let member = Member::play(
        "e",
        vec![stream(vec![said("snapshot", 3), Act::Hang]), stream(vec![said("change", 4), Act::Hang])],
    );
    let mut member = member.await;
    let mut discovery = client(&[&member]);
    discovery.patience.silence = Duration::from_millis(100);
    let mut follower = discovery.follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 3));
    let mut line = follower.line();
    let lost = line.wait_for(|line| matches!(line, Line::Lost { why, .. } if why.contains("silent for 0.1 s")));
    timeout(Duration::from_secs(5), lost).await.expect("the line counts as well").unwrap();
    assert_eq!(next(&mut follower).await, ("change", 4));
    timeout(Duration::from_secs(5), member.closed.recv()).await.expect("the silent line is kept").unwrap();
}

#[tokio::test]
async fn an_event_beyond_its_bound_is_not_kept_and_is_a_refusal() {
    let endless = Act::Say(format!("id: 3\nevent: snapshot\ndata: {}", "a".repeat(4000)));
    let member =
        Member::play("e", vec![stream(vec![endless, Act::Hang]), stream(vec![said("snapshot", 4), Act::Hang])]);
    let member = member.await;
    let mut follower = client(&[&member]).with_bytes_max(2000).follow(a());
    let refused = follower.next().await.unwrap_err();
    assert!(matches!(&refused, DiscoveryError::Refused(problem) if problem.status == 413), "{refused}");
    assert_eq!(next(&mut follower).await, ("snapshot", 4));
}

#[tokio::test]
async fn large_events_are_received_one_after_the_other_where_there_is_one_turn() {
    let large = |zxid: i64| event_of("snapshot", zxid, &format!("{}{}", " ".repeat(2 * LARGE), znode(zxid)));
    let Act::Say(text) = large(3) else { unreachable!() };
    let (half, rest) = text.split_at(text.len() / 2);
    let parts = vec![Act::Say(half.to_owned()), Act::Wait(Duration::from_millis(300)), Act::Say(rest.to_owned())];
    let slow = Member::play("e", vec![stream([parts, vec![Act::Hang]].concat())]).await;
    let other = Member::play("e", vec![stream(vec![large(5), Act::Hang])]).await;
    let small = Member::play("e", vec![stream(vec![said("snapshot", 7), Act::Hang])]).await;
    let turns = Arc::new(Semaphore::new(1));
    let follow = |member: &Member| client(&[member]).with_turns(Arc::clone(&turns)).follow(a());
    let mut first = follow(&slow);
    while turns.available_permits() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let (mut second, mut third) = (follow(&other), follow(&small));
    assert_eq!(next(&mut third).await, ("snapshot", 7), "what is small waits for nobody");
    assert!(timeout(Duration::from_millis(50), second.next()).await.is_err(), "it is the other one's turn");
    assert_eq!(next(&mut first).await, ("snapshot", 3));
    assert_eq!(next(&mut second).await, ("snapshot", 5));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(turns.available_permits(), 1);
}

#[tokio::test]
async fn a_member_that_freezes_in_the_midst_of_a_large_event_holds_up_the_others_for_a_moment_only() {
    let Act::Say(text) = event_of("snapshot", 3, &" ".repeat(2 * LARGE)) else { unreachable!() };
    let frozen = Member::play("e", vec![stream(vec![Act::Say(text[..LARGE + 1_000].to_owned()), Act::Hang])]).await;
    let large = event_of("snapshot", 5, &format!("{}{}", " ".repeat(2 * LARGE), znode(5)));
    let well = Member::play("e", vec![stream(vec![large, Act::Hang])]).await;
    let turns = Arc::new(Semaphore::new(1));
    let follow = |member: &Member| {
        let mut discovery = client(&[member]).with_turns(Arc::clone(&turns));
        discovery.patience.turn = Duration::from_millis(100);
        discovery.follow(a())
    };
    let _first = follow(&frozen);
    while turns.available_permits() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let mut second = follow(&well);
    assert_eq!(next(&mut second).await, ("snapshot", 5));
    sleep(Duration::from_millis(200)).await;
    assert!(matches!(*second.line().borrow(), Line::Connected { .. }), "a line without a turn may be silent");
}

#[tokio::test]
async fn a_refused_question_is_told_and_asked_again() {
    let member = Member::play("e", vec![refusal(401), stream(vec![said("snapshot", 4), Act::Hang])]).await;
    let mut follower = client(&[&member]).follow(a());
    let refused = follower.next().await.unwrap_err();
    assert!(matches!(refused, DiscoveryError::Refused(problem) if problem.status == 401));
    assert_eq!(next(&mut follower).await, ("snapshot", 4));
}

#[tokio::test]
async fn whether_a_member_refuses_or_none_answers_is_told_of_a_lost_line() {
    let member = Member::play("e", vec![refusal(401), refusal(503)]).await;
    let follower = client(&[&member]).follow(a());
    let mut line = follower.line();
    for (status, is_refused) in [("t401", true), ("t503", false)] {
        let lost = line.wait_for(|line| matches!(line, Line::Lost { why, .. } if why.contains(status)));
        let lost = timeout(Duration::from_secs(5), lost).await.expect(status).unwrap().clone();
        assert!(matches!(lost, Line::Lost { refused, .. } if refused == is_refused), "{lost:?}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_any_more_is_not_gone() {
    let refused = event_of("gone", 5, &problem(401));
    let member = Member::play("e", vec![stream(vec![said("snapshot", 3), refused, said("change", 7), Act::Hang])]);
    let member = member.await;
    let mut follower = client(&[&member]).follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 3));
    let refused = follower.next().await.unwrap_err();
    assert!(matches!(refused, DiscoveryError::Refused(problem) if problem.status == 401));
    assert_eq!(next(&mut follower).await, ("change", 7));
    assert_eq!(member.asked().len(), 1);
}

#[tokio::test]
async fn without_an_etag_the_zxid_is_that_of_the_state() {
    let body = Act::Say(answer("200 OK", "application/json", "coordd-zxid: 100\r\n", &znode(7)));
    let member = Member::play("e", vec![vec![body]]).await;
    let found = client(&[&member]).get(&a()).await.unwrap();
    assert_eq!((found.zxid, found.read_at, found.etag.as_str()), (100, 100, ""));
}

#[tokio::test]
async fn a_follower_that_is_dropped_leaves_no_connection() {
    let mut member = Member::play("e", vec![stream(vec![said("snapshot", 3), Act::Hang])]).await;
    let mut follower = client(&[&member]).follow(a());
    assert_eq!(next(&mut follower).await, ("snapshot", 3));
    sleep(Duration::from_millis(50)).await;
    assert!(member.closed.try_recv().is_err());
    drop(follower);
    timeout(Duration::from_secs(5), member.closed.recv()).await.expect("the connection stays").unwrap();
}
