//! Dubbo's providers of one interface: the znode's name is a URL-encoded URL, its data is not looked at.
//!
//! ```text
//!   dubbo%3A%2F%2F10.1.2.3%3A20880%2Fcom.acme.OrderService%3Fgroup%3Dg1%26version%3D1.0.0%26weight%3D100…
//!   PROTOCOL :// [user@] HOST : PORT / INTERFACE ? key=value & …        service key = [GROUP/]INTERFACE[:VERSION]
//! ```
//!
//! Rule: the id is the service key and the address, since one provider registers once for each group and version.
//! `disabled=true` and `enabled=false` take it out of service. What is no provider (a consumer, a route, an override)
//! stands aside.

use coordd_api::discovery::InstanceState;

use super::{Entry, Reason, Registration, Verdict, address, percent};

/// What else Dubbo writes beside providers.
const ASIDE: [&str; 6] = ["consumer", "route", "override", "script", "condition", "absent"];

pub(super) fn decode(entry: Entry<'_>) -> Verdict {
    let Some(url) = percent::decode_form(entry.name) else {
        return Verdict::Rejected(Reason::Encoding(entry.name.into()));
    };
    match url.split_once("://") {
        Some((protocol, _)) if ASIDE.contains(&protocol) => Verdict::Aside,
        Some((protocol, rest)) => provider(&url, protocol, rest).into(),
        None => Verdict::Rejected(Reason::no_form(&url, "URL of a provider")),
    }
}

fn provider(url: &str, protocol: &str, rest: &str) -> Result<Registration, Reason> {
    let is_scheme = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if protocol.is_empty() || protocol == "empty" || !protocol.bytes().all(is_scheme) {
        return Err(Reason::no_form(url, "URL of a provider"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (address, port) = address::host_port(authority.rsplit('@').next().unwrap_or(authority))?;
    let mut found = Registration::at("", address);
    found.ports.insert(protocol.to_owned(), port);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    found.metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let is = |key: &str, value: &str| found.metadata.get(key).is_some_and(|found| found == value);
    if is("disabled", "true") || is("enabled", "false") {
        found.state = InstanceState::Down;
    }
    found.id = id(&found, path, authority);
    found.take_zone_from_metadata();
    found.take_weight_from_metadata();
    Ok(found)
}

fn id(found: &Registration, path: &str, authority: &str) -> String {
    let given = |key: &str| found.metadata.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let interface = given("interface").unwrap_or(path);
    let group = given("group").map(|group| format!("{group}/")).unwrap_or_default();
    let version = given("version").map(|version| format!(":{version}")).unwrap_or_default();
    format!("{group}{interface}{version}@{}", authority.rsplit('@').next().unwrap_or(authority))
}
