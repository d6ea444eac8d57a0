//! The build of coordd that has switches for bugs and hardships; of a profile, and so in a folder, of its own: it is
//! never taken for the one that users get.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::servers::repository;

/// The binary of `COORDD_SWITCHES_BIN`, else a fresh build.
pub fn with_switches() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("COORDD_SWITCHES_BIN") {
        return Ok(binary.into());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let build = ["build", "--profile", "planted", "-p", "coordd", "--features", "planted"];
    let status = cargo.current_dir(repository()).args(build).status().context("run cargo")?;
    ensure!(status.success(), "coordd with switches could not be built");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(repository().join(target).join("planted/coordd"))
}
