//! The public HTTP port: is this member alive, ready, who is in the ensemble, how is it doing.
//!
//! ```text
//!   /livez /readyz      for the one who restarts and routes          /v1/ensemble   for programs that look for members
//!   /metrics            ZooKeeper's names, then ours                 /commands/…    as ZooKeeper's AdminServer
//!   /v1/services /v1/config /v1/leader /v1/znodes                    what applications have registered
//! ```
//!
//! Rule: nothing here changes replicated state, and nothing but `discovery` waits for other members: what is shown is
//! what this member knows. Reason: the port is open to everyone who reaches it, and has to answer when the ensemble
//! does not.

mod commands;
mod discovery;
mod health;
mod listen;
mod metrics;
pub(crate) mod openapi;
mod page;
mod patient;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod view;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use coordd_api::EnsembleView;

use crate::consensus::Consensus;
use crate::server::commands::Commands;
pub use listen::serve;

/// Whether this member is on its way out; shared by whoever stops it and `/readyz`.
#[derive(Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the handlers hold.
#[derive(Clone)]
pub struct Http {
    pub consensus: Arc<dyn Consensus>,
    pub commands: Commands,
    pub draining: Draining,
    desk: Arc<discovery::Desk>,
}

impl Http {
    pub fn new(consensus: Arc<dyn Consensus>, commands: Commands, draining: Draining) -> Http {
        Http { consensus, commands, draining, desk: Arc::default() }
    }
}

/// Who is in the ensemble, who leads, where clients connect.
#[utoipa::path(get, path = "/v1/ensemble", responses((status = 200, body = EnsembleView)))]
async fn ensemble(State(http): State<Http>) -> Json<EnsembleView> {
    Json(view::ensemble(&http.consensus.status().borrow()))
}

/// The routes of the public port.
pub fn router(http: Http) -> Router {
    Router::new()
        .merge(page::routes())
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/ensemble", get(ensemble))
        .merge(discovery::routes())
        .route("/commands", get(commands::index))
        .route("/commands/", get(commands::index))
        .route("/commands/{name}", get(commands::run))
        .route("/openapi.json", get(|| async { Json(openapi::document()) }))
        .with_state(http)
}

/// Binds a port and names it when that fails.
///
/// # Errors
/// What the system says, with `key` and the address.
pub async fn bind(key: &str, address: SocketAddr) -> io::Result<crate::net::TcpListener> {
    let bound = crate::net::TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("{key} {address}: {error}")))
}
