//! What is wrong with a configuration: which setting, who gave it, and what is allowed.

use std::path::PathBuf;

use super::raw::{Origin, flag, variable};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{origin}: {value:?} is wrong; it must be {allowed}")]
    Value { origin: Origin, value: String, allowed: String },

    #[error("{key} is missing: give {}, {} or {key} in the file of --config", flag(.key), variable(.key))]
    Missing { key: &'static str },

    #[error("{origin}: no such setting; did you mean {nearest}?")]
    UnknownKey { origin: Origin, nearest: &'static str },

    #[error("{origin}: {why}")]
    Relation { origin: Origin, why: String },

    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: String },
}
