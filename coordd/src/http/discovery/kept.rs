//! Encoded answers that were given lately: whoever asks the same again, when nothing has changed, gets the same bytes.
//!
//! ```text
//!   key ─► {newest, bytes}      read guard: newest change of what is asked ─ the same? ─► these bytes again
//! ```
//!
//! Rule: an answer is given again only for the same key and the same newest change, which is what its ETag promises,
//! and only where the newest change is told without copying anything. Beyond the bound all are forgotten. Reason: a
//! service is asked for far more often than it changes, and decoding it costs more than everything else of an answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::response::Response;
use bytes::Bytes;
use parking_lot::Mutex;

use super::answer::{full, unchanged};
use super::asked::{Asked, Key, Terms};
use super::etag::{etag, has};
use super::problem::Refused;
use super::read::{At, gate};
use crate::discovery::question::Question;
use crate::discovery::{BYTES_MAX, Look};
use crate::http::Http;

const ONE_MAX: usize = 256 * 1024;
const ALL_MAX: usize = 8 << 20;

#[derive(Debug, Clone)]
struct Answer {
    newest: i64,
    media: HeaderValue,
    body: Bytes,
}

#[derive(Debug, Default)]
struct Answers {
    by_key: HashMap<Key, Answer>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Answers>);

impl Kept {
    fn get(&self, key: &Key) -> Option<Answer> {
        self.0.lock().by_key.get(key).cloned()
    }

    pub(super) fn keep(&self, asked: &Asked, newest: i64, media: &HeaderValue, body: &Bytes) {
        if body.len() > ONE_MAX || !matches!(asked.question, Question::Service(_)) {
            return;
        }
        let mut answers = self.0.lock();
        if answers.bytes + cost(&asked.key, body) > ALL_MAX {
            *answers = Answers::default();
        }
        let answer = Answer { newest, media: media.clone(), body: body.clone() };
        answers.bytes += cost(&asked.key, body);
        if let Some(old) = answers.by_key.insert(asked.key.clone(), answer) {
            answers.bytes -= cost(&asked.key, &old.body);
        }
    }
}

/// Bytes that an answer takes here, roughly.
fn cost(key: &Key, body: &Bytes) -> usize {
    body.len() + key.bytes() + 512
}

/// The answer as it was given before, if nothing has changed since.
pub(super) async fn answer(http: &Http, asked: &Arc<Asked>, terms: &Terms) -> Result<Option<Response>, Refused> {
    let key = &asked.key;
    let Some(kept) = http.desk.kept.get(key) else { return Ok(None) };
    let stale = gate(http, terms.consistency).await?;
    let (at, newest) = {
        let state = http.consensus.state().read();
        let look = Look { state: &state, auth: &key.auth, bytes_max: BYTES_MAX };
        (At::of(&state, stale), asked.question.newest(look, &key.path))
    };
    if !matches!(newest, Some(Ok(newest)) if newest == kept.newest) || !(stale || http.consensus.may_answer()) {
        return Ok(None);
    }
    let tag = etag(kept.newest, &key.auth);
    Ok(Some(if has(terms.tags.as_deref(), &tag) {
        unchanged(key, at, &tag)
    } else {
        full(key, at, Some(&tag), kept.media, kept.body)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::asked::Route;
    use super::*;
    use crate::discovery::formats::Paths;
    use crate::discovery::question::Wanted;
    use crate::discovery::services::Filter;

    fn asked(path: &str) -> Asked {
        let wanted = Wanted { format: None, paths: Paths::default(), filter: Filter::default() };
        Asked { key: Key::of_nobody(Route::Services, path), question: Question::Service(Box::new(wanted)) }
    }

    #[test]
    fn answers_are_kept_up_to_a_bound_and_a_newer_one_takes_the_place_of_the_older() {
        let (kept, media) = (Kept::default(), HeaderValue::from_static("application/json"));
        let body = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
        kept.keep(&asked("/a"), 1, &media, &body(1000));
        let bytes = kept.0.lock().bytes;
        kept.keep(&asked("/a"), 2, &media, &body(1000));
        assert_eq!((kept.get(&asked("/a").key).unwrap().newest, kept.0.lock().bytes), (2, bytes));
        kept.keep(&asked("/large"), 1, &media, &body(ONE_MAX + 1));
        assert!(kept.get(&asked("/large").key).is_none());
        for n in 0..100 {
            kept.keep(&asked(&format!("/b/{n}")), 1, &media, &body(ONE_MAX));
            assert!(kept.0.lock().bytes <= ALL_MAX);
        }
        assert!(kept.get(&asked("/b/99").key).is_some() && kept.get(&asked("/a").key).is_none());
    }
}
