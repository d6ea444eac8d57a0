//! Log lines on standard error, as text for people or as JSON for collectors.
//!
//! Rule: lines say what changed and what needs a person; nothing is logged per request. Reason: a log that talks when
//! all is well is not read when something is not.

use std::io::{self, IsTerminal};

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Starts logging; once per process.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::new(format!("warn,openraft=error,coordd={0},coordd_wal={0},coordd_tree={0}", config.level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let started = if config.json { lines.json().try_init() } else { lines.compact().try_init() };
    if let Err(error) = started {
        eprintln!("coordd: logging was started before: {error}");
    }
    if is_left_out(&config.level, STATIC_MAX_LEVEL) {
        tracing::warn!(log_level = config.level, "this build carries no finer lines than {STATIC_MAX_LEVEL}");
    }
}

/// Whether lines of the `wanted` level are not in a build that `carries` no finer ones than that.
fn is_left_out(wanted: &str, carries: LevelFilter) -> bool {
    wanted.parse().is_ok_and(|wanted: LevelFilter| wanted > carries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_the_build_left_out_is_known() {
        let found = ["error", "info", "debug", "trace"].map(|wanted| is_left_out(wanted, LevelFilter::INFO));
        assert_eq!(found, [false, false, true, true]);
        assert!(!is_left_out("trace", LevelFilter::TRACE));
    }
}
