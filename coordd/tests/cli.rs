//! `coordd cli` against a real member: each verb, the shell, and what a run ends with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use coordd_testkit::{Ensemble, Member, eventually};

const BINARY: &str = env!("CARGO_BIN_EXE_coordd");

/// A member that is alone and at the feature level of this release, which its configuration znode shows.
fn lone() -> Ensemble {
    let ensemble = Ensemble::start(BINARY, 1, &[]).unwrap();
    let admin = ["admin", "-s", ensemble.members[0].admin.as_str(), "--output", "json", "status"];
    eventually("the feature level of this release", || {
        let output = Command::new(BINARY).args(admin).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (status["feature_level"].as_u64() == Some(coordd_tree::FEATURE_LEVEL.into())).then_some(())
    });
    ensemble
}

fn command(server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["cli", "-s", server]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, standard output and standard error.
type Said = (i32, String, String);

/// A run with `input` piped into it.
fn piped(mut command: Command, input: &str) -> Said {
    let mut child = command.spawn().unwrap();
    // One that has ended reads no more.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn shell(server: &str, lines: &[&str]) -> Said {
    piped(command(server, &[]), &lines.join("\n"))
}

fn once(server: &str, arguments: &[&str]) -> Said {
    piped(command(server, arguments), "")
}

/// What a run printed that did what it was asked to.
fn ok((code, out, error): Said) -> String {
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    out
}

/// Without what differs from run to run: addresses, sessions, zxids and times.
fn lasting(member: &Member, out: &str) -> Vec<String> {
    let peer_port = member.peer.trim_start_matches("127.0.0.1:");
    let second_port = format!(":{}:", peer_port.parse::<u16>().unwrap() + 1000);
    let kept = |line: &str| match line.split_once(" = ") {
        Some((name @ ("cZxid" | "mZxid" | "pZxid" | "ctime" | "mtime"), _)) => name.to_owned(),
        _ if line.starts_with("Connected to ") => "Connected".to_owned(),
        _ => line.replace(&member.client, "CLIENT").replace(&member.peer, "PEER").replace(&second_port, ":PORT:"),
    };
    out.lines().map(kept).collect()
}

/// The lines that show a Stat, without what [`lasting`] takes away.
fn stat(versions: [i32; 3], ephemeral_owner: &str, [length, children]: [i32; 2]) -> Vec<String> {
    let [data, child, acl] = versions;
    let text = format!(
        "cZxid\nctime\nmZxid\nmtime\npZxid\ncversion = {child}\ndataVersion = {data}\naclVersion = {acl}\n\
         ephemeralOwner = {ephemeral_owner}\ndataLength = {length}\nnumChildren = {children}"
    );
    text.lines().map(str::to_owned).collect()
}

/// Runs a script, whose lines fail with `error`, and compares what it prints, line by line.
fn prints(member: &Member, script: &[&str], error: &str, expected: &[&[String]]) {
    let (code, out, said) = shell(&member.client, script);
    assert_eq!((code, said.as_str()), (i32::from(!error.is_empty()), error), "{out}");
    let printed = lasting(member, &out);
    let expected = [&["Connected".to_owned()], expected.concat().as_slice()].concat();
    assert_eq!(printed, expected, "{out}");
}

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn the_shell_creates_in_every_mode_and_shows_stats() {
    let ensemble = lone();
    prints(
        &ensemble.members[0],
        &[
            "create /a one",
            "create -s /a/s- x",
            "create -e -s /a/e- 'x y'",
            "create -c /a/box",
            "create -t 60000 /a/ttl x",
            "getEphemerals",
            "getEphemerals /none",
            "stat /a",
            "ls -s /a",
            "get -b /a/e-0000000001",
            "set -b -s /a dHdv",
            "get -s /a",
            "get /a/box",
            "getAllChildrenNumber /a",
            "ls -R -s /a/box",
        ],
        "",
        &[
            &lines(&["Created /a", "Created /a/s-0000000000", "Created /a/e-0000000001", "Created /a/box"]),
            &lines(&["Created /a/ttl", "[/a/e-0000000001]", "[]"]),
            &stat([0, 4, 0], "0x0", [3, 4]),
            &lines(&["[box, e-0000000001, s-0000000000, ttl]"]),
            &stat([0, 4, 0], "0x0", [3, 4]),
            &lines(&["eCB5"]),
            &stat([1, 4, 0], "0x0", [3, 4]),
            &lines(&["two"]),
            &stat([1, 4, 0], "0x0", [3, 4]),
            &lines(&["null", "4", "/a/box"]),
            &stat([0, 0, 0], "0x0", [0, 0]),
        ],
    );
    // The session went with the script, and its ephemeral with that.
    assert_eq!(ok(once(&ensemble.members[0].client, &["ls", "/a"])), "[box, s-0000000000, ttl]\n");
}

#[test]
fn the_shell_shows_the_events_of_its_watches_between_the_lines() {
    let ensemble = lone();
    prints(
        &ensemble.members[0],
        &[
            "create /a one",
            "get -w /a",
            "ls -w /a",
            "stat -w /none",
            "ls -R -w /",
            "set /a two",
            "set /a three",
            "create /a/b",
            "create /a/b/c",
            "create /none",
            "config -c -w",
            "addWatch -m persistent /a/b",
            "addWatch /a/b/c",
            "set /a/b x",
            "create /a/b/c/d",
            "printwatches",
            "printwatches off",
            "set /a/b y",
            "printwatches on",
            "removewatches /a/b -a",
            "set /a/b z",
        ],
        "Node does not exist: /none\n",
        &[
            &lines(&["Created /a", "one", "[]", "/", "/a", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]),
            &lines(&["WatchedEvent NodeDataChanged /a", "WatchedEvent NodeChildrenChanged /a", "Created /a/b"]),
            &lines(&["Created /a/b/c", "WatchedEvent NodeCreated /none", "WatchedEvent NodeChildrenChanged /"]),
            &lines(&["Created /none", "2 CLIENT", "WatchedEvent NodeDataChanged /a/b"]),
            &lines(&["WatchedEvent NodeCreated /a/b/c/d", "Created /a/b/c/d", "printwatches is on"]),
        ],
    );
}

#[test]
fn the_shell_has_identities_members_and_quotas() {
    let ensemble = lone();
    let member = &ensemble.members[0];
    prints(
        member,
        &[
            "addauth digest u:p",
            "whoami",
            "create /a x auth::cdrwa",
            "getAcl -s /a",
            "config -c",
            "config",
            "config -c -s",
            "sync /a",
            "setquota -n 5 -B 99 /a",
            "listquota /a",
            "delquota -B /a",
            "listquota /a",
            "version",
        ],
        "",
        &[
            &lines(&["Auth scheme: User", "ip: 127.0.0.1", "digest: u", "Created /a"]),
            &lines(&["'digest,'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=", ": cdrwa"]),
            &stat([0, 0, 0], "0x0", [1, 0]),
            &lines(&["2 CLIENT"]),
            &lines(&["server.1=PEER:PORT:participant;CLIENT", "version=2", "2 CLIENT"]),
            &stat([-1, 0, -1], "0x0", [68, 0]),
            &lines(&["Sync is OK"]),
            &lines(&["Output quota for /a count=5,bytes=-1=;byteHardLimit=99;countHardLimit=-1"]),
            &lines(&["Output stat for /a count=1,bytes=1"]),
            &lines(&["Output quota for /a count=5,bytes=-1", "Output stat for /a count=1,bytes=1"]),
            &lines(&[env!("CARGO_PKG_VERSION")]),
        ],
    );
    let stranger = once(&member.client, &["get", "/a"]);
    assert_eq!(stranger, (1, String::new(), "coordd: Insufficient permission : /a\n".to_owned()));
}

#[test]
fn the_shell_repeats_lines_helps_and_connects_anew() {
    let ensemble = lone();
    let member = &ensemble.members[0];
    let connect = format!("connect {}/a", member.client);
    prints(
        member,
        &["create /a", "create /a/b", "ls /", "history", "redo 2", "history", &connect, "ls /", "connect", "ls /"],
        "",
        &[
            &lines(&["Created /a", "Created /a/b", "[a, zookeeper]"]),
            &lines(&["0 - create /a", "1 - create /a/b", "2 - ls /", "3 - history", "[a, zookeeper]"]),
            &lines(&["0 - create /a", "1 - create /a/b", "2 - ls /", "3 - history", "4 - ls /", "5 - history"]),
            &lines(&["Connected", "[b]", "Connected", "[b]"]),
        ],
    );
    let (code, out, error) = shell(&member.client, &["close", "ls /", "connect 127.0.0.1:1", "connect", "ls /"]);
    assert_eq!(lasting(member, &out), ["Connected", "Connected", "[a, zookeeper]"]);
    assert_eq!(code, 1);
    assert!(error.starts_with("Not connected\ncannot connect: 127.0.0.1:1: "), "{error}");
    let help = ok(shell(&member.client, &["help", "quit", "create /never"]));
    let verbs = "addauth addWatch close config connect create delete deleteall delquota get getAcl \
        getAllChildrenNumber getEphemerals history listquota ls printwatches quit redo removewatches set setAcl \
        setquota stat sync version watch whoami";
    for verb in verbs.split_whitespace() {
        assert!(help.lines().any(|line| line.split_whitespace().next() == Some(verb)), "{verb}: {help}");
    }
    assert_eq!(once(&member.client, &["stat", "/never"]).0, 1, "nothing is run behind quit");
}

#[test]
fn a_script_ends_with_the_worst_that_its_lines_came_to() {
    let ensemble = lone();
    let server = &ensemble.members[0].client;
    for (script, expected) in [
        (["ls /", "ls /zookeeper"], 0),
        (["get /none", "ls /"], 1),
        (["ls /", "get /none"], 1),
        (["get /none", "frobnicate"], 2),
        (["frobnicate", "get /none"], 2),
        (["redo 7", "ls /"], 1),
        (["set /a 'x", "quit"], 2),
        (["help", "quit"], 0),
    ] {
        let (code, _, error) = shell(server, &script);
        assert_eq!(code, expected, "{script:?}: {error}");
    }
    let (code, out, error) = piped(command(server, &["-o", "json"]), "get /none\nls /\n");
    assert_eq!((code, error.as_str()), (1, "Node does not exist: /none\n"));
    assert!(out.ends_with("\n[\"zookeeper\"]\n"), "{out}");
}

#[test]
fn what_may_not_be_read_is_said_and_nothing_is_passed_over() {
    let ensemble = lone();
    let server = &ensemble.members[0].client;
    ok(once(server, &["create", "/a"]));
    ok(once(server, &["create", "/a/closed", "x", "digest:u:x=:r"]));
    ok(once(server, &["create", "/a/open"]));
    let refused = "coordd: Insufficient permission : /a/closed\n";
    for arguments in [["ls", "-R", "/a"].as_slice(), &["setAcl", "-R", "/a", "world:anyone:r"], &["deleteall", "/a"]] {
        let (code, out, error) = once(server, arguments);
        assert_eq!((code, out.as_str(), error.as_str()), (1, "", refused), "{arguments:?}");
    }
    assert_eq!(ok(once(server, &["ls", "/a"])), "[closed, open]\n");
    let (code, _, error) = once(server, &["ls", "-R", "/none"]);
    assert_eq!((code, error.as_str()), (1, "coordd: Node does not exist: /none\n"));
    let (code, _, error) = once(server, &["set", "-b", "/a", "no base64"]);
    assert_eq!(code, 1);
    assert!(error.starts_with("coordd: the data is no base64: "), "{error}");
}

#[test]
fn quotas_lie_on_no_one_path_and_leave_nothing_behind_with_a_chroot_too() {
    let ensemble = lone();
    let plain = &ensemble.members[0].client;
    ok(shell(plain, &["create /app", "create /app/a", "create /app/a/b", "create /app/c"]));
    for (server, prefix) in [(plain.clone(), "/app"), (format!("{plain}/app"), "")] {
        let at = |path: &str| format!("{prefix}{path}");
        let quota = |verb: &[&str], path: &str| once(&server, &[verb, &[&at(path)]].concat());
        ok(quota(&["setquota", "-n", "5"], "/a/b"));
        ok(quota(&["setquota", "-n", "5"], "/c"));
        let (code, _, error) = quota(&["setquota", "-n", "9"], "/a");
        assert_eq!((code, error.as_str()), (1, "coordd: /app/a has a child /app/a/b which has a quota\n"));
        ok(quota(&["delquota"], "/a/b"));
        let left = ok(once(plain, &["ls", "-R", "/zookeeper/quota"]));
        let (app, kept) = ("/zookeeper/quota/app", "/zookeeper/quota/app/c");
        let expected = format!("/zookeeper/quota\n{app}\n{kept}\n{kept}/zookeeper_limits\n{kept}/zookeeper_stats\n");
        assert_eq!(left, expected);
        ok(quota(&["delquota"], "/c"));
        assert_eq!(ok(once(plain, &["ls", "/zookeeper/quota"])), "[]\n");
        ok(quota(&["setquota", "-n", "5"], "/a"));
        let (code, _, error) = quota(&["setquota", "-n", "9"], "/a/b");
        assert_eq!((code, error.as_str()), (1, "coordd: /app/a/b has a parent /app/a which has a quota\n"));
        ok(quota(&["delquota"], "/a"));
        let (code, _, error) = quota(&["delquota"], "/a");
        assert_eq!((code, error), (1, format!("coordd: Quota does not exist for {}\n", at("/a"))));
    }
    // What cannot be looked at is not taken for nothing.
    ok(shell(plain, &["setquota -n 5 /app/a/b", "setAcl /zookeeper/quota/app/a digest:u:x=:r"]));
    let (code, _, error) = once(plain, &["setquota", "-n", "9", "/app"]);
    assert_eq!((code, error.as_str()), (1, "coordd: Insufficient permission : /zookeeper/quota/app/a\n"));
}

/// A run that goes on, read line by line; it ends with this.
struct Running {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Running { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// Stops reading; what it ends with and says then.
    fn unheard(mut self) -> (i32, String) {
        self.out = None;
        let mut error = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        (self.child.wait().unwrap().code().unwrap(), error)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_shows_what_happens_until_it_is_interrupted() {
    let ensemble = lone();
    let server = &ensemble.members[0].client;
    ok(once(server, &["create", "/a"]));
    let mut watch = Running::start(command(server, &["watch", "/a"]));
    assert!(watch.line().starts_with("Connected to "));
    // Only what is watched is told, so a line that comes shows that the watch stood.
    let mut tries = 0;
    let changed = std::thread::scope(|scope| {
        let line = scope.spawn(|| watch.line());
        while !line.is_finished() && tries < 100 {
            ok(once(server, &["set", "/a", "x"]));
            tries += 1;
        }
        line.join().unwrap()
    });
    assert_eq!(changed, "WatchedEvent NodeDataChanged /a\n");
    ok(once(server, &["create", "/a/b"]));
    let created = std::iter::repeat_with(|| watch.line()).find(|line| !line.contains("NodeDataChanged"));
    assert_eq!(created.unwrap(), "WatchedEvent NodeCreated /a/b\n");
    let id = watch.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(watch.unheard(), (0, String::new()));
}

#[test]
fn a_reader_that_goes_ends_the_tool_quietly_and_a_full_disk_does_not() {
    let ensemble = lone();
    let server = &ensemble.members[0].client;
    ok(once(server, &["create", "/a"]));
    // More than a pipe holds, so that it is written to when nobody reads any more.
    let data = "x".repeat(200_000);
    ok(piped(command(server, &[]), &format!("set /a {data}\n")));
    let mut one = Running::start(command(server, &["get", "-x", "/a"]));
    one.line();
    assert_eq!(one.unheard(), (141, String::new()));
    let mut script = Running::start(command(server, &[]));
    script.line();
    script.child.stdin.as_mut().unwrap().write_all(b"create /b\nget /a\ncreate /never\n").unwrap();
    script.line();
    assert_eq!(script.unheard(), (141, String::new()), "its input is open, and it ends");
    assert_eq!(ok(once(server, &["ls", "/"])), "[a, b, zookeeper]\n");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut get = command(server, &["get", "/a"]);
    get.stdout(full);
    let (code, _, error) = piped(get, "");
    assert_eq!(code, 1);
    assert!(error.starts_with("coordd: cannot write the result: No space left"), "{error}");
}
