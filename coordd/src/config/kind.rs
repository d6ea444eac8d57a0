//! What values a setting takes: parsed from text, whoever gave it, and described for whoever gave a wrong one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};

/// Members of one ensemble, at most: votes beyond seven cost more than they bring.
const MEMBERS_MAX: usize = 7;
const NAME_BYTES_MAX: usize = 63;

/// The values that a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Name,
    Text,
    Path,
    Switch,
    OneOf(&'static [&'static str]),
    Millis { min: u64, max: u64 },
    Count { min: u64, max: u64 },
    Bytes { min: u64, max: u64 },
    Listen,
    HostPort,
    Members,
    UserDigest,
}

impl Kind {
    /// What is allowed, to follow "must be".
    pub fn allowed(&self) -> String {
        match self {
            Kind::Name => format!("1 to {NAME_BYTES_MAX} letters, digits, dots, dashes or underscores"),
            Kind::Text => "a text".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Switch => "true or false".to_owned(),
            Kind::OneOf(words) => format!("one of {}", words.join(", ")),
            Kind::Millis { min, max } => format!("a number of milliseconds from {min} to {max}"),
            Kind::Count { min, max } => format!("a number from {min} to {max}"),
            Kind::Bytes { min, max } => {
                format!("a number of bytes (or KiB, MiB, GiB) from {} to {}", Size(*min), Size(*max))
            }
            Kind::Listen => "an address and port such as [::]:2181, 127.0.0.1:2181 or :2181".to_owned(),
            Kind::HostPort => "a host and port such as m1.example.com:2888".to_owned(),
            Kind::Members => {
                format!("1 to {MEMBERS_MAX} members such as m1=host1:2888,m2=host2:2888, each name and address once")
            }
            Kind::UserDigest => "user:digest, where digest is the base64 of a hash".to_owned(),
        }
    }

    /// Whether `text` is a value of this kind.
    pub fn accepts(&self, text: &str) -> bool {
        match self {
            Kind::Name => is_name(text),
            Kind::Text | Kind::Path => !text.is_empty(),
            Kind::Switch => switch(text).is_some(),
            Kind::OneOf(words) => words.contains(&text),
            Kind::Millis { min, max } | Kind::Count { min, max } => {
                number(text).is_some_and(|n| (*min..=*max).contains(&n))
            }
            Kind::Bytes { min, max } => size(text).is_some_and(|n| (*min..=*max).contains(&n)),
            Kind::Listen => listen(text).is_some(),
            Kind::HostPort => host_port(text).is_some(),
            Kind::Members => members(text).is_some(),
            Kind::UserDigest => {
                text.split_once(':').is_some_and(|(user, digest)| !user.is_empty() && !digest.is_empty())
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(fine)
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// `16MiB`, `64 KiB`, `1048576`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" | "B" => 0,
        "KiB" | "Ki" => 10,
        "MiB" | "Mi" => 20,
        "GiB" | "Gi" => 30,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Bytes as a person would write them.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.iter().find(|(shift, _)| self.0 != 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// `[::]:2181`, `127.0.0.1:2181`, `:2181`; a port of zero would be advertised as such and is none.
pub(super) fn listen(text: &str) -> Option<SocketAddr> {
    let address = match text.strip_prefix(':') {
        Some(port) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.parse::<u16>().ok()?)),
        None => text.parse().ok()?,
    };
    (address.port() != 0).then_some(address)
}

/// Host and port of `m1.example.com:2888` or `[fd00::1]:2888`.
pub(crate) fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.is_empty() && !host.contains([':', '/', ' ', ',', '=']);
    (bracketed || plain).then_some((host, port))
}

pub(super) fn members(text: &str) -> Option<BTreeMap<String, String>> {
    let mut by_name = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, address) = entry.split_once('=')?;
        host_port(address)?;
        let known = by_name.values().any(|other| other == address);
        if !is_name(name) || known || by_name.insert(name.to_owned(), address.to_owned()).is_some() {
            return None;
        }
    }
    (1..=MEMBERS_MAX).contains(&by_name.len()).then_some(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = ["1048575", "16MiB", "2 GiB", "64Ki", "12MB", "-1", "99999999999999GiB"].map(size);
        assert_eq!(read, [Some(1_048_575), Some(16 << 20), Some(2 << 30), Some(64 << 10), None, None, None]);
        assert_eq!([Size(16 << 20), Size(1_048_575), Size(0)].map(|s| s.to_string()), ["16MiB", "1048575", "0"]);
    }

    #[test]
    fn a_listener_may_name_its_port_alone() {
        assert_eq!(listen(":2181"), listen("[::]:2181"));
        assert_eq!(["2181", "localhost:2181", "127.0.0.1:0", "127.0.0.1"].map(listen), [None; 4]);
    }

    #[test]
    fn an_ensemble_lists_each_name_and_address_once() {
        assert_eq!(members("m1=h:1,m2=[::1]:2").unwrap().len(), 2);
        for wrong in ["", "m1", "m1=h", "m1=h:1,m1=h:2", "m1=h:1,m2=h:1", "a b=h:1", "m1=h:0"] {
            assert!(members(wrong).is_none(), "{wrong}");
        }
        let eight: Vec<_> = (1..=8).map(|i| format!("m{i}=h:{i}")).collect();
        assert!(members(&eight.join(",")).is_none());
    }
}
