//! How a change of each setting applies.
//!
//! Rule: a claim of this table is on the reference page, and a test tries it out on every field of the schema. Reason:
//! a setting that restarts members unawares is an outage that somebody believed to be a change of a label.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Without a restart.
    Live,
    /// By restarting the members one by one.
    Rolls,
    /// Not any more, once it is set.
    Fixed,
}

impl fmt::Display for Applies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Applies::Live => "live",
            Applies::Rolls => "rolls",
            Applies::Fixed => "cannot be changed",
        })
    }
}

/// By the beginning of a field's path; the longest that fits counts.
const TABLE: [(&str, Applies); 17] = [
    ("replicas", Applies::Live),
    ("version", Applies::Rolls),
    ("image", Applies::Rolls),
    ("config", Applies::Rolls),
    ("storage", Applies::Fixed),
    ("storage.retention", Applies::Live),
    ("resources", Applies::Rolls),
    ("scheduling", Applies::Rolls),
    ("disruption", Applies::Live),
    ("service", Applies::Live),
    ("healing", Applies::Live),
    ("update", Applies::Live),
    ("projections", Applies::Live),
    ("paused", Applies::Live),
    ("hibernate", Applies::Live),
    ("restartAt", Applies::Rolls),
    ("podTemplate", Applies::Rolls),
];

/// How a change of the field at `path` below `spec` applies; `None` for a path that is none.
pub fn applies(path: &str) -> Option<Applies> {
    let fits = |prefix: &str| path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    let found = TABLE.iter().filter(|(prefix, _)| fits(prefix)).max_by_key(|(prefix, _)| prefix.len());
    found.map(|(_, applies)| *applies)
}
