//! `coordd-e2e`: the command line of the library beside it; `cargo e2e run` brings up a cluster for it.

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
        /// Each so often; the worst of its figures counts
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
        Command::Run { scenarios, short, times } => chosen(&scenarios, short).and_then(|chosen| run(&chosen, times)),
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

/// All of them, also after one has failed.
fn run(scenarios: &[&Scenario], times: u16) -> Result<()> {
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    if let Err(why) = operator::install(&[]) {
        println!("{}", operator::seen());
        let _what_came_up = operator::uninstall();
        return Err(why.context("install the chart"));
    }
    println!("      the operator is installed with Helm, in {:.0} s", begin.elapsed().as_secs_f64());
    let plays = scenarios.iter().flat_map(|scenario| (0..times).map(move |_| *scenario));
    for (i, scenario) in plays.enumerate() {
        println!("  ({}/{}) {}: {}", i + 1, scenarios.len() * usize::from(times), scenario.name, scenario.about);
        let begin = Instant::now();
        match play(scenario, &mut figures) {
            Ok(()) => println!("      kept in {:.0} s", begin.elapsed().as_secs_f64()),
            Err(why) => {
                println!("      FAILED after {:.0} s: {why:#}", begin.elapsed().as_secs_f64());
                failed.push(scenario.name);
            }
        }
    }
    println!("{}", table(&figures));
    let removed = operator::uninstall().context("uninstall the chart");
    if failed.is_empty() { removed } else { bail!("failed: {}", failed.join(" ")) }
}

type Script = Box<dyn Fn(&Scene) -> Result<()>>;

fn play(scenario: &Scenario, figures: &mut Vec<Figure>) -> Result<()> {
    let script: Script = match (scenario.play, Machine::here()) {
        (Play::Anywhere(play), _) => Box::new(play),
        (Play::Here(play), Some(machine)) => Box::new(move |scene| play(scene, &machine)),
        (Play::Here(_), None) => {
            println!("      left out: it pulls cables, which only the cluster of `cargo e2e` has");
            return Ok(());
        }
    };
    let scene = Scene::enter(scenario.name)?;
    let done = script(&scene);
    figures.extend(scene.figures());
    if done.is_err() || scene.figures().iter().any(Figure::is_above) {
        scene.keep_evidence()?;
        println!("      what is there to see is kept in {}", scene.kept.display());
    }
    done
}
