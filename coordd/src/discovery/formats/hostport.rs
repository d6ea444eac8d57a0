//! An address and a port in plain text, as data or as name.
//!
//! ```text
//!   host:port │ [v6]:port │ scheme://host[:port]/… │ host,port,startcode (HBase) │ host:port_solr
//!   each may end in -0000000007
//! ```
//!
//! Rule: the data counts where it has a form; else the name. Reason: what is in the data was put there on purpose, a
//! name may be an id of any kind; but HBase's data is binary and Solr's is empty.

use super::fields;
use super::{Decoded, Entry, PORT, Reason, Registration, address};

/// Digits of a sequential znode's suffix.
const SEQUENCE: usize = 10;

pub(super) fn decode(entry: Entry<'_>) -> Decoded {
    let in_data = fields::text(entry.data).ok().map(str::trim).filter(|text| !text.is_empty());
    let from_data = in_data.map(|text| read(entry.name, text));
    match (from_data, read(entry.name, without_sequence(entry.name))) {
        (Some(Ok(found)), _) | (_, Ok(found)) => Ok(found),
        (Some(Err(reason)), Err(_)) | (None, Err(reason)) => Err(reason),
    }
}

fn without_sequence(name: &str) -> &str {
    let Some((rest, digits)) = name.len().checked_sub(SEQUENCE).and_then(|at| name.split_at_checked(at)) else {
        return name;
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return name;
    }
    rest.strip_suffix(['-', '_']).unwrap_or(name)
}

fn read(id: &str, text: &str) -> Decoded {
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(id, scheme, rest);
    }
    if let [host, port, startcode] = text.split(',').collect::<Vec<_>>()[..]
        && !startcode.is_empty()
        && startcode.bytes().all(|b| b.is_ascii_digit())
    {
        let mut found = at(id, address::parse("the host", host)?, PORT, address::port("the port", port)?);
        found.metadata.insert("startcode".to_owned(), startcode.to_owned());
        return Ok(found);
    }
    let text = text.strip_suffix("_solr").unwrap_or(text);
    let (address, port) = address::host_port(text)?;
    Ok(at(id, address, PORT, port))
}

fn at(id: &str, address: String, name: &str, port: u16) -> Registration {
    let mut found = Registration::at(id, address);
    found.ports.insert(name.to_owned(), port);
    found
}

fn url(id: &str, scheme: &str, rest: &str) -> Decoded {
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        return Err(Reason::no_form(scheme, "scheme of a URL"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let usual = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    if let (Some(port), Some(host)) = (usual, address::canonical(authority)) {
        return Ok(at(id, host, scheme, port));
    }
    let (host, port) = address::host_port(authority)?;
    Ok(at(id, host, scheme, port))
}
