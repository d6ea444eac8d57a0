//! The steps of `cargo verify`: what each is called, what it shows and what it runs.

use std::process::Command;

use crate::failure::Result;
use crate::{kubernetes, launch, place, shell, tools};

/// One check.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn() -> Result<()>,
}

pub(super) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "one format for all", run: format },
    Step { name: "deny", about: "licences, sources and banned crates", run: deny },
    Step { name: "clippy", about: "lints of every crate and test, as errors", run: lints },
    Step { name: "docs", about: "documentation without a broken link", run: documentation },
    Step { name: "kube", about: "the programs of a Kubernetes, built once a machine", run: kubernetes::programs },
    Step { name: "test", about: "every test of the workspace", run: tests },
    Step { name: "sim", about: "one seed lived twice: simulated network, clock and disk", run: launch::short_sim },
    Step { name: "faults", about: "members killed, stopped and cut off while clients work", run: launch::short_faults },
    Step {
        name: "discovery",
        about: "answers over HTTP read and followed by many, in small",
        run: launch::short_discovery,
    },
    Step {
        name: "clients",
        about: "programs on real ZooKeeper clients, against one and three members",
        run: launch::shipped_clients,
    },
    Step {
        name: "differ",
        about: "the same random requests to ZooKeeper 3.9 and to coordd",
        run: launch::short_differ,
    },
    Step {
        name: "cluster",
        about: "ensembles created, scaled, rolled and healed on a real Kubernetes of three nodes",
        run: kubernetes::verify,
    },
];

fn format() -> Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))?;
    launch::fuzz_format()
}

/// Without and with the switches for bugs, and the fuzz targets: code that few compile rots. The workspace is whole
/// both times, so that the crates of others have the same features and are compiled once.
fn lints() -> Result<()> {
    for features in [&[][..], &["--features", "coordd/planted"]] {
        let mut clippy = shell::cargo(&["clippy", "--workspace", "--all-targets", "--quiet"]);
        shell::run(clippy.args(features).args(["--", "-D", "warnings"]))?;
    }
    launch::fuzz_lints()
}

/// Advisories need a database that only a git host serves; where it cannot be had, the rest is still checked.
/// Its settings are in `.deny.toml`, which it finds by itself.
fn deny() -> Result<()> {
    let program = tools::cargo_tool("cargo-deny")?;
    let deny = || {
        let mut command = Command::new(&program);
        command.current_dir(place::repository()).args(["--log-level", "error"]);
        command
    };
    let mut checks = vec!["bans", "licenses", "sources"];
    match shell::run_quietly(deny().args(["fetch", "db"])) {
        Ok(_) => checks.push("advisories"),
        Err(_) => println!("      advisories are left out: their database cannot be fetched from here"),
    }
    shell::run(deny().args(["check"]).args(checks))
}

fn documentation() -> Result<()> {
    let mut doc = shell::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests() -> Result<()> {
    let mut nextest = Command::new(tools::cargo_tool("cargo-nextest")?);
    nextest.current_dir(place::repository());
    shell::run(nextest.args(["nextest", "run", "--workspace", "--no-fail-fast"]))
}
