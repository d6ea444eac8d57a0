//! The one binary: `coordd serve`, and the tools of the people who run it.

use std::process::ExitCode;

/// Densest for many small znodes, and stable under churn (stack.md §4).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    coordd::cli::run(std::env::args_os())
}
