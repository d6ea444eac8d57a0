//! The binary as people use it: what it prints, and what it ends with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::process::{Command, Output};
use std::time::Duration;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, Ensemble, Member, eventually};

const BINARY: &str = env!("CARGO_BIN_EXE_coordd");

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// Exit code, standard output and standard error of a run.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn cli(member: &Member, arguments: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<_> = ["cli", "-s", &member.client].iter().chain(arguments).copied().collect();
    said(&run(&all))
}

#[test]
fn a_wrong_setting_ends_the_start_with_its_name_and_range() {
    let (code, _, error) = said(&run(&["serve", "--name", "m1", "--data-dir", "/nowhere", "--tick-ms", "0"]));
    let expected = "coordd: --tick-ms: \"0\" is wrong; it must be a number of milliseconds from 10 to 60000\n";
    assert_eq!((code, error.as_str()), (Some(1), expected));
}

#[test]
fn what_is_not_understood_ends_with_2_and_help_with_0() {
    assert_eq!(run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(run(&["cli", "frobnicate", "/"]).status.code(), Some(2));
    let (code, help, _) = said(&run(&["serve", "--help"]));
    assert_eq!(code, Some(0));
    assert!(help.contains("--min-session-timeout-ms") && help.contains("--ensemble"), "{help}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let (code, _, error) = said(&run(&["admin", "-s", "127.0.0.1:1", "status"]));
    assert_eq!(code, Some(1));
    assert!(error.starts_with("coordd: 127.0.0.1:1: "), "{error}");
}

#[test]
fn the_verbs_of_zkcli_work_and_say_what_zkcli_says() {
    let ensemble = Ensemble::start(BINARY, 1, &[]).unwrap();
    let member = &ensemble.members[0];
    let ok = |arguments: &[&str]| {
        let (code, out, error) = cli(member, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {error}");
        out
    };
    assert_eq!(ok(&["create", "/a", "one"]), "Created /a\n");
    assert_eq!(ok(&["get", "/a"]), "one\n");
    ok(&["set", "/a", "two", "-v", "0"]);
    assert!(ok(&["get", "-s", "/a"]).starts_with("two\ncZxid = 0x"));
    assert_eq!(ok(&["create", "-s", "/a/s-"]), "Created /a/s-0000000000\n");
    assert_eq!(ok(&["ls", "/a"]), "[s-0000000000]\n");
    assert_eq!(ok(&["ls", "-R", "/a"]), "/a\n/a/s-0000000000\n");
    assert_eq!(ok(&["getAcl", "/a"]), "'world,'anyone\n: cdrwa\n");
    assert!(
        ok(&["get", "-x", "/a"])
            .contains("|00000000| 74 77 6f                                        |two             |")
    );
    assert!(ok(&["config", "-c"]).ends_with(&format!(" {}\n", member.client)));
    ok(&["setAcl", "-R", "/a", "world:anyone:cdrwa,ip:127.0.0.1:r"]);
    assert!(ok(&["getAcl", "/a/s-0000000000"]).contains("'ip,'127.0.0.1\n: r\n"));
    let (code, _, error) = cli(member, &["removewatches", "/a"]);
    assert_eq!(code, Some(1), "there is none: {error}");
    assert_eq!(ok(&["getAllChildrenNumber", "/a"]), "1\n");
    ok(&["setquota", "-n", "5", "/a"]);
    assert!(ok(&["listquota", "/a"]).contains("Output quota for /a count=5,bytes=-1\nOutput stat for /a count=2"));
    assert_eq!(ok(&["sync", "/"]), "Sync is OK\n");
    assert!(ok(&["whoami"]).contains("ip: 127.0.0.1"));
    let refused = cli(member, &["delete", "/a"]);
    assert_eq!((refused.0, refused.2.as_str()), (Some(1), "coordd: Node not empty: /a\n"));
    ok(&["deleteall", "/a"]);
    let (code, _, error) = cli(member, &["get", "/a"]);
    assert_eq!((code, error.as_str()), (Some(1), "coordd: Node does not exist: /a\n"));
    let (code, out, _) = said(&run(&["cli", "-s", &member.client, "-o", "json", "ls", "/"]));
    assert_eq!((code, out.as_str()), (Some(0), "[\"zookeeper\"]\n"));
    let (code, out, _) = said(&run(&["admin", "-s", &member.admin, "status"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("service     serving\n") && out.contains("leader"), "{out}");
}

#[test]
fn a_snapshot_becomes_a_new_ensemble() {
    let ensemble = Ensemble::start(BINARY, 1, &[]).unwrap();
    let member = &ensemble.members[0];
    assert_eq!(cli(member, &["create", "/kept", "x"]).0, Some(0));
    let file = ensemble.dir().join("copy.snap").display().to_string();
    let (code, _, error) = said(&run(&["admin", "-s", &member.admin, "snapshot", &file]));
    assert_eq!(code, Some(0), "{error}");
    let dir = ensemble.dir().join("restored").display().to_string();
    let (code, out, error) = said(&run(&["restore", &file, "--data-dir", &dir]));
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("is member m1 of the new ensemble "), "{out}");
    let (code, _, error) = said(&run(&["restore", &file, "--data-dir", &dir]));
    assert_eq!(code, Some(1));
    assert!(error.contains("is not empty"), "{error}");
}

#[test]
fn a_slow_write_is_logged_with_its_time_in_each_hop_and_sizes_and_queues_are_shown() {
    let ensemble = Ensemble::start(BINARY, 3, &["--slow-request-ms", "200"]).unwrap();
    let leader = &ensemble.members[ensemble.leader()];
    let mut client = Client::connect(&leader.client, 10_000).unwrap();
    client.create("/a", b"", CreateMode::Persistent).unwrap().unwrap();
    let sizes = leader.four_letter("srvr");
    let line = sizes.lines().find_map(|line| line.strip_prefix("Proposal sizes last/min/max: ")).unwrap();
    let sizes: Vec<i64> = line.split('/').map(|size| size.parse().unwrap()).collect();
    assert!(sizes[1] > 0 && sizes[2] >= sizes[0] && sizes[0] >= sizes[1], "{line}");
    let mntr = leader.four_letter("mntr");
    for name in ["zk_last_proposal_size", "zk_max_proposal_size", "zk_requests_in_session_queue", "zk_outbox_bytes"] {
        assert!(mntr.contains(&format!("{name}\t")), "{name}: {mntr}");
    }
    ensemble.followers().iter().for_each(|i| ensemble.members[*i].pause());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| client.set("/a", b"slow", -1).unwrap().unwrap());
        std::thread::sleep(Duration::from_millis(350));
        ensemble.followers().iter().for_each(|i| ensemble.members[*i].resume());
        writer.join().unwrap();
    });
    let slow = || leader.log().lines().find(|line| line.contains("slow request")).map(str::to_owned);
    let line = eventually("the slow write in the log", slow);
    let hop = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("{name}: {line}"));
        rest.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(hop("queued_ms") + hop("committed_ms") + hop("applied_ms"), hop("took_ms"), "{line}");
    assert!(hop("committed_ms") >= 200, "the quorum was what it waited for: {line}");
}
