//! Answers: the body with its ETag, or that the caller has it, or the problem.
//!
//! Rule: an answer that the caller has is not encoded. Caches may keep an answer and must ask again before they use it
//! (`no-cache`), each for its own credentials (`Vary`).

use std::future::Future;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::ask::Ask;
use super::problem::Refused;

/// The zxid of the state that was read.
pub(super) const ZXID: HeaderName = HeaderName::from_static("coordd-zxid");

pub(super) struct Answered(Response);

pub(super) fn fixed(media: &'static str) -> HeaderValue {
    HeaderValue::from_static(media)
}

impl Answered {
    /// `state` is the zxid of the state, `newest` that of the newest change which `make` shows.
    pub(super) fn json<T: Serialize>(ask: &Ask, state: i64, newest: i64, make: impl FnOnce() -> T) -> Answered {
        Answered::new(ask, state, newest, fixed("application/json"), || serde_json::to_vec(&make()).unwrap_or_default())
    }

    pub(super) fn bytes(ask: &Ask, state: i64, newest: i64, media: HeaderValue, bytes: Vec<u8>) -> Answered {
        Answered::new(ask, state, newest, media, || bytes)
    }

    fn new(ask: &Ask, state: i64, newest: i64, media: HeaderValue, body: impl FnOnce() -> Vec<u8>) -> Answered {
        let etag = format!("\"{newest}\"");
        let mut response = if ask.has(&etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = Body::from(body()).into_response();
            response.headers_mut().insert(CONTENT_TYPE, media);
            response
        };
        let headers = response.headers_mut();
        headers.insert(ZXID, HeaderValue::from(state));
        headers.insert(CACHE_CONTROL, fixed("no-cache"));
        headers.insert(VARY, fixed("authorization"));
        // The bytes are a stranger's, and a link may name the type: no browser may take them for a page of this origin.
        headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, fixed("sandbox; default-src 'none'"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(ETAG, etag);
        }
        Answered(response)
    }
}

/// The answer that comes, or its problem.
pub(super) async fn respond(uri: &Uri, answering: impl Future<Output = Result<Answered, Refused>>) -> Response {
    match answering.await {
        Ok(Answered(response)) => response,
        Err(refused) => refused.respond(uri),
    }
}
