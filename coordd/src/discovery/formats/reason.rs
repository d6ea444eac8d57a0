//! Why a znode is no registration, in words for whoever wrote it.
//!
//! ```text
//!   what is wrong, where ─► Reason ─► one line of words, with what stood there, quoted and cut short
//! ```
//!
//! Rule: what is quoted from the registration is cut short and escaped. Reason: it goes into answers, logs and the
//! status of Kubernetes objects, and strangers wrote it.

use std::fmt;

use super::DATA_MAX;

/// Characters of a foreign value that are shown.
const SHOWN: usize = 60;

/// A piece of a registration, as it is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Quoted(String);

impl From<&str> for Quoted {
    fn from(text: &str) -> Quoted {
        let cut = text.char_indices().nth(SHOWN).map(|(at, _)| at);
        let shown = text[..cut.unwrap_or(text.len())].escape_debug();
        Quoted(format!("\"{shown}{}\"", if cut.is_some() { "…" } else { "" }))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a field, which may be a stranger's too.
fn short(field: &str) -> String {
    let mut shown: String = field.chars().take(2 * SHOWN).flat_map(char::escape_debug).collect();
    if field.chars().nth(2 * SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("no data")]
    Empty,
    #[error("more than {DATA_MAX} bytes of data")]
    TooLong,
    #[error("the data is no UTF-8 from byte {0} on")]
    NotUtf8(usize),
    #[error("the data is no JSON: {0}")]
    NotJson(String),
    #[error("{} is missing", short(.0))]
    Missing(String),
    #[error("{} is {found}, not {wanted}", short(.field))]
    Type { field: String, found: &'static str, wanted: &'static str },
    #[error("{} is {value}; a port is a number from 1 to 65535", short(.field))]
    Port { field: String, value: Quoted },
    #[error("{} is {value}; an address is an IP address or a host name", short(.field))]
    Address { field: String, value: Quoted },
    #[error("{field} is {value}; known are {known}")]
    Unknown { field: &'static str, value: Quoted, known: &'static str },
    #[error("{} is negative; a weight is 0 or more", short(.0))]
    Weight(String),
    #[error("{0} is no URL-encoding")]
    Encoding(Quoted),
    #[error("{0} is no {1}")]
    NoForm(Quoted, &'static str),
    #[error("the znode may not be read by whoever asks")]
    Unreadable,
    #[error("no known format; ask for one with ?format=")]
    UnknownFormat,
}

impl Reason {
    pub(super) fn no_form(text: &str, wanted: &'static str) -> Reason {
        Reason::NoForm(text.into(), wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_and_on_one_line() {
        assert_eq!(Quoted::from("a\n\u{1b}[31m\"b").to_string(), r#""a\n\u{1b}[31m\"b""#);
        let long = Quoted::from("ä".repeat(100).as_str()).to_string();
        assert_eq!(long.chars().count(), SHOWN + 3);
        assert!(long.ends_with("…\""));
        let field = format!("additionalEndpoints.\n{}", "x".repeat(60_000));
        let reason = Reason::Missing(field).to_string();
        assert!(reason.starts_with("additionalEndpoints.\\nxx") && reason.len() < 200, "{reason}");
    }
}
