//! `coordd-e2e`: the command line of the library beside it; `cargo e2e run` brings up a cluster for it.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use coordd_e2e::former::Former;
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
            chosen(&scenarios, short).and_then(|chosen| run(&chosen, times)).and_then(|less| all_played(&less, by_name))
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

/// What a run did not show, by the names of scenarios.
#[derive(Debug, Default)]
struct Less {
    left_out: Vec<&'static str>,
    /// Played without the build of before.
    lesser: Vec<&'static str>,
}

/// All of them, also after one has failed; what was not shown.
fn run(scenarios: &[&Scenario], times: u16) -> Result<Less> {
    let (mut figures, mut failed, mut less) = (Vec::new(), Vec::new(), Less::default());
    let former = Former::given();
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
        let script = match script(scenario.play, Machine::here(), former.clone()) {
            Ok(script) => script,
            Err(why) => {
                println!("      LEFT OUT: {why}");
                less.left_out.push(scenario.name);
                continue;
            }
        };
        if former.is_none() && matches!(scenario.play, Play::BetterWithFormer(_)) {
            less.lesser.push(scenario.name);
        }
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
    less.left_out.dedup();
    less.lesser.dedup();
    if failed.is_empty() { removed.map(|()| less) } else { bail!("failed: {}", failed.join(" ")) }
}

/// Says what was not shown. Whoever asks for a scenario by its name wants it played.
fn all_played(less: &Less, by_name: bool) -> Result<()> {
    if !less.lesser.is_empty() {
        println!("without a build of before, which `--former REV` makes: {}", less.lesser.join(" "));
    }
    if less.left_out.is_empty() {
        return Ok(());
    }
    let left = less.left_out.join(" ");
    println!("left out, and so not shown: {left}");
    if by_name { bail!("asked for by name and left out: {left}") } else { Ok(()) }
}

type Script = Box<dyn Fn(&Scene) -> Result<()>>;

/// What is played, or why it cannot be here.
fn script(play: Play, machine: Option<Machine>, former: Option<Former>) -> Result<Script, String> {
    match play {
        Play::Anywhere(play) => Ok(Box::new(play)),
        Play::Here(play) => match machine {
            Some(machine) => Ok(Box::new(move |scene| play(scene, &machine))),
            None => Err("it pulls cables, which only the cluster of `cargo e2e` has".to_owned()),
        },
        Play::WithFormer(play) => match former {
            Some(former) => Ok(Box::new(move |scene| play(scene, &former))),
            None => Err("there is no build of before; `--former REV` makes one".to_owned()),
        },
        Play::BetterWithFormer(play) => Ok(Box::new(move |scene| play(scene, former.as_ref()))),
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
        let former = || Some(Former("0123abc".to_owned()));
        assert!(script(Play::Anywhere(|_| Ok(())), None, None).is_ok());
        assert!(script(Play::Here(|_, _| Ok(())), None, former()).is_err_and(|why| why.contains("cables")));
        let with = Play::WithFormer(|_, _| Ok(()));
        assert!(script(with, None, None).is_err_and(|why| why.contains("--former")));
        assert!(script(with, None, former()).is_ok());
        assert!(script(Play::BetterWithFormer(|_, _| Ok(())), None, None).is_ok());
        assert!(all_played(&Less::default(), true).is_ok());
        let less = Less { left_out: vec!["other-build"], lesser: vec!["operator-upgraded"] };
        assert!(all_played(&less, false).is_ok());
        assert!(all_played(&less, true).is_err_and(|why| why.to_string().contains("other-build")));
        assert!(all_played(&Less { left_out: Vec::new(), ..less }, true).is_ok(), "what was played was played");
    }
}
