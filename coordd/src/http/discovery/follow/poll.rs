//! Waiting for one answer: `?after=ZXID&wait=30s`, or `If-None-Match` with `wait`.
//!
//! ```text
//!   news already? ─ yes ─► 200 (404, …)      no ─► wait for the topic ─► 200 │ 404 │ 304 at the end
//! ```
//!
//! Rule: with ETags news is an answer with another tag, else one that is newer than `after`. What may not be read, or
//! is too much, is said at once: nobody waits for that. Reason: a tag names one answer; a zxid may also be that of a
//! state.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use tokio::time::{Instant, timeout_at};

use super::super::answer::{failed, full, unchanged};
use super::super::asked::{Asked, Terms};
use super::super::etag;
use super::super::problem::Refused;
use super::super::read::{At, confirmed};
use super::shot::{Shot, What};
use super::{ended, join};
use crate::http::Http;

/// How long a member is waited for that is to confirm that nothing happened.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(1);

fn is_news(shot: &Shot, asked: &Asked, terms: &Terms) -> bool {
    let refused = matches!(shot.what, What::Problem { .. }) && !shot.is_absent();
    match (terms.tags.as_deref(), terms.after) {
        _ if refused => true,
        (Some(tags), _) => !etag::has(Some(tags), &shot.tag(&asked.key)),
        (None, Some(after)) => shot.is_news_after(after),
        (None, None) => true,
    }
}

fn answer(shot: &Shot, asked: &Asked, at: At) -> Result<Response, Refused> {
    match &shot.what {
        What::Answer(answer) => {
            let tag = shot.tag(&asked.key);
            Ok(full(&asked.key, at, Some(&tag), answer.media.clone(), answer.body.clone()))
        }
        What::Problem { failure, .. } => Err(failed(&asked.key, at, failure.clone())),
    }
}

/// The next answer that the caller does not have, or that there is none within `wait`.
pub(in super::super) async fn poll(
    http: &Http,
    asked: &Arc<Asked>,
    terms: &Terms,
    wait: Duration,
) -> Result<Response, Refused> {
    let until = Instant::now() + wait;
    let mut follower = join(http, asked, terms).await?;
    let mut shot = follower.now().await;
    loop {
        let Some(now) = shot else { return Err(ended(http).await) };
        // The state is at least where the caller saw it; the answer may be older, and still be the newest.
        let at = At { zxid: now.at.zxid.max(terms.after.unwrap_or(0)), ..now.at };
        if is_news(&now, asked, terms) {
            return answer(&now, asked, at);
        }
        match timeout_at(until, follower.next()).await {
            Ok(next) => shot = next,
            Err(_) if confirmed(http, CONFIRM_PATIENCE).await => {
                return Ok(unchanged(&asked.key, at, &now.tag(&asked.key)));
            }
            Err(_) => return Err(ended(http).await),
        }
    }
}
