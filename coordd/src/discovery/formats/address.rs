//! Addresses and `host:port`.
//!
//! ```text
//!   10.0.0.1:80   [2001:db8::1]:80   orders-1.example:80 ─► address, port      1.2.3   0x7f000001 ─► a reason
//! ```
//!
//! Rule: an IP address is shown in its canonical form; a host name is letters, digits, `-`, `_` and dots, and does not
//! end in a number, decimal or hexadecimal. Reason: whatever resolves it may read an IPv4 address there, of which
//! nobody asked whether it may be called; that is not decided here.

use std::net::{IpAddr, Ipv6Addr};

use super::Reason;

const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let ends = !label.starts_with('-') && !label.ends_with('-');
        (1..=LABEL_MAX).contains(&label.len()) && ends && label.bytes().all(plain)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= HOST_MAX && name.split('.').all(label) && !is_number(last)
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `text` as an address; `None` when it is none.
pub(super) fn canonical(text: &str) -> Option<String> {
    if let Some(bare) = text.strip_prefix('[') {
        return bare.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string());
    }
    match text.parse::<IpAddr>() {
        Ok(ip) => Some(ip.to_string()),
        Err(_) => is_host_name(text).then(|| text.to_owned()),
    }
}

/// The address in `field`.
pub(super) fn parse(field: &str, text: &str) -> Result<String, Reason> {
    canonical(text).ok_or_else(|| Reason::Address { field: field.to_owned(), value: text.into() })
}

/// The port in `field`, written in digits alone.
pub(super) fn port(field: &str, text: &str) -> Result<u16, Reason> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| Reason::Port { field: field.to_owned(), value: text.into() })
}

/// `host:port`, with brackets around an IPv6 address.
pub(super) fn host_port(text: &str) -> Result<(String, u16), Reason> {
    let (host, number) = text.rsplit_once(':').ok_or_else(|| Reason::no_form(text, "host:port"))?;
    if host.contains(':') && !host.starts_with('[') {
        return Err(Reason::no_form(text, "host:port; an IPv6 address stands in brackets"));
    }
    Ok((parse("the host", host)?, port("the port", number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form_and_what_is_none_is_refused() {
        for (text, address) in [
            ("10.1.2.3", Some("10.1.2.3")),
            ("[2001:DB8:0::1]", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("kafka-0", Some("kafka-0")),
            ("my_host.Example.com.", Some("my_host.Example.com.")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("-a", None),
            ("a-", None),
            ("0x7f000001", None),
            ("a.0X1", None),
            ("a.0x", None),
            ("0xg", Some("0xg")),
            ("10.1.2.256", None),
            ("10.1.2", None),
            ("010.1.2.3", None),
            ("a b", None),
            ("häst", None),
            ("a/b", None),
            ("[10.1.2.3]", None),
            ("[::1", None),
            ("fe80::1%eth0", None),
        ] {
            assert_eq!(canonical(text).as_deref(), address, "{text}");
        }
        assert_eq!(canonical(&"a".repeat(64)), None);
        assert_eq!(canonical(&"a.".repeat(128)), None);
    }

    #[test]
    fn a_port_is_digits_from_1_to_65535() {
        assert_eq!((port("p", "1"), port("p", "65535")), (Ok(1), Ok(65535)));
        for text in ["", "0", "65536", "+1", "-1", "1 ", "1.0", "0x10", "99999999999999999999999", "８０"] {
            assert!(port("p", text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ipv6_address_before_a_port_stands_in_brackets() {
        assert_eq!(host_port("[::1]:80"), Ok(("::1".to_owned(), 80)));
        assert_eq!(
            host_port("::1:80").unwrap_err().to_string(),
            "\"::1:80\" is no host:port; an IPv6 address stands in brackets"
        );
        assert!(host_port("a").is_err() && host_port(":80").is_err() && host_port("a:").is_err());
    }
}
