//! `coordd demo`: an ensemble on loopback in one command, to look at and to kill members of.
//!
//! ```text
//!   ports free? ─► a process per member (this binary) ─► who leads? (/v1/ensemble, live) ─► Ctrl-C: followers, leader
//!                       └ ended by itself or by kill -9 ─► said, and started again
//! ```
//!
//! Rule: members are processes with disks of their own, nothing is shared and nothing simulated. Reason: what the
//! demo shows must be what an ensemble does.

mod lead;
mod member;
mod plan;

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use lead::Watcher;
use member::Member;
pub use plan::Options;
use plan::Plan;

/// How long an ended member stays away, so that the others are seen to go on without it.
const AWAY: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Writes a line for the person who looks at the demo.
pub type Say = fn(&str) -> io::Result<()>;

struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs the demo until Ctrl-C or SIGTERM.
///
/// # Errors
/// A port that is taken, a directory or process that cannot be made; nobody reads what it says.
pub async fn run(options: &Options, say: Say) -> io::Result<()> {
    let mut stop = Stop { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
    let plan = Plan::make(options)?;
    let mut members: Vec<Member> = plan.members().map(Member::new).collect();
    for member in &mut members {
        member.start().await?;
    }
    let mut watcher = Watcher::new(&plan);
    let shown = follow(&plan, &mut members, &mut watcher, &mut stop, say).await;
    let outcome = shown.and_then(|()| say("\nstopping"));
    end(members, watcher.leader()).await;
    outcome?;
    say(&format!("stopped; the data stays in {}", plan.dir().display()))
}

/// Shows what happens until it is asked to stop.
async fn follow(
    plan: &Plan,
    members: &mut [Member],
    watcher: &mut Watcher,
    stop: &mut Stop,
    say: Say,
) -> io::Result<()> {
    say(&plan.banner(members))?;
    loop {
        tokio::select! {
            () = stop.asked() => return Ok(()),
            () = sleep(LOOK_EVERY) => {}
        }
        if let Some(line) = watcher.look().await {
            say(&line)?;
        }
        tend(members, say).await?;
    }
}

/// Says which members ended and starts those again that were away for long enough.
async fn tend(members: &mut [Member], say: Say) -> io::Result<()> {
    for member in members {
        if let Some(how) = member.ended()? {
            say(&format!(
                "{} ended ({how}); it is started again in {} s, its log is {}",
                member.name(),
                AWAY.as_secs(),
                member.log_path().display()
            ))?;
        }
        if member.away_for().is_some_and(|away| away >= AWAY) {
            member.start().await?;
            say(&format!("{} started again, pid {}", member.name(), member.pid().unwrap_or(0)))?;
        }
    }
    Ok(())
}

/// Followers first: a leader that has nobody left to hand over to stops at once.
async fn end(members: Vec<Member>, leader: Option<&str>) {
    let (last, first): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| Some(member.name()) == leader);
    for group in [first, last] {
        group.iter().for_each(Member::terminate);
        for member in group {
            member.wait().await;
        }
    }
}
