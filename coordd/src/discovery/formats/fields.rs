//! A JSON object's fields, each asked for by the type that it has to have.
//!
//! ```text
//!   {"port": 80} · {"port": "80"} ─► 80      {} · {"port": null} ─► nothing      {"port": []} ─► a reason: port
//! ```
//!
//! Rule: absent and null are the same; any other type than the wanted one is a reason that names the field. A number
//! may be written as a string. Reason: registrars in loose languages do so, and what they mean is plain.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Reason, address};

/// An object, and where in the registration it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    at: &'a str,
}

/// The data as text.
pub(super) fn text(data: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(data).map_err(|error| Reason::NotUtf8(error.valid_up_to()))
}

/// The data as a JSON object.
pub(super) fn object(data: &[u8]) -> Result<Map<String, Value>, Reason> {
    match parse(data)? {
        Value::Object(map) => Ok(map),
        other => Err(Reason::Type { field: "the data".to_owned(), found: kind(&other), wanted: "a JSON object" }),
    }
}

/// The data as JSON.
pub(super) fn parse(data: &[u8]) -> Result<Value, Reason> {
    if data.trim_ascii().is_empty() {
        return Err(Reason::Empty);
    }
    serde_json::from_str(text(data)?).map_err(|error| Reason::NotJson(error.to_string()))
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A scalar as text; `None` for what has parts.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `value` as a port.
pub(super) fn port_of(field: &str, value: &Value) -> Result<u16, Reason> {
    match value {
        Value::Number(_) | Value::String(_) => address::port(field, &scalar(value).unwrap_or_default()),
        other => Err(wrong(field, other, "a port")),
    }
}

/// `value` as a weight.
pub(super) fn weight_of(field: &str, value: &Value) -> Result<f64, Reason> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Some(number) if number < 0.0 => Err(Reason::Weight(field.to_owned())),
        _ => Err(wrong(field, value, "a number")),
    }
}

pub(super) fn wrong(field: &str, value: &Value, wanted: &'static str) -> Reason {
    Reason::Type { field: field.to_owned(), found: kind(value), wanted }
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Fields<'a> {
        Fields { map, at: "" }
    }

    fn place(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Reason> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.place(key), other, "a string")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Reason> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(&self.place(key), other, "a boolean")),
        }
    }

    pub(super) fn port(&self, key: &str) -> Result<Option<u16>, Reason> {
        self.get(key).map(|value| port_of(&self.place(key), value)).transpose()
    }

    pub(super) fn weight(&self, key: &str) -> Result<Option<f64>, Reason> {
        self.get(key).map(|value| weight_of(&self.place(key), value)).transpose()
    }

    pub(super) fn object(&self, key: &'a str) -> Result<Option<Fields<'a>>, Reason> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields { map, at: key })),
            Some(other) => Err(wrong(&self.place(key), other, "an object")),
        }
    }

    pub(super) fn address(&self, key: &str) -> Result<String, Reason> {
        let field = self.place(key);
        let text = self.text(key)?.ok_or_else(|| Reason::Missing(field.clone()))?;
        address::parse(&field, text)
    }

    pub(super) fn needed_port(&self, key: &str) -> Result<u16, Reason> {
        self.port(key)?.ok_or_else(|| Reason::Missing(self.place(key)))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The scalars among the fields as text.
    pub(super) fn scalars(&self) -> BTreeMap<String, String> {
        let scalar = |(key, value): (&str, &'a Value)| Some((key.to_owned(), scalar(value)?.into_owned()));
        self.entries().filter_map(scalar).collect()
    }
}
