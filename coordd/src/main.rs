//! The one binary: `coordd serve`, and the tools of the people who run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    coordd::cli::run(std::env::args_os())
}
