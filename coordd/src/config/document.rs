//! `coordd/docs/configuration.md`, written from the table of settings. A test holds the committed page to it.
#![cfg(test)]

use super::raw::{flag, variable};
use super::settings::{self, Fallback, Setting};

const HEAD: &str = "\
# Configuration of coordd

Each setting is a key of the TOML file given by `--config` (or `COORDD_CONFIG`), a flag of `coordd serve` and an
environment variable: `data_dir`, `--data-dir`, `COORDD_DATA_DIR`. A flag counts before a variable, a variable before
the file, the file before the default. A wrong value ends the start with a message that names the setting, where it
was given, and what is allowed. In the file, lists may be written as lists, and `ensemble` as a table of names and
addresses.
All settings exist since 0.1.

This page is written from `coordd/src/config/settings.rs`: change that, then
`REWRITE=1 cargo test -p coordd --lib config`.
";

fn entry(setting: &Setting) -> String {
    let default = match setting.default {
        Fallback::Value(text) => format!("`{text}`"),
        Fallback::Derived(how) => how.to_owned(),
        Fallback::Nothing => "none".to_owned(),
        Fallback::Required => "none; it has to be given".to_owned(),
    };
    format!(
        "- **`{}`** (`{}`, `{}`): {}\n  Value: {}. Default: {default}.\n",
        setting.key,
        flag(setting.key),
        variable(setting.key),
        setting.about,
        setting.kind.allowed()
    )
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut group = "";
    for setting in settings::all() {
        if setting.group != group {
            group = setting.group;
            page.push_str(&format!("\n## {group}\n"));
        }
        page.push_str(&entry(&setting));
    }
    page
}

#[test]
fn the_committed_page_is_what_the_table_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page(), "docs/configuration.md is out of date: REWRITE=1 cargo test -p coordd --lib config");
}
