//! Running other programs: as a step whose output a person sees, or in this process's place.
//!
//! Rule: a program that fails is reported with the command line that repeats it. Reason: the reader of a red CI wants
//! to paste one line.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result, Tried};
use crate::place;

/// Cargo in the repository.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(place::repository());
    command
}

/// Runs to the end with the caller's output; a bad end is a failure.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().tried(|| format!("cannot start `{}`", line(command)))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` ended with {status}", line(command))))
}

/// Runs to the end in silence; what it said is part of the failure.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().tried(|| format!("cannot start `{}`", line(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{}` ended with {}\n{text}{told}", line(command), output.status)))
}

/// Goes on as that program; returns only when it cannot be started.
pub(crate) fn become_program(command: &mut Command) -> Failure {
    let error = command.exec();
    Failure::new(format!("cannot start `{}`: {error}", line(command)))
}

/// The command as a person types it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let mut command = Command::new("cargo");
        command.args(["run", "--four-letter-words", "*", "a b"]);
        assert_eq!(line(&command), "cargo run --four-letter-words '*' 'a b'");
    }

    #[test]
    fn a_program_that_fails_is_named_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo spoken; exit 3"]);
        let failure = run_quietly(&mut command).unwrap_err().to_string();
        assert!(failure.contains("spoken") && failure.contains("exit status: 3"), "{failure}");
    }
}
