//! The client programs: how each is installed, built and started.

use std::process::Command;

use crate::failure::Result;
use crate::{place, tools};

/// One program; `build` installs and compiles what it needs and returns the command that takes a connection string.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) build: fn() -> Result<Command>,
}

pub(super) const PROGRAMS: &[Program] = &[Program { name: "kazoo", build: kazoo }];

fn kazoo() -> Result<Command> {
    let python = tools::python("kazoo", &["kazoo==2.11.0"], "python")?;
    let mut command = Command::new(python);
    command.arg("-u").arg(place::clients().join("kazoo/main.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
