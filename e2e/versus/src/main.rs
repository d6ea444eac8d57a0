//! `cargo versus`: the command line of the library beside it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use coordd_versus::{archive, bare, bench, clients, crowd, differ, discovery, faults, instance, planted};

#[derive(Parser)]
#[command(name = "versus", about = "coordd against ZooKeeper: speed, behaviour, faults")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the speed table
    Bench(bench::Options),
    /// Measure what the machine itself needs for two of its rows, without a server
    Bare(bare::Options),
    /// Measure reading and following over HTTP
    Discovery(discovery::Options),
    /// Send bytes over HTTP and do nothing else: what the reads of `discovery` are measured against
    BareHttp(discovery::BareOptions),
    /// Send the same random requests to both and compare everything they answer
    Differ(differ::Options),
    /// Hurt an ensemble while clients work, and check what they saw
    Faults(faults::Options),
    /// Work at an ensemble that somebody else hurts, and be told over HTTP when
    Clients(clients::Options),
    /// Register as Curator does, answer with a name, and call others when told to
    Instance(instance::Options),
    /// Register as many as one is told to, and tell when each registration was acknowledged
    Crowd(crowd::Options),
    /// Check a history that was kept
    Check(archive::Options),
    /// Plant bugs in coordd and demand that the checker finds each
    Planted(planted::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Bench(options) => bench::run(&options),
        Command::Bare(options) => bare::run(&options),
        Command::Discovery(options) => discovery::run(&options),
        Command::BareHttp(options) => discovery::serve_bare(&options),
        Command::Differ(options) => differ::run(&options),
        Command::Faults(options) => faults::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Instance(options) => instance::run(&options),
        Command::Crowd(options) => crowd::run(&options),
        Command::Check(options) => archive::check(&options),
        Command::Planted(options) => planted::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}
