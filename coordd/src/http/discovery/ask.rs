//! A request taken apart: path, query, who asks.
//!
//! ```text
//!   /v1/services /orders ?format=json&after=7    Authorization: Basic …
//!                path    query, pair by pair     identities, sorted
//! ```
//!
//! Rule: what is not understood is refused, never passed over; a query that is misspelt must not be answered as if it
//! were not there. Without credentials a caller is `world:anyone` and nothing else: its address proves nothing behind a
//! proxy, so ACLs of the scheme `ip` grant nothing here.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_proto::AuthId;
use coordd_proto::path::validate_path;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Refused;
use crate::discovery::formats::percent;
use crate::server::commands::Commands;

/// Bytes of a path, decoded.
const PATH_MAX: usize = 4096;
/// Bytes of a query, encoded, and parameters in it: a waiting follower keeps them.
const QUERY_MAX: usize = 4096;
const PAIRS_MAX: usize = 64;
/// Bytes of user and password: as long as one follows, an identity is kept in more than one place.
const CREDENTIALS_MAX: usize = 512;

pub(super) struct Ask {
    pub path: String,
    /// Sorted, so that the same caller is the same whatever its order.
    pub auth: Vec<AuthId>,
    query: Vec<(String, String)>,
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
        let query = uri.query().unwrap_or_default();
        let pairs = || query.split('&').filter(|pair| !pair.is_empty());
        if query.len() > QUERY_MAX || pairs().count() > PAIRS_MAX {
            return Err(Refused::QueryTooLong(QUERY_MAX, PAIRS_MAX));
        }
        let query = pairs().map(pair).collect::<Option<_>>().ok_or(Refused::QueryEncoding)?;
        let mut auth = credentials(headers, commands)?;
        auth.sort_unstable();
        Ok(Ask { path, auth, query })
    }

    /// What is asked beside the path, each once and in an order of its own.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        let mut query = self.query.clone();
        query.sort();
        query.dedup();
        query
    }

    /// The value of `name`, which may be given once.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.query.iter().position(|(key, _)| key == name)?;
        Some(self.query.remove(at).1)
    }

    pub(super) fn take_all(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        self.query.extract_if(.., |(key, _)| wanted(key)).collect()
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refused> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(Refused::query(name, other, "true, false, or nothing")),
        }
    }

    /// Nothing else may be asked; `known` says what may.
    pub(super) fn finish(&self, known: &'static str) -> Result<(), Refused> {
        match self.query.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refused::Unknown { name: name.clone(), known }),
        }
    }
}

#[cfg(test)]
impl Ask {
    pub(super) fn of(path: &str, query: Vec<(String, String)>) -> Ask {
        Ask { path: path.to_owned(), auth: Vec::new(), query }
    }
}

/// `text` as the word that serde knows a value by.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    Some((percent::decode_form(key)?, percent::decode_form(value)?))
}

fn credentials(headers: &HeaderMap, commands: &Commands) -> Result<Vec<AuthId>, Refused> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(Vec::new()) };
    let proof = value.to_str().ok().filter(|_| given.next().is_none()).and_then(|value| {
        let (scheme, proof) = value.split_once(' ')?;
        let proof = STANDARD.decode(proof.trim()).ok()?;
        let fits = proof.len() <= CREDENTIALS_MAX && proof.contains(&b':');
        (scheme.eq_ignore_ascii_case("basic") && fits).then_some(proof)
    });
    proof.and_then(|proof| commands.basic(&proof)).ok_or(Refused::Credentials)
}
