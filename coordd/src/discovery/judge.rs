//! What holds of every decoding, whatever is decoded: for the tests of the formats, and for their fuzz target
//! (`coordd/fuzz/src/formats.rs`), which compiles this file.
//!
//! ```text
//!   bytes ─► lines: paths, (name, data)… ─► each format: a verdict a znode      auto: the format of most of the first
//!            0x80… are pieces               bounded │ the same again │ the same of a znode alone
//! ```
//!
//! Rule: of the crate it uses `formats` alone. A byte that begins no UTF-8 text stands for a piece of a registration.
//! Reason: so that what is invented at random gets far into the decoders, and soon.

use std::slice;

use coordd_api::discovery::Format;

use super::formats::{Entry, Path, Paths, Registration, Verdict, decode, detect};

const FORMATS: [Format; 7] =
    [Format::Curator, Format::ServerSet, Format::Dubbo, Format::Nerve, Format::Kafka, Format::HostPort, Format::Json];

/// So many entries decide what format they have.
const ASKED: usize = 32;
/// An instance says so many times what its znode does, at most: an id, a zone and a weight are said twice, `1e15` in
/// full, and endpoints elsewhere get a longer name.
const GROWTH: usize = 4;
/// What is said of the smallest: the names of a port and of an endpoint.
const FIXED: usize = 64;
/// A field and a value are cut short; each character that is left may be ten.
const REASON_MAX: usize = 2000;

/// Pieces that get further into the decoders than random bytes do.
pub(crate) const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"address\":\"a\"",
    "\"host\":\"::1\"",
    "\"port\":",
    "65536",
    "1e999",
    "\"serviceEndpoint\":",
    "\"endpoints\":[\"A://",
    "\"vector\":[{\"select\":",
    "\"payload\":{\"metadata\":",
    "\"dubbo.endpoints\":\"[",
    "base64_",
    "_",
    "%3A%2F%2F",
    "%",
    "://",
    "\"port\":1",
    "\"sslPort\":",
    "\"enabled\":",
    "\"id\":\"",
    "{\\\"port\\\":1,\\\"protocol\\\":\\\"a\\\"}",
    "{\"host\":\"a\",\"port\":1}",
    "\"additionalEndpoints\":{",
    "\"status\":\"ALIVE\"",
    "\"shard\":0",
    "member_0",
    "vector_0",
    "\"member=0\"",
    "\"shard=0\"",
    "\"weight\":",
    "\"zone\":",
    "\"labels\":{",
    "\"haproxy_server_options\":",
    "\"jmx_port\":",
    "\"listener_security_protocol_map\":{",
    "\"rack\":\"",
    "tri%3A%2F%2Fa%3A1%2Fi%3F",
    "weight%3D",
    "[::1]:80",
    "eyJob3N0IjoiYSIsInBvcnQiOjF9",
    "-0000000007",
    "\\u0000",
];

/// As `judge`, of znodes that `input` is read as.
pub(crate) fn judge_bytes(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n').map(spelled);
    let first = lines.next().unwrap_or_default();
    let mut texts = first.split(|byte| *byte == b' ').filter_map(|text| std::str::from_utf8(text).ok());
    let mut path = || texts.next().and_then(Path::parse);
    let paths = Paths { address: path(), port: path(), ready: path(), zone: path(), weight: path() };
    let mut znodes = Vec::new();
    while let Some(name) = lines.next() {
        znodes.push((String::from_utf8_lossy(&name).into_owned(), lines.next().unwrap_or_default()));
    }
    let entries: Vec<_> = znodes.iter().map(|(name, data)| Entry { name, data }).collect();
    judge(&entries, &paths);
}

/// Pieces in the place of the bytes that stand for them.
fn spelled(line: &[u8]) -> Vec<u8> {
    let piece = |byte: u8| PIECES.get(usize::from(byte.wrapping_sub(0x80))).map(|piece| piece.as_bytes());
    line.iter().flat_map(|byte| piece(*byte).unwrap_or_else(|| slice::from_ref(byte))).copied().collect()
}

/// Holds all that is made of `entries` to the rules.
pub(crate) fn judge(entries: &[Entry<'_>], paths: &Paths) {
    judge_auto(entries);
    for format in FORMATS {
        let verdicts = decode(format, entries, paths);
        assert_eq!(verdicts.len(), entries.len(), "{format:?}");
        assert_eq!(verdicts, decode(format, entries, paths), "{format:?}, again");
        for (entry, mut verdict) in entries.iter().zip(verdicts) {
            judge_one(entry, &verdict);
            let mut alone = decode(format, slice::from_ref(entry), paths).remove(0);
            if format == Format::ServerSet {
                // Vectors weigh the members beside them.
                [&mut verdict, &mut alone].into_iter().for_each(unweigh);
            }
            assert_eq!(verdict, alone, "{format:?} of {entry:?}, alone");
        }
    }
}

fn unweigh(verdict: &mut Verdict) {
    if let Verdict::Instance(found) = verdict {
        found.weight = None;
    }
}

/// The format that is found is one that most of the first entries have; none where none of them has one.
fn judge_auto(entries: &[Entry<'_>]) {
    let first = &entries[..entries.len().min(ASKED)];
    let each: Vec<_> = first.iter().map(|entry| detect(slice::from_ref(entry))).collect();
    let votes = |format: &Format| each.iter().filter(|one| one.as_ref() == Some(format)).count();
    let most = FORMATS.iter().map(votes).max().filter(|most| *most > 0);
    let found = detect(entries);
    assert_eq!(found.as_ref().map(votes), most, "{found:?} of {each:?}");
    assert_eq!(found, detect(first), "by the first alone");
}

/// An instance has an address, real ports and a real weight, and says no more than a few times what its znode does.
fn judge_one(entry: &Entry<'_>, verdict: &Verdict) {
    match verdict {
        Verdict::Instance(found) => {
            assert!(!found.address.is_empty() && found.ports.values().all(|port| *port > 0), "{found:?}");
            assert!(found.weight.is_none_or(|weight| weight.is_finite() && weight >= 0.0), "{found:?}");
            let (given, said) = (entry.name.len() + entry.data.len(), said(found));
            assert!(said <= GROWTH * given + FIXED, "{said} bytes of {given}: {found:?}");
        }
        Verdict::Aside => {}
        Verdict::Rejected(reason) => {
            let reason = reason.to_string();
            assert!(reason.len() <= REASON_MAX && !reason.contains('\n'), "{reason}");
        }
    }
}

/// Bytes of all that an instance says.
fn said(found: &Registration) -> usize {
    let Registration { id, address, ports, state: _, zone, weight, metadata } = found;
    let ports: usize = ports.keys().map(|name| name.len() + size_of::<u16>()).sum();
    let metadata: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    let weight = weight.map_or(0, |weight| size_of_val(&weight));
    id.len() + address.len() + ports + zone.as_ref().map_or(0, String::len) + weight + metadata
}
