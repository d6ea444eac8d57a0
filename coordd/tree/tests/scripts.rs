//! Scripts: commands in, answers and the tree out. `REWRITE=1 cargo test -p coordd-tree --test scripts` writes what is
//! answered now into the scripts; the difference is then for a person to read.
//!
//! ```text
//!   # a comment, or why
//!   set /a x
//!   ----
//!   ok stat v=1
//!   = /a
//!                      ◄── blank line ends the block
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use coordd_proto::multi::MultiResult;
use coordd_proto::reply::Reply;
use coordd_proto::{Acl, AuthId, ErrorCode, OpCode, Perms, SessionId, Stat, Zxid};
use coordd_tree::{Change, ChangeKind, MemberRow, Op, Outcome, ReapLimits, SessionOutcome, State};
use support::*;

fn create_op(name: &str) -> Option<OpCode> {
    Some(match name {
        "create" => OpCode::Create,
        "create2" => OpCode::Create2,
        "container" => OpCode::CreateContainer,
        "ttl" => OpCode::CreateTtl,
        _ => return None,
    })
}

/// `key=value` words after the positional ones.
fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn number<T: std::str::FromStr>(words: &[&str], key: &str) -> Option<T> {
    option(words, key).and_then(|value| value.parse().ok())
}

/// `scheme:id:perms,…`; the permissions are behind the last colon. "empty" is the empty list.
fn parse_acl(text: &str) -> Vec<Acl> {
    let entry = |entry: &str| {
        let (id, perms) = entry.rsplit_once(':').unwrap();
        let (scheme, id) = id.split_once(':').unwrap();
        Acl { perms: Perms(perms.parse().unwrap()), id: AuthId::new(scheme, id) }
    };
    if text == "empty" { Vec::new() } else { text.split(',').map(entry).collect() }
}

fn data<'a>(words: &[&'a str], at: usize) -> Option<&'a [u8]> {
    match words.get(at) {
        None | Some(&"null") => None,
        Some(&"\"\"") => Some(b""),
        Some(word) => Some(word.as_bytes()),
    }
}

/// A path, with what a script cannot hold: \0 for NUL, "" for empty.
fn path_of(word: &str) -> String {
    word.replace("\\0", "\0").replace("\"\"", "")
}

fn client_op(words: &[&str]) -> Option<(OpCode, Bytes)> {
    let path = path_of(words.get(1)?);
    let version = number(words, "version").unwrap_or(-1);
    let positional: Vec<&str> =
        words.iter().copied().filter(|word| !word[1..].contains('=') || word.contains(',')).collect();
    if let Some(op) = create_op(words[0]) {
        let flags = number(words, "flags").unwrap_or(match op {
            OpCode::CreateContainer => 4,
            OpCode::CreateTtl => 5,
            _ => 0,
        });
        let ttl = (op == OpCode::CreateTtl).then(|| number(words, "ttl").unwrap_or(-1));
        let acl = option(words, "acl").map_or_else(open_acl, parse_acl);
        return Some((op, create_record(&path, data(&positional, 2), &acl, flags, ttl)));
    }
    Some(match words[0] {
        "set" => (OpCode::SetData, set_record(&path, data(&positional, 2), version)),
        "delete" => (OpCode::Delete, path_version(&path, version)),
        "check" => (OpCode::Check, path_version(&path, version)),
        "setacl" => {
            let acl = parse_acl(words[2]);
            let body = record(|out| {
                out.string(&path);
                Acl::encode_list(&acl, out);
                out.i32(version);
            });
            (OpCode::SetAcl, body)
        }
        _ => return None,
    })
}

fn show_stat(stat: &Stat) -> String {
    format!(
        "v={} cv={} av={} c={:x} m={:x} p={:x} len={} children={} owner={:x} mtime={}",
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.data_length,
        stat.num_children,
        stat.ephemeral_owner.0,
        stat.mtime
    )
}

fn show_reply(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Empty => "ok".into(),
        Reply::Path(path) => format!("ok {path}"),
        Reply::PathStat(path, stat) => format!("ok {path} {}", show_stat(stat)),
        Reply::Stat(stat) => format!("ok {}", show_stat(stat)),
        Reply::Multi(results) => results.iter().fold("ok".to_owned(), |text, result| {
            let result = match result {
                MultiResult::Create { path } => format!("created {path}"),
                MultiResult::Create2 { path, stat } => format!("created {path} {}", show_stat(stat)),
                MultiResult::SetData(stat) => format!("set {}", show_stat(stat)),
                other => format!("{other:?}"),
            };
            format!("{text}\n  {result}")
        }),
        other => format!("{other:?}"),
    }
}

fn show(outcome: &Outcome, changes: &[Change]) -> String {
    let mut text = match outcome {
        Outcome::Refused(refusal) => format!("refused {refusal:?}"),
        Outcome::Done(Err(code)) => format!("error {code:?}"),
        Outcome::Done(Ok(reply)) => show_reply(reply),
        Outcome::Session(SessionOutcome::Opened(info)) => {
            format!("opened {} timeout={} attach={}", info.id, info.timeout_ms, info.attach)
        }
        Outcome::Session(SessionOutcome::Attached(info)) => {
            format!("attached {} timeout={} attach={}", info.id, info.timeout_ms, info.attach)
        }
        Outcome::Session(SessionOutcome::Ended(id)) => format!("ended {id}"),
        Outcome::Session(SessionOutcome::Unchanged) => "unchanged".into(),
    };
    for change in changes {
        let sign = match change.kind {
            ChangeKind::Created => '+',
            ChangeKind::Deleted => '-',
            ChangeKind::DataChanged => '=',
            ChangeKind::AclChanged => '~',
        };
        let hidden = if change.acl.is_open() { "" } else { " (acl)" };
        write!(text, "\n{sign} {}{hidden}", change.path).unwrap();
    }
    text
}

fn answer<T>(result: Result<T, ErrorCode>, show: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|code| format!("error {code:?}"), show)
}

fn read(rig: &Rig, words: &[&str]) -> Option<String> {
    let (state, auth) = (&rig.state, &rig.auth[..]);
    let path = path_of(words.get(1).unwrap_or(&""));
    Some(match words[0] {
        "get" => answer(state.get_data(&path, auth), |(data, stat)| {
            let data = data.map_or_else(|| "null".into(), |data| format!("{:?}", String::from_utf8_lossy(data)));
            format!("{data} {}", show_stat(&stat))
        }),
        "exists" => answer(state.exists(&path, auth), |stat| show_stat(&stat)),
        "ls" => answer(state.children(&path, auth), |(names, _)| format!("{:?}", names.collect::<Vec<_>>())),
        "getacl" => answer(state.get_acl(&path, auth), |(list, _)| {
            list.iter().map(|acl| format!("{}:{}", acl.id, acl.perms.0)).collect::<Vec<_>>().join(",")
        }),
        "count" => answer(state.all_children_number(&path, auth), |count| count.to_string()),
        "ephemerals" => format!("{:?}", state.ephemerals_of(rig.session, &path)),
        "sessions" => state.sessions().map(|s| format!("{s:?}")).collect::<Vec<_>>().join("\n"),
        "sizes" => format!(
            "znodes={} ephemerals={} data={}",
            state.znode_count(),
            state.ephemerals_count(),
            state.approximate_data_size()
        ),
        "reapable" => {
            let never_used_ms = number(words, "never_used");
            let found = state.reapable(rig.time_ms, ReapLimits { candidates_max: 10, never_used_ms });
            found.iter().map(|c| format!("{} {}", c.path, c.czxid)).collect::<Vec<_>>().join("\n")
        }
        "dump" => dump(state).trim_end().to_owned(),
        _ => return None,
    })
}

fn session_op(rig: &Rig, words: &[&str]) -> Option<Op> {
    let password = [number(words, "password").unwrap_or(7); 16];
    let timeout_ms = number(words, "timeout").unwrap_or(4000);
    Some(match words[0] {
        "open" => Op::OpenSession { timeout_ms, password },
        "attach" => Op::AttachSession { password, timeout_ms, member: number(words, "member").unwrap_or(1) },
        "close" => Op::CloseSession,
        "expire" => Op::ExpireSession { attach: number(words, "attach").unwrap_or(rig.attach) },
        "reap" => Op::Reap { path: words[1].into(), czxid: Zxid(number(words, "czxid").unwrap()) },
        "level" => Op::RaiseFeatureLevel(words[1].parse().unwrap()),
        "base" => Op::SetZxidBase(words[1].parse().unwrap()),
        _ => return None,
    })
}

fn run_one(rig: &mut Rig, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let Some(text) = read(rig, &words) {
        return text;
    }
    if let Some(op) = session_op(rig, &words) {
        let outcome = rig.apply(op);
        if let Outcome::Session(SessionOutcome::Opened(info) | SessionOutcome::Attached(info)) = &outcome {
            (rig.session, rig.attach) = (info.id, info.attach);
        }
        return show(&outcome, &rig.changes);
    }
    match words[0] {
        "time" => rig.time_ms = words[1].parse().unwrap(),
        "as" => {
            (rig.session, rig.attach) =
                (SessionId(number(&words, "session").unwrap()), number(&words, "attach").unwrap())
        }
        "auth" => {
            rig.auth =
                words[1..].iter().map(|word| word.split_once(':').unwrap()).map(|(s, id)| AuthId::new(s, id)).collect();
        }
        "members" => {
            let row = |word: &&str| MemberRow {
                voter: !word.starts_with('-'),
                ..member(word.trim_start_matches('-').parse().unwrap())
            };
            let rows: Vec<MemberRow> = words[1..].iter().map(row).collect();
            rig.members(&rows);
            return show(&Outcome::Done(Ok(Reply::Empty)), &rig.changes);
        }
        "raw" => {
            let op = OpCode::from_wire(words[1].parse().unwrap()).unwrap();
            let hex = words.get(2).unwrap_or(&"").as_bytes();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            let outcome = rig.client(op, hex.chunks(2).map(byte).collect());
            return show(&outcome, &rig.changes);
        }
        _ => {
            let (op, record) = client_op(&words).unwrap_or_else(|| panic!("no such command: {line}"));
            let outcome = rig.client(op, record);
            return show(&outcome, &rig.changes);
        }
    }
    String::new()
}

fn run_block(rig: &mut Rig, input: &[&str]) -> String {
    let mut out = Vec::new();
    let mut lines = input.iter().filter(|line| !line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        if *line == "multi" {
            let mut ops = Vec::new();
            while let Some(op) = lines.next_if(|line| line.starts_with(' ')) {
                ops.push(client_op(&op.split_whitespace().collect::<Vec<_>>()).unwrap());
            }
            let outcome = rig.client(OpCode::Multi, multi_record(&ops));
            out.push(show(&outcome, &rig.changes));
        } else {
            out.push(run_one(rig, line));
        }
    }
    out.retain(|text| !text.is_empty());
    out.join("\n")
}

fn run_script(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rig = Rig::with_session();
    let mut rewritten = Vec::new();
    let mut wrong = String::new();
    for block in text.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty()) {
        let (input, expected) = block.split_once("\n----").unwrap_or((block, ""));
        let actual = run_block(&mut rig, &input.lines().collect::<Vec<_>>());
        if actual.trim() != expected.trim() {
            writeln!(wrong, "{input}\n---- expected\n{expected}\n---- got\n{actual}\n").unwrap();
        }
        rewritten.push(format!("{input}\n----\n{actual}").trim_end().to_owned());
        let (again, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
        assert_eq!(dump(&again), dump(&rig.state), "a snapshot after:\n{input}");
        assert_eq!(again.approximate_data_size(), rig.state.approximate_data_size(), "sizes after:\n{input}");
        assert_eq!(again.ephemerals_count(), rig.state.ephemerals_count(), "ephemerals after:\n{input}");
    }
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(path, rewritten.join("\n\n") + "\n").unwrap();
    } else {
        assert!(wrong.is_empty(), "{}:\n{wrong}", path.display());
    }
}

/// Each script under the sentence that it shows.
macro_rules! scripts {
    ($($file:literal => $sentence:ident,)*) => {
        const SCRIPTS: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $sentence() {
                run_script(&folder().join($file));
            }
        )*
    };
}

scripts! {
    "acl.txt" => permissions_are_asked_of_the_right_znode_and_hashes_are_hidden,
    "basic.txt" => znodes_are_created_read_set_and_deleted_and_ephemerals_go_with_their_session,
    "multi.txt" => a_multi_does_all_of_its_operations_or_none,
    "precedence.txt" => refusals_come_in_the_order_of_zookeeper,
    "quota.txt" => quotas_count_what_is_below_and_hard_limits_refuse,
    "reap.txt" => containers_and_ttl_znodes_are_due_when_zookeeper_says_so,
    "sequence.txt" => sequence_numbers_and_stat_fields_move_as_in_zookeeper,
    "sessions.txt" => sessions_are_attached_closed_and_expired,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

#[test]
fn every_script_in_the_folder_is_run() {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, SCRIPTS);
}
