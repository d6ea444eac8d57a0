//! What a topic shows at one moment: encoded once, whole for a stream, and a part of the same bytes for who polls.
//!
//! ```text
//!   id: 4294967399 ⏎ event: change ⏎ data: {"path":"/services/orders",…} ⏎⏎
//!                            body of a plain answer └─ these bytes ─┘   first of a stream: event: snapshot
//! ```
//!
//! Rule: an event carries the whole answer, so whoever missed one is right with the next. What cannot be shown is a
//! `gone` with its problem: the stream stays, and shows the answer when there is one again.

use axum::http::HeaderValue;
use bytes::Bytes;

use super::super::answer::{failed, fixed};
use super::super::asked::{Asked, Key};
use super::super::read::{At, plain};
use crate::discovery::Failure;
use crate::discovery::question::Shown;

const END: &[u8] = b"\n\n";

/// An encoded answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub media: HeaderValue,
    pub body: Bytes,
    event: Bytes,
    /// Where in the event its data begin.
    data: usize,
}

#[derive(Debug)]
pub(super) enum What {
    Answer(Answer),
    Problem { failure: Failure, event: Bytes },
}

#[derive(Debug)]
pub(super) struct Shot {
    pub at: At,
    /// The newest change that it rests on.
    pub newest: i64,
    pub what: What,
}

/// The pieces of an answer before they are counted and shared.
pub(super) struct Pieces {
    media: HeaderValue,
    event: Vec<u8>,
    data: usize,
    /// Of an answer that is no JSON.
    body: Option<Vec<u8>>,
}

fn head(newest: i64, event: &str) -> String {
    format!("id: {newest}\nevent: {event}\n")
}

/// Encodes an answer for streams and for those who poll.
pub(super) fn encode(shown: &Shown, path: &str, newest: i64) -> Result<Pieces, Failure> {
    let mut event = head(newest, "change").into_bytes();
    let data = event.len();
    event.extend_from_slice(b"data: ");
    shown.write_json(path, &mut event)?;
    event.extend_from_slice(END);
    let (media, body) = match shown.raw() {
        None => (fixed("application/json"), None),
        Some(_) => {
            let (media, body) = plain(shown, path)?;
            (media, Some(body))
        }
    };
    Ok(Pieces { media, event, data, body })
}

impl Pieces {
    /// Everything in one run of bytes, as it is counted.
    pub(super) fn join(self) -> (Joined, Vec<u8>) {
        let Pieces { media, mut event, data, body } = self;
        let end = event.len();
        if let Some(body) = body {
            event.extend_from_slice(&body);
        }
        (Joined { media, data, end }, event)
    }
}

/// Where the pieces stand in the run.
pub(super) struct Joined {
    media: HeaderValue,
    data: usize,
    end: usize,
}

impl Joined {
    pub(super) fn part(self, all: &Bytes) -> Answer {
        let Joined { media, data, end } = self;
        let json = data + b"data: ".len()..end - END.len();
        let body = if all.len() > end { all.slice(end..) } else { all.slice(json) };
        Answer { media, body, event: all.slice(..end), data }
    }
}

impl Shot {
    pub(super) fn problem(asked: &Asked, at: At, failure: Failure) -> Shot {
        let newest = match &failure {
            Failure::NoZnode { newest, .. } | Failure::Unreadable { newest, .. } => *newest,
            _ => at.zxid,
        };
        let key = &asked.key;
        let problem = failed(key, at, failure.clone()).problem(&format!("{}{}", key.route.prefix(), key.path));
        let mut event = head(newest, "gone").into_bytes();
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(&serde_json::to_vec(&problem).unwrap_or_default());
        event.extend_from_slice(END);
        Shot { at, newest, what: What::Problem { failure, event: event.into() } }
    }

    /// Whether this shows something else than `before`, which was shown earlier.
    pub(super) fn differs(&self, before: &Shot) -> bool {
        match (&self.what, &before.what) {
            (What::Answer(_), What::Answer(_)) => self.newest != before.newest,
            (What::Problem { failure: a, .. }, What::Problem { failure: b, .. }) => {
                std::mem::discriminant(a) != std::mem::discriminant(b)
            }
            _ => true,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.what, What::Problem { failure: Failure::NoZnode { .. }, .. })
    }

    /// The event that says that it has become so.
    pub(super) fn event(&self) -> Bytes {
        match &self.what {
            What::Answer(answer) => answer.event.clone(),
            What::Problem { event, .. } => event.clone(),
        }
    }

    /// The event with which a stream begins, in two parts.
    pub(super) fn snapshot(&self) -> (Bytes, Option<Bytes>) {
        match &self.what {
            What::Answer(answer) => (head(self.newest, "snapshot").into(), Some(answer.event.slice(answer.data..))),
            What::Problem { event, .. } => (event.clone(), None),
        }
    }

    /// Whether a caller who has what was newest at `after` is to be told: there is something newer, or the state was
    /// set back since (recover, restore), or it is gone and nothing that the caller may read says when.
    pub(super) fn is_news_after(&self, after: i64) -> bool {
        let untold = matches!(self.what, What::Problem { failure: Failure::NoZnode { hidden: true, .. }, .. });
        let other = self.newest != after;
        self.newest > after || (other && (untold || after <= self.at.base))
    }

    pub(super) fn tag(&self, key: &Key) -> String {
        super::super::etag::etag(self.newest, &key.auth)
    }
}

#[cfg(test)]
mod tests {
    use coordd_api::discovery::{ConfigTree, ConfigValue, Encoding};

    use super::*;

    fn shot(newest: i64, base: i64, failure: Option<Failure>) -> Shot {
        let at = At { zxid: newest, base, tells: true, stale: false };
        let tree = ConfigTree { path: "/c".to_owned(), zxid: newest, values: [].into(), left_out: Vec::new() };
        let (joined, all) = encode(&Shown::Tree(tree), "/c", newest).unwrap().join();
        let what = match failure {
            None => What::Answer(joined.part(&all.into())),
            Some(failure) => What::Problem { failure, event: Bytes::new() },
        };
        Shot { at, newest, what }
    }

    #[test]
    fn what_a_stream_begins_with_has_the_bytes_of_the_change_and_of_the_plain_answer() {
        let shot = shot(7, 0, None);
        let json = r#"{"path":"/c","zxid":7,"values":{},"left_out":[]}"#;
        assert_eq!(shot.event(), format!("id: 7\nevent: change\ndata: {json}\n\n"));
        let (head, rest) = shot.snapshot();
        assert_eq!([head, rest.unwrap()].concat(), format!("id: 7\nevent: snapshot\ndata: {json}\n\n").into_bytes());
        let What::Answer(answer) = &shot.what else { panic!("{shot:?}") };
        assert_eq!(answer.body, json);
    }

    #[test]
    fn lines_of_a_configuration_are_one_line_of_json_in_a_stream() {
        let value = ConfigValue {
            path: "/c".to_owned(),
            zxid: 7,
            media_type: "text/plain".to_owned(),
            encoding: Encoding::Text,
            data: "A=1\nB=2\n".to_owned(),
        };
        let (joined, all) = encode(&Shown::Text(value), "/c", 7).unwrap().join();
        let answer = joined.part(&all.into());
        assert_eq!((answer.body.as_ref(), answer.media.as_bytes()), (&b"A=1\nB=2\n"[..], &b"text/plain"[..]));
        assert_eq!(answer.event.iter().filter(|byte| **byte == b'\n').count(), 4);
    }

    #[test]
    fn news_is_what_is_newer_and_what_was_set_back() {
        let gone = |hidden| Some(Failure::NoZnode { path: "/c".to_owned(), newest: 30, hidden });
        assert!(shot(7, 0, None).is_news_after(6) && !shot(7, 0, None).is_news_after(7));
        assert!(!shot(7, 0, None).is_news_after(9), "the caller knows a state, not an answer");
        assert!(shot(7, 10, None).is_news_after(9), "recovered: 9 was lost");
        assert!(!shot(7, 10, None).is_news_after(7));
        assert!(!shot(30, 0, gone(false)).is_news_after(40) && shot(30, 0, gone(true)).is_news_after(40));
        assert!(!shot(30, 0, gone(true)).is_news_after(30));
    }

    #[test]
    fn one_absence_is_as_good_as_another_and_an_equal_answer_is_none() {
        let gone = |newest| shot(newest, 0, Some(Failure::NoZnode { path: "/c".to_owned(), newest, hidden: false }));
        assert!(!gone(8).differs(&gone(7)) && gone(7).differs(&shot(7, 0, None)) && shot(7, 0, None).differs(&gone(7)));
        assert!(!shot(7, 0, None).differs(&shot(7, 0, None)) && shot(6, 0, None).differs(&shot(7, 0, None)));
    }
}
