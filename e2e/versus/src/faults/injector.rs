//! What is done to the members while the clients work.

use std::fs;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rand::RngExt;
use rand::rngs::SmallRng;
use rustix::process::Signal;

use super::full_disk;
use super::proxy::Links;
use super::worker::Shared;
use crate::history::Fault;
use crate::servers::{Ensemble, Plan};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    KillLeader,
    KillFollower,
    KillAll,
    StopLeader,
    StopFollower,
    /// Nobody hears the leader and the leader hears nobody.
    CutLeader,
    /// Nobody hears the leader, but it hears all.
    MuteLeader,
    /// The leader hears nobody, but all hear it.
    DeafenLeader,
    /// A follower is cut from its peers, not from its clients.
    CutFollower,
    /// A follower's disk is lost and the member filled anew, as its server asks for.
    LostDisk,
    /// The connections between a follower and its peers break, again and again; nobody is cut off.
    BreakLinks,
    /// Each member ends cleanly and comes back, one after the other, round after round.
    RestartLoop,
    /// A member's wall clock jumps an hour ahead or back, and later to where it was.
    ClockJump,
    /// Each flush of the leader's disk takes 200 ms longer.
    SlowLeader,
    SlowFollower,
    /// The leader's file system fills up to its last byte, and later has room again.
    FullLeader,
    FullFollower,
}

impl Kind {
    /// Whether it can be done to such an ensemble.
    pub(super) fn fits(self, plan: &Plan) -> bool {
        match self {
            Kind::CutLeader | Kind::MuteLeader | Kind::DeafenLeader | Kind::CutFollower | Kind::BreakLinks => {
                plan.proxied
            }
            Kind::ClockJump | Kind::SlowLeader | Kind::SlowFollower => plan.switches,
            Kind::FullLeader | Kind::FullFollower => plan.small_disks.is_some(),
            _ => true,
        }
    }
}

/// Hurts one ensemble.
pub struct Injector<'a> {
    pub ensemble: &'a mut Ensemble,
    pub links: &'a Links,
    pub shared: &'a Shared,
    pub rng: SmallRng,
    pub faults: Vec<Fault>,
    /// How often a restart loop goes round.
    pub rounds: usize,
}

impl Injector<'_> {
    /// One fault from the first blow to the last repair, and work going on again.
    pub fn inject(&mut self, kind: Kind) -> Result<()> {
        let leader = self.ensemble.leader()?;
        let members = self.ensemble.members.len();
        let follower = (leader + 1 + self.rng.random_range(0..members - 1)) % members;
        let short = Duration::from_millis(self.rng.random_range(50..1500));
        let long = Duration::from_millis(self.rng.random_range(500..6000));
        eprintln!("  fault {}: {kind:?} (leader m{})", self.faults.len() + 1, leader + 1);
        self.note(kind);
        match kind {
            Kind::KillLeader => self.kill(&[leader], short)?,
            Kind::KillFollower => self.kill(&[follower], short)?,
            Kind::KillAll => self.kill(&(0..members).collect::<Vec<_>>(), short)?,
            Kind::StopLeader => self.stop(leader, long)?,
            Kind::StopFollower => self.stop(follower, long)?,
            Kind::CutLeader => self.partition(leader, true, true, long),
            Kind::MuteLeader => self.partition(leader, true, false, long),
            Kind::DeafenLeader => self.partition(leader, false, true, long),
            Kind::CutFollower => self.partition(follower, true, true, long),
            Kind::LostDisk => {
                self.ensemble.kill(follower)?;
                thread::sleep(short);
                self.ensemble.refill(follower)?;
                self.links.set_pid(follower, self.ensemble.pid(follower));
            }
            Kind::BreakLinks => self.break_links(follower),
            Kind::RestartLoop => self.restart_loop()?,
            Kind::ClockJump => {
                let hour = if self.rng.random_bool(0.5) { 3_600_000 } else { -3_600_000 };
                let member = self.rng.random_range(0..members);
                self.switch(member, "clock_offset_ms", hour, long)?;
            }
            Kind::SlowLeader => self.switch(leader, "fsync_delay_ms", 200, long)?,
            Kind::SlowFollower => self.switch(follower, "fsync_delay_ms", 200, long)?,
            Kind::FullLeader => full_disk::fill(self.ensemble, leader)?,
            Kind::FullFollower => full_disk::fill(self.ensemble, follower)?,
        }
        self.ensemble.wait_ready(Duration::from_secs(60))?;
        self.work_goes_on()
    }

    fn note(&mut self, kind: Kind) {
        let in_flight = self.shared.in_flight_soon();
        self.faults.push(Fault { at: self.shared.now(), what: format!("{kind:?}"), in_flight });
    }

    fn kill(&mut self, members: &[usize], down: Duration) -> Result<()> {
        for &member in members {
            self.ensemble.signal(member, Signal::KILL)?;
        }
        for &member in members {
            self.ensemble.kill(member)?;
        }
        thread::sleep(down);
        members.iter().try_for_each(|&member| self.run(member))
    }

    fn stop(&mut self, member: usize, time: Duration) -> Result<()> {
        self.ensemble.signal(member, Signal::STOP)?;
        thread::sleep(time);
        self.ensemble.signal(member, Signal::CONT)
    }

    fn partition(&mut self, member: usize, mute: bool, deaf: bool, time: Duration) {
        for other in (0..self.ensemble.members.len()).filter(|&other| other != member) {
            if mute {
                self.links.block(member, other);
            }
            if deaf {
                self.links.block(other, member);
            }
        }
        thread::sleep(time);
        self.links.open_all();
    }

    fn break_links(&mut self, member: usize) {
        for _ in 0..20 {
            self.links.break_all_of(member);
            thread::sleep(Duration::from_millis(self.rng.random_range(20..150)));
        }
    }

    /// Turns a switch of a member's build for a while.
    fn switch(&self, member: usize, name: &str, value: i64, time: Duration) -> Result<()> {
        let file = self.ensemble.members[member].dir.join(name);
        fs::write(&file, value.to_string())?;
        thread::sleep(time);
        Ok(fs::write(&file, "0")?)
    }

    fn restart_loop(&mut self) -> Result<()> {
        for round in 0..self.rounds {
            for member in 0..self.ensemble.members.len() {
                if (round, member) != (0, 0) {
                    self.note(Kind::RestartLoop);
                }
                self.ensemble.signal(member, Signal::TERM)?;
                self.ensemble.wait_end(member, Duration::from_secs(30))?;
                self.run(member)?;
                self.ensemble.wait_ready(Duration::from_secs(60))?;
            }
        }
        Ok(())
    }

    fn run(&mut self, member: usize) -> Result<()> {
        self.ensemble.run(member)?;
        self.links.set_pid(member, self.ensemble.pid(member));
        Ok(())
    }

    /// Waits until a good number of calls has been answered since.
    pub fn work_goes_on(&self) -> Result<()> {
        let before = self.shared.acknowledged.load(Ordering::Relaxed);
        let begin = Instant::now();
        while self.shared.acknowledged.load(Ordering::Relaxed) < before + 1000 {
            ensure!(begin.elapsed() < Duration::from_secs(60), "no work is done 60 s after the fault");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// What a history needs to count, and whether it has it.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    pub acknowledged: usize,
    pub faults: usize,
}

impl Weight {
    pub fn check(self, acknowledged: usize, faults: &[Fault]) -> Result<()> {
        ensure!(acknowledged >= self.acknowledged, "{acknowledged} acknowledged calls, {} count", self.acknowledged);
        ensure!(faults.len() >= self.faults, "{} faults, {} count", faults.len(), self.faults);
        let idle = faults.iter().find(|f| f.in_flight == 0);
        idle.is_none().then_some(()).with_context(|| format!("nothing was in flight at {idle:?}"))
    }
}
