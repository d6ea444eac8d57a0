//! `cargo sim`: one seed decides a whole life of three members, and the same seed decides it again to the bit.
//!
//! ```text
//!   coordd-sim replay ─► once ──┐ two processes, one seed
//!                    └─► once ──┴─► the same trace, digest for digest, or the first line that differs
//!
//!   once: driver ─ step ─► turmoil ┬─ m1 m2 m3   the daemon as it is in production, on a disk in memory
//!            │                     ├─ c1 … c4    sessions that write, read, watch, lose their connection, come back
//!            └─ faults             └─ auditor    reads everything from everyone when the turmoil is over
//! ```
//!
//! Rule: a process runs one simulation, on one thread, and asks nothing of the machine but time to compute. Reason:
//! what the seed does not decide cannot be found again. Proves the seams (design D20); the mass of scenarios stands on
//! it.

mod client;
mod disk;
mod entropy;
mod faults;
mod history;
mod host;
mod invariants;
mod replay;
mod run;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Three members under simulated network, clock and disk. SIM_LOG=coordd=info shows what they log.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one seed twice, each time in a process of its own, and compares.
    Replay(Plan),
    /// Runs one seed once.
    Once(Plan),
}

/// What is to happen.
#[derive(clap::Args, Clone, Debug)]
struct Plan {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults.
    #[arg(long, default_value_t = 12)]
    rounds: u32,
    /// Where the trace is written, line by line.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// A defect that an invariant has to find: this simulation's own test.
    #[arg(long)]
    plant: Option<Plant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Plant {
    /// For a while the disks say that they flushed, and did not; then the power fails everywhere.
    DiskLies,
    /// The seed of the simulation's randomness is not the seed.
    OwnEntropy,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Replay(plan) => replay::twice(&plan),
        Command::Once(plan) => run::once(&plan).map(|report| report.to_string()),
    };
    match outcome {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
