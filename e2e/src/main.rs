//! The commands behind `cargo demo`, `verify`, `versus`, `sim`, `image`, `e2e` and `clients`.
//!
//! ```text
//!   .cargo/config.toml (aliases) ──► e2e ──┬─ demo, versus, sim   build a program, then become it
//!                                          ├─ verify              every check, in order of cost
//!                                          ├─ zookeeper           a real ZooKeeper to compare with
//!                                          ├─ image, e2e          container images, and a real Kubernetes to run them
//!                                          └─ clients             foreign clients against real servers
//! ```
//!
//! Rule: this package uses the standard library alone. Reason: it is the first thing built on a fresh machine, and
//! must be there in seconds.

mod clients;
mod failure;
mod image;
mod kubernetes;
mod launch;
mod options;
mod place;
mod profile;
mod runtimes;
mod servers;
mod shell;
mod shipped;
mod tools;
mod verify;

use std::process::ExitCode;

use failure::{Failure, Result};

const USAGE: &str = "usage: e2e COMMAND
  demo [ARGS]                 build coordd and run `coordd demo ARGS`
  verify [--only STEP|--list] install what is needed and run every check
  versus [ARGS]               build what is shipped and measure it against ZooKeeper
  versus profile              record coordd at work anew, by which what is shipped is laid out
  sim [--seed N] [--rounds N] live one seed twice: simulated network, clock and disk
  image                       write target/images/{coordd,operator}.tar, docker archives
  e2e [COMMAND]               a real Kubernetes of three nodes, and scenarios in it
  clients [--server coordd|zookeeper] [--members 1|3] [--only PROGRAM] [--case NAME]
                              foreign clients against real servers
  zookeeper [--members 1|3] [--dir DIR] [--base-port PORT]
                              a real ZooKeeper, until it is killed";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let (command, rest) = args.split_first().ok_or_else(|| Failure::new(USAGE))?;
    match command.as_str() {
        "demo" => launch::demo(rest),
        "verify" => verify::command(rest),
        "versus" => launch::versus(rest),
        "sim" => launch::sim(rest),
        "image" => image::command(rest),
        "e2e" => kubernetes::command(rest),
        "clients" => clients::command(rest),
        "zookeeper" => clients::zookeeper(rest),
        _ => Err(Failure::new(USAGE)),
    }
}
