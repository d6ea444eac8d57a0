//! `cargo e2e`: a real Kubernetes on this machine, and scenarios in it.
//!
//! ```text
//!   host (packages) ► parts (programs, built once) ► cluster ── control (processes) ── node × 3 (namespaces)
//!                                                      ▲
//!   run ─► keeper (up … down, whatever happens) ───────┘        coordd-e2e (e2e/cluster): the scenarios themselves
//!    └─► former (the build of another revision)                    └─► this runner again: node cut, power off, …
//! ```
//!
//! Rule: here a cluster is made and hurt; what is asked of coordd in it is in `e2e/cluster`. Reason: this part needs
//! the standard library alone, and is there before anything else is built.

mod cluster;
mod control;
mod credentials;
mod former;
mod host;
mod keeper;
mod node;
mod parts;
mod processes;
mod run;
mod template;

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::failure::{Failure, Result, Tried};
use crate::shell;
use cluster::Cluster;
use node::Node;

const USAGE: &str = "usage: cargo e2e COMMAND
  run [--short|SCENARIO…] [--times N] [--former REV]
                           a cluster of three nodes, the scenarios in it (all, or these), and everything down again;
                           in the cluster that is up already, or in that of COORDD_E2E_KUBECONFIG, where there is one;
                           N times each, so that a figure is the worst of N; with the build of git revision REV, to
                           which ensembles are rolled and from whose chart the operator is upgraded
  list                     the scenarios
  former REV               the images and the chart of that revision, as `run` makes them, in target/former
  build                    the programs of which a Kubernetes is made, once a machine
  up, down, status         a cluster that stays
  shell                    a shell in which kubectl and helm reach it
  load ARCHIVE             make an image known to every node
  node NAME stop|start|cut|join
  apiserver stop|start|freeze|thaw";

pub(crate) fn command(args: &[String]) -> Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", scenarios @ ..] => run::scenarios(scenarios),
        ["list"] => run::list(),
        ["former", revision] => former::build(revision).map(drop),
        ["build"] => programs(),
        ["up"] => up(),
        ["down"] => Cluster::of_this_machine()?.down(),
        ["status"] => status(),
        ["shell"] => enter(),
        ["keep"] => keeper::keep(),
        ["load", archive] => running()?.load(Path::new(archive)),
        ["node", name, what] => hurt_node(Node::named(name)?, what),
        ["apiserver", what] => hurt_api_server(what),
        _ => Err(Failure::new(USAGE)),
    }
}

/// Builds what the cluster, and the tests of the operator, are made of.
pub(crate) fn programs() -> Result<()> {
    let bin = parts::built()?;
    println!("      in {}", bin.display());
    Ok(())
}

/// The short form, as a step of `cargo verify`. CI may not skip it: there an obstacle is a failure.
pub(crate) fn verify() -> Result<()> {
    if let Some(why) = host::obstacle().filter(|_| env::var_os("CI").is_none()) {
        println!("      skipped: {why}; as root on Linux `cargo e2e run --short` runs it");
        return Ok(());
    }
    // A process of its own, which outlives an interrupted `cargo verify` until the cluster is down.
    let program = env::current_exe().tried(|| "find this program".to_owned())?;
    shell::run(Command::new(program).args(["e2e", "run", "--short"]))
}

fn up() -> Result<()> {
    let cluster = Cluster::of_this_machine()?;
    if cluster.is_up() {
        println!("it is up already; KUBECONFIG={}", cluster.path("kubeconfig"));
        return Ok(());
    }
    let began = Instant::now();
    if let Err(failure) = cluster.up() {
        eprintln!("the logs are in {}; `cargo e2e down` removes what came up", cluster.path("log"));
        return Err(failure);
    }
    println!("three nodes ready in {:.1} s; `cargo e2e shell` to look around", began.elapsed().as_secs_f64());
    println!("KUBECONFIG={}", cluster.path("kubeconfig"));
    Ok(())
}

/// The cluster, when it is up.
fn running() -> Result<Cluster> {
    let cluster = Cluster::of_this_machine()?;
    if cluster.is_up() { Ok(cluster) } else { Err(Failure::new("no cluster is up; `cargo e2e up` starts one")) }
}

fn status() -> Result<()> {
    let cluster = running()?;
    println!("KUBECONFIG={}", cluster.path("kubeconfig"));
    print!("{}", cluster.kubectl(&["get", "nodes", "-L", "topology.kubernetes.io/zone"])?);
    print!("{}", cluster.kubectl(&["get", "pods", "--all-namespaces", "-o", "wide"])?);
    Ok(())
}

fn enter() -> Result<()> {
    let cluster = running()?;
    let path = env::var("PATH").unwrap_or_default();
    let mut shell = Command::new(env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()));
    shell.env("PATH", format!("{}:{path}", cluster.bin.display()));
    Err(shell::become_program(shell.env("KUBECONFIG", cluster.dir.join("kubeconfig"))))
}

fn hurt_node(node: Node, what: &str) -> Result<()> {
    let cluster = Cluster::of_this_machine()?;
    match what {
        "stop" => {
            node.stop(&cluster);
            Ok(())
        }
        "start" => node.start(&cluster),
        "cut" => node.connect(false),
        "join" => node.connect(true),
        _ => Err(Failure::new(USAGE)),
    }
}

fn hurt_api_server(what: &str) -> Result<()> {
    let cluster = Cluster::of_this_machine()?;
    let processes = cluster.processes();
    match what {
        "stop" => processes.stop(&["apiserver"]),
        "start" => control::start_api_server(&cluster)?,
        "freeze" => processes.signal("apiserver", "STOP"),
        "thaw" => processes.signal("apiserver", "CONT"),
        _ => return Err(Failure::new(USAGE)),
    }
    Ok(())
}
