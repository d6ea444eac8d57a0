//! Log lines on standard error, as text for people or as JSON for collectors.
//!
//! Rule: each line about a cluster names it; nothing is said about a look that changed nothing. Reason: with a hundred
//! clusters, a line without a name helps nobody.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Starts logging; once per process.
pub(crate) fn start(level: &str, format: Format) {
    let filter = EnvFilter::new(format!("warn,operator={level}"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let started = match format {
        Format::Json => lines.json().flatten_event(true).try_init(),
        Format::Text => lines.compact().try_init(),
    };
    if let Err(error) = started {
        eprintln!("operator: logging was started before: {error}");
    }
}
