//! Real servers under test: an ensemble of processes, ZooKeeper's or coordd's, behind one struct.
//!
//! ```text
//!   Launch (how a member is started) ──► Member (its process) ──► Ensemble (start, kill, stop, continue, who leads)
//!   zookeeper.rs, coordd.rs write the launches          procfs.rs reads what a process used      four.rs asks it
//! ```
//!
//! Rule: nothing outside of `zookeeper.rs` and `coordd.rs` knows which of the two runs. Reason: both sides must be
//! measured, compared and hurt by the very same hand.

mod coordd;
mod disks;
mod four;
mod http;
pub mod procfs;
mod zookeeper;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

pub use disks::may_mount;
pub use four::{Mode, ask};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Zookeeper,
    Coordd,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Zookeeper => "zookeeper",
            Kind::Coordd => "coordd",
        }
    }
}

/// What an ensemble is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub kind: Kind,
    pub members: usize,
    /// Removed and made anew when the ensemble is first started.
    pub dir: PathBuf,
    /// Clients at base + i; the rest above.
    pub base_port: u16,
    pub tick_ms: u32,
    /// Members are told the addresses of proxies (see `faults::proxy`) instead of each other's.
    pub proxied: bool,
    /// How often emptied containers and outlived znodes are looked for.
    pub reap_interval_ms: u64,
    /// Another build of coordd than that under test.
    pub program: Option<PathBuf>,
    /// Settings of coordd beyond those that all runs have, as environment variables.
    pub settings: Vec<(&'static str, String)>,
    /// The build has switches for bugs and hardships (coordd's feature `planted`).
    pub switches: bool,
    /// Each member's directory is a file system of so many MiB, in memory.
    pub small_disks: Option<u32>,
}

impl Plan {
    pub fn new(kind: Kind, members: usize, dir: &Path, base_port: u16) -> Self {
        Plan {
            kind,
            members,
            dir: dir.join(kind.name()),
            base_port,
            tick_ms: 2000,
            proxied: false,
            reap_interval_ms: 60_000,
            program: None,
            settings: Vec::new(),
            switches: false,
            small_disks: None,
        }
    }

    pub fn client_port(&self, i: usize) -> u16 {
        self.port(0, i)
    }

    pub fn peer_port(&self, i: usize) -> u16 {
        self.port(10, i)
    }

    pub fn http_port(&self, i: usize) -> u16 {
        self.port(30, i)
    }

    fn port(&self, block: u16, i: usize) -> u16 {
        self.base_port + block + u16::try_from(i).unwrap_or(0)
    }

    /// Where the members are told that member `to` listens.
    pub fn advertised_peer_port(&self, to: usize) -> u16 {
        if self.proxied { self.port(50, to) } else { self.peer_port(to) }
    }
}

/// How a member is started, each time anew.
#[derive(Debug, Clone)]
struct Launch {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

/// One member: its addresses and, while it runs, its process.
#[derive(Debug)]
pub struct Member {
    pub client: SocketAddr,
    pub dir: PathBuf,
    launch: Launch,
    child: Option<Child>,
}

/// The members of one ensemble; whatever still runs is killed when this is dropped.
#[derive(Debug)]
pub struct Ensemble {
    pub plan: Plan,
    pub members: Vec<Member>,
}

impl Ensemble {
    /// Lays out empty directories and starts every member; returns when all of them serve.
    pub fn start(plan: Plan) -> Result<Self> {
        (0..plan.members).for_each(|i| disks::unmount(&plan.dir.join(format!("m{}", i + 1))));
        let _ = fs::remove_dir_all(&plan.dir);
        let mut members = Vec::new();
        for i in 0..plan.members {
            let dir = plan.dir.join(format!("m{}", i + 1));
            fs::create_dir_all(&dir)?;
            if let Some(mib) = plan.small_disks {
                disks::mount(&dir, mib)?;
            }
            let launch = match plan.kind {
                Kind::Zookeeper => zookeeper::launch(&plan, i, &dir)?,
                Kind::Coordd => coordd::launch(&plan, i, &dir)?,
            };
            let client = SocketAddr::from(([127, 0, 0, 1], plan.client_port(i)));
            ensure!(std::net::TcpStream::connect(client).is_err(), "port {} is taken", client.port());
            members.push(Member { client, dir, launch, child: None });
        }
        let mut ensemble = Ensemble { plan, members };
        for i in 0..ensemble.members.len() {
            ensemble.run(i)?;
        }
        ensemble.wait_ready(Duration::from_secs(60))?;
        Ok(ensemble)
    }

    /// Starts the process of member `i`, which finds what its directory holds.
    pub fn run(&mut self, i: usize) -> Result<()> {
        let member = &mut self.members[i];
        let log = File::options().create(true).append(true).open(member.dir.join("output"))?;
        let child = Command::new(&member.launch.program)
            .args(&member.launch.args)
            .envs(member.launch.env.iter().map(|(k, v)| (k, v)))
            .current_dir(&member.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", member.launch.program.display()))?;
        member.child = Some(child);
        Ok(())
    }

    pub fn clients(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|m| m.client).collect()
    }

    pub fn pid(&self, i: usize) -> Option<u32> {
        self.members[i].child.as_ref().map(Child::id)
    }

    pub fn signal(&self, i: usize, signal: Signal) -> Result<()> {
        let id = self.pid(i).with_context(|| format!("member {i} does not run"))?;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("pid")?;
        Ok(kill_process(pid, signal)?)
    }

    /// `kill -9`, and the end awaited.
    pub fn kill(&mut self, i: usize) -> Result<()> {
        if let Some(mut child) = self.members[i].child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Tells every running member to end, and waits for it: what a process does last is done.
    pub fn end(&mut self, limit: Duration) -> Result<()> {
        let running: Vec<usize> = (0..self.members.len()).filter(|&i| self.pid(i).is_some()).collect();
        running.iter().try_for_each(|&i| self.signal(i, Signal::TERM))?;
        running.iter().try_for_each(|&i| self.wait_end(i, limit))
    }

    /// Waits for a member that was told to end.
    pub fn wait_end(&mut self, i: usize, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        while let Some(child) = self.members[i].child.as_mut() {
            if child.try_wait()?.is_some() {
                self.members[i].child = None;
                return Ok(());
            }
            ensure!(Instant::now() < end, "member {i} did not end in {limit:?}");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    pub fn mode(&self, i: usize) -> Option<Mode> {
        four::mode(self.members[i].client)
    }

    pub fn leader(&self) -> Result<usize> {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            let lead = |&i: &usize| matches!(self.mode(i), Some(Mode::Leader | Mode::Standalone));
            if let Some(i) = (0..self.members.len()).filter(|&i| self.pid(i).is_some()).find(lead) {
                return Ok(i);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("nobody leads")
    }

    /// Waits until every running member serves.
    pub fn wait_ready(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        for (i, member) in self.members.iter().enumerate().filter(|(_, m)| m.child.is_some()) {
            while self.mode(i).is_none() {
                ensure!(
                    Instant::now() < end,
                    "{} member {i} does not serve after {limit:?}; see {}",
                    self.plan.kind.name(),
                    member.dir.join("output").display()
                );
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// CPU seconds that each running member has used so far.
    pub fn cpu(&self) -> Vec<f64> {
        self.pids().map(|pid| procfs::cpu_seconds(pid).unwrap_or(0.0)).collect()
    }

    /// How often all members together have synced their disks so far; `None` when they do not count it.
    pub fn fsyncs(&self) -> Option<f64> {
        let count = |member: &Member| {
            let answer = ask(member.client, "mntr").ok()?;
            let value = answer.lines().find_map(|line| line.strip_prefix("zk_cnt_fsynctime\t"))?;
            value.trim().parse::<f64>().ok()
        };
        self.members.iter().map(count).sum()
    }

    /// Tells a member to write a snapshot now and to hand it over, and waits for that.
    pub fn snapshot(&self, i: usize) -> Result<()> {
        match self.plan.kind {
            Kind::Zookeeper => zookeeper::snapshot(&self.plan, i),
            Kind::Coordd => coordd::snapshot(&self.plan, i),
        }
    }

    /// Takes the disk of a stopped member away and does what its server asks for so that it is filled again.
    pub fn refill(&mut self, i: usize) -> Result<()> {
        let dir = self.members[i].dir.clone();
        match self.plan.kind {
            Kind::Zookeeper => {
                fs::remove_dir_all(dir.join("data/version-2"))?;
                self.run(i)
            }
            Kind::Coordd => {
                fs::remove_dir_all(dir.join("data"))?;
                let said_before = self.output(i).len();
                self.run(i)?;
                coordd::cure(&self.members[i], said_before)
            }
        }
    }

    /// What a member that runs or ran has said.
    pub fn output(&self, i: usize) -> String {
        fs::read_to_string(self.members[i].dir.join("output")).unwrap_or_default()
    }

    /// The metrics of each running coordd, in Prometheus' text form.
    pub fn metrics(&self) -> Vec<String> {
        match self.plan.kind {
            Kind::Zookeeper => Vec::new(),
            Kind::Coordd => (0..self.members.len()).filter_map(|i| coordd::metrics(&self.plan, i).ok()).collect(),
        }
    }

    /// The body of a member's answer over HTTP; one outside of 2xx is an error.
    pub fn http(&self, i: usize, path: &str) -> Result<String> {
        http::get(self.plan.http_port(i), path)
    }

    /// Resident bytes of each running member.
    pub fn resident(&self) -> Vec<u64> {
        self.pids().map(|pid| procfs::resident_bytes(pid).unwrap_or(0)).collect()
    }

    fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.members.len()).filter_map(|i| self.pid(i))
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for i in 0..self.members.len() {
            let _ = self.kill(i);
            if self.plan.small_disks.is_some() {
                disks::unmount(&self.members[i].dir);
            }
        }
    }
}

/// The root of the repository, where `target/` is.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
