//! A stream of answers: `Accept: text/event-stream`.
//!
//! ```text
//!   id: ZXID, event: snapshot, data: the answer ─► change ─► gone (the problem) ─► change ─► …   a comment each 15 s
//! ```
//!
//! Rule: a stream begins with what is now, whatever its follower has seen, and ends when this member cannot tell any
//! more what is: a comment says that the line is alive and that the member may answer. Reason: a client then needs no
//! memory of its own, and none believes a member that was cut off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::time::{Instant, sleep_until};

use super::super::answer::{failed, fixed, head};
use super::super::asked::{Asked, Terms};
use super::super::problem::Refused;
use super::super::read::{At, confirmed};
use super::shot::What;
use super::{Follower, ended, join};
use crate::http::Http;

const BEAT: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b":\n\n";
const CONFIRM_PATIENCE: Duration = Duration::from_secs(1);
/// Asks proxies not to gather events.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

struct Stream {
    http: Http,
    follower: Follower,
    /// What is to be sent before anything new.
    ahead: [Option<Bytes>; 2],
    beat: Instant,
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Stream)> {
        if let Some(bytes) = self.ahead.iter_mut().find_map(Option::take) {
            return Some((Ok(bytes), self));
        }
        let beat = self.beat;
        let bytes = tokio::select! {
            biased;
            shot = self.follower.next() => shot?.event(),
            () = sleep_until(beat) => {
                if !confirmed(&self.http, CONFIRM_PATIENCE).await {
                    return None;
                }
                Bytes::from_static(COMMENT)
            }
        };
        self.beat = Instant::now() + BEAT;
        Some((Ok(bytes), self))
    }
}

pub(in super::super) async fn stream(http: &Http, asked: &Arc<Asked>, terms: &Terms) -> Result<Response, Refused> {
    let mut follower = join(http, asked, terms).await?;
    let Some(shot) = follower.now().await else { return Err(ended(http).await) };
    let at = At { zxid: shot.at.zxid.max(terms.after.unwrap_or(0)), ..shot.at };
    match &shot.what {
        What::Problem { failure, .. } if !shot.is_absent() => return Err(failed(&asked.key, at, failure.clone())),
        _ => {}
    }
    let (first, rest) = shot.snapshot();
    let stream = Stream { http: http.clone(), follower, ahead: [Some(first), rest], beat: Instant::now() + BEAT };
    let mut response = Body::from_stream(unfold(stream, Stream::next)).into_response();
    let headers = response.headers_mut();
    head(headers, &asked.key, at, None);
    headers.insert(CONTENT_TYPE, fixed("text/event-stream"));
    headers.insert(UNBUFFERED, fixed("no"));
    Ok(response)
}
