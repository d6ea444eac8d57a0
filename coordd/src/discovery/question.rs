//! One question to the state and its answer, whoever asks over whatever.
//!
//! ```text
//!   Question ─ read (under a guard) ─► Found{zxid} ─ show (decodes) ─► Shown ─ write_json │ raw ─► bytes
//! ```
//!
//! Rule: `read` does no more than copy, so that an answer which the caller has is neither decoded nor encoded; what is
//! encoded is bounded. Reason: one reading serves whoever asks the same, and strangers choose what stands in it.

use std::borrow::Cow;
use std::io::{self, Write};

use coordd_api::discovery::{
    ChildList, ConfigTree, ConfigValue, Encoding, Format, LeaderView, ServiceList, ServiceView, ZnodeView,
};
use serde::Serialize;

use super::formats::Paths;
use super::services::{Filter, Registrations};
use super::{ANSWER_MAX, Failure, Look, config, leader, properties, services, znodes};

/// What is asked of a service.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub format: Option<Format>,
    pub paths: Paths,
    pub filter: Filter,
}

/// A subtree as lines of text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lines {
    Properties,
    Env,
}

#[derive(Debug)]
pub(crate) enum Question {
    Service(Box<Wanted>),
    Services,
    /// With the media type that the caller wants it called by.
    Document(Option<String>),
    Tree,
    Lines(Lines),
    Leader,
    Znode,
    Children,
}

/// What was read.
pub(crate) enum Found {
    Service(Registrations),
    Services(ServiceList),
    Document(config::Document),
    Tree(ConfigTree),
    Leader(LeaderView),
    Znode(ZnodeView),
    Children(ChildList),
}

/// What is shown of it.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Shown {
    Service(ServiceView),
    Services(ServiceList),
    Text(ConfigValue),
    #[serde(skip)]
    Bytes(ConfigValue, Vec<u8>),
    Tree(ConfigTree),
    Leader(LeaderView),
    Znode(ZnodeView),
    Children(ChildList),
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Question {
    /// How many steps below the path the answer looks.
    pub(crate) fn reach(&self) -> usize {
        match self {
            Question::Document(_) => 0,
            Question::Leader | Question::Znode | Question::Children => 1,
            // The children of each service are counted; those of Dubbo's interfaces stand below their categories.
            Question::Services => 2,
            Question::Service(wanted) => match wanted.format {
                None | Some(Format::Dubbo) => 2,
                Some(_) => 1,
            },
            Question::Tree | Question::Lines(_) => usize::MAX,
        }
    }

    pub(crate) fn read(&self, look: Look<'_>, path: &str) -> Result<Found, Failure> {
        Ok(match self {
            Question::Service(wanted) => Found::Service(services::collect(look, path, wanted.format)?),
            Question::Services => Found::Services(services::list(look, path)?),
            Question::Document(_) => Found::Document(config::document(look, path)?),
            Question::Tree | Question::Lines(_) => Found::Tree(config::tree(look, path)?),
            Question::Leader => Found::Leader(leader::leader(look, path)?),
            Question::Znode => Found::Znode(znodes::znode(look, path)?),
            Question::Children => Found::Children(znodes::children(look, path)?),
        })
    }

    /// The newest change that the answer rests on, where that is told sooner than the answer is read.
    pub(crate) fn newest(&self, look: Look<'_>, path: &str) -> Option<Result<i64, Failure>> {
        match self {
            Question::Service(wanted) => Some(services::newest(look, path, wanted.format)),
            _ => None,
        }
    }

    /// Decodes what this question found.
    pub(crate) fn show(&self, found: Found) -> Result<Shown, Failure> {
        Ok(match (found, self) {
            (Found::Service(found), Question::Service(wanted)) => {
                Shown::Service(services::view(found, wanted.format, &wanted.paths, &wanted.filter))
            }
            (Found::Service(found), _) => {
                Shown::Service(services::view(found, None, &Paths::default(), &Filter::default()))
            }
            (Found::Document(found), Question::Document(Some(media))) => document(found, media),
            (Found::Document(found), _) => {
                let media = config::guess(&found.bytes);
                document(found, media)
            }
            (Found::Tree(tree), Question::Lines(lines)) => {
                let text = match lines {
                    Lines::Properties => properties::properties(&tree)?,
                    Lines::Env => properties::env(&tree)?,
                };
                let media_type = TEXT.to_owned();
                let (path, zxid) = (tree.path, tree.zxid);
                Shown::Text(ConfigValue { path, zxid, media_type, encoding: Encoding::Text, data: text })
            }
            (Found::Tree(tree), _) => Shown::Tree(tree),
            (Found::Services(list), _) => Shown::Services(list),
            (Found::Leader(view), _) => Shown::Leader(view),
            (Found::Znode(view), _) => Shown::Znode(view),
            (Found::Children(list), _) => Shown::Children(list),
        })
    }
}

fn document(found: config::Document, media: &str) -> Shown {
    let config::Document { path, zxid, bytes } = found;
    let value = |encoding, data| ConfigValue { path, zxid, media_type: media.to_owned(), encoding, data };
    match String::from_utf8(bytes) {
        Ok(text) => Shown::Text(value(Encoding::Text, text)),
        Err(error) => Shown::Bytes(value(Encoding::Base64, String::new()), error.into_bytes()),
    }
}

impl Found {
    /// The newest change that the answer rests on.
    pub(crate) fn zxid(&self) -> i64 {
        match self {
            Found::Service(found) => found.zxid,
            Found::Services(list) => list.zxid,
            Found::Document(found) => found.zxid,
            Found::Tree(tree) => tree.zxid,
            Found::Leader(view) => view.zxid,
            Found::Znode(view) => view.zxid,
            Found::Children(list) => list.zxid,
        }
    }
}

/// The bytes of an answer that is no JSON, and their type.
pub(crate) struct Raw<'a> {
    pub media: Cow<'a, str>,
    pub bytes: &'a [u8],
}

impl Shown {
    /// Appends the answer as one line of JSON.
    pub(crate) fn write_json(&self, path: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
        let limit = out.len() + ANSWER_MAX;
        let mut out = Bounded { out, limit };
        let written = match self {
            Shown::Bytes(value, bytes) => {
                let data = znodes::base64(bytes);
                serde_json::to_writer(&mut out, &ConfigValue { data, ..value.clone() })
            }
            other => serde_json::to_writer(&mut out, other),
        };
        // Nothing in an answer has no JSON; what fails is the bound.
        written.map_err(|_| Failure::AnswerTooLarge { path: path.to_owned() })
    }

    /// `None` where the answer is JSON.
    pub(crate) fn raw(&self) -> Option<Raw<'_>> {
        match self {
            Shown::Text(value) => Some(Raw { media: value.media_type.as_str().into(), bytes: value.data.as_bytes() }),
            Shown::Bytes(value, bytes) => Some(Raw { media: value.media_type.as_str().into(), bytes }),
            _ => None,
        }
    }
}

/// Takes no more than its limit.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(name: &str, count: usize) -> Shown {
        let stat = coordd_proto::Stat::default();
        let children = vec![name.to_owned(); count];
        Shown::Children(ChildList { path: "/".to_owned(), zxid: 1, children, stat: znodes::stat_view(stat) })
    }

    #[test]
    fn an_answer_that_grows_beyond_its_bound_by_escapes_is_refused() {
        let mut out = b"data: ".to_vec();
        let name = "\u{1}".repeat(1 << 20);
        assert_eq!(children(&name, 2).write_json("/", &mut out), Ok(()));
        let refused = children(&name, 3).write_json("/", &mut out);
        assert_eq!(refused, Err(Failure::AnswerTooLarge { path: "/".to_owned() }));
    }

    #[test]
    fn bytes_are_given_as_they_are_and_as_base64_in_json() {
        let found = config::Document { path: "/c".to_owned(), zxid: 7, bytes: vec![0xff] };
        let shown = Question::Document(None).show(Found::Document(found)).unwrap();
        let raw = shown.raw().unwrap();
        assert_eq!((raw.media.as_ref(), raw.bytes), ("application/octet-stream", &b"\xff"[..]));
        let mut json = Vec::new();
        shown.write_json("/c", &mut json).unwrap();
        let expected = r#""media_type":"application/octet-stream","encoding":"base64","data":"/w=="}"#;
        assert!(String::from_utf8(json).unwrap().ends_with(expected));
    }
}
