//! Runs the scenarios: images, a cluster, the program `coordd-e2e` in it, and everything down again.
//!
//! Rule: Ctrl-C ends the scenarios and not this process, which then takes the cluster down. Reason: a prompt that comes
//! back means that nothing is left.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::cluster::Cluster;
use super::former::{self, Former};
use super::keeper::Keeper;
use crate::failure::{Failure, Result, Tried};
use crate::{image, place, runtimes, shell};

/// Names another cluster than that of this machine.
const OTHER: &str = "COORDD_E2E_KUBECONFIG";
/// Tells the scenarios the commit of the build of before.
const FORMER: &str = "COORDD_E2E_FORMER";
/// Says that Ctrl-C is ignored already.
const SHIELDED: &str = "COORDD_E2E_SHIELDED";

pub(super) fn list() -> Result<()> {
    Err(shell::become_program(Command::new(program()?).arg("list")))
}

pub(super) fn scenarios(words: &[&str]) -> Result<()> {
    let (revision, words) = of_this_program(words)?;
    let program = program()?;
    let former = revision.map(former::build).transpose()?;
    if let Some(kubeconfig) = env::var_os(OTHER) {
        // Its images are brought there by who owns it.
        let mut run = Command::new(program);
        return shell::run(told_of(former.as_ref(), run.arg("run").args(words).env("KUBECONFIG", kubeconfig)));
    }
    let (mut images, cluster) = (image::make()?, Cluster::of_this_machine()?);
    images.extend(former.iter().flat_map(|former| former.archives.clone()));
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
    shell::run(told_of(former.as_ref(), &mut run))
}

/// The revision of `--former`, and the words that are the scenarios' program's.
fn of_this_program<'w>(words: &[&'w str]) -> Result<(Option<&'w str>, Vec<&'w str>)> {
    let Some(at) = words.iter().position(|word| *word == "--former") else { return Ok((None, words.to_vec())) };
    match (words.get(at + 1), [words.get(..at), words.get(at + 2..)]) {
        (Some(revision), [Some(before), Some(after)]) if !revision.starts_with('-') => {
            Ok((Some(revision), [before, after].concat()))
        }
        _ => Err(Failure::new("--former wants a revision, such as a tag or a commit")),
    }
}

/// Whatever the caller's environment says of it: a build of before is one that was made now.
fn told_of<'c>(former: Option<&Former>, run: &'c mut Command) -> &'c mut Command {
    match former {
        Some(former) => run.env(FORMER, &former.commit),
        None => run.env_remove(FORMER),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_taken_out_wherever_it_stands_and_the_rest_is_passed_on() {
        assert_eq!(of_this_program(&["roll", "--times", "10"]).unwrap(), (None, vec!["roll", "--times", "10"]));
        for words in [["--former", "v1", "roll", "--short"], ["roll", "--former", "v1", "--short"]] {
            assert_eq!(of_this_program(&words).unwrap(), (Some("v1"), vec!["roll", "--short"]));
        }
        for words in [&["roll", "--former"][..], &["--former", "--short"]] {
            assert!(of_this_program(words).unwrap_err().to_string().contains("wants a revision"));
        }
    }

    #[test]
    fn scenarios_hear_of_the_build_that_was_made_and_of_no_other() {
        let former = Former { commit: "0123abc".to_owned(), archives: Vec::new() };
        let told = |former: Option<&Former>| {
            let mut run = Command::new("true");
            let said = told_of(former, &mut run).get_envs().next().map(|(_, value)| value.map(|v| v.to_owned()));
            said.unwrap()
        };
        assert_eq!(told(Some(&former)), Some("0123abc".into()));
        assert_eq!(told(None), None, "not even one that the caller names");
    }
}
