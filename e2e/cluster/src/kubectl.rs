//! kubectl, as users have it: what a scenario asks of the cluster, they can type.
//!
//! Rule: it is found in `COORDD_E2E_BIN` or on the path, and the cluster in `KUBECONFIG`. Reason: the same scenarios
//! run in the cluster of `cargo e2e` and in any other.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn command(name: &str, args: &[&str]) -> Command {
    let path = env::var_os("COORDD_E2E_BIN").map_or_else(|| name.into(), |bin| PathBuf::from(bin).join(name));
    let mut command = Command::new(path);
    command.args(args);
    command
}

/// A kubectl that goes on, such as a watch; its output is piped.
pub fn running(args: &[&str]) -> Result<Child> {
    command("kubectl", args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("start kubectl")
}

/// Runs a program of the cluster's (kubectl, helm) to its end; what it printed.
pub fn program(name: &str, args: &[&str], input: &str) -> Result<String> {
    let mut command = command(name, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    child.stdin.take().context("a pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} {}: {}", args.join(" "), told.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn kubectl(args: &[&str]) -> Result<String> {
    program("kubectl", args, "")
}

/// An answer as JSON; `args` end with what is asked for.
pub fn json(args: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&kubectl(&[args, &["-o", "json"]].concat())?)?)
}
