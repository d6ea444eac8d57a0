//! Registrations that nobody should have written: each gets a verdict, and costs no more than its bytes.

use coordd_api::discovery::Format;
use proptest::prelude::*;

use super::*;

const FORMATS: [Format; 7] =
    [Format::Curator, Format::ServerSet, Format::Dubbo, Format::Nerve, Format::Kafka, Format::HostPort, Format::Json];

/// Pieces that get further into the decoders than random bytes do.
const PIECES: [&str; 22] = [
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
];

/// All verdicts are there, and what is an instance has a canonical address and real ports.
fn judge(entries: &[Entry<'_>]) {
    detect(entries);
    for format in FORMATS {
        let verdicts = decode(format, entries, &Paths::default());
        assert_eq!(verdicts.len(), entries.len());
        for verdict in verdicts {
            match verdict {
                Verdict::Instance(found) => {
                    assert!(!found.address.is_empty() && found.ports.values().all(|port| *port > 0));
                    assert!(found.weight.is_none_or(|weight| weight.is_finite() && weight >= 0.0));
                }
                Verdict::Aside => {}
                Verdict::Rejected(reason) => assert!(reason.to_string().len() < 1000, "{reason}"),
            }
        }
    }
}

#[test]
fn bombs_are_rejected_whatever_they_are_taken_for() {
    let deep = |open: &str| open.repeat(20_000).into_bytes();
    let long = |unit: &str| format!("{{\"address\":\"{}\",\"port\":1}}", unit.repeat(10_000)).into_bytes();
    let bombs = [
        deep("["),
        deep("{\"payload\":"),
        deep("{\"a\":["),
        long("a"),
        long("\\u0000"),
        vec![0xff; 1000],
        vec![b' '; 60_000],
        vec![b'9'; DATA_MAX + 1],
        b"{\"host\":\"a\",\"port\":1e999999999}".to_vec(),
        b"{\"address\":\"a\",\"port\":18446744073709551617}".to_vec(),
        b"\xef\xbb\xbf{\"address\":\"a\"}".to_vec(),
    ];
    for data in &bombs {
        let entry = Entry { name: "7", data };
        judge(&[entry]);
        for format in [Format::Curator, Format::ServerSet, Format::Nerve, Format::Kafka, Format::Json] {
            let verdict = decode(format, &[entry], &Paths::default()).remove(0);
            assert!(matches!(verdict, Verdict::Rejected(_)), "{format:?} {verdict:?}");
        }
    }
}

#[test]
fn a_bad_registration_spoils_none_beside_it() {
    let good = br#"{"address":"a","port":1,"payload":{}}"#;
    let entries = [&b"\xff"[..], good, b"{", good].map(|data| Entry { name: "a", data });
    let verdicts = decode(Format::Curator, &entries, &Paths::default());
    let good = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Instance(_))).count();
    assert_eq!((good, detect(&entries)), (2, Some(Format::Curator)));
}

proptest! {
    #[test]
    fn random_bytes_get_a_verdict(name in ".{0,40}", data in proptest::collection::vec(any::<u8>(), 0..200)) {
        judge(&[Entry { name: &name, data: &data }]);
    }

    #[test]
    fn pieces_of_registrations_get_a_verdict(picks in proptest::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = picks.iter().map(|at| PIECES[*at]).collect();
        judge(&[Entry { name: &text, data: text.as_bytes() }, Entry { name: "vector_1", data: text.as_bytes() }]);
    }
}
