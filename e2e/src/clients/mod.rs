//! `cargo clients`: programs on real ZooKeeper client libraries, run against real servers.
//!
//! ```text
//!   Ensemble (1 or 3 members) ◄─kill, start─ Control (a TCP line protocol) ◄──── e2e/clients/kazoo, java, c, go, rust
//!        ▲────────── the ZooKeeper protocol; through a Door where it is to be cut off ──────────┘
//! ```
//!
//! Rule: a program prints `ok NAME` or `FAIL NAME: why` for each case, and must pass against ZooKeeper before it counts
//! for coordd. Reason: what these libraries expect is what ZooKeeper does, not what we believe that it does.

mod control;
mod door;
mod programs;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result, Tried};
use crate::options::Options;
use crate::servers::{Ensemble, Kind, Plan};
use crate::{launch, place};
use control::Control;
use programs::{PROGRAMS, Program};

const USAGE: &str = "usage: cargo clients [--server coordd|zookeeper] [--members 1|3] [--only PROGRAM] [--case NAME]";
const PROGRAM_WITHIN: Duration = Duration::from_secs(240);

/// Runs the programs that the arguments name; without `--members` against one member, then against three.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let options = Options::parse(args, &["--server", "--members", "--only", "--case", "--base-port"], USAGE)?;
    let kind = match options.text("--server") {
        None | Some("coordd") => Kind::Coordd,
        Some("zookeeper") => Kind::ZooKeeper,
        Some(other) => return Err(Failure::new(format!("no server is named {other}\n{USAGE}"))),
    };
    let sizes = if options.text("--members").is_some() { vec![options.number("--members", 1)?] } else { vec![1, 3] };
    let chosen: Vec<&Program> =
        PROGRAMS.iter().filter(|p| options.text("--only").is_none_or(|only| p.name == only)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = PROGRAMS.iter().map(|p| p.name).collect();
        return Err(Failure::new(format!("no such program; there are: {}", names.join(" "))));
    }
    if kind == Kind::Coordd && place::given_coordd().is_none() {
        launch::build_coordd()?;
    }
    let mut tally = Tally::default();
    for members in sizes {
        let chosen: Vec<&Program> =
            chosen.iter().copied().filter(|p| p.sizes.contains(&members) && p.kinds.contains(&kind)).collect();
        if chosen.is_empty() {
            continue;
        }
        let dir = place::runs().join(format!("clients-{kind:?}-{members}").to_lowercase());
        let plan = Plan { kind, members, dir, base_port: options.number("--base-port", 21_810)? };
        against(plan, &chosen, options.text("--case"), &mut tally)?;
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { Ok(()) } else { Err(Failure::new("foreign clients found differences (see FAIL above)")) }
}

/// Starts a real ZooKeeper and stays until it ends; for a person who wants to compare by hand.
pub(crate) fn zookeeper(args: &[String]) -> Result<()> {
    let usage = "usage: e2e zookeeper [--members 1|3] [--dir DIR] [--base-port PORT]";
    let options = Options::parse(args, &["--members", "--dir", "--base-port"], usage)?;
    let dir = options.text("--dir").map_or_else(|| place::runs().join("zookeeper"), Into::into);
    let dir = std::path::absolute(&dir).tried(|| format!("find {}", dir.display()))?;
    let (members, base_port) = (options.number("--members", 1)?, options.number("--base-port", 21_810)?);
    let mut ensemble = Ensemble::start(Plan { kind: Kind::ZooKeeper, members, dir, base_port })?;
    println!("ZooKeeper serves at {}", ensemble.connect_string());
    ensemble.wait_end()
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

fn against(plan: Plan, programs: &[&Program], case: Option<&str>, tally: &mut Tally) -> Result<()> {
    let members = plan.members;
    let size = format!("{:?} of {members}", plan.kind);
    let ready: Vec<(&Program, Command)> =
        programs.iter().map(|&p| Ok((p, (p.build)()?))).collect::<Result<Vec<_>>>()?;
    let ensemble = Ensemble::start(plan)?;
    let servers = ensemble.connect_string();
    let ensemble = Arc::new(Mutex::new(ensemble));
    let control = Control::listen(Arc::clone(&ensemble))?;
    for (program, mut command) in ready {
        let began = Instant::now();
        command.arg(&servers).args(case).env("E2E_CONTROL", control.address());
        println!("      {} against {size}", program.name);
        let (text, well) = attend(program, &mut command)?;
        let _for_a_person = fs::write(place::runs().join(format!("{}-{members}.output", program.name)), &text);
        let (passed, failed) = count(program, &text, well);
        let took = began.elapsed().as_secs_f64();
        println!("      {} against {size}: {passed} passed, {failed} failed in {took:.1} s", program.name);
        tally.passed += passed;
        tally.failed += failed;
        control.revive()?;
    }
    Ok(())
}

/// Runs one program to its end: what it said, and whether it ended well.
fn attend(program: &Program, command: &mut Command) -> Result<(String, Option<bool>)> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = child.tried(|| format!("start {}", program.name))?;
    let out = child.stdout.take().ok_or_else(|| Failure::new("a program without output"))?;
    let reader = thread::spawn(move || heard(out));
    let well = wait(&mut child)?;
    let text = reader.join().map_err(|_| Failure::new("reading the program's output failed"))?;
    Ok((text, well))
}

/// All that is said, while what is not a passed case is shown at once.
fn heard(out: impl Read) -> String {
    let mut text = String::new();
    for line in BufReader::new(out).lines().map_while(|line| line.ok()) {
        if !line.starts_with("ok ") {
            println!("        {line}");
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Counts the cases that passed and those that did not.
fn count(program: &Program, text: &str, well: Option<bool>) -> (usize, usize) {
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    let failed = text.lines().filter(|line| line.starts_with("FAIL ")).count();
    let why = match well {
        None => "did not end in time",
        Some(false) if failed == 0 => "ended badly",
        Some(true) if passed == 0 => "ran no case",
        Some(_) => return (passed, failed),
    };
    println!("        FAIL {}: {why}, after {passed} cases", program.name);
    (passed, failed + 1)
}

/// Whether the program ended well; `None` when it had to be killed.
fn wait(child: &mut Child) -> Result<Option<bool>> {
    let end = Instant::now() + PROGRAM_WITHIN;
    loop {
        if let Some(status) = child.try_wait().tried(|| "wait for a client program".to_owned())? {
            return Ok(Some(status.success()));
        }
        if Instant::now() > end {
            let _gone = child.kill();
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "p", kinds: &[Kind::Coordd], sizes: &[1], build: || Ok(Command::new("true")) };

    #[test]
    fn cases_are_counted_by_their_lines() {
        assert_eq!(count(&PROGRAM, "ok a\nFAIL b: why\nnoise\nok c\n", Some(false)), (2, 1));
    }

    #[test]
    fn a_program_that_dies_hangs_or_runs_nothing_has_failed() {
        assert_eq!(count(&PROGRAM, "ok a\n", Some(false)), (1, 1));
        assert_eq!(count(&PROGRAM, "ok a\n", None), (1, 1));
        assert_eq!(count(&PROGRAM, "", Some(true)), (0, 1));
    }

    #[test]
    fn what_a_program_prints_is_heard_to_its_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ok a; exit 4"]);
        let (text, well) = attend(&PROGRAM, &mut command).unwrap();
        assert_eq!((text.as_str(), well), ("ok a\n", Some(false)));
    }
}
