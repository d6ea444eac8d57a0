//! How results are written: for people, or one JSON value a line for programs.
//!
//! Rule: nothing is printed but by [`write()`]. Reason: `println!` panics when nobody reads any more.

use std::io::{self, Write};

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}

/// Writes a line to standard output.
///
/// # Errors
/// As [`write()`].
pub(super) fn line(text: &str) -> io::Result<()> {
    write(&format!("{text}\n"))
}

/// Writes to standard output.
///
/// # Errors
/// Nobody reads (`BrokenPipe`), or there is no room.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| io::Error::new(error.kind(), format!("cannot write the result: {error}")))
}

pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    line(&serde_json::to_string(value)?)
}
