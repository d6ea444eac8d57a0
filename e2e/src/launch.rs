//! Commands that build a program of this repository and then become it, with the caller's arguments passed on.
//!
//! Rule: `exec`, not a child. Reason: Ctrl-C and the exit code must reach and leave the program itself.

use std::env;
use std::process::Command;

use crate::failure::{Result, Tried};
use crate::{place, profile, shell, shipped, tools};

pub(crate) fn demo(args: &[String]) -> Result<()> {
    build_coordd()?;
    Err(shell::become_program(Command::new(place::build().join("release/coordd")).arg("demo").args(args)))
}

/// Measures what is shipped against ZooKeeper.
pub(crate) fn versus(args: &[String]) -> Result<()> {
    if args == ["profile"] {
        return profile::record();
    }
    let mut versus = shipped_versus()?;
    // Without a word it measures the whole table; a leading flag is one of that.
    if args.first().is_none_or(|first| first.starts_with('-')) {
        versus.arg("bench");
    }
    Err(shell::become_program(versus.args(args)))
}

/// Members are hurt while clients work, and what the clients saw is checked: the form that takes a minute or two. Like
/// the next, with the programs of the images: what is shipped is tried, and built once. What takes a build with
/// switches has one: some hardships, and a bug a day that the checker must find.
pub(crate) fn short_faults() -> Result<()> {
    shell::run(shipped_versus()?.args(["faults", "--short"]))?;
    shell::run(shipped_versus()?.args(["planted", "--today"]))
}

/// Discovery over HTTP is read and followed by many, and every byte is looked at: in a few seconds, held to no bound.
pub(crate) fn short_discovery() -> Result<()> {
    shell::run(shipped_versus()?.args(["discovery", "--short"]))
}

/// ZooKeeper and coordd answer the same requests, and the answers are compared: one server each, then three. After the
/// clients, who bring Java.
pub(crate) fn short_differ() -> Result<()> {
    shell::run(shipped_versus()?.args(["differ", "--ops", "20000"]))?;
    shell::run(shipped_versus()?.args(["differ", "--ops", "5000", "--members", "3"]))
}

/// Lives one seed twice and compares.
pub(crate) fn sim(args: &[String]) -> Result<()> {
    let mut replay = simulation(&["run", "--quiet", "--", "replay"]);
    Err(shell::become_program(replay.args(args)))
}

/// What the workspace of the simulation has of its own: format, lints, its own tests, and one seed of every fault.
pub(crate) fn short_sim() -> Result<()> {
    shell::run(&mut simulation(&["fmt", "--check"]))?;
    shell::run(&mut simulation(&["clippy", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    shell::run(&mut simulation(&["test", "--quiet"]))?;
    shell::run(&mut simulation(&["run", "--quiet", "--", "replay"]))
}

fn simulation(args: &[&str]) -> Command {
    apart("coordd/sim", args)
}

pub(crate) fn fuzz_format() -> Result<()> {
    shell::run(&mut apart("coordd/fuzz", &["fmt", "--check"]))
}

/// With the flags that the fuzz targets run with. Not their tests: those belong to coordd, whose sources they borrow.
pub(crate) fn fuzz_lints() -> Result<()> {
    tools::need("c++", "g++")?;
    let clippy = ["clippy", "--bins", "--quiet", "--target", shipped::TARGET, "--", "-D", "warnings"];
    shell::run(&mut apart("coordd/fuzz", &clippy))
}

/// Cargo in a workspace of its own, which builds beside ours and not in its midst.
fn apart(folder: &str, args: &[&str]) -> Command {
    let mut cargo = shell::cargo(args);
    cargo.current_dir(place::repository().join(folder));
    cargo.env("CARGO_TARGET_DIR", place::build().join(folder.trim_start_matches("coordd/")));
    cargo
}

fn shipped_versus() -> Result<Command> {
    let programs = shipped::programs()?;
    let mut versus = Command::new(programs.join("coordd-versus"));
    versus.env("COORDD_BIN", programs.join("coordd"));
    Ok(versus)
}

/// The programs on real client libraries, against the coordd of the image.
pub(crate) fn shipped_clients() -> Result<()> {
    let program = env::current_exe().tried(|| "find this program".to_owned())?;
    shell::run(Command::new(program).arg("clients").env("COORDD_BIN", shipped::programs()?.join("coordd")))
}

pub(crate) fn build_coordd() -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--release", "-p", "coordd"]))
}
