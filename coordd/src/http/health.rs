//! Alive and ready: two questions with two askers.
//!
//! Rule: `/livez` looks at this process alone; only `/readyz` depends on the ensemble. Reason: a member without a
//! quorum must not be restarted for it, which would take away what is left.

use axum::extract::State;
use axum::http::StatusCode;

use super::Http;

/// The process runs and answers.
#[utoipa::path(get, path = "/livez", responses((status = 200, body = String)))]
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// Clients are served here; otherwise 503 and the reason.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = String), (status = 503, body = String)))]
pub(super) async fn readyz(State(http): State<Http>) -> (StatusCode, String) {
    let why = match http.draining.is_on() {
        true => Some("this member is stopping".to_owned()),
        false => http.consensus.status().borrow().not_serving.clone(),
    };
    match why {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}
