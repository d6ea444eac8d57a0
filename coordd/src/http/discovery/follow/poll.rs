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
use super::super::problem::Refused;
use super::super::read::{At, confirmed, unconfirmed};
use super::join;
use super::shot::{Shot, What};
use crate::http::Http;

/// How long a member is waited for that is to confirm that nothing happened.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(1);
/// How long the first reading may take beyond the wait.
const JOIN_SLACK: Duration = Duration::from_secs(2);

fn is_news(shot: &Shot, asked: &Asked, terms: &Terms, base: i64) -> bool {
    let refused = matches!(shot.what, What::Problem { .. }) && !shot.is_absent();
    match (terms.tags.as_deref(), terms.after) {
        _ if refused => true,
        (Some(tags), _) => shot.is_news_beside(tags, &asked.key, base),
        (None, Some(after)) => shot.is_news_after(after, base),
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
    asked: Arc<Asked>,
    terms: &Terms,
    wait: Duration,
) -> Result<Response, Refused> {
    let until = Instant::now() + wait;
    let joined = async move {
        let mut follower = join(http, &asked, terms).await?;
        let shot = follower.now().await;
        Ok((follower, shot))
    };
    let joined = timeout_at(until + JOIN_SLACK, joined).await;
    let (mut follower, mut shot) =
        joined.map_err(|_| Refused::Busy("what is waited for was not read within the wait"))??;
    // Those who ask the same keep one question.
    let asked = follower.topic.asked.clone();
    // The state is at least where the caller saw it; the answer may be older, and still be the newest.
    let seen = |at: At| At { zxid: at.zxid.max(terms.after.unwrap_or(0)), ..at };
    let mut at = shot.as_ref().map(|shot| follower.at(http, shot.at));
    loop {
        let Some((now, when)) = shot.zip(at) else { return Err(follower.ended(http).await) };
        if is_news(&now, &asked, terms, when.base) {
            // It may have been read a while ago.
            return if confirmed(http, CONFIRM_PATIENCE).await {
                answer(&now, &asked, seen(when))
            } else {
                Err(unconfirmed())
            };
        }
        // Whoever waits keeps no answer: where there is no room for two, the old one makes room for the new.
        let (tag, read_at) = (now.tag_kept(terms.tags.as_deref(), &asked.key), now.at);
        drop(now);
        match timeout_at(until, follower.next()).await {
            Ok(next) => {
                at = next.as_ref().map(|next| next.at);
                shot = next;
            }
            Err(_) if confirmed(http, CONFIRM_PATIENCE).await => {
                let at = seen(follower.at(http, read_at));
                return Ok(unchanged(&asked.key, at, &tag));
            }
            Err(_) => return Err(follower.ended(http).await),
        }
    }
}
