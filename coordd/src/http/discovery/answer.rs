//! Answers: the body with its ETag, or that the caller has it, or the problem.
//!
//! ```text
//!   200  ETag, Coordd-Zxid, body       304  the same without a body       Problem  4xx, 503: what to do
//! ```
//!
//! Rule: an answer that the caller has is not decoded. Caches may keep an answer and must ask again before they use it
//! (`no-cache`), each for its own credentials (`Vary`, `private`). Reason: what one may see, another may not.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::asked::{Asked, Key, Terms};
use super::etag::{self, etag, has};
use super::problem::Refused;
use super::read::{At, GATE_PATIENCE, Reading, confirmed, hold, plain, show, unconfirmed};
use crate::discovery::Failure;
use crate::http::Http;

/// The zxid of the state that was read.
pub(super) const ZXID: HeaderName = HeaderName::from_static("coordd-zxid");
/// `stale`, where no quorum confirms what was read.
const CONSISTENCY: HeaderName = HeaderName::from_static("coordd-consistency");
pub(super) const VARIES: &str = "authorization, accept";

pub(super) fn fixed(media: &'static str) -> HeaderValue {
    HeaderValue::from_static(media)
}

pub(super) fn media(media: &str) -> HeaderValue {
    HeaderValue::from_str(media).unwrap_or_else(|_| fixed("application/octet-stream"))
}

/// Headers of every answer that shows something.
pub(super) fn head(headers: &mut HeaderMap, key: &Key, at: At, tag: Option<&str>) {
    headers.insert(ZXID, HeaderValue::from(at.zxid));
    headers.insert(CACHE_CONTROL, fixed(if key.auth.is_empty() { "no-cache" } else { "private, no-cache" }));
    headers.insert(VARY, fixed(VARIES));
    // The bytes are a stranger's, and a link may name the type: no browser may take them for a page of this origin.
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, fixed("sandbox; default-src 'none'"));
    if at.stale {
        headers.insert(CONSISTENCY, fixed("stale"));
    }
    if let Some(Ok(tag)) = tag.map(HeaderValue::from_str) {
        headers.insert(ETAG, tag);
    }
}

pub(super) fn full(key: &Key, at: At, tag: Option<&str>, media: HeaderValue, body: Bytes) -> Response {
    let mut response = Body::from(body).into_response();
    head(response.headers_mut(), key, at, tag);
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

pub(super) fn unchanged(key: &Key, at: At, tag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    head(response.headers_mut(), key, at, Some(tag));
    response
}

/// What was asked cannot be shown: the problem, with the tag by which one can wait for what is not there.
pub(super) fn failed(key: &Key, at: At, failure: Failure) -> Refused {
    let tag = match &failure {
        Failure::NoZnode { hidden: true, .. } if at.tells => Some(etag::of_untold(at.zxid, &key.auth)),
        Failure::NoZnode { newest, .. } if at.tells => Some(etag(*newest, &key.auth)),
        _ => None,
    };
    Refused::Failed { failure, zxid: at.zxid, tag }
}

/// The answer to a reading, for a caller who does not wait.
pub(super) async fn answer(
    http: &Http,
    asked: &Arc<Asked>,
    terms: &Terms,
    reading: Reading,
) -> Result<Response, Refused> {
    let (key, at) = (&asked.key, reading.at);
    let found = reading.found.map_err(|failure| failed(key, at, failure))?;
    let newest = found.zxid();
    let tag = at.tells.then(|| etag(newest, &key.auth));
    if let Some(tag) = tag.as_deref().filter(|tag| has(terms.tags.as_deref(), tag)) {
        return Ok(unchanged(key, at, tag));
    }
    let large = reading.turn.is_large();
    let (encoded, _turn) = show(asked, found, reading.turn, plain).await;
    let (media, body) = encoded.map_err(|failure| failed(key, at, failure))?;
    let body = hold(http, body)?;
    // What is small is shown at once after the gate; a large answer took its time.
    if large && !at.stale && !confirmed(http, GATE_PATIENCE).await {
        return Err(unconfirmed());
    }
    if at.tells {
        http.desk.kept.keep(asked, newest, &media, &body);
    }
    Ok(full(key, at, tag.as_deref(), media, body))
}

pub(super) fn respond(uri: &Uri, answered: Result<Response, Refused>) -> Response {
    answered.unwrap_or_else(|refused| refused.respond(uri))
}
