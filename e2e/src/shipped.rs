//! The programs that are shipped: static, and laid out by a profile of coordd at work.
//!
//! ```text
//!   sources, coordd/coordd.profdata ──► target/image/…/{coordd, operator, coordd-versus} ──► images, versus, verify
//! ```
//!
//! Rule: what is tried, measured and packed is one file, and a profile that has aged is spoken of, not refused. Reason:
//! figures hold for what users get; and without its profile coordd is slower, not wrong (ADR 0007).

use std::path::{Path, PathBuf};

use crate::failure::Result;
use crate::{place, profile, shell};

/// Named though Cargo would build for it anyway: so the flags are for the programs, not for what helps to build them.
pub(crate) const TARGET: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };
/// How images call the machines of that target.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// A static binary finds no `getrandom` by name at run time, so the system call is chosen at build time.
const FLAGS: [&str; 2] = ["-Ctarget-feature=+crt-static", "--cfg=getrandom_backend=\"linux_getrandom\""];
/// Between the flags in Cargo's variable: a path may hold a space.
const SEPARATOR: &str = "\x1f";

/// The packages of which images are made, and what each is called. The last holds the clients which work inside the
/// cluster of `cargo e2e`.
const PACKAGES: &[(&str, &str)] = &[("coordd", "coordd"), ("operator", "operator"), ("coordd-versus", "versus")];

/// Builds the programs; where they are.
pub(crate) fn programs() -> Result<PathBuf> {
    let recorded = profile::recorded();
    let programs = build(&place::build().join("image"), &format!("-Cprofile-use={}", recorded.display()))?;
    profile::warn_if_aged(&recorded, &programs.join("coordd"))?;
    Ok(programs)
}

/// The same programs, which write into `counts` how often each of their parts ran; where they are.
pub(crate) fn counting_programs(counts: &Path) -> Result<PathBuf> {
    build(&place::build().join("counting"), &format!("-Cprofile-generate={}", counts.display()))
}

/// All in one go: what one of them asks of a common dependency changes it for the others, and with it the names by
/// which a profile knows their functions.
fn build(target: &Path, flag: &str) -> Result<PathBuf> {
    let mut cargo = shell::cargo(&["build", "--release", "--target", TARGET, "--target-dir"]);
    cargo.arg(target).env("CARGO_ENCODED_RUSTFLAGS", [&FLAGS[..], &[flag]].concat().join(SEPARATOR));
    for (package, _) in packages()? {
        cargo.args(["-p", package]);
    }
    shell::run(&mut cargo)?;
    Ok(target.join(TARGET).join("release"))
}

/// Those of `PACKAGES` that this workspace has.
pub(crate) fn packages() -> Result<Vec<(&'static str, &'static str)>> {
    let mut cargo = shell::cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata = shell::run_quietly(&mut cargo)?;
    let has = |package: &str| metadata.contains(&format!(r#""name":"{package}","version""#));
    Ok(PACKAGES.iter().copied().filter(|(package, _)| has(package)).collect())
}
