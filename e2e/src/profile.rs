//! The profile by which the shipped programs are laid out: how often each part of coordd ran while it worked.
//!
//! ```text
//!   counting programs ── the rows of the speed table, in short ──► target/counts/*.profraw ──► coordd/coordd.profdata
//! ```
//!
//! Rule: it is recorded by hand (`cargo versus profile`, half an hour) and kept with the sources. Reason: every build
//! of an image would take twice as long, and no two would be the same (ADR 0007).

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result, Tried};
use crate::{place, shell, shipped};

/// Requests one at a time, counted for longer: a compiler that saw floods alone would take their path for a rare one.
const ALONE: &[&str] = &["--only", "set-1,get-1", "--seconds", "15", "--slices", "1"];
const FLOODS: &[&str] =
    &["--only", "set-32x32,get-32x32,mixed-32x32,create-delete-32x32,watch-999,sessions,sigterm-leader", "--short"];
/// A profile that fits names that many of a hundred functions as the program does; the others were built into their
/// callers. One of another set of dependencies names nearly none.
const FITS_FROM_PERCENT: usize = 40;

/// Where the profile is kept.
pub(crate) fn recorded() -> PathBuf {
    place::repository().join("coordd/coordd.profdata")
}

/// Records it anew.
pub(crate) fn record() -> Result<()> {
    let merge = llvm_profdata()?;
    let counts = place::build().join("counts");
    let counting = shipped::counting_programs(&counts)?;
    // Not one of the counting programs, whose counts would mix with coordd's; nor a shipped one, which needs a profile.
    shell::run(&mut shell::cargo(&["build", "--release", "-p", "coordd-versus"]))?;
    let _absent = fs::remove_dir_all(&counts);
    for work in [ALONE, FLOODS] {
        let mut versus = Command::new(place::build().join("release/coordd-versus"));
        versus.env("COORDD_BIN", counting.join("coordd"));
        shell::run(versus.args(["bench", "--server", "coordd"]).args(work))?;
    }
    shell::run(Command::new(merge).args(["merge", "--sparse", "-o"]).arg(recorded()).arg(&counts))?;
    println!("{} is recorded; the next build uses it", recorded().display());
    Ok(())
}

/// The program that puts counts together, of the compiler's own version.
fn llvm_profdata() -> Result<PathBuf> {
    let sysroot = shell::run_quietly(Command::new("rustc").args(["--print", "sysroot"]))?;
    let host = shell::run_quietly(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let program = Path::new(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/llvm-profdata");
    if program.exists() {
        return Ok(program);
    }
    Err(Failure::new("llvm-profdata is missing: rustup component add llvm-tools"))
}

/// Says so if the profile is of a program whose functions had other names.
pub(crate) fn warn_if_aged(profile: &Path, program: &Path) -> Result<()> {
    let read = |file: &Path| fs::read(file).tried(|| format!("read {}", file.display()));
    let percent = fit(&read(profile)?, &read(program)?);
    if percent < FITS_FROM_PERCENT {
        println!(
            "warning: of the functions in {} coordd has {percent} %, so it is slower than it could be: record it anew, \
             `cargo versus profile`",
            profile.display()
        );
    }
    Ok(())
}

/// Of a hundred functions that the profile names, how many the program has.
fn fit(profile: &[u8], program: &[u8]) -> usize {
    let (known, there) = (functions(profile), functions(program));
    100 * known.intersection(&there).count() / known.len().max(1)
}

/// The mangled names that some bytes hold.
fn functions(bytes: &[u8]) -> HashSet<&[u8]> {
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$.".contains(byte);
    let words = bytes.split(|byte| !of_a_name(byte));
    words.filter_map(|word| word.windows(3).position(|at| at == b"_ZN").map(|at| &word[at..])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_fits_as_far_as_the_program_has_the_functions_that_it_names() {
        let profile = b"\x81lprofi\0x_ZN6coordd4treeE\x03\0_ZN5tokio3runE;_ZN6coordd4goneE\x01_ZN3std2ioE\0words";
        let program = b"\x7fELF\0_ZN6coordd4treeE\0_ZN5tokio3runE\0_ZN3std2ioE.llvm.7\0main\0";
        assert_eq!(fit(profile, program), 50);
        assert_eq!(fit(b"", program), 0);
    }
}
