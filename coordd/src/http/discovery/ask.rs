//! What is asked, by whom: path, query and credentials of a request.
//!
//! Rule: what is not understood is refused, never passed over; a query that is misspelt must not be answered as if it
//! were not there. Without credentials a caller is `world:anyone` and nothing else: its address proves nothing behind a
//! proxy, so ACLs of the scheme `ip` grant nothing here.

use axum::http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_api::discovery::{Format, InstanceState};
use coordd_proto::AuthId;
use coordd_proto::path::validate_path;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Refused;
use crate::discovery::formats::{Path, Paths, percent};
use crate::discovery::services::Filter;
use crate::server::commands::Commands;

/// Bytes of a path, decoded.
const PATH_MAX: usize = 4096;
const FORMATS: &str = "auto, curator, serverset, dubbo, nerve, kafka, hostport or json";

pub(super) struct Ask {
    pub path: String,
    pub auth: Vec<AuthId>,
    /// The ETags that the caller has.
    if_none_match: Option<String>,
    query: Vec<(String, String)>,
}

/// What is asked of a service.
pub(super) struct Wanted {
    pub format: Option<Format>,
    pub paths: Paths,
    pub filter: Filter,
}

impl Ask {
    pub(super) fn parse(prefix: &str, uri: &Uri, headers: &HeaderMap, commands: &Commands) -> Result<Ask, Refused> {
        let path = uri.path().strip_prefix(prefix).unwrap_or_default();
        let path = percent::decode(path).ok_or_else(|| Refused::Path("it is no URL-encoding of UTF-8".to_owned()))?;
        if path.len() > PATH_MAX {
            return Err(Refused::PathTooLong(PATH_MAX));
        }
        let path = if path.is_empty() { "/".to_owned() } else { path };
        validate_path(&path).map_err(|error| Refused::Path(error.to_string()))?;
        let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).collect::<Vec<_>>();
        let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Ok(Ask {
            path,
            auth: credentials(headers, commands)?,
            if_none_match: (!tags.is_empty()).then(|| tags.join(",")),
            query: query.map(pair).collect::<Option<_>>().ok_or(Refused::QueryEncoding)?,
        })
    }

    /// Whether the caller has this answer.
    pub(super) fn has(&self, etag: &str) -> bool {
        let tags = self.if_none_match.as_deref().unwrap_or_default().split(',');
        tags.map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    }

    /// The value of `name`, which may be given once.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.query.iter().position(|(key, _)| key == name)?;
        Some(self.query.remove(at).1)
    }

    fn take_all(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        self.query.extract_if(.., |(key, _)| wanted(key)).collect()
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refused> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(Refused::query(name, other, "true, false, or nothing")),
        }
    }

    pub(super) fn media_type(&mut self) -> Result<Option<HeaderValue>, Refused> {
        let Some(text) = self.take("type") else { return Ok(None) };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-.;= ".contains(&b);
        let value = Some(&text).filter(|text| text.contains('/') && text.bytes().all(plain));
        let value = value.and_then(|text| HeaderValue::from_str(text).ok());
        value.map(Some).ok_or_else(|| Refused::query("type", &text, "a media type, such as application/yaml"))
    }

    pub(super) fn services(&mut self) -> Result<Wanted, Refused> {
        let format = match self.take("format").as_deref() {
            None | Some("auto") => None,
            Some(name) => Some(word(name).ok_or_else(|| Refused::query("format", name, FORMATS))?),
        };
        let mut path = |name: &str| match self.take(name) {
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
        let mut filter = Filter::default();
        for (_, state) in self.take_all(|key| key == "state") {
            let known = word::<InstanceState>(&state);
            filter.states.push(known.ok_or_else(|| Refused::query("state", &state, "up, starting, stopping or down"))?);
        }
        filter.zones.extend(self.take_all(|key| key == "zone").into_iter().map(|(_, zone)| zone));
        for (key, value) in self.take_all(|key| key.starts_with("metadata.")) {
            filter.metadata.insert(key["metadata.".len()..].to_owned(), value);
        }
        Ok(Wanted { format, paths, filter })
    }

    /// Nothing else may be asked; `known` says what may.
    pub(super) fn finish(&self, known: &'static str) -> Result<(), Refused> {
        match self.query.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refused::Unknown { name: name.clone(), known }),
        }
    }
}

/// `text` as the word that serde knows a value by.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    Some((percent::decode_form(key)?, percent::decode_form(value)?))
}

fn credentials(headers: &HeaderMap, commands: &Commands) -> Result<Vec<AuthId>, Refused> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Vec::new()) };
    let proof = value.to_str().ok().and_then(|value| {
        let (scheme, proof) = value.split_once(' ')?;
        let proof = STANDARD.decode(proof.trim()).ok()?;
        (scheme.eq_ignore_ascii_case("basic") && proof.contains(&b':')).then_some(proof)
    });
    proof.and_then(|proof| commands.basic(&proof)).ok_or(Refused::Credentials)
}
