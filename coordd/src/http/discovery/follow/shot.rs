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
use super::super::etag;
use super::super::read::{At, plain};
use crate::discovery::Failure;
use crate::discovery::question::Shown;

const DATA: &[u8] = b"data: ";
const END: &[u8] = b"\n\n";

/// An encoded answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub media: HeaderValue,
    pub body: Bytes,
    event: Bytes,
    /// Where in the event its data begin.
    data: usize,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Answer(Answer),
    /// With the place where the event's data begin.
    Problem {
        failure: Failure,
        event: Bytes,
        data: usize,
    },
}

#[derive(Debug)]
pub(super) struct Shot {
    pub at: At,
    /// The newest change that it rests on.
    pub newest: i64,
    pub what: What,
}

/// What stands in a run of bytes that is neither counted nor shared yet.
pub(super) struct Made {
    newest: i64,
    of: Of,
}

enum Of {
    /// With the place where the event's data begin, and where the event ends; a body that is no JSON is behind it.
    Answer {
        media: HeaderValue,
        data: usize,
        end: usize,
    },
    Problem {
        failure: Failure,
        data: usize,
    },
}

/// The newest of the absences among `tags` whose number is that of a state.
fn newest_untold(tags: &str, key: &Key) -> Option<i64> {
    etag::alike(tags, &etag::of_untold(0, &key.auth)).max()
}

fn head(newest: i64, event: &str) -> String {
    format!("id: {newest}\nevent: {event}\n")
}

/// Encodes an answer for streams and for those who poll.
pub(super) fn encode(shown: &Shown, path: &str, newest: i64) -> Result<(Made, Vec<u8>), Failure> {
    let mut bytes = head(newest, "change").into_bytes();
    let data = bytes.len();
    bytes.extend_from_slice(DATA);
    shown.write_json(path, &mut bytes)?;
    bytes.extend_from_slice(END);
    let end = bytes.len();
    let media = match shown.raw() {
        None => fixed("application/json"),
        Some(_) => {
            let (media, body) = plain(shown, path)?;
            bytes.extend_from_slice(&body);
            media
        }
    };
    Ok((Made { newest, of: Of::Answer { media, data, end } }, bytes))
}

/// Encodes that there is no answer.
pub(super) fn problem(asked: &Asked, at: At, failure: Failure) -> (Made, Vec<u8>) {
    let newest = match &failure {
        // What the caller may read says nothing of when it went; he has not seen it since.
        Failure::NoZnode { hidden: true, .. } => at.zxid,
        Failure::NoZnode { newest, .. } | Failure::Unreadable { newest, .. } => *newest,
        _ => at.zxid,
    };
    let key = &asked.key;
    let problem = failed(key, at, failure.clone()).problem(&format!("{}{}", key.route.prefix(), key.path));
    let mut bytes = head(newest, "gone").into_bytes();
    let data = bytes.len();
    bytes.extend_from_slice(DATA);
    bytes.extend_from_slice(&serde_json::to_vec(&problem).unwrap_or_default());
    bytes.extend_from_slice(END);
    (Made { newest, of: Of::Problem { failure, data } }, bytes)
}

impl Made {
    /// Parts of `all`, in which it stands.
    pub(super) fn shot(self, at: At, all: &Bytes) -> Shot {
        let what = match self.of {
            Of::Problem { failure, data } => What::Problem { failure, event: all.clone(), data },
            Of::Answer { media, data, end } => {
                let json = data + DATA.len()..end - END.len();
                let body = if all.len() > end { all.slice(end..) } else { all.slice(json) };
                What::Answer(Answer { media, body, event: all.slice(..end), data })
            }
        };
        Shot { at, newest: self.newest, what }
    }
}

impl Shot {
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

    /// The event with which the stream of a caller begins who has seen `after`, in two parts. What is not there now was
    /// not there at `after` either, though the topic has known of it for longer: its own number would take him back.
    pub(super) fn snapshot(&self, after: i64) -> [Bytes; 2] {
        let (head, event, data) = match &self.what {
            What::Answer(Answer { event, data, .. }) => (head(self.newest, "snapshot"), event, data),
            What::Problem { event, data, .. } => (head(self.newest.max(after), "gone"), event, data),
        };
        [head.into(), event.slice(data..)]
    }

    /// Whether a caller who has what was newest at `after` is to be told: there is something newer, or the state was
    /// set back since (recover, restore): zxids up to `base` were given before.
    pub(super) fn is_news_after(&self, after: i64, base: i64) -> bool {
        self.newest > after || (self.newest != after && after <= base)
    }

    /// The same for a caller who has what these `tags` name. Of absences the number may differ by the age of the topic
    /// and by the member that was asked, so what counts is whether this one may be another than the caller knows of. So
    /// may whether an ancestor hides when it went: no answer has such a tag, so whoever holds one knows of the absence.
    pub(super) fn is_news_beside(&self, tags: &str, key: &Key, base: i64) -> bool {
        let tag = self.tag(key);
        match &self.what {
            What::Problem { failure: Failure::NoZnode { .. }, .. } if newest_untold(tags, key).is_some() => false,
            What::Problem { failure: Failure::NoZnode { hidden: true, .. }, .. } => true,
            What::Problem { failure: Failure::NoZnode { .. }, .. } => {
                etag::alike(tags, &tag).all(|one| self.is_news_after(one, base))
            }
            What::Problem { .. } => true,
            What::Answer(_) => !etag::has(Some(tags), &tag),
        }
    }

    /// The tag of a caller who has `tags` and is told nothing new. Of an absence it is the newest of his own: by an
    /// older one, this topic's, the next member would tell him once more.
    pub(super) fn tag_kept(&self, tags: Option<&str>, key: &Key) -> String {
        let (tag, tags) = (self.tag(key), tags.unwrap_or_default());
        if !self.is_absent() {
            return tag;
        }
        let told = etag::alike(tags, &etag::etag(0, &key.auth)).max();
        let of_told = || told.map(|number| etag::etag(number, &key.auth));
        let of_untold = newest_untold(tags, key).map(|number| etag::of_untold(number, &key.auth));
        of_untold.or_else(of_told).unwrap_or(tag)
    }

    pub(super) fn tag(&self, key: &Key) -> String {
        match &self.what {
            What::Problem { failure: Failure::NoZnode { hidden: true, .. }, .. } => {
                etag::of_untold(self.newest, &key.auth)
            }
            _ => etag::etag(self.newest, &key.auth),
        }
    }
}

#[cfg(test)]
mod tests {
    use coordd_api::discovery::{ConfigTree, ConfigValue, Encoding};

    use super::super::super::asked::Route;
    use super::*;
    use crate::discovery::question::Question;

    fn shot(newest: i64, failure: Option<Failure>) -> Shot {
        let at = At { zxid: newest, base: 0, tells: true, stale: false };
        let tree = ConfigTree { path: "/c".to_owned(), zxid: newest, values: [].into(), left_out: Vec::new() };
        let (made, all) = match failure {
            None => encode(&Shown::Tree(tree), "/c", newest).unwrap(),
            Some(failure) => {
                let key = Key::of_nobody(Route::Config, "/c");
                problem(&Asked { key, question: Question::Tree }, at, failure)
            }
        };
        made.shot(at, &all.into())
    }

    fn gone(newest: i64, hidden: bool) -> Option<Failure> {
        Some(Failure::NoZnode { path: "/c".to_owned(), newest, hidden })
    }

    #[test]
    fn what_a_stream_begins_with_has_the_bytes_of_the_change_and_of_the_plain_answer() {
        let shot = shot(7, None);
        let json = r#"{"path":"/c","zxid":7,"values":{},"left_out":[]}"#;
        assert_eq!(shot.event(), format!("id: 7\nevent: change\ndata: {json}\n\n"));
        assert_eq!(shot.snapshot(9).concat(), format!("id: 7\nevent: snapshot\ndata: {json}\n\n").into_bytes());
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
        let (made, all) = encode(&Shown::Text(value), "/c", 7).unwrap();
        let at = At { zxid: 7, base: 0, tells: true, stale: false };
        let What::Answer(answer) = made.shot(at, &all.into()).what else { panic!("no answer") };
        assert_eq!((answer.body.as_ref(), answer.media.as_bytes()), (&b"A=1\nB=2\n"[..], &b"text/plain"[..]));
        assert_eq!(answer.event.iter().filter(|byte| **byte == b'\n').count(), 4);
    }

    #[test]
    fn news_is_what_is_newer_and_what_was_set_back() {
        let seven = shot(7, None);
        assert!(seven.is_news_after(6, 0) && !seven.is_news_after(7, 0));
        assert!(!seven.is_news_after(9, 0), "the caller knows a state, not an answer");
        assert!(seven.is_news_after(9, 10), "recovered: 9 was lost");
        assert!(!seven.is_news_after(7, 10));
    }

    #[test]
    fn tags_of_an_absence_from_other_topics_and_members_are_no_news_to_each_other() {
        let key = Key::of_nobody(Route::Config, "/c");
        let (old, young) = (shot(100, gone(100, false)), shot(130, gone(130, false)));
        assert!(!old.is_news_beside(&young.tag(&key), &key, 0) && young.is_news_beside(&old.tag(&key), &key, 0));
        assert!(old.is_news_beside(&shot(99, None).tag(&key), &key, 0), "it was there at 99");
        assert!(old.is_news_beside("\"100-0123abcd\"", &key, 0), "another caller's tag");
        assert!(old.is_news_beside("\"130\"", &key, 200), "recovered since");
        assert!(!young.is_news_beside("\"7\", \"130\"", &key, 0), "one of them suffices");
        assert!(shot(7, None).is_news_beside("\"9\"", &key, 0), "another answer, whichever is newer");
    }

    #[test]
    fn under_an_ancestor_that_may_not_be_read_an_absence_has_the_number_of_a_state_and_a_tag_of_its_own() {
        let key = Key::of_nobody(Route::Config, "/c");
        // The root, which may be read, was changed at 5, as was what the caller has seen.
        let hidden = |zxid| {
            let at = At { zxid, base: 0, tells: true, stale: false };
            let asked = Asked { key: key.clone(), question: Question::Tree };
            let (made, all) = problem(&asked, at, gone(5, true).unwrap());
            made.shot(at, &all.into())
        };
        let sixty = hidden(60);
        assert!(sixty.event().starts_with(b"id: 60\n") && sixty.tag(&key) == "\"60-gone\"");
        assert!(sixty.is_news_beside("\"5\"", &key, 0) && sixty.is_news_beside("\"60\"", &key, 0));
        assert!(!hidden(75).is_news_beside(&sixty.tag(&key), &key, 0), "one does not ask again and again");
        assert!(sixty.is_news_after(5, 0) && !sixty.is_news_after(60, 0));
        // Another topic of it began when the ancestor had gone, which hid it.
        let told = shot(50, gone(50, false));
        assert!(!told.is_news_beside("\"75-gone\"", &key, 0) && told.is_news_beside("\"75-0123abcd-gone\"", &key, 0));
        assert!(!sixty.is_news_beside("\"50\", \"40-gone\"", &key, 0));
    }

    #[test]
    fn who_is_told_nothing_new_keeps_the_newest_tag_that_he_has_of_an_absence() {
        let key = Key::of_nobody(Route::Config, "/c");
        let old = shot(100, gone(100, false));
        let table = [
            (&old, Some("\"7\", \"130\""), "\"130\""),
            (&old, Some("\"130\", W/\"75-gone\", \"60-gone\""), "\"75-gone\""),
            (&old, None, "\"100\""),
            (&shot(7, None), Some("\"7\", \"9\""), "\"7\""),
        ];
        for (shot, tags, kept) in table {
            assert_eq!(shot.tag_kept(tags, &key), kept, "{tags:?}");
        }
    }

    #[test]
    fn one_absence_is_as_good_as_another_and_an_equal_answer_is_none() {
        let gone = |newest| shot(newest, gone(newest, false));
        assert!(!gone(8).differs(&gone(7)) && gone(7).differs(&shot(7, None)) && shot(7, None).differs(&gone(7)));
        assert!(!shot(7, None).differs(&shot(7, None)) && shot(6, None).differs(&shot(7, None)));
    }
}
