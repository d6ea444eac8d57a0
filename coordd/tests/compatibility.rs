//! `coordd/docs/compatibility.md`: what ZooKeeper does, row by row, and the test which shows that coordd does it too.
//!
//! ```text
//!   docs/compatibility/N-*.toml     what is so, and its tests, or why it is out ─┬─► the page (REWRITE=1 writes it)
//!   docs/compatibility/places.toml  short names of the files that hold tests    ─┴─► each named test is looked for
//! ```
//!
//! Rule: a row names tests that exist, or a reason; a row that reimplementers get wrong (`subtle`) always names tests.
//! Reason: a promise that nothing shows is a hope, and a test that was renamed must not leave a promise behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    section: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    number: String,
    title: String,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    is: String,
    #[serde(default)]
    subtle: bool,
    #[serde(default)]
    tests: Vec<String>,
    differs: Option<String>,
    out: Option<String>,
}

/// Short name → file, seen from the repository.
type Places = BTreeMap<String, String>;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn docs() -> PathBuf {
    repository().join("coordd/docs")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn places() -> Places {
    parse(&docs().join("compatibility/places.toml"))
}

fn sections() -> Vec<Section> {
    let entries = fs::read_dir(docs().join("compatibility")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| !path.ends_with("places.toml")).collect();
    files.sort();
    files.iter().flat_map(|path| parse::<Sections>(path).section).collect()
}

fn rows(sections: &[Section]) -> impl Iterator<Item = &Row> {
    sections.iter().flat_map(|section| &section.row)
}

/// The file and the name behind `place: name`.
fn find<'a>(places: &'a Places, test: &'a str) -> (&'a str, &'a str) {
    let (place, name) = test.split_once(": ").unwrap_or_else(|| panic!("{test} is no `place: name`"));
    (places.get(place).unwrap_or_else(|| panic!("{place} is no place")), name)
}

/// Whether `text`, the content of `path`, holds a test of that name, in the form of its language.
fn holds(path: &str, text: &str, name: &str) -> bool {
    match path.rsplit_once('.').unwrap().1 {
        "rs" if path.starts_with("e2e/clients/") => text.contains(&format!("pub async fn {name}(t: World)")),
        "rs" => text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let attributes = text[..at].rsplit("\n\n").next().unwrap();
            attributes.contains("#[test]") || attributes.contains("#[tokio::test")
        }),
        "txt" => text.lines().any(|line| line.strip_prefix("# ") == Some(name)),
        "py" => text.contains(&format!("@case\ndef {name}(t)")),
        "java" => text.contains(&format!("@Case\n    static void {name}(World t)")),
        "c" => text.contains(&format!("CASE({name}),")),
        other => panic!("tests in .{other} files are not known"),
    }
}

fn sentence(text: &str) -> String {
    format!("{}{}", text, if text.ends_with('.') { "" } else { "." })
}

/// One entry of the page, its tests as links to their files.
fn entry(places: &Places, row: &Row) -> String {
    let mut text = format!("- {}{}", if row.subtle { "**(!)** " } else { "" }, sentence(&row.is));
    if let Some(differs) = &row.differs {
        let _ = write!(text, " *coordd differs:* {}", sentence(differs));
    }
    if let Some(reason) = &row.out {
        let _ = write!(text, " *Out:* {}", sentence(reason));
    }
    let link = |test: &String| {
        let (path, name) = find(places, test);
        let from_here =
            path.strip_prefix("coordd/").map_or_else(|| format!("../../{path}"), |rest| format!("../{rest}"));
        format!("[{}]({from_here})", name.trim_end_matches('.').replace('_', " "))
    };
    let links: Vec<_> = row.tests.iter().map(link).collect();
    if !links.is_empty() {
        let _ = write!(text, "\n  <br>{}", links.join(" · "));
    }
    text + "\n"
}

fn page(places: &Places, sections: &[Section]) -> String {
    let shown = rows(sections).filter(|row| row.out.is_none()).count();
    let differ = rows(sections).filter(|row| row.differs.is_some()).count();
    let subtle = rows(sections).filter(|row| row.subtle).count();
    let out = rows(sections).count() - shown;
    let mut text = format!(
        "# Compatibility with ZooKeeper 3.9\n\n\
         What ZooKeeper does, row by row, and the tests which show that coordd does it too: {shown} rows, among them\n\
         {subtle} that are easily got wrong **(!)** and {differ} in which coordd differs on purpose. {out} rows are\n\
         out, each with its reason. `cargo verify` runs these tests; those below `e2e/clients` are programs on the\n\
         clients in use, which `cargo clients --server zookeeper` runs against ZooKeeper itself. Beside them\n\
         `cargo versus differ` sends the same random requests to both and compares what they answer.\n\n\
         This page is written from `coordd/docs/compatibility/`: change that, then\n\
         `REWRITE=1 cargo test -p coordd --test compatibility`.\n"
    );
    for Section { number, title, row } in sections {
        let _ = write!(text, "\n## {number} {title}\n\n");
        row.iter().for_each(|row| text.push_str(&entry(places, row)));
    }
    text
}

#[test]
fn the_page_is_what_its_sources_say() {
    let (path, expected) = (docs().join("compatibility.md"), page(&places(), &sections()));
    if std::env::var_os("REWRITE").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert!(read(&path) == expected, "{} is old; run this test with REWRITE=1", path.display());
}

#[test]
fn every_row_names_tests_or_a_reason_and_a_subtle_one_tests() {
    let wrong = |row: &&Row| row.tests.is_empty() != row.out.is_some() || (row.subtle && row.tests.is_empty());
    let sections = sections();
    let wrong: Vec<_> = rows(&sections).filter(wrong).map(|row| &row.is).collect();
    assert_eq!(wrong, [""; 0]);
    assert!(rows(&sections).filter(|row| row.subtle).count() > 50, "the rows are not there");
}

#[test]
fn every_named_test_exists() {
    let (places, sections) = (places(), sections());
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for test in rows(&sections).flat_map(|row| &row.tests) {
        let (path, name) = find(&places, test);
        let text = texts.entry(path).or_insert_with(|| read(&repository().join(path)));
        if !holds(path, text, name) {
            missing.push(format!("{path}: {name}"));
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_only_looks_like_a_test_is_none() {
    let rust = "#[test]\nfn shown() {}\n\nfn helper() {}\n\n#[tokio::test]\nasync fn waited() {}\n";
    let found = ["shown", "helper", "waited", "show"].map(|name| holds("coordd/tests/a.rs", rust, name));
    assert_eq!(found, [true, false, true, false]);
    let script = "# A title.\ncreate /a x\n";
    let found = ["A title.", "A title", "create /a x"].map(|name| holds("a.txt", script, name));
    assert_eq!(found, [true, false, false]);
    assert!(holds("a.py", "@case\ndef shown(t):\n", "shown") && !holds("a.py", "def shown(t):\n", "shown"));
    assert!(!holds("A.java", "    static void shown(World t) {}\n", "shown"));
    assert!(
        holds("a.c", "    CASE(shown),\n", "shown") && !holds("a.c", "static void shown(zhandle_t *zh)\n", "shown")
    );
}
