//! The command line: what each command is given, and where it goes.
//!
//! ```text
//!   serve ─► config ─► daemon     demo ─► three serves     admin, drain ─► coordd-api     cli ─► the ZooKeeper port
//! ```
//!
//! Rule: a command ends with 0 when it did what it was asked to, 1 when it could not and says why on standard error,
//! 2 when it was not understood.

mod admin;
mod client;
mod output;
mod restore;
mod serve;
mod zk;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::args::Flags;
use crate::demo;

/// What a shell shows of a tool that SIGPIPE ended. We are sent none (Rust ignores it), so we end as if.
const UNHEARD: u8 = 128 + 13;

/// A coordination daemon that speaks ZooKeeper's protocol.
#[derive(Debug, Parser)]
#[command(name = "coordd", version, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one member of an ensemble
    Serve(Flags),
    /// Run an ensemble on loopback to look at
    Demo(demo::Options),
    /// A member of the demo: ends with it
    #[command(hide = true)]
    DemoMember(Flags),
    /// Look at and change an ensemble through its admin ports
    Admin(admin::AdminArgs),
    /// Make an empty data directory the first member of a new ensemble, from a snapshot file
    Restore(restore::RestoreArgs),
    /// The verbs of zkCli, one-shot or as a shell
    Cli(zk::CliArgs),
    /// Send a member's clients and leadership away before it stops
    Drain {
        #[command(flatten)]
        access: admin::Access,
        /// How long that may take, as 10s or 500ms
        #[arg(long, default_value = "10s", value_parser = duration)]
        timeout: Duration,
    },
}

/// Why a command did not do what it was asked to.
enum Failed {
    /// Not understood; the text says how it is said.
    Usage(Box<clap::Error>),
    Said(String),
    /// Nobody reads what would be said, or it was said where it happened; this is the exit code.
    Told(u8),
}

impl From<String> for Failed {
    fn from(why: String) -> Failed {
        Failed::Said(why)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failed::Told(UNHEARD),
            _ => Failed::Said(error.to_string()),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parse = |digits: &str, unit: u64| digits.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_millis);
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let parsed = units.iter().find_map(|(suffix, unit)| parse(text.strip_suffix(suffix)?, *unit));
    parsed.ok_or_else(|| "it must be a number with ms, s or m".to_owned())
}

/// Runs what `arguments` ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command }) => command,
        Err(error) => return explain(&error),
    };
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Usage(error)) => explain(&error),
        Err(Failed::Told(code)) => ExitCode::from(code),
        Err(Failed::Said(why)) => {
            eprintln!("coordd: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Help goes to standard output and is a success, a mistake goes to standard error.
fn explain(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn dispatch(command: Command) -> Result<(), Failed> {
    match command {
        Command::Serve(flags) => Ok(serve::run(&flags)?),
        Command::DemoMember(flags) => Ok(serve::run_below(&flags)?),
        Command::Demo(options) => block_on(demo::run(&options, output::line)),
        Command::Admin(args) => block_on(admin::run(args)),
        Command::Restore(args) => restore::run(&args),
        Command::Cli(args) => block_on(zk::run(args)),
        Command::Drain { access, timeout } => {
            let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            block_on(async { admin::drain(&access, timeout_ms).await })
        }
    }
}

/// The tools need one thread.
fn block_on<E>(work: impl Future<Output = Result<(), E>>) -> Result<(), Failed>
where
    Failed: From<E>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    let outcome = runtime.block_on(work);
    // A read of standard input may never end.
    runtime.shutdown_background();
    Ok(outcome?)
}
