//! What a request comes to: a question that others may share, and this caller's own terms.
//!
//! ```text
//!   path, query, identities ─► Asked{key, question}     one reading and one encoding for all of one key
//!   after, wait, consistency, ETags, Accept ─► Terms    when this caller wants to hear, and how
//! ```
//!
//! Rule: whatever changes the bytes of an answer stands in the key, and nothing else does.

use std::time::Duration;

use axum::http::header::{ACCEPT, IF_NONE_MATCH};
use axum::http::{HeaderMap, Uri};
use coordd_api::discovery::{Format, InstanceState};
use coordd_proto::AuthId;

use super::ask::{Ask, word};
use super::etag;
use super::problem::Refused;
use crate::discovery::formats::{Path, Paths};
use crate::discovery::question::{Lines, Question, Wanted};
use crate::discovery::services::Filter;
use crate::server::commands::Commands;

const FORMATS: &str = "auto, curator, serverset, dubbo, nerve, kafka, hostport or json";
const OF_SERVICES: &str = "format, list, state, zone, metadata.KEY, consistency, after, wait and, of json, \
                           address_path, port_path, ready_path, zone_path, weight_path";
const WAIT_MAX: Duration = Duration::from_mins(5);
/// Bytes of the ETags that a caller keeps here while he waits.
const TAGS_MAX: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Route {
    Services,
    Config,
    Leader,
    Znodes,
}

impl Route {
    pub(super) const ALL: [Route; 4] = [Route::Services, Route::Config, Route::Leader, Route::Znodes];

    pub(super) fn prefix(self) -> &'static str {
        match self {
            Route::Services => "/v1/services",
            Route::Config => "/v1/config",
            Route::Leader => "/v1/leader",
            Route::Znodes => "/v1/znodes",
        }
    }
}

/// Answers to one key are the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub route: Route,
    pub path: String,
    query: Vec<(String, String)>,
    pub auth: Vec<AuthId>,
}

impl Key {
    /// Bytes of its parts, roughly.
    pub(super) fn bytes(&self) -> usize {
        let query: usize = self.query.iter().map(|(name, value)| name.len() + value.len()).sum();
        let auth: usize = self.auth.iter().map(|id| id.scheme.len() + id.id.len()).sum();
        self.path.len() + query + auth
    }

    /// Whether anybody asks so who says nothing of himself and nothing but the path.
    pub(super) fn is_plain(&self) -> bool {
        self.query.is_empty() && self.auth.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of_nobody(route: Route, path: &str) -> Key {
        Key { route, path: path.to_owned(), query: Vec::new(), auth: Vec::new() }
    }
}

#[derive(Debug)]
pub(super) struct Asked {
    pub key: Key,
    pub question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consistency {
    /// As this member has it, while a quorum confirms the member.
    Local,
    /// Nothing that was acknowledged anywhere before is missing.
    Linearizable,
    /// Also what a member shows that has no quorum and only reads.
    Stale,
}

#[derive(Debug)]
pub(super) struct Terms {
    pub consistency: Consistency,
    /// Nothing older may be answered.
    pub after: Option<i64>,
    pub wait: Option<Duration>,
    /// The ETags that the caller has.
    pub tags: Option<String>,
    pub stream: bool,
}

impl Terms {
    fn take(ask: &mut Ask, headers: &HeaderMap) -> Result<Terms, Refused> {
        let consistency = match ask.take("consistency").as_deref() {
            None | Some("local") => Consistency::Local,
            Some("linearizable") => Consistency::Linearizable,
            Some("stale") => Consistency::Stale,
            Some(other) => return Err(Refused::query("consistency", other, "local, linearizable or stale")),
        };
        let zxid = |name: &str, text: &str| match text.parse() {
            Ok(zxid) if zxid >= 0 => Ok(zxid),
            _ => Err(Refused::query(name, text, "a zxid, as a decimal number")),
        };
        let after = ask.take("after").map(|text| zxid("after", &text)).transpose()?;
        let wait = ask.take("wait").map(|text| duration(&text)).transpose()?;
        let tags: Vec<_> = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).collect();
        let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
        let stream = accepted.any(|accept| accept.split(',').any(is_stream));
        let last = headers.get("last-event-id").filter(|id| stream && !id.is_empty());
        let last = last.map(|id| zxid("Last-Event-ID", id.to_str().unwrap_or_default())).transpose()?;
        if consistency == Consistency::Stale && (stream || wait.is_some()) {
            return Err(Refused::query("consistency", "stale", "local or linearizable, where one follows"));
        }
        let tags = (!tags.is_empty()).then(|| tags.join(","));
        if wait.is_some() && tags.as_deref().is_some_and(etag::is_any) {
            return Err(Refused::query("If-None-Match", "*", "the ETag of what the caller has, where one waits"));
        }
        if wait.is_some() && tags.as_ref().is_some_and(|tags| tags.len() > TAGS_MAX) {
            let wanted = "at most 4096 bytes, the ETag of what the caller has, where one waits";
            return Err(Refused::query("If-None-Match", "…", wanted));
        }
        Ok(Terms { consistency, after: after.max(last), wait, tags, stream })
    }
}

impl Terms {
    /// Whether the answer is to come when there is one.
    pub(super) fn follows(&self) -> bool {
        self.stream || self.wait.is_some()
    }

    /// The newest zxid that the caller has seen, where he says so and must not be taken back before it.
    pub(super) fn seen(&self) -> Option<i64> {
        let of_tags = self.tags.as_deref().filter(|_| self.follows()).and_then(etag::newest);
        self.after.max(of_tags)
    }
}

fn is_stream(media: &str) -> bool {
    media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// `30s`, `500ms`, `2m`.
fn duration(text: &str) -> Result<Duration, Refused> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let wait = millis.zip(number.parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    let wait = wait.map(Duration::from_millis).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| Refused::query("wait", text, "at most 5m, such as 30s or 500ms"))
}

/// Takes a request apart.
pub(super) fn parse(
    route: Route,
    uri: &Uri,
    headers: &HeaderMap,
    commands: &Commands,
) -> Result<(Asked, Terms), Refused> {
    let mut ask = Ask::parse(route.prefix(), uri, headers, commands)?;
    let terms = Terms::take(&mut ask, headers)?;
    let query = ask.query();
    let question = match route {
        Route::Services => services(&mut ask)?,
        Route::Config => config(&mut ask)?,
        Route::Leader => {
            ask.finish("consistency, after, wait")?;
            Question::Leader
        }
        Route::Znodes => {
            let children = ask.flag("children")?;
            ask.finish("children, consistency, after, wait")?;
            if children { Question::Children } else { Question::Znode }
        }
    };
    Ok((Asked { key: Key { route, path: ask.path, query, auth: ask.auth }, question }, terms))
}

fn services(ask: &mut Ask) -> Result<Question, Refused> {
    if ask.flag("list")? {
        ask.finish("list alone, consistency, after, wait")?;
        return Ok(Question::Services);
    }
    let format = match ask.take("format").as_deref() {
        None | Some("auto") => None,
        Some(name) => Some(word(name).ok_or_else(|| Refused::query("format", name, FORMATS))?),
    };
    let mut path = |name: &str| match ask.take(name) {
        None => Ok(None),
        Some(text) => match Path::parse(&text) {
            Some(path) if format == Some(Format::Json) => Ok(Some(path)),
            Some(_) => Err(Refused::query(name, &text, "for format=json only")),
            None => Err(Refused::query(name, &text, "a path of at most 256 bytes, such as $.net[0].host")),
        },
    };
    let paths = Paths {
        address: path("address_path")?,
        port: path("port_path")?,
        ready: path("ready_path")?,
        zone: path("zone_path")?,
        weight: path("weight_path")?,
    };
    let filter = filter(ask)?;
    ask.finish(OF_SERVICES)?;
    Ok(Question::Service(Box::new(Wanted { format, paths, filter })))
}

fn filter(ask: &mut Ask) -> Result<Filter, Refused> {
    let mut filter = Filter::default();
    for (_, state) in ask.take_all(|key| key == "state") {
        let known = word::<InstanceState>(&state);
        filter.states.push(known.ok_or_else(|| Refused::query("state", &state, "up, starting, stopping or down"))?);
    }
    filter.zones.extend(ask.take_all(|key| key == "zone").into_iter().map(|(_, zone)| zone));
    for (name, value) in ask.take_all(|key| key.starts_with("metadata.")) {
        if filter.metadata.insert(name["metadata.".len()..].to_owned(), value).is_some() {
            return Err(Refused::Unknown { name, known: OF_SERVICES });
        }
    }
    Ok(filter)
}

fn config(ask: &mut Ask) -> Result<Question, Refused> {
    let media = ask.take("type").map(media_type).transpose()?;
    let recurse = ask.take("recurse");
    let form = ask.take("as");
    ask.finish("type, recurse, as, consistency, after, wait")?;
    let lines = |form: &str, name: &str| match form {
        "" | "true" | "json" => Ok(Question::Tree),
        "properties" => Ok(Question::Lines(Lines::Properties)),
        "env" => Ok(Question::Lines(Lines::Env)),
        _ => Err(Refused::query(name, form, "json, properties or env")),
    };
    match (recurse.as_deref(), form.as_deref(), media) {
        (None | Some("false"), None, media) => Ok(Question::Document(media)),
        (None | Some("false"), Some(form), _) => Err(Refused::query("as", form, "with recurse only")),
        (Some(_), _, Some(media)) => Err(Refused::query("type", &media, "without recurse only")),
        (Some("" | "true"), Some(form), None) => lines(form, "as"),
        (Some(recurse), Some(form), None) if recurse != form => Err(Refused::query("as", form, "what recurse says")),
        (Some(recurse), _, None) => lines(recurse, "recurse"),
    }
}

fn media_type(text: String) -> Result<String, Refused> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-.;= ".contains(&b);
    let of_two = text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    if of_two && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(Refused::query("type", &text, "a media type, such as application/yaml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_unit_and_a_bound() {
        let wait = |text| duration(text).ok().map(|wait| wait.as_millis());
        assert_eq!((wait("30s"), wait("500ms"), wait("5m")), (Some(30_000), Some(500), Some(300_000)));
        for bad in ["", "30", "s", "-1s", "1h", "301s", "6m", "99999999999999999999s", "18446744073709551s"] {
            assert_eq!(wait(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_same_said_in_another_order_or_twice_is_one_question() {
        let key = |query: &str| {
            let pairs = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
            Ask::of("/a", query.split('&').filter_map(pairs).collect()).query()
        };
        assert_eq!(key("zone=b&zone=a&zone=b&state=up"), key("state=up&zone=a&zone=b"));
        assert_ne!(key("zone=a"), key("zone=a&zone=b"));
    }

    #[test]
    fn a_stream_is_asked_for_by_its_media_type_among_others() {
        assert!(is_stream(" Text/Event-Stream;q=1") && !is_stream("text/event-streams") && !is_stream("*/*"));
    }
}
