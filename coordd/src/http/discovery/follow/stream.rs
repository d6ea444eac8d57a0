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
use super::{Follower, join};
use crate::http::Http;

/// A stream says something at least as often.
const BEAT: Duration = Duration::from_secs(15);
/// When a follower comes again whose stream has ended.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_SPREAD: Duration = Duration::from_secs(2);
const COMMENT: &[u8] = b":\n\n";
const CONFIRM_PATIENCE: Duration = Duration::from_secs(1);
/// Asks proxies not to gather events.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

struct Stream {
    http: Http,
    follower: Follower,
    /// What is to be sent before anything new.
    ahead: [Option<Bytes>; 2],
    /// The time between two comments.
    period: Duration,
    beat: Instant,
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Stream)> {
        let bytes = match self.ahead.iter_mut().find_map(Option::take) {
            Some(bytes) => bytes,
            None => tokio::select! {
                biased;
                shot = self.follower.next() => shot?.event(),
                () = sleep_until(self.beat) => Bytes::from_static(COMMENT),
            },
        };
        // It may have been read a while ago, when this member was not cut off yet.
        if !confirmed(&self.http, CONFIRM_PATIENCE).await {
            return None;
        }
        self.beat = Instant::now() + self.period;
        Some((Ok(bytes), self))
    }
}

/// A share of `whole` for the follower of that number: those that come one after the other are spread over all of it.
fn share(whole: Duration, number: u64) -> Duration {
    // The golden section of 2^32.
    let part = u32::try_from(number.wrapping_mul(0x9e37_79b9) & u64::from(u32::MAX)).unwrap_or(0);
    whole.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

pub(in super::super) async fn stream(http: &Http, asked: Arc<Asked>, terms: &Terms) -> Result<Response, Refused> {
    let mut follower = join(http, &asked, terms).await?;
    let Some(shot) = follower.now().await else { return Err(follower.ended(http).await) };
    let at = follower.at(http, shot.at);
    let after = terms.after.unwrap_or(0);
    let at = At { zxid: at.zxid.max(after), ..at };
    match &shot.what {
        What::Problem { failure, .. } if !shot.is_absent() => return Err(failed(&asked.key, at, failure.clone())),
        _ => {}
    }
    let [first, rest] = shot.snapshot(after);
    // All streams of a member end together, and comments after one event would all come at once.
    let retry = RETRY + share(RETRY_SPREAD, follower.number);
    let first = [format!("retry: {}\n", retry.as_millis()).as_bytes(), &first].concat();
    let period = BEAT - share(BEAT / 4, follower.number);
    let ahead = [Some(first.into()), Some(rest)];
    let stream = Stream { http: http.clone(), follower, ahead, period, beat: Instant::now() + period };
    let mut response = Body::from_stream(unfold(stream, Stream::next)).into_response();
    let headers = response.headers_mut();
    head(headers, &asked.key, at, None);
    headers.insert(CONTENT_TYPE, fixed("text/event-stream"));
    headers.insert(UNBUFFERED, fixed("no"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_new_attempts_of_many_followers_are_spread_evenly() {
        let mut shares: Vec<_> = (500..1500).map(|number| share(Duration::from_secs(1000), number).as_secs()).collect();
        shares.sort_unstable();
        assert!(shares.iter().zip(0_u64..).all(|(share, n)| share.abs_diff(n) < 20), "{shares:?}");
    }
}
