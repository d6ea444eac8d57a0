//! Why a question has no answer (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Body of every answer of the discovery API that is no success, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// For programs: `urn:coordd:problem:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here.
    pub detail: String,
    /// What to do about it.
    pub what_to_do: String,
    /// The path and query that were asked for.
    pub instance: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.title, self.detail, self.what_to_do)
    }
}

impl std::error::Error for Problem {}
