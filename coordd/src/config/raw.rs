//! What was said about each setting, and by whom: flag before environment before file before default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::settings::{self, Fallback, Setting};

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag,
    Environment,
    File(PathBuf),
    Default,
}

/// A setting at its source, as the person who wrote it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub key: String,
    pub source: Source,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Flag => f.write_str(&flag(&self.key)),
            Source::Environment => f.write_str(&variable(&self.key)),
            Source::File(path) => write!(f, "{} in {}", self.key, path.display()),
            Source::Default => write!(f, "default of {}", self.key),
        }
    }
}

pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

pub(super) fn variable(key: &str) -> String {
    format!("COORDD_{}", key.to_ascii_uppercase())
}

/// All values that were given or have a default; each is of its setting's kind.
#[derive(Debug)]
pub(super) struct Raw {
    values: BTreeMap<&'static str, (String, Source)>,
}

impl Raw {
    /// Gathers and checks one by one; relations between settings are checked later.
    pub(super) fn gather(
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Raw, ConfigError> {
        let settings = settings::all();
        let in_file = file.map(|path| read_file(path, &settings)).transpose()?.unwrap_or_default();
        let mut values = BTreeMap::new();
        for Setting { key, kind, default, .. } in settings {
            let given = flags.get(key).map(|value| (value.clone(), Source::Flag));
            let given = given.or_else(|| environment(&variable(key)).map(|value| (value, Source::Environment)));
            let given = given.or_else(|| {
                let path = file?;
                in_file.get(key).map(|value| (value.clone(), Source::File(path.to_owned())))
            });
            let (value, source) = match (given, default) {
                (Some(given), _) => given,
                (None, Fallback::Value(text)) => (text.to_owned(), Source::Default),
                (None, Fallback::Derived(_) | Fallback::Nothing) => continue,
                (None, Fallback::Required) => return Err(ConfigError::Missing { key }),
            };
            if !kind.accepts(&value) {
                let origin = Origin { key: key.to_owned(), source };
                return Err(ConfigError::Value { origin, value, allowed: kind.allowed() });
            }
            values.insert(key, (value, source));
        }
        Ok(Raw { values })
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str())
    }

    pub(super) fn origin(&self, key: &str) -> Origin {
        let source = self.values.get(key).map_or(Source::Default, |(_, source)| source.clone());
        Origin { key: key.to_owned(), source }
    }

    /// A value of `key` in the form that `parse` gives it; `None` when it was not given.
    pub(super) fn parsed<T>(&self, key: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.get(key).and_then(parse)
    }
}

/// The file's keys as text. Lists may be written as TOML lists, the ensemble as a table.
fn read_file(path: &Path, settings: &[Setting]) -> Result<BTreeMap<String, String>, ConfigError> {
    let fail = |error: &dyn fmt::Display| ConfigError::File { path: path.to_owned(), error: error.to_string() };
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fail(&error))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        let origin = Origin { key: key.clone(), source: Source::File(path.to_owned()) };
        if !settings.iter().any(|setting| setting.key == key) {
            return Err(ConfigError::UnknownKey { origin, nearest: nearest(&key, settings) });
        }
        let value = as_text(&value).ok_or_else(|| fail(&format!("{key}: a plain value is expected here")))?;
        values.insert(key, value);
    }
    Ok(values)
}

fn as_text(value: &toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        toml::Value::Array(items) => items.iter().map(as_text).collect::<Option<Vec<_>>>()?.join(","),
        toml::Value::Table(entries) => {
            let entry = |(name, value): (&String, &toml::Value)| Some(format!("{name}={}", as_text(value)?));
            entries.iter().map(entry).collect::<Option<Vec<_>>>()?.join(",")
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) => return None,
    })
}

/// The setting whose key shares most of its letter pairs with a mistyped one.
fn nearest(key: &str, settings: &[Setting]) -> &'static str {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mistyped = pairs(&key.replace('-', "_"));
    let likeness = |setting: &&Setting| {
        let known = pairs(setting.key);
        let shared = known.iter().filter(|pair| mistyped.contains(pair)).count();
        1000 * shared / (known.len() + mistyped.len()).max(1)
    };
    settings.iter().max_by_key(likeness).map_or("name", |setting| setting.key)
}
