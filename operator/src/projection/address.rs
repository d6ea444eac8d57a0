//! Which addresses endpoints may have.
//!
//! ```text
//!   address ─► canonical (no ::ffff:) ─► never? ─► denied by the operator? ─► allowed by both? ─► endpoint
//! ```
//!
//! Rule: what is never allowed cannot be allowed by anybody. Reason: whoever may register an instance could otherwise
//! have every caller's requests sent to a node's own services or to the cloud's credentials.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Cidr, String> {
        let wrong = || format!("{text:?} must be a network such as 10.0.0.0/8");
        let (base, bits) = text.split_once('/').ok_or_else(wrong)?;
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        if base.to_canonical() != base {
            return Err(format!("{text:?} is a network of IPv4: write it as one"));
        }
        let most = if base.is_ipv4() { 32 } else { 128 };
        if bits > most { Err(wrong()) } else { Ok(Cidr { base, bits }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Cidr {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Cidr {
        Cidr { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    const fn v6(first: u16, second: u16, bits: u8) -> Cidr {
        Cidr { base: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), bits }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Networks in which there is never an endpoint, and what they are.
const NEVER: [(Cidr, &str); 12] = [
    (Cidr::v4(0, 0, 0, 0, 8), "unspecified"),
    (Cidr::v4(127, 0, 0, 0, 8), "the caller's own host (loopback)"),
    (Cidr::v4(169, 254, 0, 0, 16), "link-local, where clouds serve credentials"),
    (Cidr::v4(224, 0, 0, 0, 4), "multicast"),
    (Cidr::v4(240, 0, 0, 0, 4), "reserved or broadcast"),
    // ::, ::1 and the addresses of IPv4 in an old form.
    (Cidr::v6(0, 0, 96), "unspecified or loopback"),
    (Cidr::v6(0xfe80, 0, 10), "link-local"),
    (Cidr::v6(0xff00, 0, 8), "multicast"),
    // Where Amazon and Google serve credentials.
    (Cidr::v6(0xfd00, 0x0ec2, 32), "the cloud's metadata service"),
    (Cidr::v6(0xfd20, 0x00ce, 32), "the cloud's metadata service"),
    // Ways from IPv6 to any address of IPv4.
    (Cidr::v6(0x0064, 0xff9b, 32), "a translation of IPv4 (NAT64)"),
    (Cidr::v6(0x2002, 0, 16), "a translation of IPv4 (6to4)"),
];

/// What one projection may point at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// By the projection's spec.
    pub allowed: Vec<Cidr>,
    /// By the operator's options; empty: no further bound.
    pub bound: Vec<Cidr>,
    /// By the operator's options: networks of Services, the API server's other addresses.
    pub denied: Vec<Cidr>,
    /// Those of Services, as far as Kubernetes tells: nothing that is registered is there.
    pub networks: Vec<Cidr>,
    /// The addresses of nodes, and that of the API server: nothing that is registered is there but what guards the
    /// cluster itself.
    pub machines: BTreeSet<IpAddr>,
    /// Where the API server is besides, as far as it may be read.
    pub api_server: BTreeSet<IpAddr>,
    /// The addresses of Services, as far as they are seen: those that projections have made, and those beside them.
    pub services: BTreeSet<IpAddr>,
}

impl Addresses {
    /// # Errors
    /// Why there may be no endpoint at this address.
    pub fn check(&self, address: IpAddr) -> Result<(), String> {
        if let Some((_, what)) = NEVER.iter().find(|(network, _)| network.contains(address)) {
            return Err(format!("{address} is {what}: register the address that others reach"));
        }
        if let Some(network) = self.denied.iter().find(|network| network.contains(address)) {
            return Err(format!("{address} is in {network}, which the operator forbids"));
        }
        if self.services.contains(&address) || self.networks.iter().any(|network| network.contains(address)) {
            return Err(format!("{address} is the address of a Service, or kept for one: register that of a pod"));
        }
        if self.machines.contains(&address) || self.api_server.contains(&address) {
            return Err(format!(
                "{address} is a node's or the API server's: register the address of a pod, or have nodes allowed"
            ));
        }
        if !self.bound.is_empty() && !self.bound.iter().any(|network| network.contains(address)) {
            return Err(format!("{address} is in none of the networks that the operator allows"));
        }
        if !self.allowed.iter().any(|network| network.contains(address)) {
            return Err(format!("{address} is in none of guards.allowedCIDRs: add its network there"));
        }
        Ok(())
    }
}

/// The canonical form of a registered address; `None` for a name.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Addresses {
        let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().unwrap()).into();
        Addresses { allowed: all, ..Addresses::default() }
    }

    #[test]
    fn what_is_never_an_endpoint_is_none_whatever_is_allowed() {
        for forbidden in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "fd00:ec2::254",
            "fd20:ce::254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "febf::1",
        ] {
            assert!(open().check(address(forbidden).unwrap()).is_err(), "{forbidden}");
        }
        for good in ["10.1.2.3", "8.8.8.8", "::ffff:10.1.2.3", "fd00::1", "2001:db8::1", "100.64.1.1", "fec0::1"] {
            assert_eq!(open().check(address(good).unwrap()), Ok(()), "{good}");
        }
    }

    #[test]
    fn of_what_the_operator_and_the_spec_allow_only_what_both_do() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let addresses = Addresses {
            allowed: vec![cidr("10.0.0.0/8"), cidr("8.8.8.8/32")],
            bound: vec![cidr("10.0.0.0/8")],
            denied: vec![cidr("10.96.0.0/12")],
            networks: vec![cidr("10.2.0.0/16")],
            machines: [address("10.1.0.2").unwrap()].into(),
            api_server: [address("10.1.0.3").unwrap()].into(),
            services: [address("10.1.0.1").unwrap()].into(),
        };
        let why = |text: &str| addresses.check(address(text).unwrap()).err();
        assert_eq!(why("10.1.2.3"), None);
        assert!(why("10.96.0.1").unwrap().contains("the operator forbids"));
        assert!(why("10.1.0.1").unwrap().contains("the address of a Service"));
        assert!(why("10.2.0.10").unwrap().contains("the address of a Service"), "that of some Service, or free");
        assert!(why("10.1.0.3").unwrap().contains("a node's or the API server's"));
        assert!(why("10.1.0.2").unwrap().contains("a node's or the API server's"));
        assert!(why("8.8.8.8").unwrap().contains("none of the networks that the operator allows"));
        assert!(why("11.0.0.1").unwrap().contains("none of the networks"));
        assert!(Addresses { bound: Vec::new(), ..addresses.clone() }.check(address("11.0.0.1").unwrap()).is_err());
    }

    #[test]
    fn networks_are_read_or_refused() {
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
        assert!("10.0.0.0".parse::<Cidr>().is_err());
        assert!("::ffff:10.0.0.0/104".parse::<Cidr>().is_err(), "addresses are canonical: it would hold none");
        assert!("ten/8".parse::<Cidr>().is_err());
        let whole: Cidr = "::/0".parse().unwrap();
        assert!(whole.contains("fd00::1".parse().unwrap()) && !whole.contains("10.0.0.1".parse().unwrap()));
    }
}
