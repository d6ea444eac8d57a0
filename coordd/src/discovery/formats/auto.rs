//! Which format registrations have, by what is in them.
//!
//! ```text
//!   name    base64_…  nerve │ …%3A%2F%2F…  dubbo
//!   JSON    serviceEndpoint  serverset │ endpoints, a number as name  kafka │ payload, uriSpec, serviceType  curator
//!           host and port  nerve │ address  json           text   host:port, URL  hostport
//! ```
//!
//! Rule: the form that most of the first entries have, and of two the one that stands first above; nothing depends on
//! the path. Reason: one foreign znode must not turn a service into something else.

use coordd_api::discovery::Format;

use super::{DATA_MAX, Entry, fields, hostport, kafka, nerve};

/// So many entries decide.
const ASKED: usize = 32;

const ALL: [Format; 7] =
    [Format::Nerve, Format::Dubbo, Format::ServerSet, Format::Kafka, Format::Curator, Format::Json, Format::HostPort];

/// The format of `entries`; `None` when none of the first tells.
pub(crate) fn detect(entries: &[Entry<'_>]) -> Option<Format> {
    let mut votes = [0usize; ALL.len()];
    for format in entries.iter().take(ASKED).filter_map(|entry| sniff(*entry)) {
        if let Some(at) = ALL.iter().position(|known| *known == format) {
            votes[at] += 1;
        }
    }
    let most = votes.iter().copied().max().filter(|most| *most > 0)?;
    votes.iter().position(|count| *count == most).map(|at| ALL[at])
}

fn sniff(entry: Entry<'_>) -> Option<Format> {
    if entry.name.starts_with(nerve::IN_NAME) {
        return Some(Format::Nerve);
    }
    if entry.name.contains("%3A%2F%2F") || entry.name.contains("%3a%2f%2f") {
        return Some(Format::Dubbo);
    }
    if entry.data.trim_ascii_start().first() != Some(&b'{') || entry.data.len() > DATA_MAX {
        return hostport::decode(entry).is_ok().then_some(Format::HostPort);
    }
    let object = fields::object(entry.data).ok()?;
    let has = |key: &str| object.contains_key(key);
    let format = if has("serviceEndpoint") {
        Format::ServerSet
    } else if (has("endpoints") || has("jmx_port")) && kafka::is_broker(entry.name) {
        Format::Kafka
    } else if has("address") && ["payload", "uriSpec", "serviceType", "registrationTimeUTC"].into_iter().any(has) {
        Format::Curator
    } else if has("host") && has("port") {
        Format::Nerve
    } else if ["address", "ip", "hostname", "host"].into_iter().any(has) {
        Format::Json
    } else {
        return None;
    };
    Some(format)
}
