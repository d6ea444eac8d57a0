//! The image in which the scenarios' applications run: this machine's Python with kazoo, its Java with Curator.
//!
//! ```text
//!   python3, its library, kazoo, pip and a wheel ─┐
//!   jlink ─► a JVM of few modules ────────────────┼─► and what they link to (ldd) ─► target/tools/runtimes.tar
//!   the jars of Curator ──────────────────────────┘
//! ```
//!
//! Rule: no program of ours is in it; those come by ConfigMap. Reason: it is made once, from what the client programs
//! are tested with, and a cluster without a registry can run what others would fetch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Result, Tried};
use crate::{image, place, shell, tools};

const KAZOO: &str = "kazoo==2.11.0";
/// What Curator needs, and what runs a program from its source.
const MODULES: &str = "java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.xml,\
    jdk.compiler,jdk.httpserver,jdk.unsupported,jdk.zipfs";
/// Where things are in the image; pip finds the wheel and asks nobody else.
const ENVIRONMENT: &str = r#""Env":["PATH=/bin:/java/bin","PYTHONPATH=/python","PYTHONDONTWRITEBYTECODE=1",
    "PIP_NO_INDEX=1","PIP_FIND_LINKS=/wheels","PIP_DISABLE_PIP_VERSION_CHECK=1"]"#;
const PIP: &str = "#!/bin/python\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n";
/// Parts of Python's library that no program of the scenarios uses.
const LEFT_OUT: [&str; 6] = ["test", "idlelib", "tkinter", "__pycache__", "site-packages", "dist-packages"];
/// Says where the interpreter, its library and the packages beside it are.
const WHERE: &str = "import os, sys, sysconfig; \
    print(os.path.realpath(sys.executable), sysconfig.get_path('stdlib'), sysconfig.get_path('purelib'), sep='\\n')";

/// Makes the image unless it is there; where its archive is.
pub(crate) fn image() -> Result<PathBuf> {
    let archive = place::tools().join("runtimes.tar");
    let jars = tools::jars()?;
    let want = format!("{KAZOO}\n{MODULES}\n{ENVIRONMENT}\n{}", env!("CARGO_PKG_VERSION"));
    tools::once("runtimes", &want, || {
        let root = archive.with_extension("root");
        let _absent = fs::remove_dir_all(&root);
        let mut programs = python(&root)?;
        programs.extend(java(&root, &jars)?);
        linked(&root, &programs)?;
        image::pack_tree(&root, ENVIRONMENT, &archive, concat!("coordd/runtimes:", env!("CARGO_PKG_VERSION")))?;
        fs::remove_dir_all(&root).tried(|| format!("remove {}", root.display()))
    })?;
    Ok(archive)
}

/// Python, at the path that it has here, and in `/bin`; what of it links to libraries.
fn python(root: &Path) -> Result<Vec<PathBuf>> {
    let program = tools::python("discovery", &[KAZOO], "python")?;
    let said = shell::run_quietly(Command::new(&program).args(["-c", WHERE]))?;
    let mut lines = said.lines().map(PathBuf::from);
    let mut next = || lines.next().unwrap_or_default();
    let (interpreter, library, packages) = (next(), next(), next());
    copy(&interpreter, &within(root, &interpreter), &[])?;
    copy(&library, &within(root, &library), &LEFT_OUT)?;
    copy(&packages, &root.join("python"), &["__pycache__"])?;
    let wheels = root.join("wheels");
    let mut pip = Command::new(program.with_file_name("pip"));
    shell::run_quietly(pip.args(["download", "--quiet", "--no-deps", KAZOO, "-d"]).arg(wheels))?;
    let bin = root.join("bin");
    fs::create_dir_all(&bin).tried(|| format!("create {}", bin.display()))?;
    std::os::unix::fs::symlink(&interpreter, bin.join("python")).tried(|| "name the interpreter".to_owned())?;
    fs::write(bin.join("pip"), PIP).tried(|| "write pip".to_owned())?;
    shell::run_quietly(Command::new("chmod").arg("755").arg(bin.join("pip")))?;
    let mut programs = files(&library.join("lib-dynload"), ".so")?;
    programs.push(interpreter);
    Ok(programs)
}

/// A JVM in `/java`, and Curator in `/jars`; what of it links to libraries.
fn java(root: &Path, jars: &Path) -> Result<Vec<PathBuf>> {
    tools::need("jlink", "default-jdk-headless")?;
    let home = root.join("java");
    let mut jlink = Command::new("jlink");
    jlink.args(["--add-modules", MODULES, "--strip-java-debug-attributes", "--no-header-files", "--no-man-pages"]);
    shell::run_quietly(jlink.arg("--output").arg(&home))?;
    copy(jars, &root.join("jars"), &[])?;
    let mut programs = files(&home, ".so")?;
    programs.push(home.join("bin/java"));
    Ok(programs)
}

/// Brings along the libraries that these are linked to, but for those that are there.
fn linked(root: &Path, programs: &[PathBuf]) -> Result<()> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        let said = shell::run_quietly(Command::new("ldd").arg(program))?;
        let paths = said.split_whitespace().filter(|word| word.starts_with('/')).map(|word| word.trim_end_matches(':'));
        libraries.extend(paths.map(PathBuf::from));
    }
    for library in libraries.iter().filter(|library| !library.starts_with(root)) {
        let to = within(root, library);
        if !to.exists() {
            copy(library, &to, &[])?;
        }
    }
    Ok(())
}

fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Copies a file or a folder, links followed, without what bears one of these names.
fn copy(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).tried(|| format!("create {}", parent.display()))?;
    shell::run_quietly(Command::new("cp").args(["-rL", "--"]).arg(from).arg(to))?;
    if without.is_empty() {
        return Ok(());
    }
    let mut find = Command::new("find");
    find.arg(to).args(["-type", "d", "("]);
    for name in without {
        find.args(["-name", name, "-o"]);
    }
    shell::run_quietly(find.args(["-false", ")", "-prune", "-exec", "rm", "-r", "{}", "+"])).map(drop)
}

/// The files in and below `folder` whose names end so.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut find = Command::new("find");
    let said = shell::run_quietly(find.arg(folder).args(["-type", "f", "-name", &format!("*{ending}")]))?;
    Ok(said.lines().map(PathBuf::from).collect())
}
