//! How a coordd member is started: the command line of design.md §4, a static ensemble.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{Launch, Plan, repository};

/// The same password as in the ZooKeeper that it is compared with: `super:test`.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// The binary under test: `COORDD_BIN`, else the release build of this repository.
fn binary() -> PathBuf {
    std::env::var_os("COORDD_BIN").map_or_else(|| repository().join("target/release/coordd"), PathBuf::from)
}

pub(super) fn launch(plan: &Plan, i: usize, dir: &Path) -> Result<Launch> {
    let program = binary();
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
        ("--http-addr", local(plan.port(30, i))),
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
    let env = vec![("COORDD_CONTAINER_CHECK_INTERVAL_MS", plan.reap_interval_ms.to_string())];
    Ok(Launch { program, args, env })
}
