//! One member of the demo: a process of this same binary.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a member may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Where a member listens and lives.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub name: String,
    pub client: String,
    pub peer: String,
    pub http: String,
    pub admin: String,
    pub data_dir: PathBuf,
}

pub(super) struct Member {
    seat: Seat,
    ensemble: String,
    process: Option<Child>,
    ended_at: Option<Instant>,
}

impl Member {
    pub(super) fn new((seat, ensemble): (Seat, String)) -> Member {
        Member { seat, ensemble, process: None, ended_at: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.seat.name
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.seat.data_dir.with_extension("log")
    }

    pub(super) async fn start(&mut self) -> io::Result<()> {
        tokio::fs::create_dir_all(&self.seat.data_dir).await?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["demo-member", "--name", &self.seat.name, "--ensemble", &self.ensemble]);
        command.arg("--data-dir").arg(&self.seat.data_dir);
        command.args(["--client-addr", &self.seat.client, "--peer-addr", &self.seat.peer]);
        command.args(["--http-addr", &self.seat.http, "--admin-addr", &self.seat.admin]);
        command.args(["--four-letter-words", "*", "--drain-timeout-ms", "1000"]);
        // A group of its own: Ctrl-C at the terminal reaches the demo alone, which stops its members in order.
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(command.spawn()?);
        self.ended_at = None;
        Ok(())
    }

    /// How the process ended, once, if it did.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let status = process.try_wait()?;
        if status.is_some() {
            self.process = None;
            self.ended_at = Some(Instant::now());
        }
        Ok(status)
    }

    pub(super) fn away_for(&self) -> Option<Duration> {
        self.ended_at.map(|at| at.elapsed())
    }

    pub(super) fn terminate(&self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
            eprintln!("cannot stop {}: {error}", self.seat.name);
        }
    }

    /// Waits for the end; kills what does not end.
    pub(super) async fn wait(self) {
        let Some(mut process) = self.process else { return };
        match timeout(STOP_MAX, process.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => eprintln!("{} ended with {status}", self.seat.name),
            Ok(Err(error)) => eprintln!("cannot wait for {}: {error}", self.seat.name),
            Err(_) => {
                eprintln!("{} does not stop within {} s and is killed", self.seat.name, STOP_MAX.as_secs());
                if let Err(error) = process.kill().await {
                    eprintln!("cannot kill {}: {error}", self.seat.name);
                }
            }
        }
    }
}
