//! The admin port: who is in the ensemble, who leads, snapshots, recovery; for operators and `coordd admin`.
//!
//! ```text
//!   request ─► token (constant time; without one the listener is on loopback) ─► handler ─► AdminOps ─► raft
//!                                                                   Refusal{code, message, what_to_do} ◄─┘
//! ```
//!
//! Rule: handlers translate and decide nothing; `/livez` and the API's description are free. Reason: the fence and
//! the checks belong where the membership is, so that every way in is bound by them.

mod failure;
mod handlers;
pub(crate) mod openapi;
pub mod ops;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use axum::{Router, middleware};

use crate::config::Secret;
use crate::consensus::Consensus;
use ops::AdminOps;

/// What the handlers hold.
#[derive(Clone)]
pub(crate) struct Admin {
    pub consensus: Arc<dyn Consensus>,
    pub ops: Arc<dyn AdminOps>,
}

/// The routes of the admin port. Each call needs `token`, if there is one.
pub fn router(consensus: Arc<dyn Consensus>, ops: Arc<dyn AdminOps>, token: Option<Secret>) -> Router {
    let guarded = Router::new()
        .route("/admin/v1/status", get(handlers::status))
        .route("/admin/v1/bootstrap", post(handlers::bootstrap))
        .route("/admin/v1/members", post(handlers::add))
        .route("/admin/v1/members/{id}", delete(handlers::remove))
        .route("/admin/v1/members/{id}/promote", post(handlers::promote))
        .route("/admin/v1/members/{id}/replace", post(handlers::replace))
        .route("/admin/v1/transfer-leader", post(handlers::transfer_leader))
        .route("/admin/v1/snapshot", get(handlers::snapshot))
        .route("/admin/v1/recover", post(handlers::recover))
        .route("/admin/v1/drain", post(handlers::drain))
        .fallback(handlers::no_such_call)
        .layer(middleware::from_fn_with_state(token.map(Arc::new), token::check));
    Router::new()
        .merge(guarded.with_state(Admin { consensus, ops }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/openapi.json", get(|| async { axum::Json(openapi::document()) }))
}
