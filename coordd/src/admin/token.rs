//! Who may call the admin port: whoever holds the token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use coordd_api::{Refusal, RefusalCode};
use subtle::ConstantTimeEq;

use super::failure::Failure;
use crate::config::Secret;

/// Lets a request pass that carries the token, or any when there is none.
pub(super) async fn check(State(token): State<Option<Arc<Secret>>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match token {
        // The time that the comparison takes says nothing about where the two differ.
        Some(token) if !given.is_some_and(|given| bool::from(given.ct_eq(&token.0))) => Failure(Refusal {
            code: RefusalCode::Unauthorized,
            message: format!("the token is {}", if given.is_some() { "wrong" } else { "missing" }),
            what_to_do: "send the contents of the member's admin_token_file: Authorization: Bearer TOKEN".to_owned(),
            membership_index: None,
            leader: None,
        })
        .into_response(),
        _ => next.run(request).await,
    }
}
