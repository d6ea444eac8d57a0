//! How a coordd member is started: the command line of design.md §4, a static ensemble.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Launch, Member, Plan, http, repository};

/// The same password as in the ZooKeeper that it is compared with: `super:test`.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// The binary under test: `COORDD_BIN`, else the release build of this repository.
fn binary() -> PathBuf {
    std::env::var_os("COORDD_BIN").map_or_else(|| repository().join("target/release/coordd"), PathBuf::from)
}

pub(super) fn launch(plan: &Plan, i: usize, dir: &Path) -> Result<Launch> {
    let program = plan.program.clone().unwrap_or_else(binary);
    ensure!(program.exists(), "{} is missing: run `cargo build --release -p coordd`", program.display());
    let local = |port: u16| format!("127.0.0.1:{port}");
    let name = |member: usize| format!("m{}", member + 1);
    let peers: Vec<_> =
        (0..plan.members).map(|to| format!("{}={}", name(to), local(plan.advertised_peer_port(to)))).collect();
    let flags = [
        ("--name", name(i)),
        ("--data-dir", dir.join("data").display().to_string()),
        ("--ensemble", peers.join(",")),
        ("--client-addr", local(plan.client_port(i))),
        ("--peer-addr", local(plan.peer_port(i))),
        ("--http-addr", local(plan.http_port(i))),
        ("--admin-addr", local(plan.port(40, i))),
        ("--tick-ms", plan.tick_ms.to_string()),
        ("--min-session-timeout-ms", "1000".to_owned()),
        ("--max-session-timeout-ms", "120000".to_owned()),
        ("--max-client-connections", "0".to_owned()),
        ("--four-letter-words", "*".to_owned()),
        ("--super-digest", SUPER_DIGEST.to_owned()),
    ];
    let mut args = vec!["serve".to_owned()];
    args.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    let mut env = vec![("COORDD_CONTAINER_CHECK_INTERVAL_MS", plan.reap_interval_ms.to_string())];
    env.extend(plan.settings.iter().cloned());
    env.push(("COORDD_PLANTED_DIR", dir.display().to_string()));
    Ok(Launch { program, args, env })
}

pub(super) fn snapshot(plan: &Plan, i: usize) -> Result<()> {
    http::drain(plan.port(40, i), "/admin/v1/snapshot", "")
}

pub(super) fn metrics(plan: &Plan, i: usize) -> Result<String> {
    http::get(plan.http_port(i), "/metrics")
}

/// A member with an empty disk says which command cures that; the command is run as it is printed, after the first
/// `said_before` bytes of its output.
pub(super) fn cure(member: &Member, said_before: usize) -> Result<()> {
    const COMMAND: &str = "coordd admin ";
    let begin = Instant::now();
    let output = member.dir.join("output");
    loop {
        let said = fs::read_to_string(&output)?;
        let said = said.get(said_before..).unwrap_or_default();
        if let Some(at) = said.rfind(COMMAND) {
            let line = said[at + COMMAND.len()..].lines().next().unwrap_or_default();
            let line = line.split(['`', '"', '\'']).next().unwrap_or_default();
            let status = Command::new(&member.launch.program).arg("admin").args(line.split_whitespace()).status()?;
            return status.success().then_some(()).with_context(|| format!("`{COMMAND}{line}` failed"));
        }
        if begin.elapsed() > Duration::from_secs(15) {
            bail!("a member with an empty disk names no command that cures it: {}", output.display());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
