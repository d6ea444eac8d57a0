//! Commands that build a program of this repository and then become it, with the caller's arguments passed on.
//!
//! Rule: `exec`, not a child. Reason: Ctrl-C and the exit code must reach and leave the program itself.

use std::process::Command;

use crate::failure::Result;
use crate::{place, shell};

pub(crate) fn demo(args: &[String]) -> Result<()> {
    build_coordd()?;
    Err(shell::become_program(Command::new(place::build().join("release/coordd")).arg("demo").args(args)))
}

/// Measures the release build of coordd against ZooKeeper.
pub(crate) fn versus(args: &[String]) -> Result<()> {
    build_coordd()?;
    shell::run(&mut shell::cargo(&["build", "--release", "-p", "coordd-versus"]))?;
    let built = place::build().join("release");
    let mut versus = Command::new(built.join("coordd-versus"));
    // Without a word it measures the whole table; a leading flag is one of that.
    if args.first().is_none_or(|first| first.starts_with('-')) {
        versus.arg("bench");
    }
    Err(shell::become_program(versus.env("COORDD_BIN", built.join("coordd")).args(args)))
}

pub(crate) fn build_coordd() -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--release", "-p", "coordd"]))
}
