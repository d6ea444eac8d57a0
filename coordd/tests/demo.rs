//! `coordd demo`: three members in one command, kept data, a clean end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_coordd");

/// The first of `count` adjacent free ports.
fn free_ports(count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let offset = u16::try_from(std::process::id() % 20_000).unwrap();
    (20_000 + offset..60_000).find(|base| (0..count).all(|i| free(base + i))).unwrap()
}

fn demo(dir: &Path, base: u16) -> Command {
    let mut command = Command::new(BINARY);
    let at = |block: u16| (base + 3 * block).to_string();
    command.args(["demo", "--base-port", &at(0), "--peer-base-port", &at(1)]);
    command.args(["--http-base-port", &at(2), "--admin-base-port", &at(3), "--data-dir"]).arg(dir);
    command
}

/// Starts the demo and reads until it shows a leader with two followers.
fn start(dir: &Path, base: u16) -> (Child, String) {
    let mut child = demo(dir, base).stdout(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let mut said = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !said.lines().last().is_some_and(|line| line.contains(" leads ") && line.ends_with(" follow")) {
        assert!(Instant::now() < until, "no leader: {said}");
        said += &(lines.next().unwrap().unwrap() + "\n");
    }
    std::thread::spawn(move || lines.for_each(drop));
    (child, said)
}

fn interrupt(mut child: Child) -> Option<i32> {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap().code()
}

fn cli(base: u16, arguments: &[&str]) -> String {
    let server = format!("127.0.0.1:{base},127.0.0.1:{}", base + 1);
    let output = Command::new(BINARY).args(["cli", "-s", &server]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_demo_shows_who_leads_ends_cleanly_and_finds_its_data_again() {
    let (dir, base) = (tempfile::tempdir().unwrap(), free_ports(12));
    let (child, said) = start(dir.path(), base);
    for hint in ["zkCli.sh -server", "KazooClient", "curl http://"] {
        assert!(said.contains(hint), "{hint} is missing: {said}");
    }
    let taken = demo(dir.path(), base).output().unwrap();
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains(&format!("127.0.0.1:{base} (")));
    assert_eq!(cli(base, &["create", "/kept", "x"]), "Created /kept\n");
    assert_eq!(interrupt(child), Some(0));
    let (child, _) = start(dir.path(), base);
    assert_eq!(cli(base, &["get", "/kept"]), "x\n");
    assert_eq!(interrupt(child), Some(0));
}
