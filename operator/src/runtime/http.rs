//! What Kubernetes and Prometheus ask of the operator itself.
//!
//! ```text
//!   /livez   this process turns            /readyz  what can be listed has been, and it is not stopping
//!   /metrics what it counts
//! ```
//!
//! Rule: a replica without the lease is ready too. Reason: it is as good as the other, and waits for its turn.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Scope;
use super::gate::Held;
use super::metrics::Metrics;
use super::shelves::Shelves;

#[derive(Clone)]
pub(crate) struct Page {
    pub shelves: Arc<Shelves>,
    pub metrics: Arc<Metrics>,
    pub held: Held,
    /// What is watched.
    pub scopes: Vec<Scope>,
    pub stop: watch::Receiver<bool>,
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, page: Page) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(page);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the HTTP port serves no more");
    }
}

async fn ready(State(page): State<Page>) -> (StatusCode, String) {
    if *page.stop.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let (ready, missing) = page.shelves.ready(&page.scopes);
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let words = if missing.is_empty() { "ok".to_owned() } else { missing.join("\n") };
    (code, format!("{words}\n"))
}

async fn metrics(State(page): State<Page>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page.metrics.text(page.held.is_held()))
}
