//! `cargo verify`: every check that stands between a change and main, with progress, ending at the first failure.
//!
//! ```text
//!   [3/7] test ... ok (41.2 s)                  steps.rs says what each step runs
//!   [4/7] docs ... FAILED → repeat: cargo verify --only docs
//! ```
//!
//! Rule: steps stand in order of cost, and each can be repeated alone. Reason: the cheap ones fail most.

mod steps;

use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use steps::{STEPS, Step};

const USAGE: &str = "usage: cargo verify [--list | --only STEP]";

pub(crate) fn command(args: &[String]) -> Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => run(&STEPS.iter().collect::<Vec<_>>()),
        ["--list"] => {
            STEPS.iter().for_each(|step| println!("{:8} {}", step.name, step.about));
            Ok(())
        }
        ["--only", name] => run(&[find(name)?]),
        _ => Err(Failure::new(USAGE)),
    }
}

fn find(name: &str) -> Result<&'static Step> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        Failure::new(format!("no step is named {name}; there are: {}", names.join(" ")))
    })
}

fn run(steps: &[&Step]) -> Result<()> {
    let began = Instant::now();
    let mut times = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let place = format!("[{}/{}]", i + 1, steps.len());
        println!("{place} {} ({})", step.name, step.about);
        let step_began = Instant::now();
        if let Err(failure) = (step.run)() {
            println!("{place} {} FAILED after {}", step.name, seconds(step_began.elapsed()));
            return Err(Failure::new(format!("{failure}\nrepeat this step with: cargo verify --only {}", step.name)));
        }
        println!("{place} {} ok in {}", step.name, seconds(step_began.elapsed()));
        times.push(format!("{} {}", step.name, seconds(step_began.elapsed())));
    }
    println!("verified in {}: {}", seconds(began.elapsed()), times.join(", "));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails() -> Result<()> {
        Err(Failure::new("it broke"))
    }

    #[test]
    fn a_failed_step_names_the_command_that_repeats_it() {
        let failure = run(&[&Step { name: "broken", about: "", run: fails }]).unwrap_err().to_string();
        assert!(failure.starts_with("it broke\n") && failure.ends_with("cargo verify --only broken"), "{failure}");
    }

    #[test]
    fn an_unknown_step_is_answered_with_those_that_exist() {
        let Err(failure) = find("nonsense") else { panic!("found") };
        assert!(failure.to_string().contains("fmt deny clippy"), "{failure}");
    }
}
