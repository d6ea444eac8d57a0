//! The binary `operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::cli::run(std::env::args_os())
}
