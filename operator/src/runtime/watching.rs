//! One watch, for as long as its task lives.
//!
//! ```text
//!   watch ─► Carrier ─► shelf ─► News: what has changed, and whether the shelf is complete by it
//!     ▲ anew, with a list ── it has failed for too long ─┘
//! ```
//!
//! Rule: a watch that fails is tried again for ever; one that its shelf calls too late begins with a list. Reason: kube
//! says nothing when a quiet watch stands again, and a list that is done is certain.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;

use super::Scope;
use super::backoff::Capped;
use super::metrics::Metrics;
use super::shelf::{Carrier, Shelf};

const RETRY_MAX: Duration = Duration::from_secs(10);

/// What is watched, and what of it is kept.
pub(crate) struct Watching<K, T> {
    /// In words, for logs and metrics.
    pub kind: &'static str,
    pub api: Api<K>,
    pub config: watcher::Config,
    pub scope: Scope,
    pub trim: fn(&K) -> Option<T>,
}

/// What an event has brought.
pub(crate) struct News<T> {
    /// Every value, old and new, that has changed.
    pub changed: Vec<Arc<T>>,
    /// The shelf was not complete, and is now.
    pub complete: bool,
}

impl<K, T> Watching<K, T>
where
    K: ResourceExt + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
    T: PartialEq,
{
    fn begin(&self) -> BoxStream<'static, Result<Event<K>, watcher::Error>> {
        let backoff = Capped::new(watcher::DefaultBackoff::default(), RETRY_MAX);
        watcher(self.api.clone(), self.config.clone()).backoff(backoff).boxed()
    }

    /// Carries what comes onto `shelf`, for ever.
    pub(crate) async fn carry(self, shelf: &Shelf<T>, metrics: &Metrics, mut heard: impl FnMut(News<T>)) {
        let mut events = self.begin();
        let mut carrier = Carrier::new(self.scope.clone());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let was_complete = shelf.missing().is_none();
                    let changed = carrier.take(shelf, event, self.trim);
                    heard(News { changed, complete: !was_complete && shelf.missing().is_none() });
                }
                Err(error) => {
                    metrics.watch_failed(self.kind);
                    tracing::warn!(kind = self.kind, scope = self.scope, %error, "a watch failed; it is begun again");
                    if shelf.failed(&self.scope, error.to_string()) {
                        tracing::error!(kind = self.kind, scope = self.scope, "what is known of them is too old");
                        events = self.begin();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::body::{Body, Bytes};
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use axum::{Json, Router};
    use futures_util::stream;
    use k8s_openapi::api::core::v1::Node;
    use kube::Client;
    use serde_json::json;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// An API server with no nodes. Its watches end soon, and are forbidden while `rights` says no.
    fn api_server(rights: Arc<AtomicBool>) -> Api<Node> {
        let nodes = move |Query(query): Query<HashMap<String, String>>| {
            let (allowed, watched) = (rights.load(Ordering::Relaxed), query.contains_key("watch"));
            async move {
                if !allowed {
                    let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                        "message": "nodes is forbidden"});
                    return (StatusCode::FORBIDDEN, Json(status)).into_response();
                }
                if !watched {
                    let meta = json!({"resourceVersion": "7"});
                    return Json(json!({"kind": "NodeList", "apiVersion": "v1", "metadata": meta, "items": []}))
                        .into_response();
                }
                let end = stream::once(sleep(Duration::from_millis(100))).map(|()| Ok::<_, String>(Bytes::new()));
                Response::new(Body::from_stream(end))
            }
        };
        Api::all(Client::new(Router::new().route("/api/v1/nodes", get(nodes)), "default"))
    }

    async fn until(what: &str, is: impl Fn() -> bool) {
        let waited = async {
            while !is() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), waited).await.unwrap_or_else(|_| panic!("never {what}"));
    }

    #[tokio::test]
    async fn a_right_that_is_taken_away_is_noticed_and_its_return_too() {
        let rights = Arc::new(AtomicBool::new(true));
        let shelf = Arc::new(Shelf::<String>::new(&[None]).late_after(Duration::from_secs(1)));
        let api = api_server(Arc::clone(&rights));
        let watching: Watching<Node, String> = Watching {
            kind: "nodes",
            api,
            config: watcher::Config::default(),
            scope: None,
            trim: |node| node.metadata.name.clone(),
        };
        let place = Arc::clone(&shelf);
        let task = tokio::spawn(async move { watching.carry(&place, &Metrics::default(), |_| ()).await });
        until("listed", || shelf.missing().is_none()).await;
        rights.store(false, Ordering::Relaxed);
        until("noticed", || shelf.missing().is_some_and(|why| why.contains("forbidden"))).await;
        rights.store(true, Ordering::Relaxed);
        until("complete again", || shelf.missing().is_none()).await;
        task.abort();
    }
}
