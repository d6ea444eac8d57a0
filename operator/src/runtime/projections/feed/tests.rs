//! What a feed shows of what members say, and what it says of the way to them.

use coordd_api::discovery::ServiceView;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn lost(refused: bool) -> Way {
    Way::Lost { since: Moment(7), why: "503".to_owned(), refused }
}

fn state(lines: &[(&str, Way)], refused: &str) -> State {
    let view = |path: &str| if path == refused { View::Refused("413".to_owned()) } else { View::Gone { zxid: 1 } };
    let paths = lines.iter().map(|(path, _)| *path).filter(|path| !path.is_empty());
    let services = paths.map(|path| (path.to_owned(), view(path))).collect();
    let lines = lines.iter().map(|(path, way)| ((*path).to_owned(), way.clone())).collect();
    let account = Account::new(Arc::default());
    State { views: Views::Children { list: View::Gone { zxid: 1 }, services }, account, lines }
}

fn child<'a>(views: &'a mut Views, path: &str) -> Option<&'a mut View<ServiceView>> {
    match views {
        Views::Children { services, .. } => services.get_mut(path),
        _ => None,
    }
}

fn service(zxid: i64) -> ServiceView {
    ServiceView { path: "/a".to_owned(), format: None, zxid, instances: Vec::new(), rejected: Vec::new() }
}

fn inside(state: State) -> Inside {
    let (state, began, read_again) = (Mutex::new(state), Instant::now(), Duration::from_millis(20));
    Inside { state, written: BTreeMap::new(), began, read_again, dirty: Notify::new() }
}

#[test]
fn an_event_that_was_on_its_way_does_not_come_after_what_was_read_meanwhile() {
    let inside = inside(state(&[("", Way::Open), ("/a", Way::Open)], ""));
    let place: Place<ServiceView> = child;
    let view = |zxid: i64| View::There { zxid, value: Arc::new(service(zxid)) };
    for (said, shown) in [(view(12), 12), (view(10), 12), (View::Gone { zxid: 11 }, 12), (view(13), 13)] {
        inside.put("/a", place, said);
        assert_eq!(place(&mut inside.lock().views, "/a").unwrap().zxid(), Some(shown));
    }
    inside.put("/a", place, View::Refused("401".to_owned()));
    inside.put("/a", place, view(10));
    assert!(child(&mut inside.lock().views, "/a").unwrap().is_known(), "after what is not known anything is news");
}

#[test]
fn a_list_that_is_older_than_what_was_written_is_not_known_to_be_whole() {
    let list = state(&[("", Way::Open)], "");
    assert!(list.is_as_new_as(&BTreeMap::new()), "nothing was written: there is nothing to be behind of");
    assert!(list.is_as_new_as(&[("/a".to_owned(), 1)].into()));
    assert!(!list.is_as_new_as(&[("/a".to_owned(), 1), ("/b".to_owned(), 2)].into()));
}

#[test]
fn who_is_followed_still_is_known_though_the_line_of_another_is_lost() {
    let both = state(&[("", Way::Open), ("/a", Way::Open), ("/b", lost(false))], "");
    assert!(!both.source().is_reachable());
    assert_eq!(both.reached().into_iter().collect::<Vec<_>>(), ["", "/a"]);
    let refused = state(&[("", Way::Open), ("/a", Way::Open), ("/b", lost(true))], "/b");
    assert!(refused.source().is_reachable(), "what is refused is not lost");
    let list = state(&[("", lost(false)), ("/a", Way::Open)], "");
    assert!(list.reached().is_empty(), "who knows whether it is still there");
}

#[test]
fn an_ensemble_that_has_refused_and_answers_no_more_is_lost() {
    let inside = inside(state(&[("", Way::Open), ("/a", Way::New { since: Moment(7) })], "/a"));
    let lost = |refused| Line::Lost { since: Instant::now(), why: "why".to_owned(), refused };
    let open = Line::Connected { member: "m".to_owned() };
    for (line, is_reachable) in [(&lost(true), true), (&lost(false), false), (&lost(true), true), (&open, true)] {
        inside.line("/a", line);
        assert_eq!(inside.lock().source().is_reachable(), is_reachable, "{line:?}");
    }
    inside.put("/a", child, View::Refused("413".to_owned()));
    inside.line("/a", &lost(false));
    assert!(!inside.lock().source().is_reachable(), "that it was too large does not say that it is there");
}

/// A member whose stream says that it is there, and nothing more; who asks for it once is told that it is gone.
async fn forgetful(mut line: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(line.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    let (status, kind, body) = if request.starts_with("GET /v1/ensemble ") {
        let view = r#"{"ensemble_id":"e","leader":1,"term":1,"membership_index":1,"connect_string":"","members":[]}"#;
        ("200 OK", "application/json", view.to_owned())
    } else if request.contains("text/event-stream") {
        let value = serde_json::to_string(&service(5)).unwrap();
        ("200 OK", "text/event-stream", format!("id: 5\nevent: snapshot\ndata: {value}\n\n"))
    } else {
        let problem = r#"{"type":"urn:coordd:problem:no-znode","title":"t","status":404,"detail":"d","what_to_do":"w",
            "instance":"/"}"#;
        ("404 Not Found", "application/problem+json", problem.to_owned())
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncoordd-zxid: 9\r\nconnection: close\r\n");
    let is_stream = kind == "text/event-stream";
    let length = if is_stream { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    line.write_all(format!("{head}{length}\r\n{body}").as_bytes()).await.unwrap();
    if is_stream {
        let _end_or_reset = line.read_u8().await;
    }
}

#[tokio::test]
async fn what_the_stream_has_not_said_is_found_by_the_read_beside_it_also_that_it_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let discovery = Discovery::new([listener.local_addr().unwrap().to_string()]);
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            tokio::spawn(forgetful(line));
        }
    });
    let mut state = state(&[("", Way::Open), ("/a", Way::New { since: Moment(7) })], "");
    *child(&mut state.views, "/a").unwrap() = View::Waiting;
    let inside = Arc::new(inside(state));
    let follow = Arc::clone(&inside).follow(discovery, Question::service("/a"), "/a".to_owned(), child);
    let _task = tokio::spawn(follow);
    let is_gone = async {
        while *child(&mut inside.lock().views, "/a").unwrap() != (View::Gone { zxid: 9 }) {
            inside.dirty.notified().await;
        }
    };
    timeout(Duration::from_secs(10), is_gone).await.expect("it is shown for ever");
    let _said_already = timeout(Duration::from_millis(50), inside.dirty.notified()).await;
    assert!(timeout(Duration::from_millis(200), inside.dirty.notified()).await.is_err(), "that is news once");
}

#[test]
fn of_what_is_read_beside_the_stream_nothing_is_taken_that_is_behind_what_was_written() {
    let mut inside = inside(state(&[("", Way::Open), ("/a", Way::Open)], ""));
    inside.written = [("/a".to_owned(), 7)].into();
    let gone = |zxid| {
        let text = r#"{"type":"x","title":"t","status":404,"detail":"d","what_to_do":"w","instance":"/"}"#;
        Err(DiscoveryError::Gone { problem: serde_json::from_str(text).unwrap(), zxid })
    };
    let there = |zxid| Ok(Answer { zxid, read_at: zxid, etag: String::new(), value: service(zxid) });
    for (read, shown) in [(there(6), 1), (there(7), 7), (gone(6), 7), (gone(8), 8), (gone(9), 8)] {
        inside.compare("/a", ("/a", child), read, true);
        assert_eq!(child(&mut inside.lock().views, "/a").unwrap().zxid(), Some(shown));
    }
}
