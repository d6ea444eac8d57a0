//! Registrations that nobody should have written: each gets a verdict, and costs no more than its bytes.
//!
//! `changed_registrations_…` is the deterministic short form of the fuzz target `coordd/fuzz/src/formats.rs`: the same
//! seed makes the same bytes.

use coordd_api::discovery::Format;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::tests::{CURATOR, DUBBO, DUBBO3, KAFKA, NERVE, SERVER_SET, SPRING, VECTOR};
use super::*;
use crate::discovery::judge::{PIECES, judge, judge_bytes};

/// How often each registration is changed.
const ROUNDS: usize = 200;

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
        judge(&[entry], &Paths::default());
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

#[test]
fn a_reason_is_short_whatever_it_quotes() {
    let strange = "\u{10ffff}".repeat(300);
    let data = format!(r#"{{"serviceEndpoint":{{"host":"a","port":1}},"additionalEndpoints":{{"{strange}":0}}}}"#);
    judge(&[Entry { name: "member_1", data: data.as_bytes() }], &Paths::default());
    judge(&[Entry { name: &strange, data: format!(r#"{{"host":"{strange}"}}"#).as_bytes() }], &Paths::default());
}

#[test]
fn changed_registrations_get_a_verdict() {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let real = [
        ("d0f0", CURATOR),
        ("app-1", SPRING),
        ("x", DUBBO3),
        ("member_0000000007", SERVER_SET),
        ("vector_0000000008", VECTOR),
        ("i-0abc_0000000001", NERVE),
        ("0", KAFKA),
        (DUBBO, "10.1.2.3"),
        ("[::1]:80-0000000012", "http://web.example/a?b"),
    ];
    let lines = real.map(|(name, data)| format!("\n{name}\n{}", data.replace('\n', " ")));
    for one in &lines {
        for _ in 0..ROUNDS {
            let other = &lines[random.random_range(0..lines.len())];
            let mut input = format!("net[0].addr port {one}{other}").into_bytes();
            for _ in 0..=random.random_range(0..4) {
                let at = random.random_range(0..input.len());
                input[at] = u8::try_from(random.random_range(0..256)).unwrap();
            }
            input.truncate(1 + random.random_range(0..2 * input.len()));
            judge_bytes(&input);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_get_a_verdict(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        judge_bytes(&input);
    }

    #[test]
    fn pieces_of_registrations_get_a_verdict(picks in proptest::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = picks.iter().map(|at| PIECES[*at]).collect();
        let entries = [text.as_str(), "vector_1"].map(|name| Entry { name, data: text.as_bytes() });
        judge(&entries, &Paths::default());
    }
}
