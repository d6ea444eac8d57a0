//! The proof that the seed decides everything: one seed, two processes, one trace.
//!
//! ```text
//!   coordd-sim once --seed N --trace A ─┐
//!   coordd-sim once --seed N --trace B ─┴─► equal: its report │ not: the first line that differs, from both
//! ```
//!
//! Rule: two processes, not two runs in one. Reason: addresses, clocks and the machine's randomness then differ, so
//! that whatever leaks from them shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Plan, Plant};

/// Runs `plan` twice.
pub(crate) fn twice(plan: &Plan) -> Result<String, String> {
    let kept = plan.trace.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("coordd-sim-{}", plan.seed)));
    let mine = |run: &str| {
        let mut name = kept.clone().into_os_string();
        name.push(format!("-{}.{run}", std::process::id()));
        PathBuf::from(name)
    };
    let traces = [mine("first"), mine("second")];
    let runs = [start(plan, &traces[0])?, start(plan, &traces[1])?];
    let [first, second] = runs.map(|run| run.wait_with_output().map_err(|error| error.to_string()));
    let outcome = compare(&first?, &second?, &traces);
    match outcome {
        Ok(report) => {
            for trace in &traces {
                // Nothing depends on whether it goes: it is only in the way.
                let _ = fs::remove_file(trace);
            }
            Ok(format!("{report}\nthe same twice"))
        }
        Err(why) => {
            let [first, second] = traces.each_ref().map(|trace| trace.display());
            let Plan { seed, rounds, .. } = plan;
            Err(format!("{why}\ntraces: {first} and {second}\nrepeat: cargo sim --seed {seed} --rounds {rounds}"))
        }
    }
}

fn start(plan: &Plan, trace: &Path) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut run = Command::new(program);
    run.args(["once", "--seed", &plan.seed.to_string(), "--rounds", &plan.rounds.to_string()]);
    run.arg("--trace").arg(trace);
    if let Some(plant) = plan.plant {
        run.args(["--plant", name(plant)]);
    }
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())
}

fn name(plant: Plant) -> &'static str {
    match plant {
        Plant::DiskLies => "disk-lies",
        Plant::OwnEntropy => "own-entropy",
    }
}

fn compare(
    first: &std::process::Output,
    second: &std::process::Output,
    traces: &[PathBuf; 2],
) -> Result<String, String> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    if let Some(difference) = first_difference(&read(&traces[0])?, &read(&traces[1])?) {
        return Err(format!("one seed, two lives: {difference}"));
    }
    for run in [first, second] {
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).trim().to_owned());
        }
    }
    if first.stdout != second.stdout {
        return Err("one seed, two reports".to_owned());
    }
    Ok(String::from_utf8_lossy(&first.stdout).trim().to_owned())
}

/// The first line in which two traces differ, from both.
fn first_difference(first: &str, second: &str) -> Option<String> {
    let (mut first, mut second) = (first.lines(), second.lines());
    for number in 1.. {
        match (first.next(), second.next()) {
            (None, None) => return None,
            (one, other) if one != other => {
                let end = "(the end)";
                return Some(format!("line {number}\n  {}\n  {}", one.unwrap_or(end), other.unwrap_or(end)));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_that_are_equal_have_no_difference() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    }

    #[test]
    fn the_first_line_that_differs_is_shown_from_both() {
        let difference = first_difference("a\nb\nc\n", "a\nx\ny\n").unwrap();
        assert_eq!(difference, "line 2\n  b\n  x");
    }

    #[test]
    fn a_trace_that_ends_early_differs() {
        assert_eq!(first_difference("a\n", "a\nb\n").unwrap(), "line 2\n  (the end)\n  b");
    }
}
