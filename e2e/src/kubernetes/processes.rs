//! The processes of the cluster, known by a file each, so that any later command can end them.
//!
//! ```text
//!   start NAME ─► a session of its own ─► DIR/pid/NAME, DIR/log/NAME.log        stop NAME: TERM, and KILL after 5 s
//! ```
//!
//! Rule: what is ended is a whole session, never one process. Reason: a node is a dozen processes, and none of them may
//! outlive it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result, Tried};
use crate::shell;

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The processes whose files lie in one folder.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    dir: PathBuf,
}

impl Processes {
    pub(super) fn of(dir: &Path) -> Self {
        Processes { dir: dir.to_path_buf() }
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    /// Starts `program args…` in a session of its own.
    pub(super) fn start(&self, name: &str, program: &Path, args: &[String]) -> Result<()> {
        let log = self.log(name);
        let open = || File::options().create(true).append(true).open(&log).tried(|| format!("open {}", log.display()));
        let mut setsid = Command::new("setsid");
        setsid.arg(program).args(args).stdin(Stdio::null()).stdout(open()?).stderr(open()?);
        let child = setsid.spawn().tried(|| format!("cannot start {}", program.display()))?;
        let (file, pid) = (self.file(name), child.id());
        let start = Stat::of(pid).map(|stat| stat.start).unwrap_or_default();
        fs::write(&file, format!("{pid} {start}")).tried(|| format!("write {}", file.display()))
    }

    /// The process that leads the session; nothing when it was never started or has ended.
    pub(super) fn alive(&self, name: &str) -> Option<u32> {
        self.leader(name).filter(|(_, stat)| !stat.ended).map(|(pid, _)| pid)
    }

    /// The same, also when only its parent has not taken note of its end yet. After the machine was started anew the
    /// number may be somebody else's, who began at another time.
    fn leader(&self, name: &str) -> Option<(u32, Stat)> {
        let line = fs::read_to_string(self.file(name)).ok()?;
        let (pid, start) = line.split_once(' ')?;
        let pid = pid.parse().ok()?;
        Some((pid, Stat::of(pid).filter(|stat| stat.start == start)?))
    }

    /// Ends these, all at once.
    pub(super) fn stop(&self, names: &[&str]) {
        names.iter().for_each(|name| self.signal(name, "TERM"));
        let end = Instant::now() + PATIENCE;
        while names.iter().any(|name| self.alive(name).is_some()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        names.iter().for_each(|name| self.kill(name));
    }

    /// Ends it as a loss of power does.
    pub(super) fn kill(&self, name: &str) {
        self.signal(name, "KILL");
        let end = Instant::now() + PATIENCE;
        while self.alive(name).is_some() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        let _absent = fs::remove_file(self.file(name));
    }

    /// To every process of the session.
    pub(super) fn signal(&self, name: &str, signal: &str) {
        let Some((pid, _)) = self.leader(name) else { return };
        // It may have ended in the meantime, which is as well.
        let _ended = shell::run_quietly(Command::new("kill").args(["-s", signal, "--", &format!("-{pid}")]));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join("pid").join(name)
    }
}

/// What the kernel says of a process.
struct Stat {
    ended: bool,
    /// In ticks since the machine was started.
    start: String,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        Some(Stat { ended, start: fields.nth(18)?.to_owned() })
    }
}

/// Tries until it succeeds; what failed last is the failure.
pub(super) fn until<T>(seconds: u64, what: &str, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(failure) if Instant::now() > end => {
                return Err(Failure::new(format!("{what} did not come up in {seconds} s: {failure}")));
            }
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_now_of_another_process_is_not_ended() {
        let dir = std::env::temp_dir().join(format!("e2e-reused-{}", std::process::id()));
        fs::create_dir_all(dir.join("pid")).unwrap();
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(dir.join("pid/old"), format!("{} 1", other.id())).unwrap();
        let processes = Processes::of(&dir);
        assert_eq!(processes.alive("old"), None);
        processes.kill("old");
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_killed_session_leaves_no_process() {
        let dir = std::env::temp_dir().join(format!("e2e-processes-{}", std::process::id()));
        ["pid", "log"].iter().for_each(|sub| fs::create_dir_all(dir.join(sub)).unwrap());
        let processes = Processes::of(&dir);
        let script = "trap '' TERM; echo $$; sleep 1000 & echo $!; wait".to_owned();
        processes.start("stubborn", Path::new("sh"), &["-c".to_owned(), script]).unwrap();
        let pids = until(5, "the session", || {
            let said = fs::read_to_string(processes.log("stubborn")).unwrap();
            let pids: Vec<u32> = said.lines().filter_map(|line| line.parse().ok()).collect();
            if pids.len() == 2 { Ok(pids) } else { Err(Failure::new(said)) }
        });
        let pids = pids.unwrap();
        assert_eq!(processes.alive("stubborn"), Some(pids[0]));
        processes.kill("stubborn");
        let lives = |pid: &u32| Stat::of(*pid).is_some_and(|stat| !stat.ended);
        let gone = || if pids.iter().any(lives) { Err(Failure::new("lives")) } else { Ok(()) };
        until(5, "the end", gone).unwrap();
        assert_eq!(processes.alive("stubborn"), None);
        fs::remove_dir_all(&dir).unwrap();
    }
}
