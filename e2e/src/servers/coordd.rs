//! How a coordd member is started: the command line of design.md §4, a static ensemble.

use std::process::Command;

use super::{Plan, REAP_INTERVAL_MS, SUPER_DIGEST, TICK_MS};
use crate::failure::{Failure, Result};
use crate::place;

pub(super) fn launch(plan: &Plan, i: u16) -> Result<Command> {
    let program = place::given_coordd().unwrap_or_else(|| place::build().join("release/coordd"));
    if !program.exists() {
        return Err(Failure::new(format!("{} is missing: cargo build --release -p coordd", program.display())));
    }
    let local = |block: u16, member: u16| format!("127.0.0.1:{}", plan.base_port + block + member);
    let peers: Vec<String> = (0..plan.members).map(|to| format!("m{}={}", to + 1, local(10, to))).collect();
    let mut command = Command::new(program);
    command.args(["serve", "--name", &format!("m{}", i + 1)]);
    command.arg("--data-dir").arg(plan.member_dir(i).join("data"));
    command.args(["--ensemble", &peers.join(",")]);
    command.args(["--client-addr", &local(0, i), "--peer-addr", &local(10, i)]);
    command.args(["--http-addr", &local(20, i), "--admin-addr", &local(30, i)]);
    command.args(["--tick-ms", &TICK_MS.to_string(), "--min-session-timeout-ms", "1000"]);
    command.args(["--max-session-timeout-ms", "60000", "--max-client-connections", "0"]);
    command.args(["--four-letter-words", "*", "--super-digest", SUPER_DIGEST]);
    command.env("COORDD_CONTAINER_CHECK_INTERVAL_MS", REAP_INTERVAL_MS.to_string());
    Ok(command)
}
