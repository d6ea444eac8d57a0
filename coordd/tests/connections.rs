//! Who may connect to a real member: by either family of addresses, up to the limits, and when descriptors run out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::collections::BTreeSet;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use coordd_proto::{Acl, AuthId, CreateMode, ErrorCode, OpCode, Perms};
use coordd_testkit::{Client, ConnectError, Ensemble, Member, eventually};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

const TIMEOUT_MS: i32 = 10_000;

/// One member that listens on `[::]`, and where it is reached by IPv4 and by IPv6.
struct Both {
    ensemble: Ensemble,
    v4: String,
    v6: String,
}

impl Both {
    fn start(extra: &[&str]) -> Both {
        let mut ensemble = Ensemble::prepare(Path::new(support::COORDD), 1, extra).unwrap();
        let member = &mut ensemble.members[0];
        let port = member.client.rsplit_once(':').unwrap().1.to_owned();
        member.listen_for_clients_at(&format!("[::]:{port}"));
        member.start().unwrap();
        let (v4, v6) = (member.client.clone(), format!("[::1]:{port}"));
        ensemble.wait_until_all_serve();
        Both { ensemble, v4, v6 }
    }
}

/// Once the connections by which the member was asked how it is are gone.
fn connected(address: &str) -> Client {
    eventually("a connection", || Client::connect(address, TIMEOUT_MS).ok())
}

fn is_closed_without_a_word(address: &str) -> bool {
    let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match Client::connect(address, TIMEOUT_MS) {
        Err(ConnectError::Io(error)) => closed.contains(&error.kind()),
        Err(ConnectError::Expired) | Ok(_) => false,
    }
}

#[test]
fn one_listener_serves_both_families_and_a_mapped_address_is_ipv4_to_acls() {
    let both = Both::start(&[]);
    let (mut v4, mut v6) = (connected(&both.v4), connected(&both.v6));
    let only_v4 = Acl { perms: Perms::ALL, id: AuthId::new("ip", "127.0.0.1") };
    let created = v6.call(OpCode::Create, |w| {
        w.string("/a");
        w.buffer(Some(b"x"));
        Acl::encode_list(&[only_v4], w);
        w.i32(CreateMode::Persistent.to_wire());
    });
    assert_eq!(created.unwrap().error, 0);
    assert_eq!(v4.get("/a", false).unwrap().unwrap().0, b"x");
    assert_eq!(v6.get("/a", false).unwrap().unwrap_err(), ErrorCode::NoAuth.to_wire());
    let seen = both.ensemble.members[0].four_letter("cons");
    assert!(seen.contains("/127.0.0.1:") && !seen.contains("ffff"), "{seen}");
}

#[test]
fn a_mapped_address_counts_as_the_ipv4_address_that_it_is() {
    let both = Both::start(&["--max-client-connections", "2"]);
    let (first, _second) = (connected(&both.v4), connected(&both.v4));
    assert!(is_closed_without_a_word(&both.v4));
    let (_third, _fourth) = (connected(&both.v6), connected(&both.v6));
    assert!(is_closed_without_a_word(&both.v6), "the other family has a count of its own");
    drop(first);
    connected(&both.v4);
}

#[test]
fn connections_beyond_the_limit_of_all_are_closed_without_a_word_whatever_their_address() {
    let both = Both::start(&["--max-connections", "3", "--max-client-connections", "0"]);
    let (first, _second, _third) = (connected(&both.v4), connected(&both.v4), connected(&both.v6));
    assert!(is_closed_without_a_word(&both.v4) && is_closed_without_a_word(&both.v6));
    drop(first);
    let mut client = connected(&both.v6);
    assert!(client.exists("/", false).unwrap().is_ok());
}

/// Leaves a member the descriptors that it has, and some.
fn leave_descriptors(member: &Member, spare: usize) {
    let process = member.process_id().unwrap();
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let open: BTreeSet<u64> = open.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect();
    let beyond = (0..).filter(|number| !open.contains(number)).nth(spare);
    let limit = Rlimit { current: beyond, maximum: getrlimit(Resource::Nofile).maximum };
    let process = Pid::from_raw(i32::try_from(process).unwrap());
    prlimit(process, Resource::Nofile, limit).unwrap();
}

#[test]
fn without_descriptors_the_listener_says_so_once_serves_those_it_has_and_accepts_again_when_there_are_some() {
    let ensemble = support::ensemble_with(1, &["--max-client-connections", "0"]);
    let member = &ensemble.members[0];
    let mut client = connected(&member.client);
    leave_descriptors(member, 8);
    let crowd: Vec<_> = (0..40).map(|_| TcpStream::connect(&member.client).unwrap()).collect();
    let said = |what: &str| member.log().matches(what).count();
    let complaint = "cannot accept client connections";
    eventually("the listener to say so", || (said(complaint) > 0).then_some(()));
    client.create("/a", b"", CreateMode::Persistent).unwrap().unwrap();
    // As long as ten of its attempts.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(said(complaint), 1, "{}", member.log());
    drop(crowd);
    let mut late = connected(&member.client);
    assert!(late.exists("/a", false).unwrap().is_ok());
    eventually("the listener to say that it is over", || {
        (said("accepting client connections again") > 0).then_some(())
    });
    assert_eq!(said(complaint), 1, "{}", member.log());
}
