//! `coordd-e2e`: the command line of the library beside it; `cargo e2e run` brings up a cluster for it.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use coordd_e2e::machine::Machine;
use coordd_e2e::operator;
use coordd_e2e::report::{Figure, table};
use coordd_e2e::scenarios::{ALL, Play, Scenario};
use coordd_e2e::scene::Scene;

#[derive(Parser)]
#[command(name = "coordd-e2e", about = "Scenarios on the Kubernetes of KUBECONFIG; `cargo e2e run` brings one up")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name the scenarios
    List,
    /// Run these, or all
    Run {
        scenarios: Vec<String>,
        /// Those of `cargo verify`
        #[arg(long)]
        short: bool,
        /// Each so often; the table tells the worst of its figures, and of how many that is
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        times: u16,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::List => {
            ALL.iter().for_each(|scenario| println!("{:24} {}", scenario.name, scenario.about));
            Ok(())
        }
        Command::Run { scenarios, short, times } => {
            let by_name = !scenarios.is_empty();
            chosen(&scenarios, short).and_then(|chosen| run(&chosen, times)).and_then(|left| all_played(&left, by_name))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn chosen(names: &[String], short: bool) -> Result<Vec<&'static Scenario>> {
    if let Some(strange) = names.iter().find(|name| !ALL.iter().any(|scenario| scenario.name == **name)) {
        bail!("no scenario is named {strange}; `cargo e2e list` names them");
    }
    let is_chosen = |scenario: &&Scenario| {
        if names.is_empty() { scenario.short || !short } else { names.iter().any(|name| name == scenario.name) }
    };
    Ok(ALL.iter().filter(is_chosen).collect())
}

/// All of them, also after one has failed; which were left out.
fn run(scenarios: &[&Scenario], times: u16) -> Result<Vec<&'static str>> {
    let (mut figures, mut failed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let begin = Instant::now();
    if let Err(why) = operator::install(&[]) {
        println!("{}", operator::seen());
        let _what_came_up = operator::uninstall();
        return Err(why.context("install the chart"));
    }
    println!("      the operator is installed with Helm, in {:.0} s", begin.elapsed().as_secs_f64());
    let plays = scenarios.iter().flat_map(|scenario| (0..times).map(move |turn| (*scenario, turn)));
    for (i, (scenario, turn)) in plays.enumerate() {
        println!("  ({}/{}) {}: {}", i + 1, scenarios.len() * usize::from(times), scenario.name, scenario.about);
        let script = match script(scenario.play, Machine::here(), |variable| env::var(variable).ok()) {
            Ok(script) => script,
            Err(why) => {
                println!("      LEFT OUT: {why}");
                left.push(scenario.name);
                continue;
            }
        };
        let begin = Instant::now();
        match play(scenario.name, turn, &script, &mut figures) {
            Ok(()) => println!("      kept in {:.0} s", begin.elapsed().as_secs_f64()),
            Err(why) => {
                println!("      FAILED after {:.0} s: {why:#}", begin.elapsed().as_secs_f64());
                failed.push(scenario.name);
            }
        }
    }
    println!("{}", table(&figures));
    let removed = operator::uninstall().context("uninstall the chart");
    left.dedup();
    if failed.is_empty() { removed.map(|()| left) } else { bail!("failed: {}", failed.join(" ")) }
}

/// Says what was left out. Whoever asks for a scenario by its name wants it played.
fn all_played(left: &[&str], by_name: bool) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    println!("left out, and so not shown: {}", left.join(" "));
    if by_name { bail!("asked for by name and left out: {}", left.join(" ")) } else { Ok(()) }
}

type Script = Box<dyn Fn(&Scene) -> Result<()>>;

/// What is played, or why it cannot be here.
fn script(play: Play, machine: Option<Machine>, value: impl Fn(&str) -> Option<String>) -> Result<Script, String> {
    match play {
        Play::Anywhere(play) => Ok(Box::new(play)),
        Play::Here(play) => match machine {
            Some(machine) => Ok(Box::new(move |scene| play(scene, &machine))),
            None => Err("it pulls cables, which only the cluster of `cargo e2e` has".to_owned()),
        },
        Play::With(variable, play) => match value(variable).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Box::new(move |scene| play(scene, &value))),
            None => Err(format!("{variable} is not set")),
        },
    }
}

fn play(name: &str, turn: u16, script: &Script, figures: &mut Vec<Figure>) -> Result<()> {
    let scene = Scene::enter(name, turn)?;
    let done = script(&scene);
    figures.extend(scene.figures());
    if done.is_err() || scene.figures().iter().any(Figure::is_above) {
        scene.keep_evidence()?;
        println!("      what is there to see is kept in {}", scene.kept.display());
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_and_is_no_success_for_whoever_asked_for_it() {
        let nothing = |_: &str| None;
        assert!(script(Play::Anywhere(|_| Ok(())), None, nothing).is_ok());
        assert!(script(Play::Here(|_, _| Ok(())), None, nothing).is_err_and(|why| why.contains("cables")));
        let with = Play::With("OTHER_IMAGE", |_, _| Ok(()));
        assert!(script(with, None, nothing).is_err_and(|why| why == "OTHER_IMAGE is not set"));
        assert!(script(with, None, |_| Some(String::new())).is_err());
        assert!(script(with, None, |_| Some("coordd:old".to_owned())).is_ok());
        assert!(all_played(&[], true).is_ok());
        assert!(all_played(&["other-build"], false).is_ok());
        assert!(all_played(&["other-build"], true).is_err_and(|why| why.to_string().contains("other-build")));
    }
}
