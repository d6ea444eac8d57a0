//! A member's discovery API that only pretends: what a test says is registered, as streams and as answers.
//!
//! Rule: as coordd's: a stream begins with the whole answer, every event is the whole answer, an id is a zxid. Reason:
//! what the operator is told by a real member it must not be able to tell from this.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is registered: answers by path and query, each with its zxid. `None`: there is no such znode.
type Answers = BTreeMap<String, (i64, Option<Value>)>;

#[derive(Default)]
struct Shared {
    /// Id of the ensemble that it says it is of.
    ensemble: Mutex<String>,
    answers: watch::Sender<Answers>,
    zxid: Mutex<i64>,
    /// The header of each request.
    asked_as: Mutex<Vec<Option<String>>>,
    followers: Mutex<usize>,
}

/// The discovery API of one member.
pub(crate) struct Registry {
    shared: Arc<Shared>,
    address: String,
    server: Option<JoinHandle<()>>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.iter().for_each(JoinHandle::abort);
    }
}

/// An instance as the discovery API shows it.
pub(crate) fn instance(path: &str, address: &str, port: u16) -> Value {
    json!({
        "id": address, "address": address, "ports": {"http": port}, "state": "up", "zone": null, "weight": null,
        "metadata": {}, "znode": format!("{path}/{address}"), "since": 1
    })
}

impl Registry {
    /// Of the ensemble `id`, on port 8080 of `ip`.
    pub(crate) async fn at(ip: &str, id: &str) -> Registry {
        let address = format!("{ip}:8080");
        let mut registry = Registry { shared: Arc::default(), address, server: None };
        registry.is_of(id);
        registry.come_back().await;
        registry
    }

    /// It is another member, of another ensemble.
    pub(crate) fn is_of(&self, id: &str) {
        id.clone_into(&mut self.shared.ensemble.lock().unwrap());
    }

    /// Ends all streams and answers nobody.
    pub(crate) fn go_away(&mut self) {
        self.server.take().iter().for_each(JoinHandle::abort);
        // Streams are tasks of their own: they end when there is nothing to wait for.
        let answers = self.shared.answers.borrow().clone();
        let zxid = *self.shared.zxid.lock().unwrap();
        let ensemble = Mutex::new(self.shared.ensemble.lock().unwrap().clone());
        let (answers, zxid) = (watch::Sender::new(answers), Mutex::new(zxid));
        self.shared = Arc::new(Shared { ensemble, answers, zxid, ..Shared::default() });
    }

    pub(crate) async fn come_back(&mut self) {
        let listener = loop {
            match TcpListener::bind(&self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        };
        let router = Router::new().fallback(answer).with_state(Arc::downgrade(&self.shared));
        self.server = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    }

    fn put(&self, url: String, answer: impl FnOnce(i64) -> Option<Value>) {
        let mut zxid = self.shared.zxid.lock().unwrap();
        *zxid += 1;
        let answer = answer(*zxid);
        self.shared.answers.send_modify(|all| drop(all.insert(url, (*zxid, answer))));
    }

    pub(crate) fn services(&self, path: &str, instances: Vec<Value>) {
        let view =
            |zxid| json!({"path": path, "format": "curator", "zxid": zxid, "instances": instances, "rejected": []});
        self.put(format!("/v1/services{path}"), |zxid| Some(view(zxid)));
    }

    /// As a member answers that has not heard of the last changes.
    pub(crate) fn is_behind(&self, path: &str, zxid: i64, instances: Vec<Value>) {
        *self.shared.zxid.lock().unwrap() = zxid - 1;
        self.services(path, instances);
    }

    /// As many instances with addresses of the network 10.7.
    pub(crate) fn instances(&self, path: &str, count: usize) {
        let address = |at: usize| format!("10.7.{}.{}", at / 250, at % 250 + 1);
        self.services(path, (0..count).map(|at| instance(path, &address(at), 8080)).collect());
    }

    pub(crate) fn gone(&self, path: &str) {
        self.put(format!("/v1/services{path}"), |_| None);
    }

    pub(crate) fn list(&self, path: &str, names: &[String]) {
        let entry = |name: &String| json!({"name": name, "path": format!("{path}/{name}"), "children": 1});
        let services: Vec<_> = names.iter().map(entry).collect();
        let view = |zxid| Some(json!({"path": path, "zxid": zxid, "services": services}));
        self.put(format!("/v1/services{path}?list=true"), view);
    }

    pub(crate) fn config(&self, path: &str, values: Value) {
        let view = |zxid| Some(json!({"path": path, "zxid": zxid, "values": values, "left_out": []}));
        self.put(format!("/v1/config{path}?recurse=json"), view);
    }

    pub(crate) fn leader(&self, path: &str, id: Option<&str>) {
        self.put(format!("/v1/leader{path}"), |zxid| {
            let candidate =
                id.map(|id| json!({"znode": format!("{path}/_c_{zxid}-latch-{zxid:010}"), "id": id, "since": zxid}));
            let candidates: Vec<_> = candidate.iter().cloned().collect();
            let recipe = id.map(|_| "curator_latch");
            let token = id.map(|_| zxid);
            Some(json!({
                "path": path, "recipe": recipe, "zxid": zxid, "leader": candidate, "fencing_token": token,
                "candidates": candidates
            }))
        });
    }

    /// The credentials of each request so far.
    pub(crate) fn asked_as(&self) -> Vec<Option<String>> {
        self.shared.asked_as.lock().unwrap().clone()
    }

    pub(crate) fn followers(&self) -> usize {
        *self.shared.followers.lock().unwrap()
    }
}

fn problem(url: &str) -> Value {
    json!({
        "type": "urn:coordd:problem:not-found", "title": "No such znode", "status": 404, "detail": "it is not there",
        "what_to_do": "create it", "instance": url
    })
}

async fn answer(State(shared): State<std::sync::Weak<Shared>>, request: Request) -> Response {
    let Some(shared) = shared.upgrade() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let url = request.uri().to_string();
    if url == "/v1/ensemble" {
        let id = shared.ensemble.lock().unwrap().clone();
        let view = json!({
            "ensemble_id": id, "leader": 1, "term": 1, "membership_index": 1, "connect_string": "", "members": []
        });
        return axum::Json(view).into_response();
    }
    shared.asked_as.lock().unwrap().push(header(AUTHORIZATION));
    if header(ACCEPT).is_some_and(|accept| accept.contains("text/event-stream")) {
        return follow(&shared, url);
    }
    let found = shared.answers.borrow().get(&url).cloned();
    match found {
        Some((zxid, Some(value))) => ([(ETAG, format!("\"{zxid}\""))], axum::Json(value)).into_response(),
        _ => (StatusCode::NOT_FOUND, axum::Json(problem(&url))).into_response(),
    }
}

struct Following {
    answers: watch::Receiver<Answers>,
    url: String,
    last: Option<(i64, Option<Value>)>,
    first: bool,
    _counted: Counted,
}

struct Counted(std::sync::Weak<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            *shared.followers.lock().unwrap() -= 1;
        }
    }
}

fn follow(shared: &Arc<Shared>, url: String) -> Response {
    *shared.followers.lock().unwrap() += 1;
    let counted = Counted(Arc::downgrade(shared));
    let answers = shared.answers.subscribe();
    let following = Following { answers, url, last: None, first: true, _counted: counted };
    let events = stream::unfold(following, |mut following| async move {
        loop {
            let found = following.answers.borrow_and_update().get(&following.url).cloned();
            // What was never there is gone since the beginning.
            let found = found.unwrap_or((0, None));
            if following.first || following.last.as_ref() != Some(&found) {
                let kind = match (&found.1, following.first) {
                    (None, _) => "gone",
                    (Some(_), true) => "snapshot",
                    (Some(_), false) => "change",
                };
                let data = found.1.clone().unwrap_or_else(|| problem(&following.url));
                let event = format!("id: {}\nevent: {kind}\ndata: {data}\n\n", found.0);
                (following.first, following.last) = (false, Some(found));
                return Some((Ok::<_, Infallible>(event), following));
            }
            // The registry has gone away.
            following.answers.changed().await.ok()?;
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}
