//! The client programs: how each is installed, built and started.

use std::process::Command;

use crate::failure::Result;
use crate::{place, tools};

/// One program; `build` installs and compiles what it needs and returns the command that takes a connection string.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) build: fn() -> Result<Command>,
}

pub(super) const PROGRAMS: &[Program] =
    &[Program { name: "kazoo", build: kazoo }, Program { name: "kazoo-suite", build: kazoo_suite }];

fn kazoo() -> Result<Command> {
    python("main.py")
}

/// kazoo's own tests, as its package ships them.
fn kazoo_suite() -> Result<Command> {
    python("suite.py")
}

fn python(script: &str) -> Result<Command> {
    let packages = ["kazoo==2.11.0", "pytest==9.2.0", "objgraph==3.7.0", "pyOpenSSL==26.4.0", "pyjks==20.0.0"];
    let python = tools::python("kazoo", &packages, "python")?;
    let mut command = Command::new(python);
    command.arg("-u").arg(place::clients().join("kazoo").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
