//! Runs the scenarios: images, a cluster, the program `coordd-e2e` in it, and everything down again.
//!
//! Rule: Ctrl-C ends the scenarios and not this process, which then takes the cluster down. Reason: a prompt that comes
//! back means that nothing is left.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::cluster::Cluster;
use super::keeper::Keeper;
use crate::failure::{Failure, Result, Tried};
use crate::{image, place, runtimes, shell};

/// Names another cluster than that of this machine.
const OTHER: &str = "COORDD_E2E_KUBECONFIG";
/// Says that Ctrl-C is ignored already.
const SHIELDED: &str = "COORDD_E2E_SHIELDED";

pub(super) fn list() -> Result<()> {
    Err(shell::become_program(Command::new(program()?).arg("list")))
}

pub(super) fn scenarios(words: &[&str]) -> Result<()> {
    let program = program()?;
    if let Some(kubeconfig) = env::var_os(OTHER) {
        // Its images are brought there by who owns it.
        return shell::run(Command::new(program).arg("run").args(words).env("KUBECONFIG", kubeconfig));
    }
    let (mut images, cluster) = (image::make()?, Cluster::of_this_machine()?);
    if !words.contains(&"--short") {
        images.push(runtimes::image()?);
    }
    if env::var_os(SHIELDED).is_none() {
        return Err(shield());
    }
    let _keeper = if cluster.is_up() { None } else { Some(Keeper::start()?) };
    images.iter().try_for_each(|archive| cluster.load(archive))?;
    let mut run = Command::new("env");
    run.arg("--default-signal=INT").arg(program).arg("run").args(words);
    run.env("KUBECONFIG", cluster.dir.join("kubeconfig")).env("COORDD_E2E_BIN", &cluster.bin);
    // By it the scenarios pull cables and cut the power.
    run.env("COORDD_E2E_RUNNER", env::current_exe().tried(|| "find this program".to_owned())?);
    shell::run(&mut run)
}

/// Goes on as itself with Ctrl-C ignored, once all is built: a build may be interrupted.
fn shield() -> Failure {
    let args: Vec<String> = env::args().collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT; exec "$0" "$@""#]).args(args).env(SHIELDED, "1");
    shell::become_program(&mut shell)
}

/// The scenarios' program, built.
fn program() -> Result<PathBuf> {
    shell::run(&mut shell::cargo(&["build", "--quiet", "-p", "coordd-e2e"]))?;
    Ok(place::build().join("debug/coordd-e2e"))
}
