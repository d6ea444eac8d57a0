//! The house's rules that no compiler knows: who may use whom, and how long things may be (ARCHITECTURE.md, design §3).
//!
//! ```text
//!   crates    proto ← tree ← coordd ← testkit, sim      wal, api: nothing of ours
//!   modules   seams, consensus ← raft │ session, watch ← server ← http ← admin ← ops ← daemon ← cli, demo
//! ```
//!
//! Rule: a module uses those of lower layers only, and `raft` is used by those alone that put a member together.
//! Reason: what may use everything ends up using everything; then nothing can be changed or tested alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;
const LINES_MEDIAN_MAX: usize = 150;
const LINE_CHARS_MAX: usize = 120;

/// Modules of the crate `coordd`, lowest layer first.
const LAYERS: [&[&str]; 10] = [
    &["clock", "config", "consensus", "descriptors", "entropy", "net"],
    &["raft", "session", "watch", "leader_tasks", "telemetry", "discovery"],
    &["server"],
    &["http"],
    &["admin"],
    &["ops"],
    &["daemon"],
    &["demo"],
    &["cli"],
    &["main", "lib"],
];
/// Who may use `raft` itself; everyone else has the seam `consensus`.
const RAFT_USERS: [&str; 3] = ["ops", "daemon", "cli"];
/// Faults that tests switch on stand in the midst of what they spoil; in a release they are nothing.
const PLANTED: &str = "planted";
/// (user, used): the documents of both ports are compared with the committed ones in one test.
const EXCEPTIONS: [(&str, &str); 1] = [("http", "admin")];

/// Crates of ours that each crate of ours may use, outside its tests.
const CRATES: [(&str, &[&str]); 12] = [
    ("coordd/proto", &[]),
    ("coordd/tree", &["coordd-proto"]),
    ("coordd/wal", &[]),
    ("coordd/api", &[]),
    ("coordd", &["coordd-api", "coordd-proto", "coordd-tree", "coordd-wal"]),
    ("coordd/testkit", &["coordd-proto"]),
    ("operator", &["coordd-api"]),
    ("e2e", &[]),
    ("e2e/versus", &["coordd-proto"]),
    ("e2e/cluster", &["coordd-api", "coordd-versus"]),
    ("coordd/fuzz", &["coordd-api", "coordd-proto"]),
    ("coordd/sim", &["coordd", "coordd-proto", "coordd-wal"]),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A source file: its path in the repository and its text.
struct Source {
    path: String,
    text: String,
}

fn collect(dir: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, root, sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source { path: path.strip_prefix(root).unwrap().display().to_string(), text });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&repository(), &repository(), &mut sources);
    assert!(sources.len() > 200, "the sources are not there");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Data in the form of another program, kept as that writes it: rows of /proc/net/tcp, parts of a Maven pom.
fn is_foreign(line: &str) -> bool {
    ["<dependency>", " 00000000:00000000 "].iter().any(|mark| line.contains(mark))
}

/// What is wrong with a file by itself.
fn faults(Source { path, text }: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault = |line: usize, what: &str| found.push(format!("{path}:{line}: {what}"));
    if !text.starts_with("//! ") {
        fault(1, "no module doc");
    }
    let count = text.lines().count();
    if count > LINES_MAX {
        fault(count, "too long a file");
    }
    // Written in two parts, so that this file does not find itself.
    let left_undone =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("un", "implemented!("), concat!("to", "do!(")];
    let mut in_test = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.chars().count() > LINE_CHARS_MAX && !is_foreign(line) {
            fault(number, "too long a line");
        }
        if left_undone.iter().any(|word| line.contains(word)) {
            fault(number, "left undone");
        }
        let bare = line.trim_start();
        if in_test && bare.trim_start_matches("async ").starts_with(concat!("fn te", "st_")) {
            fault(number, "the name of a test is a sentence without a prefix");
        }
        in_test =
            bare.starts_with("#[test]") || bare.starts_with("#[tokio::test") || (in_test && bare.starts_with('#'));
    }
    found
}

#[test]
fn each_file_says_what_it_is_and_keeps_the_houses_measures() {
    let sources = sources();
    let found: Vec<_> = sources.iter().flat_map(faults).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    let mut lengths: Vec<_> = sources.iter().map(|source| source.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    println!("{} files, median {median} lines, longest {}", lengths.len(), lengths[lengths.len() - 1]);
    assert!(median <= LINES_MEDIAN_MAX, "the median file has {median} lines");
}

/// The names behind `crate::` in a file, also those in braces.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code = code(text).collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => outer_names(list),
            None => vec![rest],
        };
        used.extend(names.into_iter().map(|name| {
            let end = name.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(name.len());
            name[..end].to_owned()
        }));
    }
    used
}

/// The parts of a list up to its closing brace, each from its first letter on.
fn outer_names(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut names) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(list[begin..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(list[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn may_use(user: &str, used: &str) -> bool {
    if user == used || [user, used].contains(&PLANTED) || EXCEPTIONS.contains(&(user, used)) {
        return true;
    }
    let lower = layer(used).zip(layer(user)).is_none_or(|(used, user)| used < user);
    lower && (used != "raft" || RAFT_USERS.contains(&user))
}

#[test]
fn modules_use_lower_layers_only_and_consensus_in_place_of_raft() {
    let mut wrong = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for Source { path, text } in sources() {
        let Some(inside) = path.strip_prefix("coordd/src/") else { continue };
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        assert!(module == PLANTED || layer(&module).is_some(), "{module} has no layer; give it one here");
        let used = used_modules(&text);
        let all = used.iter().filter(|used| layer(used).is_some());
        wrong.extend(all.filter(|used| !may_use(&module, used)).map(|used| format!("{path} uses {used}")));
        seen.insert(module);
    }
    assert_eq!(wrong, BTreeSet::new());
    assert!(seen.len() > 15, "the modules are not there: {seen:?}");
}

#[test]
fn crates_use_what_they_may_and_openraft_is_named_in_one_folder() {
    #[derive(serde::Deserialize)]
    struct Manifest {
        #[serde(default)]
        dependencies: BTreeMap<String, toml::Value>,
    }
    #[derive(serde::Deserialize)]
    struct Root {
        workspace: Workspace,
    }
    #[derive(serde::Deserialize)]
    struct Workspace {
        members: BTreeSet<String>,
        exclude: BTreeSet<String>,
    }
    let Root { workspace } = toml::from_str(&fs::read_to_string(repository().join("Cargo.toml")).unwrap()).unwrap();
    let known: BTreeSet<_> = CRATES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(known, &workspace.members | &workspace.exclude, "each crate has its line in CRATES");
    for (path, may) in CRATES {
        let text = fs::read_to_string(repository().join(path).join("Cargo.toml")).unwrap();
        let manifest: Manifest = toml::from_str(&text).unwrap();
        let ours: Vec<_> = manifest.dependencies.keys().filter(|name| name.starts_with("coordd")).collect();
        assert!(ours.iter().all(|name| may.contains(&name.as_str())), "{path} uses {ours:?}");
    }
    let names = |source: &&Source| code(&source.text).any(|line| line.contains(concat!("open", "raft::")));
    let inside = |path: &str| path.starts_with("coordd/src/raft/");
    let outside: Vec<_> =
        sources().iter().filter(names).map(|source| source.path.clone()).filter(|path| !inside(path)).collect();
    assert_eq!(outside, [""; 0]);
}

#[test]
fn what_breaks_a_rule_is_found() {
    let file = |text: &str| Source { path: "a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(faults(&file("//! A thing.\n")), [""; 0]);
    assert_eq!(faults(&file("use a::b;\n")), ["a.rs:1: no module doc"]);
    let long = format!("//! A thing.\n// {}\n", "x".repeat(LINE_CHARS_MAX));
    assert_eq!(faults(&file(&long)), ["a.rs:2: too long a line"]);
    let undone = format!("//! A thing.\n// {}: later\n", concat!("TO", "DO"));
    assert_eq!(faults(&file(&undone)), ["a.rs:2: left undone"]);
    let named = format!("//! A thing.\n#[tokio::test]\nasync fn {}() {{}}\n", concat!("te", "st_it"));
    assert_eq!(faults(&file(&named)).len(), 1);
    let used = used_modules("use crate::{net, raft::{a, b}};\n// crate::cli\nlet x = crate::clock::now();\n");
    assert_eq!(used, ["clock", "net", "raft"].map(str::to_owned).into());
    assert!(!may_use("raft", "server") && !may_use("server", "raft") && !may_use("admin", "raft"));
    assert!(may_use("server", "session") && may_use("daemon", "raft"));
}

#[test]
fn the_operator_knows_the_feature_level_of_this_release() {
    let text = fs::read_to_string(repository().join("operator/src/runtime/options.rs")).unwrap();
    let row = format!("(\"{}\", {})", env!("CARGO_PKG_VERSION"), coordd_tree::FEATURE_LEVEL);
    assert!(text.contains(&row), "RELEASES lacks {row}: it would roll no cluster that this release has raised");
}
