//! The `ip` scheme: `address` or `address/bits`, IPv4 and IPv6, which never match each other.
//!
//! Rule: IPv4 is read as ZooKeeper reads it (IPAuthenticationProvider.java): four decimal parts of 0–255, leading zeros
//! allowed. A v4-mapped IPv6 connection is made IPv4 by whoever accepts it, not here.

use std::net::Ipv6Addr;

/// The address as a number in the upper bits, and how many bits an address of its family has.
fn parse_address(text: &str) -> Option<(u128, u32)> {
    if text.contains(':') {
        let v6 = text.parse::<Ipv6Addr>().ok()?;
        // To Java a v4-mapped address is IPv4, and no text of one.
        return v6.to_ipv4_mapped().is_none().then(|| (v6.to_bits(), 128));
    }
    let mut parts = text.split('.');
    let mut address = 0u128;
    for _ in 0..4 {
        address = address << 8 | u128::from(parts.next()?.parse::<u8>().ok()?);
    }
    if parts.next().is_some() { None } else { Some((address << 96, 32)) }
}

/// `None` for an expression that is none.
fn parse_expression(expression: &str) -> Option<(u128, u32, u32)> {
    let (address, bits) = match expression.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (expression, None),
    };
    let (address, width) = parse_address(address)?;
    let bits = bits.unwrap_or(width);
    if bits > width { None } else { Some((address, width, bits)) }
}

pub(crate) fn is_valid(expression: &str) -> bool {
    parse_expression(expression).is_some()
}

/// Whether the connection from `remote` is among those that `expression` names.
pub(crate) fn matches(expression: &str, remote: &str) -> bool {
    let (Some((address, width, bits)), Some((remote, remote_width))) =
        (parse_expression(expression), parse_address(remote))
    else {
        return false;
    };
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    width == remote_width && (address ^ remote) & mask == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_bits_is_compared() {
        assert!(matches("10.1.2.3", "10.1.2.3"));
        assert!(matches("10.1.0.0/16", "10.1.255.9"));
        assert!(!matches("10.1.0.0/16", "10.2.0.1"));
        assert!(matches("10.1.2.3/0", "200.0.0.1"));
        assert!(matches("2001:db8::/32", "2001:db8:1::5"));
        assert!(!matches("2001:db8::/33", "2001:db8:8000::5"));
        assert!(matches("::1/128", "0:0:0:0:0:0:0:1"));
    }

    #[test]
    fn families_never_match_each_other() {
        assert!(!matches("0.0.0.0/0", "::1"));
        assert!(!matches("::/0", "1.2.3.4"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in ["", "10.1.2", "10.1.2.3.4", "10.1.2.256", "10.1.2.3/33", "::1/129", "10.1.2.3/", "a.b.c.d", "::x"] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(is_valid("010.001.002.003/08"));
    }
}
