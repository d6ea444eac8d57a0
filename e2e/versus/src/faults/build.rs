//! The build of coordd that has switches for bugs and hardships; in a target folder of its own, so that it is never
//! taken for the one that users get.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::servers::repository;

/// The binary of `COORDD_SWITCHES_BIN`, else a fresh build.
pub fn with_switches() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("COORDD_SWITCHES_BIN") {
        return Ok(binary.into());
    }
    let target = repository().join("target/planted");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).args([
        "build",
        "--release",
        "-p",
        "coordd",
        "--features",
        "planted",
        "--target-dir",
    ]);
    let status = cargo.arg(&target).status().context("run cargo")?;
    ensure!(status.success(), "coordd with switches could not be built");
    Ok(target.join("release/coordd"))
}
