//! Real servers under foreign clients: an ensemble of processes, ZooKeeper's or coordd's, behind one struct.
//!
//! ```text
//!   zookeeper.rs, coordd.rs ──Command──► Member (a process) ──► Ensemble: start, kill -9, pause, restart, who leads
//! ```
//!
//! Rule: nothing outside of those two files knows which server runs. Reason: a client's check counts only when it
//! passes against ZooKeeper with the very same hand on the processes.
//!
//! `coordd-versus` has one of its own, which signals without a process between and knows proxies, disks and CPU times;
//! this runner cannot stand on it, as it is std-only and there before anything else is built.

mod coordd;
mod four;
mod zookeeper;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result, Tried};
use crate::shell;

/// `super:test`, for checks of the super user.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
/// Short, so that sessions of one second are allowed and expiry is soon seen.
const TICK_MS: u32 = 500;
/// How often emptied containers and outlived znodes are looked for.
const REAP_INTERVAL_MS: u32 = 500;
const READY_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ZooKeeper,
    Coordd,
}

/// What an ensemble is to be.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) members: u16,
    /// Removed and made anew at the start.
    pub(crate) dir: PathBuf,
    /// Clients at base + i; the rest in blocks of ten above.
    pub(crate) base_port: u16,
}

impl Plan {
    fn member_dir(&self, i: u16) -> PathBuf {
        self.dir.join(format!("m{}", i + 1))
    }

    fn client_port(&self, i: u16) -> u16 {
        self.base_port + i
    }

    fn launch(&self, i: u16) -> Result<Command> {
        match self.kind {
            Kind::ZooKeeper => zookeeper::launch(self, i),
            Kind::Coordd => coordd::launch(self, i),
        }
    }
}

/// One member and, while it runs, its process.
struct Member {
    index: u16,
    port: u16,
    child: Option<Child>,
}

/// The members of one ensemble; whatever still runs is killed when this is dropped.
pub(crate) struct Ensemble {
    plan: Plan,
    members: Vec<Member>,
}

impl Ensemble {
    /// Starts every member on an empty directory; returns when all of them serve.
    pub(crate) fn start(plan: Plan) -> Result<Self> {
        let _absent = fs::remove_dir_all(&plan.dir);
        fs::create_dir_all(&plan.dir).tried(|| format!("create {}", plan.dir.display()))?;
        let mut members = Vec::new();
        for index in 0..plan.members {
            let port = plan.client_port(index);
            if TcpStream::connect(local(port)).is_ok() {
                return Err(Failure::new(format!("port {port} is taken: choose another --base-port")));
            }
            members.push(Member { index, port, child: None });
        }
        let mut ensemble = Ensemble { plan, members };
        ensemble.revive()?;
        Ok(ensemble)
    }

    /// `127.0.0.1:P,…` as every ZooKeeper client takes it.
    pub(crate) fn connect_string(&self) -> String {
        self.members.iter().map(|m| local(m.port).to_string()).collect::<Vec<_>>().join(",")
    }

    /// Starts what does not run and waits until all serve.
    pub(crate) fn revive(&mut self) -> Result<()> {
        for at in 0..self.members.len() {
            self.spawn(at)?;
        }
        self.wait_ready()
    }

    pub(crate) fn start_member(&mut self, port: u16) -> Result<()> {
        let at = self.find(port)?;
        self.spawn(at)?;
        self.wait_ready()
    }

    /// `kill -9`, and the end awaited.
    pub(crate) fn kill(&mut self, port: u16) -> Result<()> {
        let at = self.find(port)?;
        if let Some(mut child) = self.members[at].child.take() {
            child.kill().tried(|| format!("kill the member at port {port}"))?;
            child.wait().tried(|| format!("await the end of the member at port {port}"))?;
        }
        Ok(())
    }

    /// Sends `STOP`, `CONT` or `TERM`.
    pub(crate) fn signal(&mut self, port: u16, signal: &str) -> Result<()> {
        let at = self.find(port)?;
        let child = self.members[at].child.as_ref();
        let child = child.ok_or_else(|| Failure::new(format!("the member at port {port} does not run")))?;
        shell::run_quietly(Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()))?;
        Ok(())
    }

    /// The client port of the member that leads.
    pub(crate) fn leader(&self) -> Result<u16> {
        let end = Instant::now() + READY_WITHIN;
        while Instant::now() < end {
            let leads = |m: &&Member| matches!(four::mode(local(m.port)).as_deref(), Some("leader" | "standalone"));
            if let Some(member) = self.members.iter().filter(|m| m.child.is_some()).find(leads) {
                return Ok(member.port);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new("nobody leads"))
    }

    /// Kills whatever still runs.
    pub(crate) fn end(&mut self) {
        for mut child in self.members.iter_mut().filter_map(|m| m.child.take()) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Blocks until a member ends.
    pub(crate) fn wait_end(&mut self) -> Result<()> {
        loop {
            for child in self.members.iter_mut().filter_map(|m| m.child.as_mut()) {
                if child.try_wait().tried(|| "wait for a member".to_owned())?.is_some() {
                    return Ok(());
                }
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn find(&self, port: u16) -> Result<usize> {
        let found = self.members.iter().position(|m| m.port == port);
        found.ok_or_else(|| Failure::new(format!("no member listens at port {port}")))
    }

    /// `setpriv` makes the kernel end the member with this runner, however that ends.
    fn spawn(&mut self, at: usize) -> Result<()> {
        let member = &mut self.members[at];
        if let Some(child) = member.child.as_mut()
            && matches!(child.try_wait(), Ok(None))
        {
            return Ok(());
        }
        let dir = self.plan.member_dir(member.index);
        fs::create_dir_all(&dir).tried(|| format!("create {}", dir.display()))?;
        let output = File::options().create(true).append(true).open(dir.join("output"));
        let output = output.tried(|| format!("open {}/output", dir.display()))?;
        let errors = output.try_clone().tried(|| "share the output file".to_owned())?;
        let launch = self.plan.launch(member.index)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(launch.get_program()).args(launch.get_args());
        command.envs(launch.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(&dir).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().tried(|| format!("start `{}`", shell::line(&command)))?;
        member.child = Some(child);
        Ok(())
    }

    /// Waits until every running member serves.
    fn wait_ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY_WITHIN;
        for member in self.members.iter_mut() {
            let Some(child) = member.child.as_mut() else { continue };
            while four::mode(local(member.port)).is_none() {
                let ended = matches!(child.try_wait(), Ok(Some(_)));
                if ended || Instant::now() > end {
                    let what = if ended { "ended instead of serving" } else { "does not serve after 60 s" };
                    let output = self.plan.member_dir(member.index).join("output");
                    return Err(Failure::new(format!("member {} {what}; see {}", member.index + 1, output.display())));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        self.end();
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
