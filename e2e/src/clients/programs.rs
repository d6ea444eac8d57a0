//! The client programs: how each is installed, built and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Result, Tried};
use crate::servers::Kind;
use crate::{place, shell, tools};

/// One program; `build` installs and compiles what it needs and returns the command that takes a connection string.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// The servers that it is run against.
    pub(super) kinds: &'static [Kind],
    /// The sizes of ensemble that it is run against.
    pub(super) sizes: &'static [u16],
    pub(super) build: fn() -> Result<Command>,
}

const ANY: &[u16] = &[1, 3];
const BOTH: &[Kind] = &[Kind::ZooKeeper, Kind::Coordd];
/// What no ZooKeeper has.
const OURS: &[Kind] = &[Kind::Coordd];

pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "kazoo", kinds: BOTH, sizes: ANY, build: kazoo },
    Program { name: "kazoo-suite", kinds: BOTH, sizes: ANY, build: kazoo_suite },
    Program { name: "java", kinds: BOTH, sizes: ANY, build: java },
    Program { name: "c", kinds: BOTH, sizes: ANY, build: c },
    Program { name: "go", kinds: BOTH, sizes: ANY, build: go },
    Program { name: "rust", kinds: BOTH, sizes: ANY, build: rust },
    Program { name: "page", kinds: OURS, sizes: &[3], build: page },
    Program { name: "discovery", kinds: OURS, sizes: &[3], build: discovery },
    Program { name: "chat", kinds: OURS, sizes: &[3], build: chat },
];

fn kazoo() -> Result<Command> {
    python("main.py")
}

/// kazoo's own tests, as its package ships them.
fn kazoo_suite() -> Result<Command> {
    python("suite.py")
}

fn python(script: &str) -> Result<Command> {
    let packages = ["kazoo==2.11.0", "pytest==9.2.0", "objgraph==3.7.0", "pyOpenSSL==26.4.0", "pyjks==20.0.0"];
    let python = tools::python("kazoo", &packages, "python")?;
    let mut command = Command::new(python);
    command.arg("-u").arg(place::clients().join("kazoo").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The page at `/`, in a browser.
fn page() -> Result<Command> {
    tools::need("chromium", "chromium")?;
    tools::need("chromedriver", "chromium-driver")?;
    ours("page")
}

/// README's examples and real registrars, and the API against its own description.
fn discovery() -> Result<Command> {
    tools::need("curl", "curl")?;
    tools::need("go", "golang")?;
    tools::need("node", "nodejs")?;
    tools::need("javac", "default-jdk-headless")?;
    let schemathesis = tools::python("schemathesis", &["schemathesis==4.32.5"], "schemathesis")?;
    let mut command = ours("discovery")?;
    command.env("E2E_JARS", tools::jars()?).env("E2E_SCHEMATHESIS", schemathesis).env("E2E_RUNS", place::runs());
    Ok(command)
}

/// The worked example of discovery, `e2e/examples/chat`.
fn chat() -> Result<Command> {
    ours("chat")
}

/// A program on kazoo and nothing else.
fn ours(folder: &str) -> Result<Command> {
    let python = tools::python("discovery", &["kazoo==2.11.0"], "python")?;
    let mut command = Command::new(python);
    command.arg("-u").arg(place::clients().join(folder).join("main.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// ZooKeeper's own client, its recipes, its shell, and Curator.
fn java() -> Result<Command> {
    let jars = tools::jars()?.join("*");
    let classes = place::runs().join("java-classes");
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-proc:none", "-cp"]).arg(&jars).arg("-d").arg(&classes);
    for (name, package) in [("lock", "lock"), ("election", "leader"), ("queue", "queue")] {
        let folder = format!("zookeeper-recipes-{name}/src/main/java/org/apache/zookeeper/recipes/{package}");
        javac.args(sources(&tools::recipes()?.join(folder), "java")?);
    }
    shell::run_quietly(javac.args(sources(&place::clients().join("java/src"), "java")?))?;
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp"]);
    command.arg(format!("{}:{}", classes.display(), jars.display())).arg("Main");
    Ok(command)
}

/// The multi-threaded C client, as Debian packages it, and the recipes of its source.
fn c() -> Result<Command> {
    tools::need("gcc", "gcc")?;
    if !Path::new("/usr/include/zookeeper/zookeeper.h").exists() {
        tools::debian(&["libzookeeper-mt-dev"])?;
    }
    let program = built("c")?;
    let mut gcc = gcc(&["-Wall", "-Wextra", "-Werror", "-o"]);
    gcc.arg(&program).args(sources(&place::clients().join("c"), "c")?);
    for name in ["lock", "queue"] {
        let recipe = tools::recipes()?.join(format!("zookeeper-recipes-{name}/src/main/c"));
        let object = built(&format!("{name}.o"))?;
        let include = format!("-isystem{}", recipe.join("include").display());
        let mut foreign = self::gcc(&["-w", &include, "-c", "-o"]);
        shell::run_quietly(foreign.arg(&object).args(sources(&recipe.join("src"), "c")?))?;
        gcc.arg(include).arg(object);
    }
    shell::run_quietly(gcc.args(["-lzookeeper_mt", "-pthread"]))?;
    Ok(Command::new(program))
}

fn gcc(options: &[&str]) -> Command {
    let mut command = Command::new("gcc");
    command.args(["-std=gnu11", "-O1", "-DTHREADED", "-isystem/usr/include/zookeeper"]).args(options);
    command
}

fn go() -> Result<Command> {
    tools::need("go", "golang")?;
    let program = built("go")?;
    let mut go = Command::new("go");
    go.current_dir(place::clients().join("go")).args(["build", "-o"]).arg(&program);
    shell::run_quietly(go.arg("."))?;
    Ok(Command::new(program))
}

/// A workspace of its own, so that its crates stay out of the server's lock file.
fn rust() -> Result<Command> {
    let target = place::runs().join("clients-rust");
    let manifest = place::clients().join("rust/Cargo.toml");
    let mut cargo = shell::cargo(&["build", "--quiet", "--locked", "--manifest-path"]);
    shell::run_quietly(cargo.arg(manifest).arg("--target-dir").arg(&target))?;
    Ok(Command::new(target.join("debug/foreign-client")))
}

/// Where the program of that name is built to.
fn built(name: &str) -> Result<PathBuf> {
    let dir = place::runs().join("programs");
    fs::create_dir_all(&dir).tried(|| format!("create {}", dir.display()))?;
    Ok(dir.join(name))
}

/// The files in `dir` that end in `.extension`.
fn sources(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).tried(|| format!("read {}", dir.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}
