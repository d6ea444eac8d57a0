//! Any JSON: the caller says where in it the address, the port and the rest stand.
//!
//! ```text
//!   path = [$.] key { .key │ [index] }        address: address, host, ip, hostname    port: port      without a path
//! ```
//!
//! Rule: what a given path leads to must be there and of the right type; what is found without one may be absent, but
//! for the address. `ready` is a boolean; false is out of service.

use coordd_api::discovery::InstanceState;
use serde_json::Value;

use super::fields::{self, kind, port_of, scalar, weight_of};
use super::{Decoded, Entry, PORT, Reason, Registration, address};

const ADDRESS_KEYS: [&str; 4] = ["address", "host", "ip", "hostname"];
const PORT_KEY: &str = "port";
const STEPS_MAX: usize = 16;
/// Bytes of a path: the reason of each registration that lacks it repeats it.
const PATH_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A way into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    steps: Vec<Step>,
}

/// Where the parts of a registration stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub address: Option<Path>,
    pub port: Option<Path>,
    pub ready: Option<Path>,
    pub zone: Option<Path>,
    pub weight: Option<Path>,
}

impl Path {
    /// `None` when `text` is no path, or too long a one.
    pub(crate) fn parse(text: &str) -> Option<Path> {
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        let mut steps = Vec::new();
        let bare = match text.strip_prefix('$') {
            Some(rest) if rest.starts_with('[') => rest,
            Some(rest) => rest.strip_prefix('.')?,
            None => text,
        };
        for part in bare.split('.') {
            let mut pieces = part.split('[');
            let key = pieces.next()?;
            if !key.is_empty() {
                steps.push(Step::Key(key.to_owned()));
            } else if !part.starts_with('[') {
                return None;
            }
            for index in pieces {
                steps.push(Step::Index(index.strip_suffix(']')?.parse().ok()?));
            }
        }
        (1..=STEPS_MAX).contains(&steps.len()).then(|| Path { text: text.to_owned(), steps })
    }

    fn find<'a>(&self, value: &'a Value) -> Result<&'a Value, Reason> {
        let mut at = value;
        for step in &self.steps {
            let next = match step {
                Step::Key(key) => at.get(key),
                Step::Index(index) => at.get(index),
            };
            at = next.filter(|next| !next.is_null()).ok_or_else(|| Reason::Missing(self.text.clone()))?;
        }
        Ok(at)
    }
}

/// A value and how it is called in a reason.
type Place<'a> = (&'a str, &'a Value);

fn find<'a>(value: &'a Value, path: Option<&'a Path>, keys: &[&'a str]) -> Result<Option<Place<'a>>, Reason> {
    match path {
        Some(path) => path.find(value).map(|found| Some((path.text.as_str(), found))),
        None => Ok(keys.iter().find_map(|key| Some((*key, value.get(key).filter(|found| !found.is_null())?)))),
    }
}

pub(super) fn decode(entry: Entry<'_>, paths: &Paths) -> Decoded {
    let value = fields::parse(entry.data)?;
    let Some((field, host)) = find(&value, paths.address.as_ref(), &ADDRESS_KEYS)? else {
        return Err(Reason::Missing(ADDRESS_KEYS[0].to_owned()));
    };
    let Value::String(host) = host else { return Err(fields::wrong(field, host, "a string")) };
    let mut found = Registration::at(entry.name, address::parse(field, host)?);
    if let Some((field, port)) = find(&value, paths.port.as_ref(), &[PORT_KEY])? {
        found.ports.insert(PORT.to_owned(), port_of(field, port)?);
    }
    if let Some((field, ready)) = find(&value, paths.ready.as_ref(), &["ready"])? {
        let Value::Bool(ready) = ready else {
            return Err(Reason::Type { field: field.to_owned(), found: kind(ready), wanted: "a boolean" });
        };
        found.state = if *ready { InstanceState::Up } else { InstanceState::Down };
    }
    if let Some((field, zone)) = find(&value, paths.zone.as_ref(), &["zone"])? {
        let zone = scalar(zone).ok_or_else(|| fields::wrong(field, zone, "a string"))?;
        found.zone = Some(zone.into_owned());
    }
    if let Some((field, weight)) = find(&value, paths.weight.as_ref(), &["weight"])? {
        found.weight = Some(weight_of(field, weight)?);
    }
    if let Value::Object(map) = &value {
        found.metadata = fields::Fields::new(map).scalars();
    }
    Ok(found)
}
