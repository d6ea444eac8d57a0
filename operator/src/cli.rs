//! The commands of the one binary.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{crd, install, runtime};

#[derive(Parser)]
#[command(name = "operator", version, about = "Keeps coordd ensembles alive on Kubernetes")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the CustomResourceDefinitions, as they stand in crds/.
    Crds,
    /// Print the manifests that install the operator, for `kubectl apply --server-side -f -`.
    Manifests(install::Options),
    /// Run the operator.
    Run(Box<runtime::Run>),
}

/// Runs what the arguments ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = Cli::parse_from(args);
    let done = match cli.command {
        Command::Crds => print_crds(),
        Command::Manifests(options) => print_manifests(&options),
        Command::Run(options) => runtime::run(&options).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("operator: {why}");
            ExitCode::FAILURE
        }
    }
}

fn print_crds() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for (_, text) in crd::manifests()? {
        write!(out, "---\n{text}")?;
    }
    Ok(())
}

fn print_manifests(options: &install::Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for text in install::manifests(options)? {
        write!(out, "---\n{text}")?;
    }
    Ok(())
}
