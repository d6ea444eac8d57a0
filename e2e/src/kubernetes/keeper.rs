//! The keeper: a process that brings the cluster up for a run and takes it down when that run has ended, however.
//!
//! ```text
//!   cargo e2e run ──a pipe──► keeper (a session of its own): up, says so, reads until the pipe closes, down
//! ```
//!
//! Rule: the end of the pipe is the only order to take it down. Reason: the kernel closes it also when the run was
//! killed, panicked, or was interrupted at the keyboard.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use super::cluster::Cluster;
use crate::failure::{Failure, Result, Tried};
use crate::shell;

const READY: &str = "ready";

/// A cluster that lives as long as this value.
#[derive(Debug)]
pub(super) struct Keeper {
    process: Child,
    /// Closed to end it.
    order: Option<ChildStdin>,
}

impl Keeper {
    /// Starts a keeper and waits for its cluster.
    pub(super) fn start() -> Result<Self> {
        let program = env::current_exe().tried(|| "find this program".to_owned())?;
        let mut setsid = Command::new("setsid");
        setsid.arg(program).args(["e2e", "keep"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = setsid.spawn().tried(|| format!("cannot start `{}`", shell::line(&setsid)))?;
        let (order, said) = (process.stdin.take(), process.stdout.take());
        let keeper = Keeper { process, order };
        let mut lines = said.map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(io::Result::ok);
        // What else it says is for the reader, too.
        if lines
            .by_ref()
            .inspect(|line| {
                if line != READY {
                    println!("{line}")
                }
            })
            .any(|line| line == READY)
        {
            Ok(keeper)
        } else {
            Err(Failure::new("the cluster did not come up"))
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.order.take());
        // It has said itself what went wrong.
        let _ended = self.process.wait();
    }
}

/// The keeper itself.
pub(super) fn keep() -> Result<()> {
    let cluster = Cluster::of_this_machine()?;
    let began = Instant::now();
    let up = cluster.up();
    if up.is_ok() {
        eprintln!("      three nodes ready in {:.1} s", began.elapsed().as_secs_f64());
        println!("{READY}");
        // Ends with the pipe, which is what is waited for.
        let _end = io::stdin().read_to_end(&mut Vec::new());
    }
    let began = Instant::now();
    cluster.down()?;
    eprintln!("      cluster taken down in {:.1} s", began.elapsed().as_secs_f64());
    up
}
